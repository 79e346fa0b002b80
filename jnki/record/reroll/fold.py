"""Folding: a sequence in which structures repeat becomes shorter by a loop, and again, from short to long periods.

    A B C  A B C  A B C  D   A B C  A B C  A B C  D       period 3:  loop(A B C) D  loop(A B C) D
                                                          period 2:  loop(loop(A B C) D)

Iterations make a loop where all their numbers advance by the same steps, and their tensors can be told by their number
in the same way (`storage.py`). Where they cannot, the loop ends, and perhaps the next one begins.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from jnki.memory.loops import MAX_LOOP_DEPTH
from jnki.program.program import Node
from jnki.record.reroll.storage import Storage

# Periods that are tried in one turn, the most frequent ones: bounds the time that a recording without repeats takes.
_PERIODS = 128
_TURNS = 64


@dataclass(frozen=True, slots=True)
class Item:
    """A node of the recording, or a loop that was found.

    Attributes:
        structure: a number that items of equal structure share.
        numbers, tensors: of all that is inside, in order; of a loop those of its first iteration.
        start, end: when it begins and ends.
        depth: loops inside of it.
        node: what was recorded; None for a loop that was found, which has the fields below.
        body: the first iteration.
        trips: how many there are.
        steps: what is added to each number from one iteration to the next.
        places: what is added to the place of each tensor.
        own: roots of the tensors that each iteration makes anew, as the first one names them.
    """

    structure: int
    numbers: tuple[int, ...]
    tensors: tuple[int, ...]
    start: int
    end: int
    depth: int
    node: Node | None = None
    body: tuple["Item", ...] = ()
    trips: int = 1
    steps: tuple[int, ...] = ()
    places: tuple[int, ...] = ()
    own: frozenset[int] = frozenset()


class Folding:
    """Folds the items of one block."""

    def __init__(self, storage: Storage, structures: dict[Any, int], alive: Any, depth: int, least_saved: int):
        """
        Args:
            structures: numbers of the structures that are known.
            alive: for each time, how many tensors are used both before it and from it on.
            depth: loops around the block.
            least_saved: how many fewer nodes a loop must leave.
        """
        self._storage = storage
        self._structures = structures
        self._alive = alive
        self._least_saved = least_saved
        self._deepest = MAX_LOOP_DEPTH - depth

    def fold(self, items: list[Item]) -> list[Item]:
        for _ in range(_TURNS):
            shorter = self._turn(items)
            if shorter is None:
                break
            items = shorter
        return items

    def _turn(self, items: list[Item]) -> list[Item] | None:
        """The items with the repeats of the shortest period that has any; None where none has."""
        structures = np.fromiter((item.structure for item in items), np.int64, len(items))
        for period in _periods(structures):
            folded: list[Item] = []
            done = 0
            for start, stop in _repeats(structures, period):
                if start < done:
                    start = done
                if stop - start < 2 * period:
                    continue
                folded += items[done:start]
                folded += self._repeat(items[start:stop], period)
                done = stop
            folded += items[done:]
            if len(folded) < len(items):
                return folded
        return None

    def _repeat(self, items: list[Item], period: int) -> list[Item]:
        """A stretch in which each structure comes again after `period`, its iterations made loops where they can be."""
        at = self._phase(items, period)
        result = items[:at]
        while len(items) - at >= 2 * period:
            iterations = [items[n : n + period] for n in range(at, len(items) - period + 1, period)]
            trips = _steady(iterations)
            # One that is different goes before those that are alike.
            if trips == 2 and _steady(iterations[1:]) > 2:
                trips = 1
            loop = self._loop(iterations[:trips]) if (trips - 1) * period >= self._least_saved else None
            result += iterations[0] if loop is None else [loop]
            at += period * (1 if loop is None else loop.trips)
        return result + items[at:]

    def _phase(self, items: list[Item], period: int) -> int:
        """Where iterations begin: where the fewest tensors are alive, and so the fewest have to be handed on."""
        room = min(period, len(items) - 2 * period + 1)
        starts = [int(self._alive[items[n + period].start]) for n in range(room)]
        return starts.index(min(starts))

    def _loop(self, iterations: list[list[Item]]) -> Item | None:
        """The first of these iterations as a loop, as many of them as can be; None where that is too few."""
        if 1 + max(item.depth for item in iterations[0]) > self._deepest:
            return None
        columns = [[t for item in iteration for t in item.tensors] for iteration in iterations]
        trips = len(iterations)
        while (trips - 1) * len(iterations[0]) >= self._least_saved:
            fits = self._related(iterations[:trips], columns)
            if fits == trips:
                return self._made(iterations[:trips], columns)
            trips = fits
        return None

    def _related(self, iterations: list[list[Item]], columns: list[list[int]]) -> int:
        """How many of the iterations name tensors that can be told by the iteration's number; they are put together."""
        own, same = self._own(iterations, columns)
        if same < len(iterations):
            return same
        others = [n for n in range(len(columns[0])) if n not in own]
        if not all(self._can_follow(columns, 1, n) for n in others):
            return 1
        for trip in range(1, len(iterations)):
            for n in others:
                if not self._can_follow(columns, trip, n):
                    return trip
                self._follow(columns[trip - 1][n], columns[trip][n])
        return len(iterations)

    def _own(self, iterations: list[list[Item]], columns: list[list[int]]) -> tuple[set[int], int]:
        """The columns of tensors that live in one iteration only, and how many iterations use these alike."""
        own: set[int] | None = None
        patterns = []
        for iteration, column in zip(iterations, columns):
            start, end = iteration[0].start, iteration[-1].end
            seen: dict[int, int] = {}
            pattern = []
            for n, tensor in enumerate(column):
                root, place = self._storage.find(tensor)
                pattern.append((seen.setdefault(root, n), place, self._storage.size(root)))
            inside = {first for root, first in seen.items() if self._storage.is_within(root, start, end)}
            mine = {n for n, (first, _, _) in enumerate(pattern) if first in inside}
            own = mine if own is None else own & mine
            patterns.append(pattern)
        assert own is not None
        for trip, (left, right) in enumerate(pairwise(patterns)):
            if any(a != b and (a[0] in own or b[0] in own) for a, b in zip(left, right)):
                return own, trip + 1
        return own, len(patterns)

    def _can_follow(self, columns: list[list[int]], trip: int, n: int) -> bool:
        """Whether the tensor that this iteration names can be told from that of the one before it."""
        storage = self._storage
        (left, here), (right, there) = storage.find(columns[trip - 1][n]), storage.find(columns[trip][n])
        step = None
        if trip > 1:
            root, before = storage.find(columns[trip - 2][n])
            if root == left:
                step = here - before
        if left == right:
            return step is None or there - here == step
        if here == there and step in (None, 0) and storage.can_unite(left, right):
            return True
        return storage.can_stack(left, right) and step in (None, storage.size(left) + there - here)

    def _follow(self, before: int, after: int) -> None:
        storage = self._storage
        (left, here), (right, there) = storage.find(before), storage.find(after)
        if left == right:
            return
        if here == there and storage.can_unite(left, right):
            storage.unite(left, right)
        else:
            storage.stack(left, right)

    def _made(self, iterations: list[list[Item]], columns: list[list[int]]) -> Item | None:
        first, second = iterations[:2]
        places = []
        own, _ = self._own(iterations, columns)
        for n, (a, b) in enumerate(zip(*columns[:2])):
            if n in own:
                places.append(0)
                continue
            (left, here), (right, there) = self._storage.find(a), self._storage.find(b)
            assert left == right
            places.append(there - here)
        roots = {n: self._storage.find(columns[0][n]) for n in own}
        numbers = tuple(value for item in first for value in item.numbers)
        after = (value for item in second for value in item.numbers)
        steps = tuple(b - a for a, b in zip(numbers, after))
        # Which of its own tensors a body names where, in words that all such bodies share.
        order: dict[int, int] = {}
        named = tuple((n, order.setdefault(roots[n][0], n), roots[n][1]) for n in sorted(own))
        sizes = tuple(self._storage.size(root) for root in order)
        key = (len(iterations), tuple(item.structure for item in first), steps, tuple(places), named, sizes)
        tensors = columns[0]
        return Item(
            structure=self._structures.setdefault(key, len(self._structures)),
            numbers=numbers,
            tensors=tuple(t for n, t in enumerate(tensors) if n not in own),
            start=first[0].start,
            end=iterations[-1][-1].end,
            depth=1 + max(item.depth for item in first),
            body=tuple(first),
            trips=len(iterations),
            steps=steps,
            places=tuple(places),
            own=frozenset(order),
        )


def _periods(structures: Any) -> list[int]:
    """Distances from one structure to where it comes next, shortest first."""
    order = np.argsort(structures, kind="stable")
    follows = structures[order[1:]] == structures[order[:-1]]
    distances, counts = np.unique((order[1:] - order[:-1])[follows], return_counts=True)
    most = np.argsort(-counts, kind="stable")[:_PERIODS]
    return sorted(int(distance) for distance in distances[most])


def _repeats(structures: Any, period: int) -> list[tuple[int, int]]:
    """The stretches, of two periods or more, in which each structure comes again after `period`."""
    same = np.concatenate(([False], structures[period:] == structures[:-period], [False]))
    edges = np.flatnonzero(same[1:] != same[:-1])
    found = zip(edges[::2], edges[1::2])
    return [(int(start), int(stop) + period) for start, stop in found if stop - start >= period]


def _steady(iterations: list[list[Item]]) -> int:
    """How many of these iterations have numbers that advance by the same steps."""
    if len(iterations) < 2:
        return len(iterations)
    rows = [[value for item in iteration for value in item.numbers] for iteration in iterations]
    steps = [b - a for a, b in zip(rows[0], rows[1])]
    for trip in range(2, len(rows)):
        if any(b - a != step for a, b, step in zip(rows[trip - 1], rows[trip], steps)):
            return trip
    return len(rows)
