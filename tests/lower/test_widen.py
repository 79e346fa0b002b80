"""Accumulation over partitions: all iterations as one, and only where they continue each other."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jnki.neuronxcc.nki as nki
import jnki.neuronxcc.nki.isa as nisa
import jnki.neuronxcc.nki.language as nl
from jnki.lower.lowering import lower_program
from jnki.lower.plan import Form
from jnki.lower.widen import widened
from jnki.program import Loop


def random(*shape):
    return jnp.asarray(np.random.default_rng(0).standard_normal(shape), jnp.float32)


def product_of(load_left):
    @nki.jit
    def product(left_t, right):
        out = nl.ndarray((left_t.shape[1], right.shape[1]), dtype=nl.float32, buffer=nl.shared_hbm)
        total = nl.zeros(out.shape, dtype=nl.float32, buffer=nl.psum)
        for k in nl.affine_range(4):
            total += nisa.nc_matmul(load_left(left_t, k), nl.load(right[nl.ds(k * 8, 8)]))
        nl.store(out, nl.copy(total))
        return out

    return product


def loop_of(kernel, *args):
    (loop,) = [node for node in kernel.trace(*args).body if isinstance(node, Loop)]
    return loop


LEFT, RIGHT = random(40, 6), random(32, 5)


def test_an_accumulated_matmul_is_one_contraction():
    kernel = product_of(lambda x, k: nl.load(x[nl.ds(k * 8, 8)]))
    *loads, matmul = widened(loop_of(kernel, LEFT, RIGHT))
    assert [load.dst.shape for load in loads] == [(32, 6), (32, 5)]
    assert matmul.stationary.shape == (32, 6)
    text = kernel.lower(LEFT, RIGHT).as_text()
    assert "while" not in text
    assert text.count("dot_general") == 1


@pytest.mark.parametrize(
    "load_left",
    [
        lambda x, k: nl.load(x[nl.ds(k * 8, 8)]),
        lambda x, k: nl.load(x[nl.ds(k * 8 + 8, 8)]),
        lambda x, k: nl.load(x[nl.ds(k * 4, 8)]),
        lambda x, k: nl.load(x[nl.ds(24 - k * 8, 8)]),
        lambda x, k: nl.load(x[0:8]),
        lambda x, k: nl.copy(nl.load(x[nl.ds(k * 8, 8)]), dtype=nl.bfloat16),
        lambda x, k: nl.load(x[k * 8 + nl.arange(8)[:, None], nl.arange(6)[None, :]], mask=k >= 0),
    ],
    ids=["tiles", "shifted", "overlapping", "backwards", "the same", "copied", "masked"],
)
def test_every_form_gives_the_same_sum_and_gradient(load_left):
    kernel = product_of(load_left)
    program = kernel.trace(LEFT, RIGHT)

    def loss(function):
        return lambda *args: (function(*args)[0][0] ** 2).sum()

    chosen, scanned = lower_program(program), lower_program(program, Form.SCAN)
    np.testing.assert_allclose(chosen(LEFT, RIGHT)[0][0], scanned(LEFT, RIGHT)[0][0], rtol=1e-4, atol=1e-4)
    ours = jax.grad(loss(chosen), (0, 1))(LEFT, RIGHT)
    for mine, other in zip(ours, jax.grad(loss(scanned), (0, 1))(LEFT, RIGHT)):
        np.testing.assert_allclose(mine, other, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("start", [lambda k: k * 4, lambda k: 24 - k * 8, lambda k: 0])
def test_iterations_that_do_not_continue_each_other_stay_a_loop(start):
    assert widened(loop_of(product_of(lambda x, k: nl.load(x[nl.ds(start(k), 8)])), LEFT, RIGHT)) is None


def test_an_accumulator_that_rounds_stays_a_loop():
    @nki.jit
    def rounding(x):
        out = nl.ndarray((6, 6), dtype=nl.bfloat16, buffer=nl.shared_hbm)
        total = nl.zeros((6, 6), dtype=nl.bfloat16, buffer=nl.psum)
        for k in nl.affine_range(4):
            tile = nl.load(x[nl.ds(k * 8, 8)])
            total += nisa.nc_matmul(tile, tile)
        nl.store(out, nl.copy(total))
        return out

    assert widened(loop_of(rounding, random(32, 6))) is None


def test_a_tile_that_is_also_stored_stays_a_loop():
    @nki.jit
    def storing(x):
        out = nl.ndarray((6, 6), dtype=nl.float32, buffer=nl.shared_hbm)
        copy = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        total = nl.zeros((6, 6), dtype=nl.float32, buffer=nl.psum)
        for k in nl.affine_range(4):
            tile = nl.load(x[nl.ds(k * 8, 8)])
            nl.store(copy[nl.ds(k * 8, 8)], tile)
            total += nisa.nc_matmul(tile, tile)
        nl.store(out, nl.copy(total))
        return out, copy

    x = random(32, 6)
    assert widened(loop_of(storing, x)) is None
    product, copy = storing(x)
    np.testing.assert_allclose(product, x.T @ x, rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(copy, x)
