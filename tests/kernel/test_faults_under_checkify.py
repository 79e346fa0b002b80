"""Under JAX's own checks a correct kernel is quiet, and one at fault is reported in jnki's words."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import checkify

from jnki.neuronxcc import nki

nl, nisa, nt = nki.language, nki.isa, nki.typing

TABLE = jnp.arange(32.0).reshape(8, 4)
TALL = jnp.arange(400.0).reshape(100, 4)
OK, NONE = jnp.array([[1], [0], [2], [7]]), jnp.array([[-1], [2**31 - 1], [-(2**31)], [1000]])
SOME = jnp.array([[1], [1000], [-1], [7]])
VALUES = -jnp.ones((4, 4)) * jnp.arange(1.0, 5.0)[:, None]


def gather_of(mode):
    @nki.jit
    def gather(table, rows):
        out = nl.ndarray((4, 4), dtype=table.dtype, buffer=nl.shared_hbm)
        index, tile = nl.load(rows), nl.zeros((4, 4), dtype=table.dtype)
        p, f = nl.arange(4)[:, None], nl.arange(4)[None, :]
        nisa.dma_copy(dst=tile, src=table[index[p, 0], f], oob_mode=mode)
        nl.store(out, tile)
        return out

    return gather


skip, error = gather_of(nisa.oob_mode.skip), gather_of(nisa.oob_mode.error)


@nki.jit
def put(a: nt.mutable_tensor, rows, values):
    index, p, f = nl.load(rows), nl.arange(4)[:, None], nl.arange(4)[None, :]
    nisa.dma_copy(dst=a[index[p, 0], f], src=values, oob_mode=nisa.oob_mode.skip)
    return a


@nki.jit
def put_elements(a: nt.mutable_tensor, rows, values):
    index, p, f = nl.load(rows), nl.arange(4)[:, None], nl.arange(4)[None, :]
    nisa.dma_copy(dst=a[index[p, 0], f], src=values, mask=p + f < 5, oob_mode=nisa.oob_mode.skip)
    return a


@nki.jit
def edge(x):
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    for b in nl.affine_range(3):
        i, j = nl.arange(4)[:, None], nl.arange(8)[None, :]
        nl.store(out[i, 8 * b + j], nl.load(x[i, 8 * b + j], mask=8 * b + j < 20), mask=8 * b + j < 20)
    return out


def put_by_hand(table, rows, values, mask):
    out = np.array(table)
    for p, row in enumerate(np.asarray(rows)[:, 0]):
        if 0 <= row < out.shape[0]:
            out[row] = np.where(mask[p], values[p], out[row])
    return out


QUIET = {
    "gather": (error, (TABLE, OK)),
    "skip": (skip, (TABLE, SOME)),
    "skip_all": (skip, (TABLE, NONE)),
    "skip_in_vmap": (jax.vmap(skip, (None, 0)), (TABLE, jnp.stack([SOME, OK, NONE]))),
    "skip_in_scan": (lambda t, r: jax.lax.scan(lambda c, q: (c, skip(t, q)), 0, r)[1], (TABLE, jnp.stack([SOME, OK]))),
    "gradient": (jax.grad(lambda t, r: skip(t, r).sum()), (TABLE, SOME)),
    "edge": (edge, (jnp.ones((4, 20)),)),
}


@pytest.mark.parametrize("name", QUIET)
def test_a_correct_kernel_is_quiet(name):
    function, arrays = QUIET[name]
    for checks in (checkify.index_checks, checkify.all_checks):
        found, _ = checkify.checkify(jax.jit(function), errors=checks)(*arrays)
        assert found.get() is None


@pytest.mark.parametrize("kernel", [put, put_elements], ids=["rows", "elements"])
@pytest.mark.parametrize("table", [TABLE, TALL, TALL.astype(jnp.bfloat16)], ids=["many", "few", "narrow"])
def test_scatters_are_quiet_and_right(kernel, table):
    """Rows off, all of them off, and several at one place: the last one that is on wins."""
    mask = np.ones((4, 4), bool) if kernel is put else np.add.outer(np.arange(4), np.arange(4)) < 5
    checked = jax.jit(checkify.checkify(kernel, errors=checkify.all_checks))
    for rows in (OK, SOME, NONE, jnp.array([[5], [5], [-1], [5]]), jnp.array([[5], [5], [6], [-1]])):
        found, out = checked(table, rows, VALUES.astype(table.dtype))
        assert found.get() is None
        np.testing.assert_array_equal(np.float32(out), put_by_hand(np.float32(table), rows, VALUES, mask))


def test_a_fault_is_reported_in_the_words_of_jnki():
    for checks in (checkify.user_checks | checkify.index_checks, checkify.all_checks):
        found, _ = checkify.checkify(jax.jit(error), errors=checks)(TABLE, SOME)
        assert found.get().startswith("a row index is out of bounds in kernel 'gather': row 1 has index 1000")
