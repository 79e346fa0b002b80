"""Whether linear constraints over the integers have a common solution: exactly, or said to be undecided.

This is the Omega test (Pugh, 1991). Equations are solved by changes of variables, as Euclid's algorithm has them; then
one variable after another is eliminated from the inequalities as Fourier and Motzkin do it, and where a coefficient
other than 1 makes that inexact, by the test's shadows. Work depends on the number of variables and constraints and on
the digits of the coefficients: a variable that counts to 2^30 costs what one that counts to 4 does.
"""

from collections.abc import Hashable, Iterable
from math import gcd

Variable = Hashable
# `constant + sum(coefficient * variable)`: coefficients by variable, the constant under `ONE`.
Row = dict[Variable, int]
ONE: Variable = None

_STEPS = 50_000  # about a second; a pair of accesses of a tiled kernel takes a few hundred steps
_SPLINTERS = 256


class Exhausted(Exception):
    """The work that was allowed is done and there is no answer."""


class Work:
    """How many more rows may be looked at."""

    def __init__(self, steps: int = _STEPS):
        self.left = steps

    def spend(self, rows: int) -> None:
        self.left -= rows
        if self.left < 0:
            raise Exhausted


def solvable(zero: Iterable[Row], not_negative: Iterable[Row], work: Work | None = None) -> bool | None:
    """Whether integers exist for which the rows of `zero` are 0 and those of `not_negative` are not negative.

    Returns:
        None where the work that is allowed does not suffice to tell.
    """
    try:
        return _solvable([dict(row) for row in zero], [dict(row) for row in not_negative], work or Work())
    except Exhausted:
        return None


def _solvable(zero: list[Row], rows: list[Row], work: Work) -> bool:
    while zero:
        work.spend(len(zero) + len(rows))
        row = zero[-1]
        divisor = gcd(*(c for v, c in row.items() if v is not ONE))
        if divisor == 0:
            if row.get(ONE, 0):
                return False
            zero.pop()
            continue
        if row.get(ONE, 0) % divisor:
            return False
        if divisor > 1:
            row = zero[-1] = {v: c // divisor for v, c in row.items()}
        variable = min((v for v in row if v is not ONE and row[v]), key=lambda v: abs(row[v]))
        change = _change(row, variable)
        for other in (*zero, *rows):
            _substitute(other, variable, change)
        if variable not in change:
            zero.pop()
    return _inequalities_solvable(rows, work)


def _change(row: Row, variable: Variable) -> Row:
    """What `variable` is in terms of the others, and of a new variable of the same name unless its coefficient is 1.

    The new variable is `variable + sum(quotient * other)`, quotients rounded to nearest: integers stay integers both
    ways, and the coefficients of the others become at most half of that of `variable`.
    """
    pivot = row[variable]
    if abs(pivot) == 1:
        return {v: -pivot * c for v, c in row.items() if v != variable}
    change = {v: -((2 * c + abs(pivot)) // (2 * abs(pivot))) * (1 if pivot > 0 else -1) for v, c in row.items()}
    change[variable] = 1
    return change


def _substitute(row: Row, variable: Variable, change: Row) -> None:
    factor = row.pop(variable, 0)
    if factor:
        for v, c in change.items():
            total = row.get(v, 0) + factor * c
            if total or v is ONE:
                row[v] = total
            else:
                row.pop(v, None)


def _inequalities_solvable(rows: list[Row], work: Work) -> bool:
    while True:
        work.spend(len(rows))
        tight = _tightened(rows)
        if tight is None:
            return False
        rows, equal = tight
        if equal is not None:
            return _solvable([equal], rows, work)
        variables = {v for row in rows for v in row if v is not ONE}
        if not variables:
            return True
        sides = {v: ([r for r in rows if r.get(v, 0) > 0], [r for r in rows if r.get(v, 0) < 0]) for v in variables}
        free = {v for v, (lower, upper) in sides.items() if not lower or not upper}
        if free:
            rows = [row for row in rows if not free & row.keys()]
            continue
        variable = min(variables, key=lambda v: _cost(v, *sides[v]))
        lower, upper = sides[variable]
        rest = [row for row in rows if variable not in row]
        work.spend(len(lower) * len(upper))
        real = [_shadow(variable, low, high) for low in lower for high in upper]
        if _is_exact(variable, lower, upper):
            rows = rest + real
            continue
        if not _inequalities_solvable([dict(row) for row in rest + real], work):
            return False
        dark = [_shadow(variable, low, high, dark=True) for low in lower for high in upper]
        if _inequalities_solvable([dict(row) for row in rest + dark], work):
            return True
        return _splinter_solvable(variable, rows, lower, upper, work)


def _cost(variable: Variable, lower: list[Row], upper: list[Row]) -> tuple[bool, int, int]:
    """Exact eliminations first, then those with small coefficients, then those that leave few rows."""
    inexact = not _is_exact(variable, lower, upper)
    largest = max(abs(r[variable]) for r in (*lower, *upper))
    return inexact, largest if inexact else 0, len(lower) * len(upper) - len(lower) - len(upper)


def _is_exact(variable: Variable, lower: list[Row], upper: list[Row]) -> bool:
    return all(r[variable] == 1 for r in lower) or all(r[variable] == -1 for r in upper)


def _shadow(variable: Variable, low: Row, high: Row, dark: bool = False) -> Row:
    """What a lower and an upper bound of `variable` ask of the others: that a real number (dark: that an integer,
    whatever the others are) lies between."""
    below, above = low[variable], -high[variable]
    row = {v: above * c for v, c in low.items() if v != variable}
    for v, c in high.items():
        if v != variable:
            row[v] = row.get(v, 0) + below * c
    if dark:
        row[ONE] = row.get(ONE, 0) - (below - 1) * (above - 1)
    return row


def _splinter_solvable(variable: Variable, rows: list[Row], lower: list[Row], upper: list[Row], work: Work) -> bool:
    """Solutions outside of the dark shadow lie close above a lower bound: each distance is tried."""
    largest = max(-r[variable] for r in upper)
    for low in lower:
        below = low[variable]
        distances = (largest * below - largest - below) // largest + 1
        work.spend(0 if distances <= _SPLINTERS else work.left + 1)
        for distance in range(distances):
            on_it = {**low, ONE: low.get(ONE, 0) - distance}
            if _solvable([on_it], [dict(row) for row in rows], work):
                return True
    return False


def _tightened(rows: list[Row]) -> tuple[list[Row], Row | None] | None:
    """The rows without redundant ones, in lowest terms; and a pair of them that is an equation, if there is one.

    Returns:
        None where two of them, or one of them and the bounds of its variables, contradict each other.
    """
    best: dict[frozenset[tuple[Variable, int]], int] = {}
    for row in rows:
        terms = {v: c for v, c in row.items() if v is not ONE and c}
        constant = row.get(ONE, 0)
        if not terms:
            if constant < 0:
                return None
            continue
        divisor = gcd(*terms.values())
        key = frozenset((v, c // divisor) for v, c in terms.items())
        constant //= divisor
        best[key] = min(best.get(key, constant), constant)
    low, high = _box(best)
    kept: dict[frozenset[tuple[Variable, int]], int] = {}
    for key, constant in best.items():
        opposite = best.get(frozenset((v, -c) for v, c in key))
        if opposite is not None and opposite + constant < 0:
            return None
        if opposite is not None and opposite + constant == 0:
            return [{**dict(k), ONE: c} for k, c in best.items()], {**dict(key), ONE: constant}
        if len(key) > 1:
            least = [c * (low if c > 0 else high)[v] if v in (low if c > 0 else high) else None for v, c in key]
            if None not in least and constant + sum(c for c in least if c is not None) >= 0:
                continue
            most = [c * (high if c > 0 else low)[v] if v in (high if c > 0 else low) else None for v, c in key]
            if None not in most and constant + sum(c for c in most if c is not None) < 0:
                return None
        kept[key] = constant
    return [{**dict(key), ONE: constant} for key, constant in kept.items()], None


def _box(best: dict[frozenset[tuple[Variable, int]], int]) -> tuple[dict[Variable, int], dict[Variable, int]]:
    """The bounds that rows of one variable give."""
    low: dict[Variable, int] = {}
    high: dict[Variable, int] = {}
    for key, constant in best.items():
        if len(key) == 1:
            ((variable, sign),) = key
            (low if sign > 0 else high)[variable] = -sign * constant
    return low, high
