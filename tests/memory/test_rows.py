"""Rows of an indirect access: which are valid (C9, C10), where they start, and whether they overlap."""

import itertools

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jnki.access.access import Access, Dim, Indirect
from jnki.access.affine import Affine, Symbol
from jnki.access.index import arange
from jnki.access.pattern import hardware_pattern
from jnki.access.subscript import subscript
from jnki.memory import NO_LOOPS
from jnki.memory.layout import row_block_of
from jnki.memory.rows import row_starts, rows_are_disjoint, rows_in_bounds
from tests.access.test_subscript import Tile
from tests.access.walks import buffer, index_tile, walked

few = settings(max_examples=150, derandomize=True, deadline=None)
EDGES = (-(2**31), -2, -1, 0, 1, 4, 5, 6, 7, 8, 2**31 - 1)


def valid(access: Access, *rows: int) -> list[bool]:
    return np.asarray(rows_in_bounds(access, jnp.array(rows, jnp.int32), NO_LOOPS)).tolist()


@pytest.mark.parametrize("row", EDGES)
def test_c09_a_row_is_valid_from_zero_to_below_the_size(row: int) -> None:
    access = hardware_pattern(buffer(7, 6), [[6, 1], [1, 6]], vector_offset=index_tile(1, 1))
    assert valid(access, row) == [0 <= row < 7]
    by_subscript = subscript(Access.whole(buffer(7, 6)), (Tile(index_tile(1, 1)), arange(6)[None, :]))
    assert valid(by_subscript, row) == [0 <= row < 7]


def test_c09_a_static_index_on_another_axis_changes_nothing() -> None:
    access = subscript(Access.whole(buffer(4, 5, 3)), (arange(4)[:, None], Tile(index_tile(4, 1)), arange(3)[None, :]))
    assert valid(access, 4, 4, 0, 4) == [True] * 4 and valid(access, 5, -1, 5, 0) == [False, False, False, True]


def test_c09_an_index_into_a_view_counts_from_the_view() -> None:
    view = subscript(Access.whole(buffer(16, 3)), slice(4, 14, 2))
    access = subscript(view, (Tile(index_tile(3, 1)), arange(3)[None, :]))
    assert valid(access, 4, 5, 0) == [True, False, True]


def brute_force(access: Access, index: int, row: int) -> bool:
    """Whether index and all places of a row are on axis 0: that is, in the buffer."""
    assert access.indirect is not None
    size = access.indirect.size
    step = access.dims[0].step * row
    static = [
        access.offset.constant + step + sum(d.step * p for d, p in zip(access.dims[1:], place))
        for place in itertools.product(*(range(d.count) for d in access.dims[1:]))
    ]
    places = [index * access.indirect.step + address for address in static]
    return 0 <= index < size and all(0 <= place < access.buffer.size for place in places)


@given(st.data())
@few
def test_c10_a_row_that_leaves_the_buffer_anywhere_is_invalid(data: st.DataObject) -> None:
    """C10: for scalar and vector offsets, rows of several rows, rows that wrap, and rows walked backwards."""
    inner = data.draw(st.sampled_from([(6,), (2, 3), ()]))
    width = int(np.prod(inner, dtype=int))
    count = data.draw(st.integers(1, 4))
    pairs = [(data.draw(st.integers(-8, 8)), data.draw(st.integers(1, 4))) for _ in range(data.draw(st.integers(0, 2)))]
    lead = data.draw(st.integers(-8, 8))
    offset = data.draw(st.integers(0, 30))
    is_vector = data.draw(st.booleans())
    access = Access(
        buffer(5, *inner),
        Affine(offset),
        (Dim(0 if is_vector else lead, count), *(Dim(*pair) for pair in pairs)),
        Indirect(index_tile(count, 1), width, 0, 5, is_vector, walks_axis=True),
    )
    for index in (-1, 0, 1, 2, 3, 4, 5, 2**31 - 1, -(2**31)):
        found = valid(access, *([index] * count if is_vector else [index]))
        assert found == [brute_force(access, index, row) for row in range(count)]


def test_c10_a_scalar_on_a_free_axis_stays_on_that_axis() -> None:
    access = hardware_pattern(buffer(4, 9), [[9, 4], [2, 3]], scalar_offset=index_tile(1, 1), indirect_dim=1)
    for column in range(-1, 10):
        assert valid(access, column) == [0 <= column <= 4] * 4


def test_c10_in_a_loop_the_static_part_moves() -> None:
    symbol = Symbol("i", 4)
    access = hardware_pattern(buffer(8, 6), [[6, 2], [1, 6]], Affine.of(symbol) * 6 + 6, scalar_offset=index_tile(1, 1))
    for iteration, index in itertools.product(range(4), range(8)):
        at = NO_LOOPS.inside(symbol, jnp.int32(iteration))
        found = np.asarray(rows_in_bounds(access, jnp.array([index], jnp.int32), at)).tolist()
        assert found == [index + iteration + 1 + row < 8 for row in range(2)]


def test_a_huge_table_has_exact_bounds() -> None:
    access = hardware_pattern(buffer(3_000_000, 2_000), [[2_000, 3], [1, 2_001]], vector_offset=index_tile(3, 1))
    assert valid(access, 2_999_998, 2_999_999, -1) == [True, False, False]


def test_starts_are_the_addresses_of_the_rows() -> None:
    access = subscript(
        Access.whole(buffer(4, 5, 3)), (arange(4)[:, None], Tile(index_tile(4, 1)), arange(2)[None, :] + 1)
    )
    block = row_block_of(access)
    assert block is not None and block.window_shape == (1, 1, 2)
    starts = np.asarray(row_starts(access, block, NO_LOOPS, jnp.array([4, 0, 2, 1], jnp.int32)))
    np.testing.assert_array_equal(starts, [[0, 4, 1], [1, 0, 1], [2, 2, 1], [3, 1, 1]])


@pytest.mark.parametrize(
    ("pairs", "offset", "disjoint"),
    [
        ([(6, 3), (1, 6)], 0, True),
        ([(6, 3), (2, 2)], 1, True),
        ([(6, 3), (6, 2), (1, 6)], 0, False),
        ([(6, 3), (6, 2), (1, 2)], 0, False),
    ],
)
def test_c18_rows_that_may_overlap_are_told_apart(pairs: list, offset: int, disjoint: bool) -> None:
    """C18: only where rows coincide or are apart may whole rows be written at once."""
    access = hardware_pattern(buffer(8, 6), pairs, offset, vector_offset=index_tile(3, 1))
    block = row_block_of(access)
    assert block is not None and rows_are_disjoint(access, block) is disjoint


@given(st.data())
@few
def test_c18_disjoint_rows_never_overlap(data: st.DataObject) -> None:
    """C18: against all pairs of rows and of indices, one by one."""
    count = 3
    pairs = [(data.draw(st.integers(-7, 7)), data.draw(st.integers(1, 3))) for _ in range(data.draw(st.integers(0, 2)))]
    is_vector = data.draw(st.booleans())
    lead = data.draw(st.sampled_from([0, 1, 3, 6, 12]))
    access = Access(
        buffer(20, 6),
        Affine(data.draw(st.integers(0, 30))),
        (Dim(lead, count), *(Dim(*pair) for pair in pairs)),
        Indirect(index_tile(count, 1), data.draw(st.sampled_from([1, 6, 12])), 0, 4, is_vector),
    )
    block = row_block_of(access)
    if block is None or block.broadcast or not rows_are_disjoint(access, block):
        return
    static = walked(access)
    for a, b in itertools.combinations(range(count), 2):
        for i, j in itertools.product(range(4), repeat=2):
            if not is_vector and i != j:
                continue
            assert access.indirect is not None
            first = set(np.ravel(static[a] + i * access.indirect.step).tolist())
            second = set(np.ravel(static[b] + j * access.indirect.step).tolist())
            assert first == second or not first & second
