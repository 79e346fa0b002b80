"""Simpler forms of an equation have its solutions: by enumeration."""

import itertools
import random

from jnki.analysis.digits import digits, extent, merged
from jnki.analysis.integers import ONE
from tests.analysis.test_integers import value


def points(domain):
    return [dict(zip(domain, point)) for point in itertools.product(*map(range, domain.values()))]


def random_row(draw):
    domain = {f"v{j}": draw.randint(1, 5) for j in range(draw.randint(0, 4))}
    row = {v: draw.choice((1, -1, 2, 4, -4, 8, 24, -24, 30)) for v in domain}
    return {**row, ONE: draw.randint(-30, 30)}, domain


def test_digits_are_the_same_equation_and_split_it():
    draw, split = random.Random(3), 0
    for _ in range(1500):
        row, domain = random_row(draw)
        ways = digits(row, domain)
        split += any(len(rows) > 1 for rows in ways)
        for at in points(domain):
            assert any(all(value(r, at) == 0 for r in rows) for rows in ways) == (value(row, at) == 0), row
    assert split > 100


def test_rows_and_columns_come_apart():
    domain = {"p": 128, "q": 128, "f": 512, "g": 512, "i": 8, "k": 8}
    row = {"p": 512, "q": -512, "f": 1, "g": -1, "i": 1 << 16, "k": -(1 << 16), ONE: 0}
    assert sorted(map(set, *digits(row, domain)), key=str) == sorted(
        [{"f", "g", ONE}, {"p", "q", ONE}, {"i", "k", ONE}], key=str
    )


def test_merging_keeps_the_values():
    draw, fewer = random.Random(4), 0
    for _ in range(800):
        row, domain = random_row(draw)
        kept = {v for v in domain if draw.random() < 0.3}
        larger = dict(domain)
        joined = merged(row, larger, kept)
        fewer += len(joined) < len(row)
        old = [n for n in domain if n in kept]
        new = {v: larger[v] for v in joined if v is not ONE} | {v: domain[v] for v in old}
        wanted, found = set(), set()
        for at in points(domain):
            wanted.add((tuple(at[v] for v in old), value(row, at)))
        for at in points(new):
            found.add((tuple(at[v] for v in old), value(joined, at)))
        assert found == wanted, row
        assert extent(joined, larger) == extent(row, domain)
    assert fewer > 100
