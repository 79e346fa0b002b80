"""Common places of two blocks, against sets of bytes that are written out."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jnki.access.access import Access, Dim, Indirect
from jnki.access.affine import Affine
from jnki.access.buffer import Buffer, Space
from jnki.dtypes import element_type
from jnki.isa.dma.dma_copy import DmaCopy
from jnki.record import common_places
from jnki.record.common_places import have_common_places

SIZE = 24
OUT = Buffer("out", Space.HBM, (SIZE,), element_type("float32"))
OUT16 = Buffer("out", Space.HBM, (2 * SIZE,), element_type("int16"))
OTHER = Buffer("other", Space.HBM, (SIZE,), element_type("float32"))
TILE = Buffer("tile", Space.SBUF, (1, 64), element_type("float32"))
INDEX = Access.whole(Buffer("index", Space.SBUF, (1, 1), element_type("int32")))


@st.composite
def accesses(draw):
    buffer = draw(st.sampled_from((OUT, OUT16, OTHER)))
    start, room, dims = draw(st.integers(0, buffer.size - 1)), buffer.size, []
    room -= start + 1
    for _ in range(draw(st.integers(1, 3))):
        step = draw(st.integers(0, 6))
        count = draw(st.integers(1, 1 + min(3, room // step if step else 3)))
        room -= step * (count - 1)
        dims.append(Dim(step, count))
    return Access(buffer, Affine(start), tuple(dims))


def bytes_of(access):
    size = access.dtype.size_bytes
    steps = [range(0, dim.step * dim.count, dim.step) if dim.step else [0] for dim in access.dims]
    starts = {(access.offset.constant + sum(each)) * size for each in itertools.product(*steps)}
    return {(access.buffer.name, start + byte) for start in starts for byte in range(size)}


def copies(to_hbm, access):
    tile = Access(TILE, Affine(0), (Dim(64, 1), Dim(1, access.size)))
    return DmaCopy(dst=access, src=tile) if to_hbm else DmaCopy(dst=tile, src=access)


blocks = st.lists(st.tuples(st.booleans(), accesses()), max_size=4)


@settings(max_examples=400, deadline=None)
@given(blocks, blocks)
def test_places_are_common_where_bytes_are(one, other):
    def places(block, only_written):
        return {byte for is_write, access in block for byte in bytes_of(access) if is_write or not only_written}

    common = places(one, True) & places(other, False) or places(one, False) & places(other, True)
    assert have_common_places(*(tuple(copies(*each) for each in block) for block in (one, other))) is bool(common)


def test_a_start_of_run_time_may_be_anywhere():
    last = Access(OUT, Affine(SIZE - 1), (Dim(1, 1),))
    moving = Access(OUT, Affine(0), (Dim(1, 1),), Indirect(INDEX, 1, 0, SIZE, is_vector=False))
    assert have_common_places((copies(True, moving),), (copies(False, last),))
    assert not have_common_places((copies(False, moving),), (copies(False, last),))


@pytest.mark.parametrize(("most", "expected"), [(2, True), (1 << 22, False)])
def test_past_a_bound_nobody_looks_closer(monkeypatch, most, expected):
    monkeypatch.setattr(common_places, "_MAX_RUNS", most)
    even, odd = (Access(OUT, Affine(first), (Dim(2, 4),)) for first in (0, 1))
    assert have_common_places((copies(True, even),), (copies(True, odd),)) is expected
