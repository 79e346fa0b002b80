"""Slabs: an access and its image in the slab of an iteration name the same elements."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jnki.access.access import Access, Dim
from jnki.access.affine import Affine, Symbol
from jnki.access.buffer import Buffer, Space
from jnki.dtypes import float32
from jnki.lower.slabs import slab_of


def elements(access, symbols):
    """The flat addresses of an access, in order."""
    start = access.offset.evaluate(symbols.__getitem__)
    return [
        start + sum(dim.step * k for dim, k in zip(access.dims, place))
        for place in itertools.product(*(range(dim.count) for dim in access.dims))
    ]


def window(buffer, starts, counts, steps):
    offset = Affine()
    for start, stride in zip(starts, buffer.strides):
        offset = offset + start * stride
    return Access(buffer, offset, tuple(Dim(s * stride, n) for s, n, stride in zip(steps, counts, buffer.strides)))


def buffer(*shape):
    return Buffer("b", Space.HBM, shape, float32)


LOOP, OTHER = Symbol("i", 3), Symbol("j", 2)


@st.composite
def windows(draw):
    """A window of a buffer that moves with `i` along some axes, and with another index `j`."""
    shape = tuple(draw(st.lists(st.integers(2, 9), min_size=1, max_size=3)))
    starts, counts, steps = [], [], []
    for size in shape:
        move = draw(st.sampled_from([0, 0, 1, 2, 3]))
        other = draw(st.sampled_from([0, 0, 0, 1]))
        start = draw(st.integers(0, size - 1))
        starts.append(Affine.of(LOOP) * move + Affine.of(OTHER) * other + start)
        step = draw(st.sampled_from([1, 1, 2]))
        counts.append(draw(st.integers(1, 3)))
        steps.append(step)
    return window(buffer(*shape), starts, counts, steps)


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(accesses=windows())
def test_a_slab_holds_what_its_iteration_touches_and_nothing_else_does(accesses):
    access = accesses
    slab = slab_of(access.buffer, [access], LOOP)
    if slab is None:
        return
    axis, whole = slab.axis, access.buffer
    inner = slab.inside(access, LOOP)
    assert LOOP not in inner.offset.symbols
    seen = {}
    for i, j in itertools.product(range(LOOP.trips), range(OTHER.trips)):
        outside = elements(access, {LOOP: i, OTHER: j})
        within = elements(inner, {OTHER: j})
        assert len(outside) == len(within)
        for flat, part in zip(outside, within):
            place, local = unflatten(flat, whole.shape), unflatten(part, slab.part.shape)
            assert place == tuple(n + (slab.first + i) * slab.size * (a == axis) for a, n in enumerate(local))
            assert seen.setdefault(flat, i) == i


def unflatten(flat, shape):
    place = []
    for size in reversed(shape):
        flat, rest = divmod(flat, size)
        place.append(rest)
    assert flat == 0
    return tuple(reversed(place))


def rows(start, count, *, size=12):
    return window(buffer(size, 4), (start, Affine()), (count, 4), (1, 1))


@pytest.mark.parametrize(
    "accesses, expected",
    [
        ([rows(Affine.of(LOOP) * 4, 4)], (0, 4, 0)),
        ([rows(Affine.of(LOOP) * 4, 2), rows(Affine.of(LOOP) * 4 + 2, 2)], (0, 4, 0)),
        ([rows(Affine.of(LOOP) * 4 + 3, 1)], (0, 4, 0)),
        ([rows(Affine.of(LOOP) * 2 + 6, 2)], (0, 2, 3)),
        ([rows(Affine.of(LOOP) * 4, 5)], None),
        ([rows(Affine.of(LOOP) * 4 + 3, 2)], None),
        ([rows(Affine.of(LOOP) * 4, 4), rows(Affine.of(LOOP) * 2, 2)], None),
        ([rows(Affine.of(LOOP) * 4, 4), rows(Affine(0), 4)], None),
        ([rows(Affine.of(LOOP) * -4 + 8, 4)], None),
        ([rows(Affine.of(LOOP) * 5, 2)], None),
        ([rows(Affine.of(LOOP) * 4 + Affine.of(OTHER) * 2, 2)], (0, 4, 0)),
        ([rows(Affine.of(LOOP) * 4 + Affine.of(OTHER) * 3, 2)], None),
    ],
)
def test_which_accesses_divide_a_buffer(accesses, expected):
    slab = slab_of(accesses[0].buffer, accesses, LOOP)
    assert (slab and (slab.axis, slab.size, slab.first)) == expected
    if slab is not None:
        assert slab.covers == (slab.first == 0 and slab.size * 3 == 12)
        assert slab.part.shape == (slab.size, 4)


def test_a_window_that_moves_along_two_axes_divides_nothing():
    square = buffer(12, 12)
    diagonal = window(square, (Affine.of(LOOP) * 4, Affine.of(LOOP) * 4), (4, 4), (1, 1))
    assert slab_of(square, [diagonal], LOOP) is None
