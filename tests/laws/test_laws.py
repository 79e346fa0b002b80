"""The laws that every instruction keeps, whatever it does: each goes through the table in `cases`.

1. Pure: the same inputs give the same bits.
2. Every transformation commutes: jit, vmap over any argument, scan, and derivatives give what plain calls give.
3. Derivatives agree: forwards with backwards, jitted with plain, batched with a loop, and with finite differences.
4. Nothing else changes: only elements that the instruction names.
"""

from collections.abc import Mapping
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from jnki import DeviceMemory
from jnki.memory import Fault
from tests.harness import bits_of
from tests.laws.cases import CASES, Case, arrays_of, memory_of

BATCH = 3

every_case = pytest.mark.parametrize(
    "case", [pytest.param(c, id=c.name.replace(" ", "_").replace(",", "")) for c in CASES]
)
Arrays = Mapping[str, Any]


def run(case: Case, arrays: Arrays) -> tuple[dict[str, Any], Fault]:
    """The instruction as a function from arrays to arrays and a fault record."""
    memory = case.run(memory_of(arrays))
    return arrays_of(memory), memory.fault


def assert_same_bits(found: Any, wanted: Any) -> None:
    """Both have one structure, and equal shapes, types and bits."""
    chex.assert_trees_all_equal_shapes_and_dtypes(found, wanted)
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(wanted)):
        np.testing.assert_array_equal(bits_of(np.asarray(a)), bits_of(np.asarray(b)))


def variant(case: Case, key: str, number: int) -> np.ndarray:
    """Other contents for one buffer, of the same kind: rolled, and for floats scaled by a power of two as well."""
    array = np.roll(case.arrays[key], number, axis=0)
    return array if array.dtype.kind in "iub" else (array.astype(np.float32) * 2.0**number).astype(array.dtype)


def stack(trees: list[Any]) -> Any:
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)


@every_case
def test_pure(case: Case) -> None:
    assert_same_bits(run(case, case.arrays), run(case, case.arrays))


@every_case
def test_jit_changes_nothing(case: Case) -> None:
    assert_same_bits(jax.jit(lambda arrays: run(case, arrays))(dict(case.arrays)), run(case, case.arrays))


@every_case
def test_memory_is_an_argument_and_a_result_of_jit(case: Case) -> None:
    assert_same_bits(jax.jit(case.run)(memory_of(case.arrays)), case.run(memory_of(case.arrays)))


@every_case
def test_vmap_over_each_argument_is_a_loop(case: Case) -> None:
    """Index tiles, destinations and buffers that the instruction does not touch included; and all at once."""
    choices = [[key] for key in case.arrays] + [list(case.arrays)]

    def contents(chosen: list[str], number: int) -> dict[str, Any]:
        return {key: variant(case, key, number) if key in chosen else array for key, array in case.arrays.items()}

    def batched(chosen: list[str]) -> dict[str, Any]:
        stacked = stack([contents(chosen, number) for number in range(BATCH)])
        return {key: stacked[key] if key in chosen else jnp.asarray(array) for key, array in case.arrays.items()}

    def all_at_once(batches: list[dict[str, Any]]) -> list[Any]:
        axes = [{key: 0 if key in chosen else None for key in case.arrays} for chosen in choices]
        return [jax.vmap(lambda a: run(case, a), in_axes=(axis,))(batch) for axis, batch in zip(axes, batches)]

    for found, chosen in zip(jax.jit(all_at_once)([batched(chosen) for chosen in choices]), choices):
        assert_same_bits(found, stack([run(case, contents(chosen, number)) for number in range(BATCH)]))


@every_case
def test_vmap_of_vmap_is_two_loops(case: Case) -> None:
    arrays = [[{k: variant(case, k, 2 * i + j) for k in case.arrays} for j in range(2)] for i in range(2)]
    found = jax.jit(jax.vmap(jax.vmap(lambda a: run(case, a))))(stack([stack(line) for line in arrays]))
    assert_same_bits(found, stack([stack([run(case, a) for a in line]) for line in arrays]))


@every_case
def test_scan_with_memory_as_carry_is_a_loop(case: Case) -> None:
    """The fault record is carried too: after the loop it holds the first fault of all steps."""
    xs = {} if case.steps is None else {case.steps: np.stack([variant(case, case.steps, n) for n in range(BATCH)])}

    def step(memory: DeviceMemory, x: Arrays) -> DeviceMemory:
        return case.run(memory_of({**arrays_of(memory), **x}).with_fault(memory.fault))

    start = memory_of(case.arrays)
    after, _ = jax.lax.scan(lambda memory, x: (step(memory, x), None), start, xs, length=BATCH)
    looped = start
    for number in range(BATCH):
        looped = step(looped, {key: array[number] for key, array in xs.items()})
    assert_same_bits(after, looped)


@every_case
def test_nothing_else_changes(case: Case) -> None:
    after, _ = run(case, case.arrays)
    assert sorted(after) == sorted(case.arrays)
    for key, array in case.arrays.items():
        may_change = case.writes.get(key, np.zeros(array.shape, bool))
        changed = bits_of(np.asarray(after[key])) != bits_of(array)
        assert not (changed & ~may_change).any(), key


# Derivatives.


def of_floats(case: Case) -> tuple[Any, dict[str, jax.Array]]:
    """The float results as a function of the float buffers, and these."""
    others = {key: array for key, array in case.arrays.items() if key not in case.floats}

    def function(floats: Arrays) -> dict[str, Any]:
        after, _ = run(case, {**floats, **others})
        return {key: after[key] for key in case.floats}

    return function, {key: jnp.asarray(case.arrays[key]) for key in case.floats}


def whole_numbers(seed: int, arrays: Arrays) -> dict[str, jax.Array]:
    """Small whole numbers of the same shapes and types: all sums of their products are exact."""
    rng = np.random.default_rng(seed)
    return {key: jnp.asarray(rng.integers(-3, 4, a.shape).astype(a.dtype)) for key, a in arrays.items()}


def dot(a: Arrays, b: Arrays) -> float:
    return sum(float(np.sum(np.asarray(a[key], np.float64) * np.asarray(b[key], np.float64))) for key in a)


def assert_close(case: Case, found: Any, wanted: Any) -> None:
    if case.is_linear:
        return assert_same_bits(found, wanted)
    return chex.assert_trees_all_close(found, wanted, atol=case.tolerance, rtol=case.tolerance)


@every_case
def test_forward_and_reverse_derivatives_agree(case: Case) -> None:
    """A cotangent applied to a pushed tangent is the pulled cotangent applied to the tangent."""
    function, floats = of_floats(case)
    tangent = whole_numbers(0, floats)
    value, pushed = jax.jvp(function, (floats,), (tangent,))
    assert_same_bits(value, function(floats))
    cotangent = whole_numbers(1, value)
    same_value, pull = jax.vjp(function, floats)
    assert_same_bits(same_value, value)
    (pulled,) = pull(cotangent)
    assert dot(cotangent, pushed) == pytest.approx(dot(pulled, tangent), abs=case.tolerance, rel=case.tolerance)


@every_case
def test_derivatives_commute_with_jit_and_vmap(case: Case) -> None:
    function, floats = of_floats(case)
    cotangents = [whole_numbers(number, floats) for number in range(BATCH)]

    def pulled(floats: Arrays, cotangent: Arrays) -> Any:
        return jax.vjp(function, floats)[1](cotangent)[0]

    alone = stack([pulled(floats, cotangent) for cotangent in cotangents])
    assert_close(case, jax.jit(jax.vmap(pulled, in_axes=(None, 0)))(floats, stack(cotangents)), alone)
    assert_close(case, jax.vmap(jax.jit(pulled), in_axes=(None, 0))(floats, stack(cotangents)), alone)


smooth = [c for c in CASES if c.is_smooth and all(c.arrays[key].dtype == np.float32 for key in c.floats)]


@pytest.mark.parametrize("case", [pytest.param(c, id=c.name.replace(" ", "_").replace(",", "")) for c in smooth])
def test_derivatives_are_those_of_finite_differences(case: Case) -> None:
    """In float32: differences of narrower floats are mostly rounding."""
    function, floats = of_floats(case)
    check_grads(function, (floats,), order=1, modes=("fwd", "rev"), atol=1e-2, rtol=1e-2, eps=1e-2)
