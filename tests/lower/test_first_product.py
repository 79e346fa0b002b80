"""A product and the loop that adds to it are one contraction; only where the loop goes on where the product ends."""

import jax
import numpy as np
import pytest

import jnki.nki as nki
from jnki.lower.first_product import with_first_products
from jnki.lower.lowering import lower_program
from jnki.lower.plan import Form
from jnki.program.program import Loop, instructions
from tests.record.rerolling import rerolling

nl, nisa = nki.language, nki.isa

STEP = 8
R = np.random.default_rng(0)
# Small integers: every order of summation gives the same bits.
LEFT = R.integers(-4, 5, (6 * STEP, 6)).astype(np.float32)
RIGHT = R.integers(-4, 5, (6 * STEP, 5)).astype(np.float32)


def product(start_of=lambda k: k, after=None, accumulate=None):
    """A kernel that adds up products of rows `STEP * start_of(k)` and so on."""

    @nki.jit
    def kernel(left_t, right):
        out = nl.ndarray((left_t.shape[1], right.shape[1]), dtype=nl.float32, buffer=nl.shared_hbm)
        total = nl.ndarray(out.shape, dtype=nl.float32, buffer=nl.psum)
        tiles = []
        for k in range(6):
            left = nl.ndarray((STEP, left_t.shape[1]), dtype=left_t.dtype, buffer=nl.sbuf)
            moving = nl.ndarray((STEP, right.shape[1]), dtype=right.dtype, buffer=nl.sbuf)
            start = STEP * start_of(k)
            nisa.dma_copy(left, left_t[start : start + STEP])
            nisa.dma_copy(moving, right[start : start + STEP])
            nisa.nc_matmul(total, left, moving, accumulate=accumulate)
            tiles.append(moving)
        result = nl.ndarray(out.shape, dtype=nl.float32, buffer=nl.sbuf)
        nisa.tensor_copy(result, total)
        if after is not None:
            after(result, tiles)
        nisa.dma_copy(out, result)
        return out

    return kernel


def recorded(kernel):
    with rerolling():
        return kernel.trace(LEFT, RIGHT)


def expected(order):
    rows = [slice(STEP * k, STEP * k + STEP) for k in order]
    return sum(LEFT[r].T @ RIGHT[r] for r in rows)


def has_loop(nodes):
    return any(isinstance(node, Loop) for node in nodes)


def test_a_product_and_its_loop_are_one_contraction():
    program = recorded(product())
    assert has_loop(program.body)
    nodes = with_first_products(program.body)
    assert not has_loop(nodes)
    (matmul,) = [i for i in instructions(nodes) if i.name == "nc_matmul"]
    assert matmul.stationary.shape == (6 * STEP, 6) and not matmul.accumulate
    text = jax.jit(lower_program(program)).lower(LEFT, RIGHT).as_text()
    assert text.count("dot_general") == 1 and "while" not in text
    (out,), _ = lower_program(program)(LEFT, RIGHT)
    np.testing.assert_array_equal(out, expected(range(6)))


def test_what_the_first_tiles_hold_is_still_there():
    def adds_the_first_tile(result, tiles):
        nisa.tensor_tensor(result[0:6, 0:5], result[0:6, 0:5], tiles[0][0:6, 0:5], nl.add)

    program = recorded(product(after=adds_the_first_tile))
    assert not has_loop(with_first_products(program.body))
    (out,), _ = lower_program(program)(LEFT, RIGHT)
    np.testing.assert_array_equal(out, expected(range(6)) + RIGHT[0:6])


@pytest.mark.parametrize(
    "order",
    [[5, 0, 1, 2, 3, 4], [0, 2, 3, 4, 5, 5], [0, 0, 0, 0, 0, 0], [5, 4, 3, 2, 1, 0], [0, 0, 1, 2, 3, 4]],
    ids=str,
)
def test_twins_that_do_not_go_on_stay_loops(order):
    program = recorded(product(start_of=order.__getitem__))
    assert has_loop(with_first_products(program.body)) == has_loop(program.body)
    (out,), _ = lower_program(program)(LEFT, RIGHT)
    np.testing.assert_array_equal(out, expected(order))


def test_products_that_are_not_added_stay_as_they_are():
    program = recorded(product(accumulate=False))
    assert [i.accumulate for i in instructions(with_first_products(program.body)) if i.name == "nc_matmul"].count(
        True
    ) == 0
    (out,), _ = lower_program(program)(LEFT, RIGHT)
    np.testing.assert_array_equal(out, expected([5]))


def test_gradients_and_batches_are_those_of_a_scan():
    program = recorded(product())
    plain, scanned = lower_program(program), lower_program(program, Form.SCAN)

    def loss(run):
        return jax.jit(jax.grad(lambda a, b: (run(a, b)[0][0] ** 2).sum(), argnums=(0, 1)))

    for one, other in zip(loss(plain)(LEFT, RIGHT), loss(scanned)(LEFT, RIGHT)):
        np.testing.assert_array_equal(one, other)
    batch = np.stack([LEFT, 2 * LEFT])
    (one,), _ = jax.vmap(plain, in_axes=(0, None))(batch, RIGHT)
    np.testing.assert_array_equal(one, np.stack([expected(range(6)), 2 * expected(range(6))]))
