"""Whether two accesses meet at one location in two different iterations of a loop.

    location of access 1 in iteration i   =   location of access 2 in iteration k,   i != k

is a linear equation per axis of the buffer, over the iterations, the dims of both accesses and the loops inside; loops
outside have one index for both. It is decided exactly, masks included, by work that depends neither on the size of a
tile nor on how often a loop runs. What a dynamic index or a mask of unknown reach leaves open is said to be undecided.
"""

import itertools
import math
from collections.abc import Iterator
from typing import Any

from jnki.access.access import Access
from jnki.access.affine import Affine, Symbol
from jnki.access.coordinates import AxisIndex, coordinates
from jnki.access.mask import Comparison, Test
from jnki.analysis.digits import Domain, digits, extent, merged
from jnki.analysis.integers import ONE, Exhausted, Row, Variable, Work, solvable
from jnki.analysis.verdict import Meeting, Use, Verdict

# Systems that are tried, one after the other, for one pair: ways to carry, and sides of each `!=`.
_ALTERNATIVES = 64


DISJOINT = Meeting(Verdict.DISJOINT)
UNDECIDED = Meeting(Verdict.UNDECIDED)


def meeting(symbol: Symbol, first: Use, second: Use, outer: frozenset[Symbol] = frozenset()) -> Meeting:
    """Whether `first` in one iteration of the loop of `symbol` and `second` in another one meet.

    Args:
        outer: the indices of the loops around it, which both have in common.
    """
    a, b = first.access, second.access
    if 0 in (a.size, b.size) or symbol.trips < 2:
        return DISJOINT
    if _apart(a, b, symbol):
        return DISJOINT
    question = _Question(symbol, first, second, outer)
    verdict = question.verdict()
    return question.witness() if verdict is Verdict.CLASH else Meeting(verdict)


def _apart(a: Access, b: Access, symbol: Symbol) -> bool:
    """Whether both step along one axis by more than either reaches there: true of most kernels, and quickly seen."""
    if not _same_axes(a, b):
        return False
    for left, right in zip(coordinates(a), coordinates(b)):
        pace = left.start.coefficient(symbol)
        if pace == 0 or right.start.coefficient(symbol) != pace:
            continue
        here = AxisIndex(left.start.without(symbol), left.steps).bounds(a.shape)
        there = AxisIndex(right.start.without(symbol), right.steps).bounds(b.shape)
        if max(there[1] - here[0], here[1] - there[0]) < abs(pace):
            return True
    return False


def _same_axes(a: Access, b: Access) -> bool:
    """Whether equal locations of the two are equal indices on every axis."""
    return a.buffer == b.buffer and _stays_on_axes(a) and _stays_on_axes(b)


def _stays_on_axes(access: Access) -> bool:
    """Whether each axis index is on its axis: whatever the loops do, or because the mask was found to keep it there."""
    if access.indirect is not None:
        return False
    for index, size in zip(coordinates(access), access.buffer.shape):
        low, high = index.bounds(access.shape)
        if (low < 0 or high >= size) and not any(
            bound.size == size and bound.base == index.start and _steps(bound.steps, access) == index.steps
            for bound in access.unchecked
        ):
            return False
    return True


def _steps(steps: tuple[int, ...], access: Access) -> tuple[int, ...]:
    return tuple(step if count > 1 else 0 for step, count in zip(steps, access.shape))


class _Question:
    """The constraints of one pair."""

    def __init__(self, symbol: Symbol, first: Use, second: Use, outer: frozenset[Symbol]):
        self.symbol = symbol
        self.uses = (first, second)
        self.outer = outer
        self.domain: Domain = {}
        self.work = Work()  # shared by all systems of one answer
        self.one, self.other = (self._variable(side, symbol, symbol.trips) for side in (0, 1))
        # Whether every solution is a meeting; else there may be none although there are solutions.
        self.is_exact = all(use.access.indirect is None for use in self.uses)
        self.equations = self._equations()
        # Each is a disjunction of rows that are not negative.
        self.conditions: list[list[Row]] = [
            [{self.one: -1, self.other: 1, ONE: -1}, {self.one: 1, self.other: -1, ONE: -1}]
        ]
        for side, use in enumerate(self.uses):
            self._add_mask(side, use)

    # Variables and rows.

    def _variable(self, side: int, key: Variable, count: int) -> Variable:
        variable = ("shared", key) if key in self.outer else (side, key)
        self.domain[variable] = count
        return variable

    def _row(self, side: int, base: Affine, steps: tuple[int, ...], shape: tuple[int, ...]) -> Row:
        row: Row = {ONE: base.constant}
        for symbol, coefficient in base.terms:
            row[self._variable(side, symbol, symbol.trips)] = coefficient
        for d, (step, count) in enumerate(zip(steps, shape)):
            if step and count > 1:
                row[self._variable(side, ("dim", d), count)] = step
        return row

    def _equations(self) -> list[Row]:
        a, b = (use.access for use in self.uses)
        if _same_axes(a, b):
            return [
                _difference(
                    self._row(0, left.start, left.steps, a.shape), self._row(1, right.start, right.steps, b.shape)
                )
                for left, right in zip(coordinates(a), coordinates(b))
            ]
        return [_difference(self._address(0), self._address(1))]

    def _address(self, side: int) -> Row:
        """The address of a byte of the access, whatever types the two accesses see in the buffer."""
        access = self.uses[side].access
        width = access.dtype.size_bytes
        row = self._row(side, access.offset, tuple(dim.step for dim in access.dims), access.shape)
        if access.indirect is not None and access.indirect.size > 0:
            row[self._variable(side, "index", access.indirect.size)] = access.indirect.step
        row = {v: c * width for v, c in row.items()}
        if width > 1 and self.uses[0].access.dtype != self.uses[1].access.dtype:
            row[self._variable(side, "byte", width)] = 1
        return row

    def _add_mask(self, side: int, use: Use) -> None:
        mask = use.instruction.mask
        for comparison in mask.comparisons if mask is not None else ():
            moving = any(step and count > 1 for step, count in zip(comparison.steps, comparison.shape))
            if moving and not _speaks_of_elements(use):
                self.is_exact = False
                continue
            pad = len(use.access.shape) - len(comparison.steps) if moving else 0
            steps = (0,) * pad + comparison.steps if moving else ()
            row = self._row(side, comparison.base, steps, use.access.shape)
            self.conditions += _conditions(comparison, row)

    # Answers.

    def verdict(self) -> Verdict:
        self.work = Work()
        try:
            held = any(self._holds(system, merge=True) for system in self._systems(self.equations, self.conditions))
        except Exhausted:
            return Verdict.UNDECIDED
        if not held:
            return Verdict.DISJOINT
        return Verdict.CLASH if self.is_exact else Verdict.UNDECIDED

    def witness(self) -> Meeting:
        """The clash with the first iterations and the first location, as far as they are found."""
        found = dict[int, int]()
        equations = list(self.equations)
        try:
            for side, variable in enumerate((self.one, self.other)):
                found[side] = self._least({variable: 1}, equations)
                equations.append({variable: 1, ONE: -found[side]})
            return Meeting(Verdict.CLASH, found[0], found[1], self._location(equations))
        except Exhausted:
            return Meeting(Verdict.CLASH, found.get(0), found.get(1))

    def _location(self, equations: list[Row]) -> tuple[int, ...]:
        access = self.uses[0].access
        if _same_axes(access, self.uses[1].access):
            location = []
            for index in coordinates(access):
                row = self._row(0, index.start, index.steps, access.shape)
                location.append(self._least(row, equations))
                equations = [*equations, {**row, ONE: row[ONE] - location[-1]}]
            return tuple(location)
        address = self._least(self._address(0), equations) // access.dtype.size_bytes
        return tuple(address // stride % size for stride, size in zip(access.buffer.strides, access.buffer.shape))

    def _least(self, row: Row, equations: list[Row]) -> int:
        low, high = extent(row, self.domain)
        while low < high:
            self.work = Work()
            middle = (low + high) // 2
            at_most = {**{v: -c for v, c in row.items() if v is not ONE}, ONE: middle - row.get(ONE, 0)}
            systems = self._systems(equations, [*self.conditions, [at_most]])
            low, high = (low, middle) if any(self._holds(s, merge=False) for s in systems) else (middle + 1, high)
        return low

    def _systems(self, equations: list[Row], conditions: list[list[Row]]) -> Iterator[tuple[list[Row], list[Row]]]:
        """Alternatives, each a list of rows that are 0 and one of rows that are not negative."""
        by_digits = [digits(row, self.domain) for row in equations]
        if _product(*by_digits, *conditions) > _ALTERNATIVES:
            by_digits = [ways if len(ways) < 2 else [[row]] for ways, row in zip(by_digits, equations)]
        if _product(*by_digits, *conditions) > _ALTERNATIVES:
            raise Exhausted
        for zero in itertools.product(*by_digits):
            for rows in itertools.product(*conditions):
                yield list(itertools.chain.from_iterable(zero)), list(rows)

    def _holds(self, system: tuple[list[Row], list[Row]], merge: bool) -> bool:
        zero, rows = system
        domain = dict(self.domain)
        if merge:
            zero = _merged(zero, rows, domain)
        used = {v for row in (*zero, *rows) for v in row if v is not ONE}
        box = [bound for v in used for bound in ({v: 1}, {v: -1, ONE: domain[v] - 1})]
        verdict = solvable(zero, [*rows, *box], self.work)
        if verdict is None:
            raise Exhausted
        return verdict


def _merged(zero: list[Row], rows: list[Row], domain: Domain) -> list[Row]:
    """The equations with the variables that occur nowhere else joined."""
    kept = {v for row in rows for v in row}
    for n, row in enumerate(zero):
        for other in zero[n + 1 :]:
            kept |= row.keys() & other.keys()
    return [merged(row, domain, kept) for row in zero]


def _product(*choices: list[Any]) -> int:
    return math.prod(map(len, choices))


def _difference(left: Row, right: Row) -> Row:
    row = dict(left)
    for variable, coefficient in right.items():
        row[variable] = row.get(variable, 0) - coefficient
    return {v: c for v, c in row.items() if c or v is ONE}


def _speaks_of_elements(use: Use) -> bool:
    """Whether dim d of the mask is dim d of the access, and the instruction touches just the elements it enables."""
    instruction, access = use.instruction, use.access
    written = instruction.written()
    names = [name for name, a in instruction.operands().items() if a == access]
    if instruction.mask is None or not written or any(name in instruction.row_results for name in names):
        return False
    elementwise = use.is_write or instruction.shared_dims == "all"
    return elementwise and bool(names) and access.shape == written[0].shape and instruction.mask.fits(access.shape)


def _conditions(comparison: Comparison, row: Row) -> list[list[Row]]:
    opposite = {v: -c for v, c in row.items()}
    match comparison.test:
        case Test.NOT_NEGATIVE:
            return [[row]]
        case Test.ZERO:
            return [[row], [opposite]]
        case Test.NOT_ZERO:
            return [[{**row, ONE: row[ONE] - 1}, {**opposite, ONE: opposite[ONE] - 1}]]
