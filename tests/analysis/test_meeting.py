"""Whether two accesses meet in two different iterations: against enumeration, and at sizes that nobody enumerates."""

import collections

import pytest

from jnki.access.access import Access, Dim
from jnki.access.affine import Affine, Symbol
from jnki.access.buffer import Buffer, Space
from jnki.access.mask import Comparison, Mask
from jnki.access.mask import Test as Asked
from jnki.analysis import meeting as module
from jnki.analysis.integers import Work
from jnki.analysis.meeting import meeting
from jnki.analysis.verdict import Use, Verdict
from jnki.isa.dma.dma_copy import DmaCopy
from tests.analysis.pairs import FLOAT32, LOOP, OUTER, first_meeting, random_pair


@pytest.mark.parametrize(("kind", "seeds"), [("axes", 700), ("flat", 250), ("mixed", 700), ("types", 250)])
def test_the_verdict_is_that_of_enumeration(kind, seeds):
    seen = collections.Counter()
    for seed in range(seeds):
        first, second = random_pair(seed, kind)
        wanted = first_meeting(first, second)
        if wanted is None:  # it leaves its tensor: refused before anybody asks
            continue
        found = meeting(LOOP, first, second, frozenset({OUTER}))
        seen[found.verdict] += 1
        if wanted == "never":
            assert found == module.DISJOINT, seed
            continue
        i, k, address = wanted
        assert (found.verdict, found.first, found.second) == (Verdict.CLASH, i, k), seed
        at = sum(n * s for n, s in zip(found.location, first.access.buffer.strides))
        assert at == address // first.access.dtype.size_bytes, seed
    assert min(seen[Verdict.CLASH], seen[Verdict.DISJOINT]) > 25


def test_a_dynamic_index_is_undecided_unless_no_row_meets():
    seen = collections.Counter()
    for seed in range(150):
        first, second = random_pair(seed, "indirect")
        never = first_meeting(first, second) == "never"
        found = meeting(LOOP, first, second, frozenset({OUTER})).verdict
        seen[found] += 1
        assert found is (Verdict.DISJOINT if never else Verdict.UNDECIDED), seed
    assert min(seen.values()) > 5 and len(seen) == 2


def writes(shape, symbol, *places, mask=None):
    """Uses that write `[start + pace * i: dims]` of one flat tensor for each of `places`."""
    buffer = Buffer("t", Space.HBM, shape, FLOAT32)
    uses = []
    for start, terms, dims in places:
        access = Access(buffer, Affine(start, tuple(terms)), tuple(Dim(*d) for d in dims))
        tile = Access.whole(Buffer("tile", Space.SBUF, access.shape, FLOAT32))
        uses.append(Use(DmaCopy(dst=access, src=tile, mask=mask), access, True, False))
    return symbol, uses[0], uses[-1]


def two_paces(n):
    """Even blocks from the front and odd ones from the end, in tiles of 128 rows."""
    i, size, tile = Symbol("i", n), 128 * n, [(n, 128), (1, n)]
    return writes((2 * n * size,), i, (0, [(i, 2 * size)], tile), ((2 * n - 1) * size, [(i, -2 * size)], tile))


def two_paces_that_meet(n):
    i, size, tile = Symbol("i", n), 128 * n, [(n, 128), (1, n)]
    return writes((2 * n * size,), i, (0, [(i, 2 * size)], tile), ((2 * n - 2) * size, [(i, -2 * size)], tile))


def from_both_ends(n):
    i = Symbol("i", n)
    return writes((2 * n, 1), i, (0, [(i, 1)], [(1, 1)]), (n + n // 2, [(i, -1)], [(1, 1)]))


def ragged(n):
    i = Symbol("i", n)
    row = Comparison(Affine(3 * n - 1, ((i, -4),)), (-1, 0), (4, 1), Asked.NOT_NEGATIVE)
    return writes((3 * n, n), i, (0, [(i, 4 * n)], [(n, 4), (1, n)]), mask=Mask((row,)))


def odd_columns_and_a_stencil(n):
    i, j = Symbol("i", n), Symbol("j", n)
    return writes((4 * n, 4 * n), i, (1, [(i, 8 * n), (j, 2)], [(4 * n, 2)]), (2, [(i, 12 * n), (j, 2)], [(4 * n, 3)]))


def coprime_paces(n):
    i, j = Symbol("i", n), Symbol("j", n)
    return writes((40 * n,), i, (0, [(i, 6), (j, 15)], [(1, 1)]), (1, [(i, 10), (j, 15)], [(30, 1)]))


CASES = {
    two_paces: Verdict.DISJOINT,
    two_paces_that_meet: Verdict.CLASH,
    from_both_ends: Verdict.CLASH,
    ragged: Verdict.DISJOINT,
    odd_columns_and_a_stencil: Verdict.DISJOINT,
    coprime_paces: Verdict.CLASH,
}


@pytest.mark.parametrize(("case", "verdict"), CASES.items(), ids=lambda v: getattr(v, "__name__", v))
def test_work_grows_with_neither_the_tile_nor_the_trips(monkeypatch, case, verdict):
    rows = 0

    class Counted(Work):
        def spend(self, count):
            nonlocal rows
            rows += count
            super().spend(count)

    monkeypatch.setattr(module, "Work", Counted)

    def judged(n):
        nonlocal rows
        rows = 0
        question = module._Question(*case(n), frozenset())
        return question.verdict(), rows

    small, large = judged(8), judged(1 << 30)
    assert small[0] is large[0] is verdict
    assert large[1] <= 2 * small[1] + 200, (small, large)


def test_the_first_meeting_of_loops_that_nobody_counts_out():
    n = 1 << 30
    found = meeting(*from_both_ends(n))
    # i + k = 1.5 n and both are below n
    assert (found.first, found.second, found.location) == (n // 2 + 1, n - 1, (n // 2 + 1, 0))


def test_work_that_does_not_suffice_is_said(monkeypatch):
    monkeypatch.setattr(module, "Work", lambda: Work(3))
    assert meeting(*coprime_paces(8)) == module.UNDECIDED
