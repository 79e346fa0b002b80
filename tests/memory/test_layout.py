"""Blocks: a window per axis, unfolded and transposed, is the same walk as the flat pattern; also tiles and back."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jnki.access.access import Access, Dim
from jnki.access.affine import Affine, Symbol
from jnki.access.index import arange, scalar
from jnki.access.pattern import hardware_pattern
from jnki.access.subscript import subscript
from jnki.memory.layout import Block, block_of, row_block_of
from jnki.memory.tiles import tile_from_window, walked, window_from_tile
from tests.access.walks import addresses, buffer, index_tile
from tests.access.walks import walked as walked_addresses

few = settings(max_examples=60, derandomize=True, deadline=None)
P, F = arange(4)[:, None], arange(6)[None, :]


def window(block: Block, shape: tuple[int, ...]) -> np.ndarray:
    """The addresses in the block's window."""
    starts = [axis.start.constant for axis in block.axes]
    return addresses(*shape)[tuple(slice(s, s + n) for s, n in zip(starts, block.window_shape))]


BLOCKS = {
    "whole": Access.whole(buffer(4, 6)),
    "slice": subscript(Access.whole(buffer(4, 6)), (slice(1, 3), slice(2, 5))),
    "strided": subscript(Access.whole(buffer(8, 7)), (slice(1, 8, 3), slice(0, 7, 2))),
    "transposed": subscript(Access.whole(buffer(6, 4)), (F, P)),
    "flipped": subscript(Access.whole(buffer(4, 12)), (3 - P, 11 - 2 * F)),
    "broadcast": subscript(Access.whole(buffer(4, 6)), (P, 2 + 0 * F)),
    "two levels on one axis": hardware_pattern(buffer(3, 12), [[12, 2], [4, 3], [1, 2]], 1),
    "levels in the other order": hardware_pattern(buffer(3, 12), [[1, 2], [12, 2], [4, 3]], 1),
    "levels apart": hardware_pattern(buffer(3, 12), [[7, 2], [12, 3], [2, 3]]),
    "three axes in a mix": hardware_pattern(buffer(3, 4, 5), [[1, 5], [-20, 2], [5, 4]], 20),
    "one element": subscript(Access.whole(buffer(4, 6)), (3, 5)),
    "axes of size one": hardware_pattern(buffer(4, 1, 5), [[5, 4], [9, 1], [1, 5]]),
}


@pytest.mark.parametrize("name", BLOCKS)
def test_a_block_is_the_same_walk(name: str) -> None:
    access = BLOCKS[name]
    block = block_of(access)
    assert block is not None
    found = tile_from_window(jnp.asarray(window(block, access.buffer.shape)), block, access.shape)
    np.testing.assert_array_equal(found, walked_addresses(access).astype(int))
    assert block.covers(access.buffer.shape) == (name in ("whole", "transposed", "levels apart", "axes of size one"))


@pytest.mark.parametrize("name", BLOCKS)
def test_a_tile_goes_back_to_its_places(name: str) -> None:
    access = BLOCKS[name]
    block = block_of(access)
    assert block is not None
    numbers = jnp.arange(access.size).reshape(access.shape)
    found = np.asarray(window_from_tile(numbers, block))
    assert found.shape == block.window_shape
    wanted = dict(zip(walked_addresses(access).reshape(-1).tolist(), range(access.size)))
    touched = np.isin(window(block, access.buffer.shape), list(wanted))
    np.testing.assert_array_equal(np.broadcast_to(walked(block), block.window_shape), touched)
    for place in zip(*np.nonzero(touched)):
        assert found[place] == wanted[window(block, access.buffer.shape)[place]]
    assert (found[~touched] == 0).all()
    assert block.is_dense == touched.all()


@pytest.mark.parametrize(
    "access",
    [
        hardware_pattern(buffer(9), [[1, 4], [1, 4]]),
        hardware_pattern(buffer(9), [[2, 4], [1, 3]]),
        hardware_pattern(buffer(4, 6), [[7, 4]]),
        hardware_pattern(buffer(4, 6), [[1, 8]]),
        hardware_pattern(buffer(4, 6), [[4, 6], [1, 4]]),
        subscript(Access.whole(buffer(6, 6)), (P + F, F)),
        subscript(Access.whole(buffer(3, 6)), (P, F)),
    ],
)
def test_what_overlaps_wraps_or_leaves_is_no_block(access: Access) -> None:
    assert block_of(access) is None


@given(st.data())
@few
def test_any_pattern_that_is_a_block_is_the_same_walk(data: st.DataObject) -> None:
    shape = data.draw(st.sampled_from([(24,), (4, 6), (2, 3, 4), (12, 1, 2)]))
    pairs = data.draw(st.lists(st.tuples(st.integers(-12, 12), st.integers(1, 4)), max_size=3))
    access = Access(buffer(*shape), Affine(data.draw(st.integers(0, 23))), tuple(Dim(*pair) for pair in pairs))
    block = block_of(access)
    if block is None:
        return
    inner = tile_from_window(jnp.asarray(window(block, shape)), block, access.shape)
    np.testing.assert_array_equal(inner, walked_addresses(access).astype(int))


def test_a_block_moves_with_a_loop() -> None:
    i = scalar(Symbol("i", 3))
    block = block_of(subscript(Access.whole(buffer(12, 6)), (4 * i + P, F)))
    assert block is not None and block.window_shape == (4, 6)
    assert [str(axis.start) for axis in block.axes] == ["4*i", "0"]
    assert block_of(subscript(Access.whole(buffer(11, 6)), (4 * i + P, F))) is None


# Rows: the window of each row of dim 0.


def rows(access: Access) -> Block | None:
    return row_block_of(access)


def test_rows_of_an_indirect_access() -> None:
    block = rows(hardware_pattern(buffer(8, 6), [[6, 4], [2, 3]], 1, vector_offset=index_tile(4, 1)))
    assert block is not None and block.window_shape == (1, 5) and not block.is_dense
    block = rows(hardware_pattern(buffer(8, 2, 3), [[6, 4], [1, 3], [3, 2]], vector_offset=index_tile(4, 1)))
    assert block is not None and block.window_shape == (1, 2, 3) and block.order == (2, 1)


def test_a_ragged_edge_of_rows_is_fine_where_nothing_is_beyond_it() -> None:
    """Rows past axis 0 are outside of the buffer, so a mask must switch them off, and they may read anything."""
    assert rows(subscript(Access.whole(buffer(3, 6)), (P, F))) is not None
    assert rows(subscript(Access.whole(buffer(9, 6)), (P - 1, F))) is not None


@pytest.mark.parametrize(
    "access",
    [
        hardware_pattern(buffer(4, 6), [[8, 3], [1, 4]]),
        hardware_pattern(buffer(4, 6), [[5, 4], [1, 2]], 1),
        subscript(Access.whole(buffer(20)), 6 * P + F),
        subscript(Access.whole(buffer(4, 5)), (P, F)),
        hardware_pattern(buffer(8, 6), [[6, 4], [1, 6]], 3, vector_offset=index_tile(4, 1)),
        hardware_pattern(buffer(8, 6), [[8, 4], [1, 3]], scalar_offset=index_tile(1, 1)),
    ],
    ids=["wraps", "wraps at the end", "ragged within a row", "ragged columns", "wraps from its offset", "moves aside"],
)
def test_rows_that_stick_out_are_no_windows(access: Access) -> None:
    """XLA would push such a window back inside, and all its elements with it."""
    assert rows(access) is None
