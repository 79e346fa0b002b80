"""Axis indices name the addresses of the flat pattern, also where these are beyond 32 bits."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jnki.access.access import Access, Dim
from jnki.access.affine import Affine, Symbol
from jnki.access.coordinates import coordinates, inside, split
from jnki.access.pattern import hardware_pattern
from tests.access.walks import buffer, index_tile, walked

few = settings(max_examples=200, derandomize=True, deadline=None)
LOOP = Symbol("i", 3)


@pytest.mark.parametrize(
    ("value", "strides", "digits"),
    [
        (0, (15, 3, 1), [0, 0, 0]),
        (22, (15, 3, 1), [1, 2, 1]),
        (-22, (15, 3, 1), [-1, -2, -1]),
        (47, (15, 3, 1), [3, 0, 2]),
        (5, (5, 5, 1), [1, 0, 0]),
        (7, (), []),
        (1 << 40, (1 << 33, 1), [128, 0]),
    ],
)
def test_split_is_the_mixed_radix(value: int, strides: tuple[int, ...], digits: list[int]) -> None:
    assert split(value, strides) == digits


def placed(access: Access, loop: int) -> tuple[np.ndarray, bool]:
    """The flat addresses that the coordinates name, and whether all of them are on their axes."""
    addresses, fits = np.empty(access.shape, object), True
    for place in itertools.product(*(range(n) for n in access.shape)):
        positions = [
            index.start.evaluate(lambda _: loop) + sum(s * p for s, p in zip(index.steps, place))
            for index in coordinates(access)
        ]
        fits &= all(0 <= p < n for p, n in zip(positions, access.buffer.shape))
        addresses[place] = sum(p * stride for p, stride in zip(positions, access.buffer.strides))
    return addresses, fits


shapes = st.lists(st.integers(1, 5), min_size=1, max_size=4).map(tuple)
pairs = st.lists(st.tuples(st.integers(-9, 9), st.integers(1, 4)), max_size=4)


@given(shapes, pairs, st.integers(0, 20), st.integers(-4, 4))
@few
def test_coordinates_name_the_same_addresses(shape: tuple, dims: list, offset: int, move: int) -> None:
    access = Access(buffer(*shape), Affine.of(LOOP) * move + offset, tuple(Dim(*d) for d in dims))
    fits = True
    for loop in range(3):
        found, on_axes = placed(access, loop)
        np.testing.assert_array_equal(found, walked(access, {LOOP: loop}))
        fits &= on_axes
    assert inside(access) <= fits


@given(shapes, pairs, st.integers(0, 20))
@few
def test_inside_is_exact_without_loops(shape: tuple, dims: list, offset: int) -> None:
    access = Access(buffer(*shape), Affine(offset), tuple(Dim(*d) for d in dims))
    assert inside(access) == placed(access, 0)[1]


def test_beyond_32_bits_axis_indices_stay_small() -> None:
    huge = buffer(3_000_000, 2_000)
    access = Access(huge, Affine.of(Symbol("i", 1000)) * (2_000 * 3_000) + 1_999, (Dim(2_000, 3_000),))
    rows, columns = coordinates(access)
    assert rows.start.bounds() == (0, 2_997_000) and rows.bounds(access.shape) == (0, 2_999_999)
    assert columns.start == Affine(1_999) and columns.steps == (0,)
    assert inside(access)
    assert not inside(Access(huge, Affine(6_000_000_000 - 1), (Dim(2_000, 2),)))


def test_the_indexed_axis_is_not_judged() -> None:
    table = hardware_pattern(buffer(8, 6), [[6, 4], [1, 6]], 12, vector_offset=index_tile(4, 1))
    assert inside(table)
    assert not inside(hardware_pattern(buffer(8, 6), [[6, 4], [1, 6]], 3, vector_offset=index_tile(4, 1)))
