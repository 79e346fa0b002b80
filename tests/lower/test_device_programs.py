"""Random programs with loops on the device against an interpreter in NumPy, in every form and transformation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.harness import bits_of
from tests.lower.device_programs import ROWS, WIDE, Interpreter, as_kernel, draw
from tests.record.rerolling import rerolling

COUNTS = np.array([[0, 2, 1], [3, 0, 2], [7, 6, 4], [1, 3, -2]], np.int32)

# Some with faults in some cases, and loops in loops.
SEEDS = (0, 2, 3, 4, 15, 118, 186, 249, 296)


def x_of(seed):
    return np.random.default_rng(seed).integers(-8, 9, (ROWS, WIDE)).astype(np.float32)


def interpreted(program, x, n):
    interpreter = Interpreter(x, n)
    with np.errstate(all="ignore"):
        return interpreter.run(program), interpreter


def assert_bits(found, wanted):
    same = (bits_of(np.asarray(found)) == bits_of(wanted)) | (np.isnan(found) & np.isnan(wanted))
    assert same.all()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_program_is_its_interpretation(seed):
    """Called, in a batch of cases of different lengths, in a scan, and with a bound: values, faults and their index."""
    program, x = draw(seed), x_of(seed)
    kernel = as_kernel(program)
    cases = [interpreted(program, x, n) for n in COUNTS]
    wanted = np.stack([y for y, _ in cases])
    faults = [i.fault for _, i in cases]

    def check(outputs, fault):
        assert_bits(outputs, wanted)
        assert np.asarray(fault.occurred).tolist() == [f is not None for f in faults]
        assert [d.index for d in fault.details()] == [f for f in faults if f is not None]

    one_by_one = [kernel.with_fault(x, n) for n in COUNTS]
    check(*jax.tree.map(lambda *leaves: np.stack(leaves), *one_by_one))
    check(*jax.jit(jax.vmap(kernel.with_fault, (None, 0)))(x, COUNTS))
    check(*jax.lax.scan(lambda c, n: (c, kernel.with_fault(x, n)), None, COUNTS)[1])
    bounded = kernel.max_trips(max(1, *(i.trips for _, i in cases)))
    check(*jax.jit(jax.vmap(bounded.with_fault, (None, 0)))(x, COUNTS))


@pytest.mark.parametrize("seed", range(3))
def test_made_loops_again_it_is_the_same(seed):
    program, x = draw(seed), x_of(seed)
    with rerolling():
        kernel = as_kernel(program * 2)
        found = np.stack([kernel.with_fault(x, n)[0] for n in COUNTS])
    assert_bits(found, np.stack([interpreted(program * 2, x, n)[0] for n in COUNTS]))


@pytest.mark.parametrize("seed", range(5))
def test_derivatives_are_differences_of_the_interpretation(seed):
    """Of programs that are linear in `x`: forwards without a bound, and backwards with one, batched too."""
    program, x, move = draw(100 + seed, linear=True), x_of(seed), x_of(1000 + seed)
    kernel = as_kernel(program)
    cases = [interpreted(program, x, n) for n in COUNTS]
    differences = np.stack([interpreted(program, x + move, n)[0] - y for n, (y, _) in zip(COUNTS, cases)])

    def forwards(n):
        return jax.jvp(lambda x: kernel.with_fault(x, n)[0], (jnp.asarray(x),), (jnp.asarray(move),))[1]

    np.testing.assert_allclose(jax.vmap(forwards)(COUNTS), differences, rtol=1e-5, atol=1e-4)
    bounded = kernel.max_trips(max(1, *(i.trips for _, i in cases)))
    seeds = np.random.default_rng(seed).integers(-3, 4, (ROWS, WIDE)).astype(np.float32)

    def backwards(n):
        return jax.vjp(lambda x: bounded.with_fault(x, n)[0], jnp.asarray(x))[1](jnp.asarray(seeds))[0]

    products = (np.asarray(jax.vmap(backwards)(COUNTS), np.float64) * move).sum((1, 2))
    np.testing.assert_allclose(products, (differences * seeds).sum((1, 2)), rtol=1e-4, atol=1e-2)


def test_programs_are_of_all_kinds():
    """There are cases with faults and without, and loops that run often and not at all."""
    found = [interpreted(draw(seed), x_of(seed), n)[1] for seed in SEEDS for n in COUNTS]
    assert {i.fault is None for i in found} == {True, False}
    assert {0, 2, 3, 7} <= {i.trips for i in found}
