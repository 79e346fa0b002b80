"""The normal form: shape, size, wholeness, boxes, loops, and its text."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jnki.access.access import Access, Dim, Indirect
from jnki.access.affine import ZERO, Affine, Symbol
from jnki.access.index import arange, scalar
from jnki.access.subscript import subscript
from tests.access.walks import buffer, index_tile, walked

few = settings(max_examples=100, derandomize=True, deadline=None)
LOOP = Symbol("i", 3)


def test_the_whole_buffer() -> None:
    whole = Access.whole(buffer(2, 3, 4))
    assert whole.shape == (2, 3, 4) and whole.size == 24 and whole.is_whole and str(whole) == "t"
    assert whole.dtype.name == "float32" and whole.symbols == () and whole.accesses() == (whole,)


@pytest.mark.parametrize(
    ("dims", "offset", "is_whole"),
    [
        ([(12, 2), (4, 3), (1, 4)], 0, True),
        ([(1, 24)], 0, True),
        ([(4, 6), (1, 4)], 0, True),
        ([(12, 2), (7, 1), (1, 12)], 0, True),
        ([(1, 24)], 1, False),
        ([(1, 23)], 0, False),
        ([(4, 6), (2, 4)], 0, False),
        ([(1, 4), (4, 6)], 0, False),
        ([(-1, 24)], 23, False),
        ([(0, 2), (1, 12)], 0, False),
    ],
)
def test_is_whole_means_every_element_once_in_order(dims: list, offset: int, is_whole: bool) -> None:
    access = Access(buffer(2, 3, 4), Affine(offset), tuple(Dim(*d) for d in dims))
    in_order = walked(access).reshape(-1).tolist() == list(range(24))
    assert access.is_whole == in_order == is_whole


def test_an_indirect_access_is_never_whole() -> None:
    access = Access(buffer(4, 1), ZERO, (Dim(0, 4), Dim(1, 1)), Indirect(index_tile(4, 1), 1, 0, 4))
    assert not access.is_whole and [a.buffer.name for a in access.accesses()] == ["t", "i"]


@given(st.data())
@few
def test_a_box_of_an_access_walks_that_part(data: st.DataObject) -> None:
    dims = data.draw(st.lists(st.tuples(st.integers(-5, 5), st.integers(1, 5)), min_size=1, max_size=3))
    access = Access(buffer(200), Affine(50), tuple(Dim(*d) for d in dims))
    box = []
    for _, count in dims:
        low = data.draw(st.integers(0, count))
        box.append((low, data.draw(st.integers(low, count))))
    part = access.restricted(tuple(box))
    np.testing.assert_array_equal(walked(part), walked(access)[tuple(slice(*ends) for ends in box)])


def test_a_box_moves_open_bounds_along() -> None:
    access = subscript(Access.whole(buffer(6, 5)), (arange(8)[:, None], arange(5)[None, :]))
    (bound,) = access.restricted(((2, 6), (0, 5))).unchecked
    assert bound.base == Affine(2) and bound.steps == (1, 0)


def test_substitution_reaches_the_index_tile_and_open_bounds() -> None:
    i = scalar(LOOP)
    tile = subscript(index_tile(4, 3), (arange(4)[:, None], i + 0 * arange(1)[None, :]))
    row = Access(buffer(8, 6), Affine.of(LOOP), (Dim(0, 4), Dim(1, 6)), Indirect(tile, 6, 0, 8))
    assert row.symbols == (LOOP,)
    at_two = row.substitute(LOOP, Affine(2))
    assert at_two.offset == Affine(2) and at_two.symbols == ()
    assert at_two.indirect is not None and at_two.indirect.index.offset == Affine(2)
    open_row = subscript(Access.whole(buffer(6, 5)), (4 * i + arange(4)[:, None], arange(5)[None, :]))
    (bound,) = open_row.substitute(LOOP, Affine(1)).unchecked
    assert bound.base == Affine(4)
    assert Access.whole(buffer(3)).substitute(LOOP, Affine(1)) == Access.whole(buffer(3))


@pytest.mark.parametrize(
    ("access", "text"),
    [
        (Access.whole(buffer(4, 6)), "t"),
        (subscript(Access.whole(buffer(4, 6)), (slice(1, 3), slice(0, 6, 2))), "t(6: [6,2] [2,3])"),
        (subscript(Access.whole(buffer(4, 6)), (scalar(LOOP), slice(None))), "t(6*i: [1,6])"),
        (Access(buffer(4, 6), ZERO, (Dim(1, 24),)), "t(0: [1,24])"),
        (
            Access(buffer(8, 6), Affine(2), (Dim(0, 4), Dim(1, 3)), Indirect(index_tile(4, 1), 6, 0, 8)),
            "t(2 + 6*row(i): [0,4] [1,3])",
        ),
        (
            Access(buffer(8, 6), ZERO, (Dim(6, 4),), Indirect(index_tile(1, 1), 6, 0, 8, is_vector=False)),
            "t(0 + 6*at(i): [6,4])",
        ),
    ],
)
def test_text(access: Access, text: str) -> None:
    assert str(access) == text
