"""Positions of single elements: exact addresses, also in tensors of more than 2^31 elements (nothing is allocated)."""

import functools
import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import strategies as st

from jnki.access.access import Access, Dim
from jnki.access.affine import Affine, Symbol
from jnki.access.pattern import hardware_pattern
from jnki.memory import NO_LOOPS, Loops
from jnki.memory.elements import INT32_LIMIT, element_axes, element_positions
from tests.access.walks import buffer, index_tile, walked
from tests.examples_of import all_in_one_call, examples_of

LOOP = Symbol("i", 1000)


def flat(access: Access, at: Loops = NO_LOOPS, rows: Any = None) -> tuple[np.ndarray, bool]:
    return addresses(access, element_positions(access, at, rows))


def addresses(access: Access, positions: Any) -> tuple[np.ndarray, bool]:
    """The addresses that the positions name, as exact integers, and whether all are on their axes."""
    positions = [np.asarray(p).astype(object) for p in positions]
    axes = element_axes(access)
    strides = [int(np.prod(axes[a + 1 :], dtype=object)) for a in range(len(axes))]
    fits = all(((p >= 0) & (p < n)).all() for p, n in zip(positions, axes))
    return sum(p * s for p, s in zip(positions, strides)), fits


def test_small_buffers_are_flat_and_huge_ones_keep_their_axes() -> None:
    assert element_axes(Access.whole(buffer(4, 6))) == (24,)
    assert element_axes(Access.whole(buffer(1 << 16, 1 << 15))) == (1 << 16, 1 << 15)
    assert element_axes(Access.whole(buffer((1 << 31) - 1))) == ((1 << 31) - 1,)


@st.composite
def huge_accesses(draw: st.DrawFn) -> Access:
    shape = draw(st.sampled_from([(70_000, 40_000), (3_000, 2_000, 1_000), (5, 1 << 30), (2, 40_000, 3, 20_000)]))
    total = int(np.prod(shape, dtype=object))
    counts = draw(st.lists(st.integers(1, 3), min_size=1, max_size=3))
    steps = [draw(st.integers(-total // 20, total // 20) | st.integers(-5, 5)) for _ in counts]
    low = sum(min(0, s * (n - 1)) for s, n in zip(steps, counts))
    high = sum(max(0, s * (n - 1)) for s, n in zip(steps, counts))
    offset = draw(st.integers(-low, total - 1 - high))
    return Access(buffer(*shape), Affine(offset), tuple(map(Dim, steps, counts)))


def test_any_pattern_in_a_huge_tensor() -> None:
    """Wrapping into the next row, plane and block included."""
    drawn = examples_of(huge_accesses(), 60)
    functions = [functools.partial(element_positions, access, NO_LOOPS, None) for access in drawn]
    for access, positions in zip(drawn, all_in_one_call(functions, [()] * len(drawn)), strict=True):
        found, fits = addresses(access, positions)
        np.testing.assert_array_equal(found, walked(access), err_msg=str(access))
        assert fits, access


@pytest.mark.parametrize("offset", [0, 20_000 * 3 - 2, 20_000 * 3 * 40_000 - 4, 20_000 * 3 * 39_999 + 59_998])
def test_a_carry_runs_through_every_axis(offset: int) -> None:
    """From the last element of a row to the first of the next row, plane and block."""
    access = Access(buffer(2, 40_000, 3, 20_000), Affine(offset), (Dim(1, 5),))
    found, fits = flat(access)
    np.testing.assert_array_equal(found, walked(access))
    assert fits


@pytest.mark.parametrize("iteration", [0, 1, 999])
def test_loop_indices_far_out(iteration: int) -> None:
    access = Access(buffer(3_000_000, 2_000), Affine.of(LOOP) * 6_000_000 + 1_998, (Dim(2_000, 3), Dim(1, 2)))
    at = NO_LOOPS.inside(LOOP, jnp.int32(iteration))
    found, fits = flat(access, at)
    np.testing.assert_array_equal(found, walked(access, {LOOP: iteration}))
    assert fits


def test_rows_of_a_huge_table() -> None:
    access = hardware_pattern(buffer(3_000_000, 2_000), [[2_000, 3], [1, 4]], 1_996, vector_offset=index_tile(3, 1))
    rows = [2_999_999, 0, 1_234_567]
    found, fits = flat(access, rows=jnp.array(rows, jnp.int32))
    wanted = [[row * 2_000 + 1_996 + place for place in range(4)] for row in rows]
    np.testing.assert_array_equal(found, np.array(wanted, object))
    assert fits


@pytest.mark.parametrize("index", [-1, -(2**31), 2**31 - 1, 2_999_999])
def test_c09_no_index_makes_the_arithmetic_wrap(index: int) -> None:
    """C9: an index out of bounds is clipped before it is multiplied; the caller discards the row."""
    access = hardware_pattern(buffer(3_000_000, 2_000), [[2_000, 1], [1, 4]], vector_offset=index_tile(1, 1))
    found, fits = flat(access, rows=jnp.array([index], jnp.int32))
    assert fits and found[0, 0] == min(max(index, 0), 2_999_999) * 2_000


def test_what_wraps_too_often_names_itself() -> None:
    access = Access(buffer(1 << 20, 1 << 12), Affine(0), (Dim((1 << 12) - 1, 1 << 20),))
    assert access.size * ((1 << 12) - 1) > INT32_LIMIT
    with pytest.raises(NotImplementedError, match=r"a pattern that wraps axis 1 of \[1048576, 4096\] so often"):
        jax.eval_shape(lambda: element_positions(access, NO_LOOPS, None))


def test_small_tensors_have_flat_positions() -> None:
    pairs = st.lists(st.tuples(st.integers(-7, 7), st.integers(1, 4)), max_size=4)
    drawn = [
        Access(buffer(10, 10), Affine(50), tuple(Dim(*pair) for pair in of_one)) for of_one in examples_of(pairs, 40)
    ]
    functions = [functools.partial(element_positions, access, NO_LOOPS, None) for access in drawn]
    for access, (positions,) in zip(drawn, all_in_one_call(functions, [()] * len(drawn)), strict=True):
        assert positions.dtype == jnp.int32 and positions.shape == access.shape, access
        np.testing.assert_array_equal(positions, walked(access).astype(int), err_msg=str(access))


def test_positions_count_every_element_once() -> None:
    access = Access(buffer(3, 4, 5), Affine(0), (Dim(20, 3), Dim(1, 5), Dim(5, 4)))
    (positions,) = element_positions(access, NO_LOOPS, None)
    assert sorted(np.asarray(positions).reshape(-1).tolist()) == list(range(60))
    assert list(itertools.islice(np.asarray(positions)[0, 0], 2)) == [0, 5]
