"""Simpler forms of one linear equation over bounded integers: what an address says about its axes.

Addresses of tiles are numbers in mixed radix: `128 * row + column`. Two of them are equal when their digits are, and
a sum of progressions is a progression where one fills the gaps of the next.
"""

import itertools
from math import gcd

from jnki.analysis.integers import ONE, Row, Variable

# An equation with more ways than this to carry between its digits stays as it is.
_WAYS = 4

Domain = dict[Variable, int]


def extent(row: Row, domain: Domain) -> tuple[int, int]:
    """The least and greatest value of a row whose variables count from 0 to below `domain`."""
    low = high = row.get(ONE, 0)
    for variable, coefficient in row.items():
        if variable is not ONE:
            reach = coefficient * (domain[variable] - 1)
            low, high = low + min(0, reach), high + max(0, reach)
    return low, high


def digits(row: Row, domain: Domain) -> list[list[Row]]:
    """Alternatives that together say that `row` is 0: in each of them, all of its rows are 0.

    Where the small terms cannot reach from one multiple of the greatest common divisor of the large ones to the next,
    small and large terms are 0 apart from each other.
    """
    low, high = extent(row, domain)
    if not low <= 0 <= high:
        return []
    terms = sorted(((c, v) for v, c in row.items() if v is not ONE and c), key=lambda term: abs(term[0]))
    if not terms:
        return [[]]
    divisors = list(itertools.accumulate((abs(c) for c, _ in reversed(terms)), gcd))[::-1]
    if row.get(ONE, 0) % divisors[0]:
        return []
    # The cut with the fewest ways to carry; among equals the one with the fewest small terms.
    best: tuple[int, int, list[int]] | None = None
    for cut in range(1, len(terms)):
        small: Row = {v: c for c, v in terms[:cut]}
        divisor = divisors[cut]
        rest = row.get(ONE, 0)
        least, most = extent({**small, ONE: rest}, domain)
        first, last = -(-least // divisor), most // divisor
        ways = last - first + 1
        if ways <= 0:
            return []
        if ways <= _WAYS and divisor > divisors[0] and (best is None or ways < best[0]):
            best = ways, cut, [divisor * n for n in range(first, last + 1)]
            if ways == 1:
                break
    if best is None:
        return [[row]]
    _, cut, carried = best
    alternatives = []
    for carry in carried:
        here = digits({**{v: c for c, v in terms[:cut]}, ONE: row.get(ONE, 0) - carry}, domain)
        above = digits({**{v: c for c, v in terms[cut:]}, ONE: carry}, domain)
        alternatives += [a + b for a in here for b in above]
    return alternatives


def merged(row: Row, domain: Domain, kept: set[Variable]) -> Row:
    """The row with its variables outside of `kept` joined into as few progressions as possible, new variables.

    `s * x + S * y` takes all multiples of `s` up to its greatest value where `s` divides `S` and `x` counts to at
    least `S / s`. The new variables are entered in `domain`.
    """
    result: Row = {v: c for v, c in row.items() if v in kept}
    constant = row.get(ONE, 0)
    terms = []
    for variable, coefficient in row.items():
        if variable is ONE or variable in kept or not coefficient:
            continue
        # A falling progression is a rising one that starts at its other end.
        constant += min(0, coefficient * (domain[variable] - 1))
        terms.append((abs(coefficient), domain[variable]))
    joined: list[tuple[int, int]] = []
    for step, count in sorted(terms):
        if joined and step % joined[-1][0] == 0 and step // joined[-1][0] <= joined[-1][1]:
            small, many = joined[-1]
            joined[-1] = small, many + step // small * (count - 1)
        else:
            joined.append((step, count))
    for number, (step, count) in enumerate(joined):
        variable = ("progression", len(domain), number)
        domain[variable] = count
        result[variable] = step
    result[ONE] = constant
    return result
