"""Whether what two cores do touches a place in HBM that one of them writes.

Places are runs of bytes without a gap. An access whose start is known at run time only may be anywhere in its tensor.
"""

from dataclasses import dataclass, field

import numpy as np

from jnki.access.access import Access
from jnki.access.buffer import Space
from jnki.program.program import Node, instructions

# Past this many runs of one tensor nobody looks closer: from the first place to the last one counts as used.
_MAX_RUNS = 1 << 22

# First bytes, and the bytes behind the last ones.
Runs = tuple[np.ndarray, np.ndarray]


@dataclass
class _Uses:
    """What one core does with a tensor."""

    written: list[Access] = field(default_factory=list)
    all: list[Access] = field(default_factory=list)


def have_common_places(one: tuple[Node, ...], other: tuple[Node, ...]) -> bool:
    """Whether there is a place in HBM that one of these blocks writes and the other one uses, as far as is known."""
    mine, theirs = _uses(one), _uses(other)
    return any(
        _meet(mine[name].written, theirs[name].all) or _meet(mine[name].all, theirs[name].written)
        for name in mine.keys() & theirs.keys()
    )


def _uses(nodes: tuple[Node, ...]) -> dict[str, _Uses]:
    found: dict[str, _Uses] = {}
    for instruction in instructions(nodes):
        written = [access for access in instruction.written() if access.buffer.space is Space.HBM]
        read = [access for access in instruction.reads() if access.buffer.space is Space.HBM]
        for access in (*written, *read):
            found.setdefault(access.buffer.name, _Uses()).all.append(access)
        for access in written:
            found[access.buffer.name].written.append(access)
    return found


def _meet(some: list[Access], others: list[Access]) -> bool:
    if not some or not others:
        return False
    (low, high), (first, last) = _span(some), _span(others)
    if high <= first or last <= low:
        return False
    if _count(some) + _count(others) > _MAX_RUNS:
        return True
    (starts, ends), (begins, finishes) = _runs(some), _runs(others)
    order = np.argsort(starts)
    starts, furthest = starts[order], np.maximum.accumulate(ends[order])
    before = np.searchsorted(starts, finishes) - 1
    return bool(((before >= 0) & (furthest[before] > begins)).any())


def _span(accesses: list[Access]) -> tuple[int, int]:
    spans = [_ends(access) for access in accesses]
    return min(start for start, _ in spans), max(end for _, end in spans)


def _ends(access: Access) -> tuple[int, int]:
    if not _is_known(access):
        return 0, access.buffer.size_bytes
    start, size = access.offset.constant, access.dtype.size_bytes
    reach = [dim.step * (dim.count - 1) for dim in access.dims]
    return (start + sum(min(0, n) for n in reach)) * size, (start + sum(max(0, n) for n in reach) + 1) * size


def _is_known(access: Access) -> bool:
    return not access.symbols and access.indirect is None


def _shape(access: Access) -> tuple[int, list[tuple[int, int]]]:
    """How many elements follow each other without a gap, and the steps and counts of such runs."""
    length = 1
    around: list[tuple[int, int]] = []
    for step, count in sorted((abs(dim.step), dim.count) for dim in access.dims if dim.count > 1 and dim.step):
        if step == length and not around:
            length *= count
        else:
            around.append((step, count))
    return length, around


def _count(accesses: list[Access]) -> int:
    total = 0
    for access in accesses:
        number = 1
        for _, count in _shape(access)[1] if _is_known(access) else ():
            number *= count
        total += number
    return total


def _runs(accesses: list[Access]) -> Runs:
    starts: list[np.ndarray] = []
    ends: list[np.ndarray] = []
    for access in accesses:
        first, last = _ends(access)
        if not _is_known(access):
            starts.append(np.array([first]))
            ends.append(np.array([last]))
            continue
        size = access.dtype.size_bytes
        length, around = _shape(access)
        places = np.array([first])
        for step, count in around:
            places = (places[:, None] + step * size * np.arange(count)).ravel()
        starts.append(places)
        ends.append(places + length * size)
    return np.concatenate(starts), np.concatenate(ends)
