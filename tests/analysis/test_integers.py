"""The integer solver: against enumeration, and where a domain is too large for it."""

import itertools
import random

import pytest

from jnki.analysis.integers import ONE, Work, solvable


def value(row, at):
    return row.get(ONE, 0) + sum(c * at[v] for v, c in row.items() if v is not ONE)


def box(domain):
    return [row for v, n in domain.items() for row in ({v: 1}, {v: -1, ONE: n - 1})]


def random_system(draw):
    domain = {f"v{j}": draw.randint(1, 6) for j in range(draw.randint(1, 4))}
    reach = draw.choice([3, 9, 40])

    def row():
        return {ONE: draw.randint(-2 * reach, 2 * reach)} | {
            v: draw.randint(-reach, reach) for v in domain if draw.random() < 0.7
        }

    return domain, [row() for _ in range(draw.choice([0, 1, 1, 2]))], [row() for _ in range(draw.choice([0, 0, 1, 2]))]


def test_the_answer_is_that_of_enumeration():
    draw, answers = random.Random(7), []
    for number in range(1200):
        domain, zero, rows = random_system(draw)
        points = (dict(zip(domain, point)) for point in itertools.product(*map(range, domain.values())))
        wanted = any(all(value(r, at) == 0 for r in zero) and all(value(r, at) >= 0 for r in rows) for at in points)
        given = [dict(r) for r in zero]
        answers.append(solvable(zero, [*rows, *box(domain)]))
        assert answers[-1] in (wanted, None), number
        assert zero == given, "the question is left as it was"
    assert answers.count(None) <= len(answers) // 200
    assert min(answers.count(True), answers.count(False)) > 300


@pytest.mark.parametrize(
    ("zero", "rows", "wanted"),
    [
        ([{"x": 6, "y": -10, "z": 15, ONE: -1}], [], True),
        ([{"x": 6, "y": -10, ONE: -1}], [], False),
        ([{"x": 2, "y": 3, ONE: -7}, {"x": 4, "y": 6, ONE: -15}], [], False),
        ([], [{"x": 3, "y": -2, ONE: -1}, {"x": -3, "y": 2, ONE: 1}, {"y": 1, ONE: -(1 << 29)}], True),
        ([], [{"x": 7, "y": -5, ONE: -2}, {"x": -7, "y": 5, ONE: 3}], True),
        ([], [{"x": 6, "y": -4, ONE: -3}, {"x": -6, "y": 4, ONE: 3}], False),
        ([], [{"x": 27, "y": 11 << 20, ONE: -27}, {"x": -2}], True),
    ],
)
def test_variables_that_count_to_a_thousand_million(zero, rows, wanted):
    assert solvable(zero, [*rows, *box(dict.fromkeys("xyz", 1 << 30))]) is wanted


def test_work_is_bounded_and_its_end_is_an_answer():
    assert solvable([{"x": 6, "y": -10, "z": 15, ONE: -1}], box(dict.fromkeys("xyz", 9)), Work(4)) is None
