"""Which places in PSUM were written to: whole, in part, at places that nobody knows, and outside of the tensor."""

import pytest

from jnki.access.access import Access, Bound, Dim, Indirect
from jnki.access.affine import Affine, Symbol
from jnki.access.buffer import Buffer, Space
from jnki.dtypes import float32, int32
from jnki.record.first_writes import FirstWrites

PSUM = Buffer("acc", Space.PSUM, (4, 8), float32)


def part(start, count, **fields):
    return Access(PSUM, Affine(start), (Dim(8, 4), Dim(1, count)), **fields)


def test_parts_add_up():
    writes = FirstWrites()
    assert not writes.adds(part(0, 8))
    writes.note([part(0, 4)])
    assert writes.adds(part(0, 4)) and writes.adds(part(1, 2))
    assert not writes.adds(part(4, 4))
    with pytest.raises(NotImplementedError, match="written in part"):
        writes.adds(part(0, 8))
    writes.note([part(4, 4)])
    assert writes.adds(part(0, 8))
    writes.forget("acc")
    assert not writes.adds(part(0, 8))
    writes.note([Access.whole(PSUM)])
    assert writes.adds(part(0, 8))


@pytest.mark.parametrize("where", ["index", "loop", "mask"])
def test_places_that_nobody_knows_are_not_guessed(where):
    index = Access.whole(Buffer("i", Space.SBUF, (1, 1), int32))
    unknown = {
        "index": part(0, 2, indirect=Indirect(index, 1, 1, 8, is_vector=False)),
        "loop": Access(PSUM, Affine(0, ((Symbol("i", 4), 2),)), (Dim(8, 4), Dim(1, 2))),
        # A masked store may name places behind the end of its tensor.
        "mask": part(0, 1000, unchecked=(Bound(Affine(0), (0, 1), 1, 8),)),
    }[where]
    writes = FirstWrites()
    writes.note([unknown])
    with pytest.raises(NotImplementedError, match="known at run time only"):
        writes.adds(part(0, 2))
    writes.note([Access.whole(PSUM)])
    assert writes.adds(part(0, 2))
