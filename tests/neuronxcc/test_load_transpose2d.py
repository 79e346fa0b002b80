"""`nl.load_transpose2d`: one DMA that reads an HBM tensor along its columns."""

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest

from jnki.errors import RuleError
from jnki.neuronxcc import nki
from jnki.program.program import instructions
from tests.errors.refusals import flagged

nl, nisa = nki.language, nki.isa

X = np.random.default_rng(3).normal(size=(2, 6, 40)).astype(np.float32)
P, F = nl.arange(4)[:, None], nl.arange(5)[None, :]


@pytest.mark.parametrize(
    "index, reference",
    [
        (lambda x: x[0], lambda x: x[0].T),
        (lambda x: x[1, 2:6, 3:20], lambda x: x[1, 2:6, 3:20].T),
        (lambda x: x[1, ::2, 1:30:7], lambda x: x[1, ::2, 1:30:7].T),
        (lambda x: x[:, 3], lambda x: x[:, 3].T),
        (lambda x: x[0, 5 - P, 2 * F + 1], lambda x: x[0, [5, 4, 3, 2]][:, [1, 3, 5, 7, 9]].T),
        (lambda x: x.reshape((12, 40))[:, 0:1], lambda x: x.reshape(12, 40)[:, 0:1].T),
    ],
)
def test_it_swaps_both_axes_of_what_is_indexed(index, reference):
    @nki.jit
    def kernel(x):
        tile = nl.load_transpose2d(index(x))
        out = nl.ndarray(tile.shape, dtype=tile.dtype, buffer=nl.shared_hbm)
        nl.store(out, tile)
        return out

    np.testing.assert_array_equal(kernel(X), reference(X))


@nki.jit
def in_loop(x, dtype=None, rows=128, columns=128):
    """Each batch transposed, in a loop, where its mask holds."""
    out = nl.ndarray((2, 40, 6), dtype=dtype or x.dtype, buffer=nl.shared_hbm)
    p, f = nl.arange(6)[:, None], nl.arange(40)[None, :]
    for i in nl.affine_range(2):
        tile = nl.zeros((40, 6), dtype or x.dtype)
        tile[...] = nl.load_transpose2d(x[i, p, f], mask=(p < rows) & (f < columns - i), dtype=dtype)
        nl.store(out[i], tile)
    return out


def test_its_mask_speaks_of_the_axes_of_the_source():
    found = in_loop(X, rows=4, columns=30)
    expected = np.zeros((2, 40, 6), np.float32)
    for i in range(2):
        expected[i, : 30 - i, :4] = X[i, :4, : 30 - i].T
    np.testing.assert_array_equal(found, expected)
    assert [i.name for i in instructions(in_loop.trace(X).body)].count("dma_copy") >= 2


def test_it_casts_once():
    np.testing.assert_array_equal(in_loop(X, dtype=nl.bfloat16), X.transpose(0, 2, 1).astype(ml_dtypes.bfloat16))


def test_its_derivative_is_the_transpose_and_it_maps():
    weights = jnp.asarray(np.random.default_rng(4).normal(size=(2, 40, 6)).astype(np.float32))
    gradient = jax.grad(lambda x: jnp.sum(in_loop(x, rows=5) * weights))(jnp.asarray(X))
    expected = np.asarray(weights).transpose(0, 2, 1).copy()
    expected[:, 5:] = 0
    np.testing.assert_array_equal(gradient, expected)
    batch = jnp.stack([X, 2 * X])
    np.testing.assert_array_equal(jax.vmap(in_loop)(batch)[1], in_loop(2 * jnp.asarray(X)))


@nki.jit
def transposed(x, index):
    tile = nl.load_transpose2d(index(x))  # flagged
    out = nl.ndarray(tile.shape, dtype=tile.dtype, buffer=nl.shared_hbm)
    nl.store(out, tile)
    return out


def test_its_rules():
    flagged(
        lambda x: transposed(x, lambda x: x),
        X,
        rule="err_exceed_max_supported_dimension",
        message="load_transpose2d: 'src' does not have two dimensions",
        given="[2, 6, 40]",
        allowed="[P, F]; an integer on every other axis, as in x[i, 0:128, 0:64]",
    )
    with pytest.raises(RuleError, match="err_num_partition_exceed_arch_limit"):
        transposed(np.zeros((4, 129), np.float32), lambda x: x)

    @nki.jit
    def gathered(x, rows):
        i = nl.load(rows)
        nl.load_transpose2d(x[i, nl.arange(40)[None, :]])

    with pytest.raises(RuleError, match="load_transpose2d: 'src' has an indirect index"):
        gathered(X[0], np.zeros((4, 1), np.int32))

    @nki.jit
    def on_chip(x):
        nl.load_transpose2d(nl.load(x))

    with pytest.raises(RuleError, match="operand 'src' of 'load_transpose2d' is in the wrong memory"):
        on_chip(X[0])
