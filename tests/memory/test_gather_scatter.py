"""Reading and writing through every form of lowering: the elements that the flat pattern names, and no others."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
from hypothesis import strategies as st

from jnki.access.access import Access, Dim
from jnki.access.affine import Affine, Symbol
from jnki.access.index import arange, scalar
from jnki.access.subscript import subscript
from jnki.memory import NO_LOOPS, Loops
from jnki.memory.gather import read
from jnki.memory.scatter import accumulate, last_of_equals, write
from tests.access.walks import buffer, walked
from tests.examples_of import all_in_one_call, examples_of

LOOP = Symbol("i", 3)


@st.composite
def accesses(draw: st.DrawFn) -> Access:
    """A pattern that stays inside a buffer of 24 elements."""
    shape = draw(st.sampled_from([(24,), (4, 6), (2, 3, 4)]))
    counts = draw(st.lists(st.integers(1, 3), min_size=1, max_size=3))
    steps = [draw(st.integers(-6, 6)) for _ in counts]
    low = sum(min(0, s * (n - 1)) for s, n in zip(steps, counts))
    high = sum(max(0, s * (n - 1)) for s, n in zip(steps, counts))
    if high - low > 23:
        return Access.whole(buffer(*shape))
    return Access(buffer(*shape), Affine(draw(st.integers(-low, 23 - high))), tuple(map(Dim, steps, counts)))


def written(array: np.ndarray, access: Access, value: np.ndarray, enabled: np.ndarray | None = None) -> np.ndarray:
    """What `write` means: one element after the other, in row-major order."""
    result = array.copy().reshape(-1)
    on = np.ones(access.shape, bool) if enabled is None else np.broadcast_to(enabled, access.shape)
    for address, new, is_on in zip(walked(access).reshape(-1), value.reshape(-1), on.reshape(-1)):
        if is_on:
            result[int(address)] = new
    return result.reshape(array.shape)


def start_of(access: Access) -> np.ndarray:
    return np.arange(100, 124).astype(np.float32).reshape(access.buffer.shape)


def test_read_gives_what_the_pattern_names() -> None:
    drawn = examples_of(accesses(), 40)
    functions = [functools.partial(read, access=access, at=NO_LOOPS) for access in drawn]
    found = all_in_one_call(functions, [(start_of(access),) for access in drawn])
    for access, values in zip(drawn, found, strict=True):
        wanted = start_of(access).reshape(-1)[walked(access).astype(int)]
        np.testing.assert_array_equal(values, wanted, err_msg=str(access))


def masks(access: Access, seed: int | None) -> np.ndarray | None:
    return None if seed is None else np.random.default_rng(seed).random(access.shape) < 0.6


def test_c18_write_is_one_element_after_the_other() -> None:
    """C18: the last of several writers wins; a masked-off one does not write."""
    drawn = examples_of(st.tuples(accesses(), st.none() | st.integers(0, 99)), 40)
    functions, arguments = [], []
    for access, seed in drawn:

        def run(array: jax.Array, value: jax.Array, enabled: Any, access: Access = access) -> jax.Array:
            return write(array, access, value, NO_LOOPS, enabled=enabled)

        functions.append(run)
        value = np.arange(access.size).astype(np.float32).reshape(access.shape)
        arguments.append((start_of(access), value, masks(access, seed)))
    found = all_in_one_call(functions, arguments)
    for (access, seed), (array, value, enabled), values in zip(drawn, arguments, found, strict=True):
        wanted = written(array, access, value, enabled)
        np.testing.assert_array_equal(values, wanted, err_msg=f"{access}, mask {seed}")


def test_c17_accumulate_sums_every_contribution() -> None:
    drawn = examples_of(st.tuples(accesses(), st.none() | st.integers(0, 99)), 40)
    functions, arguments = [], []
    for access, seed in drawn:

        def run(array: jax.Array, value: jax.Array, enabled: Any, access: Access = access) -> jax.Array:
            same = {"finish": lambda x: x, "widen": lambda x: x}
            return accumulate(array, access, value, NO_LOOPS, enabled=enabled, **same)

        functions.append(run)
        value = np.arange(1, access.size + 1).astype(np.float32).reshape(access.shape)
        arguments.append((start_of(access), value, masks(access, seed)))
    found = all_in_one_call(functions, arguments)
    for (access, seed), (array, value, enabled), values in zip(drawn, arguments, found, strict=True):
        wanted = array.copy().reshape(-1)
        counted = np.where(True if enabled is None else enabled, value, 0)
        np.add.at(wanted, walked(access).astype(int).reshape(-1), counted.reshape(-1))
        np.testing.assert_array_equal(values, wanted.reshape(array.shape), err_msg=f"{access}, mask {seed}")


@pytest.mark.parametrize("iteration", range(3))
def test_loop_indices_move_windows_at_run_time(iteration: int) -> None:
    access = subscript(Access.whole(buffer(8, 6)), (2 * scalar(LOOP) + arange(4)[:, None], 5 - arange(6)[None, :]))
    array = np.arange(48).astype(np.float32).reshape(8, 6)
    at = Loops().inside(LOOP, jnp.int32(iteration))
    addresses = walked(access, {LOOP: iteration}).astype(int)
    np.testing.assert_array_equal(jax.jit(lambda a: read(a, access, at))(array), array.reshape(-1)[addresses])
    value = -np.arange(24.0, dtype=np.float32).reshape(4, 6)
    found = jax.jit(lambda a, v: write(a, access, v, at))(array, value)
    wanted = array.copy().reshape(-1)
    wanted[addresses.reshape(-1)] = value.reshape(-1)
    np.testing.assert_array_equal(found, wanted.reshape(8, 6))


@pytest.mark.parametrize("count", [0, 3])
def test_nothing_to_move(count: int) -> None:
    access = Access(buffer(4, 6), Affine(0), (Dim(1, count), Dim(1, 0)))
    array = jnp.arange(24.0).reshape(4, 6)
    assert read(array, access, NO_LOOPS).shape == (count, 0)
    np.testing.assert_array_equal(write(array, access, jnp.zeros((count, 0)), NO_LOOPS), array)


@pytest.mark.parametrize("enabled", [None, (True, True, False, True, True)])
def test_c18_the_last_of_equal_starts(enabled: tuple[bool, ...] | None) -> None:
    starts = jnp.array([[1, 0], [2, 0], [1, 0], [1, 1], [2, 0]], jnp.int32)
    on = None if enabled is None else jnp.array(enabled)
    wanted = [False, False, True, True, True] if enabled is None else [True, False, False, True, True]
    assert np.asarray(last_of_equals(starts, on)).tolist() == wanted


@pytest.mark.parametrize(
    "dtype", [ml_dtypes.bfloat16, ml_dtypes.float8_e4m3, ml_dtypes.float8_e5m2, np.float16, np.float32]
)
@pytest.mark.parametrize("name", ["whole", "strided", "transposed", "broadcast", "elements", "masked"])
def test_c05_every_bit_pattern_survives(dtype: type, name: str) -> None:
    """C5: all 256 or 65,536 patterns of a narrow float, NaN payloads included, in and out, jitted and batched."""
    size = np.dtype(dtype).itemsize
    count = 256 if size == 1 else 65_536
    bits = np.arange(count, dtype=np.uint64) * (1 if size < 4 else 65_521) % (1 << (8 * size))
    array = bits.astype(f"u{size}").view(dtype).reshape(-1, 16)
    rows = array.shape[0]
    whole = Access.whole(buffer(rows, 16))
    p, f = arange(rows)[:, None], arange(16)[None, :]
    access = {
        "whole": whole,
        "masked": whole,
        "strided": subscript(whole, (slice(None), slice(1, None, 2))),
        "transposed": subscript(whole, (arange(rows)[None, :], 15 - arange(16)[:, None])),
        "broadcast": subscript(whole, (p, 3 + 0 * f)),
        "elements": Access(whole.buffer, Affine(2), (Dim(16, rows - 1), Dim(3, 8))),
    }[name]
    enabled = (np.arange(access.size) % 3 > 0).reshape(access.shape) if name == "masked" else None

    def move(source: jax.Array, target: jax.Array) -> jax.Array:
        return write(target, access, read(source, access, NO_LOOPS), NO_LOOPS, enabled=enabled)

    def as_bits(array: object) -> np.ndarray:
        return np.ascontiguousarray(np.asarray(array)).view(f"u{size}")

    target = array[::-1].copy()
    source_bits, target_bits = as_bits(array), as_bits(target)
    picked = source_bits.reshape(-1)[walked(access).astype(int)]
    wanted = written(target_bits, access, picked, enabled)
    np.testing.assert_array_equal(as_bits(jax.jit(move)(array, target)), wanted)
    both = jax.jit(jax.vmap(move))(np.stack([array, array]), np.stack([target, target]))
    np.testing.assert_array_equal(as_bits(both), np.stack([wanted, wanted]))
