"""Affine expressions: their arithmetic is that of the values they stand for."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jnki.access.affine import ZERO, Affine, Symbol

I, J = Symbol("i", 3), Symbol("j", 4)  # noqa: E741
VALUES = [dict(zip((I, J), pair)) for pair in itertools.product(range(3), range(4))]

few = settings(max_examples=60, derandomize=True, deadline=None)
numbers = st.integers(-9, 9)
expressions = st.builds(lambda c, a, b: Affine.of(c) + Affine.of(I) * a + Affine.of(J) * b, numbers, numbers, numbers)


def values(expression: Affine) -> list[int]:
    return [expression.evaluate(case.__getitem__) for case in VALUES]


@given(expressions, expressions, numbers)
@few
def test_arithmetic_is_that_of_the_values(a: Affine, b: Affine, k: int) -> None:
    assert values(a + b) == [x + y for x, y in zip(values(a), values(b))]
    assert values(a - b) == [x - y for x, y in zip(values(a), values(b))]
    assert values(a * k) == values(k * a) == [x * k for x in values(a)]
    assert values(a + k) == values(k + a) == [x + k for x in values(a)]
    assert values(-a) == [-x for x in values(a)]


@given(expressions)
@few
def test_bounds_are_the_least_and_greatest_value(a: Affine) -> None:
    assert a.bounds() == (min(values(a)), max(values(a)))


@given(expressions, expressions)
@few
def test_equal_values_are_equal_expressions(a: Affine, b: Affine) -> None:
    assert (a == b) == (values(a) == values(b))
    assert a - b + b == a and hash(a - b + b) == hash(a)


@given(expressions, numbers, numbers)
@few
def test_substitution_replaces_one_symbol(a: Affine, scale: int, shift: int) -> None:
    replaced = a.substitute(I, Affine.of(J) * scale + shift)
    for case in VALUES:
        other = {I: scale * case[J] + shift, J: case[J]}
        assert replaced.evaluate(case.__getitem__) == a.evaluate(other.__getitem__)
    assert I not in replaced.symbols


def test_terms_are_canonical() -> None:
    assert (Affine.of(J) + Affine.of(I)).terms == ((I, 1), (J, 1))
    assert Affine.of(I) * 0 == ZERO and (Affine.of(I) - Affine.of(I)).is_constant
    assert (Affine.of(I) * 3 + 1).coefficient(I) == 3 and Affine.of(I).coefficient(J) == 0
    assert (Affine.of(I) + Affine.of(J) + 5).without(I) == Affine.of(J) + 5


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        (ZERO, "0"),
        (Affine(7), "7"),
        (Affine.of(I), "i"),
        (Affine.of(I) * 128 + 5, "128*i + 5"),
        (Affine.of(I) * 2 - 3, "2*i - 3"),
        (Affine.of(J) + Affine.of(I) * -4, "-4*i + j"),
        (Affine.of(I) - Affine.of(J) * 2, "i - 2*j"),
    ],
)
def test_text(expression: Affine, text: str) -> None:
    assert str(expression) == text


def test_beyond_32_bits_nothing_wraps() -> None:
    far = Affine.of(Symbol("i", 1 << 20)) * (1 << 20)
    assert far.bounds() == (0, ((1 << 20) - 1) << 20)
