"""Index tensors: sums, multiples and views of `arange` hold the numbers that NumPy's would."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jnki.access.affine import Affine, Symbol
from jnki.access.concrete import NeedsConcrete
from jnki.access.index import Index, NonAffine, arange, scalar
from jnki.access.mask import Mask
from jnki.errors import RuleError

few = settings(max_examples=80, derandomize=True, deadline=None)
LOOP = Symbol("i", 5)


def values(index: Index, loop: int = 0) -> np.ndarray:
    """The numbers that an index holds, from its definition."""
    result = np.full(index.shape, index.base.evaluate(lambda _: loop))
    for axis, step in enumerate(index.steps):
        shape = [-1 if a == axis else 1 for a in range(index.ndim)]
        result = result + step * np.arange(index.shape[axis]).reshape(shape)
    return result


EXPRESSIONS: list[Callable[..., Any]] = [
    lambda a: a(6),
    lambda a: a(2, 9),
    lambda a: a(1),
    lambda a: a(4)[:, None] + a(3)[None, :],
    lambda a: 10 * a(4)[:, None] - a(3)[None, :] * 2 + 7,
    lambda a: 5 - a(4)[:, None],
    lambda a: -(a(3)[None, :, None] + a(2)[:, None, None]),
    lambda a: (a(4)[:, None] + a(3)[None, :])[1:, ::2],
    lambda a: (a(4)[:, None] + a(3)[None, :])[::-1],
    lambda a: (a(4)[:, None] + 10 * a(3)[None, :])[-1],
    lambda a: (a(4)[:, None] + 10 * a(3)[None, :])[..., 1],
    lambda a: (a(4)[:, None] + 10 * a(3)[None, :])[2:3, None, ..., 0:1],
    lambda a: a(4)[1:2] + a(3),
    lambda a: a(4)[2:2],
    lambda a: +a(4) + np.int32(3),
    lambda a: a(4) * 2.0 + 1.0,
    lambda a: (8 * a(4)[:, None] + 16) // 8,
    lambda a: a(4) % 4,
]


@pytest.mark.parametrize("number", range(len(EXPRESSIONS)))
def test_arithmetic_and_views_are_numpys(number: int) -> None:
    found, wanted = EXPRESSIONS[number](arange), EXPRESSIONS[number](np.arange)
    assert isinstance(found, Index) and found.shape == wanted.shape and found.ndim == wanted.ndim
    np.testing.assert_array_equal(values(found), wanted)
    if wanted.size:
        assert found.bounds() == (wanted.min(), wanted.max())
    assert all(step == 0 for step, size in zip(found.steps, found.shape) if size == 1)
    assert len(found) == len(wanted)


@given(st.integers(-5, 5), st.integers(-5, 5), st.integers(-5, 5), st.sampled_from(["<", "<=", ">", ">=", "==", "!="]))
@few
def test_comparisons_are_numpys(a: int, b: int, c: int, sign: str) -> None:
    compare = {
        "<": lambda x, y: x < y,
        "<=": lambda x, y: x <= y,
        ">": lambda x, y: x > y,
        ">=": lambda x, y: x >= y,
        "==": lambda x, y: x == y,
        "!=": lambda x, y: x != y,
    }[sign]
    found = compare(a * arange(4)[:, None] + b, c * arange(3)[None, :] + 1)
    assert isinstance(found, Mask)
    wanted = compare(a * np.arange(4)[:, None] + b, c * np.arange(3)[None, :] + 1)
    np.testing.assert_array_equal(found.evaluate((4, 3), {}.__getitem__), wanted)


def test_loop_indices_stay_symbols() -> None:
    i = scalar(LOOP)
    index = 4 * i + arange(4)[:, None]
    for value in range(5):
        np.testing.assert_array_equal(values(index, value), 4 * value + np.arange(4)[:, None])
    assert index.bounds() == (0, 19)
    assert (i - i)._is_number and int(i - i + 3) == 3
    np.testing.assert_array_equal(values((4 * i + 8) // 4, 2), 4)
    assert (i + 0).base == Affine.of(LOOP)


@pytest.mark.parametrize(
    "use",
    [
        lambda i: int(i),
        lambda i: range(i),
        lambda i: [0, 1, 2][i],
        lambda i: hash(i),
        lambda i: bool(i),
        lambda i: bool(i % 2),
        lambda i: int(i // 2),
        lambda i: int(i * i),
        lambda i: float(2**i) if False else float(i**2),
        lambda i: int(7 // (i + 1)),
        lambda i: bool(i < 3),
    ],
)
def test_python_that_needs_the_number_of_a_loop_index_asks_for_it(use: Callable[[Any], Any]) -> None:
    with pytest.raises(NeedsConcrete) as caught:
        use(scalar(LOOP))
    assert caught.value.symbols == (LOOP,)
    assert str(caught.value) == "a loop index is needed as a concrete number: i"


@pytest.mark.parametrize("use", [lambda i: bool(i < 5), lambda i: bool(i >= 0), lambda i: bool(i != 7)])
def test_a_comparison_that_every_iteration_decides_alike_needs_no_number(use: Callable[[Any], Any]) -> None:
    assert use(scalar(LOOP)) is True


def test_numbers_are_numbers() -> None:
    five = scalar(5)
    assert int(five) == 5 and [0, 1, 2, 3, 4, 9][five] == 9 and hash(five) == hash(5) and float(five) == 5.0
    assert five // 2 == 2 and five % 3 == 2 and five / 2 == 2.5 and five**2 == 25
    assert bool(five == 5) and not bool(five != 5)


def test_what_is_no_index_is_left_to_the_other_side() -> None:
    class Tile:
        def __radd__(self, other: object) -> str:
            return "the tile's turn"

    assert arange(3) + Tile() == "the tile's turn"  # type: ignore[comparison-overlap]
    assert (arange(3) == "text") is False and (arange(3) == None) is False  # noqa: E711


@pytest.mark.parametrize(
    "expression",
    [
        lambda a: a(4) % 2,
        lambda a: a(4) // 3,
        lambda a: a(4)[:, None] * a(3)[None, :],
        lambda a: a(4) * 0.5,
        lambda a: a(4) / 2,
        lambda a: 5 % a(1, 4),
        lambda a: -(a(4) % 2) + 1,
    ],
)
def test_what_is_not_affine_is_kept_apart(expression: Callable[..., Any]) -> None:
    found = expression(arange)
    assert isinstance(found, NonAffine)
    with pytest.raises(RuleError, match="err_unsupported_expression_in_index: an index must be an affine expression"):
        int(found)


# Errors.


def test_an_arange_is_no_number() -> None:
    with pytest.raises(RuleError) as caught:
        range(arange(4))  # type: ignore[arg-type]
    assert caught.value.rule == "err_control_flow_condition_depending_on_arange"
    assert caught.value.given == "index [4] 0 + 1*d0" and caught.value.allowed == "a loop index or an integer"
    assert "range(arange(4))" in str(caught.value)


def test_assignment_is_refused() -> None:
    with pytest.raises(RuleError) as caught:
        arange(4)[1] = 2
    assert caught.value.rule == "err_cannot_assign_to_index"
    assert "does not support item assignment" in str(caught.value) and "nisa.iota" in caught.value.allowed


def test_arange_counts_upwards() -> None:
    with pytest.raises(RuleError, match=r"arange\.bounds: nl.arange needs start <= stop") as caught:
        arange(4, 2)
    assert caught.value.given == "(4, 2)"
    assert arange(4, 4).shape == (0,)


def test_shapes_must_broadcast() -> None:
    with pytest.raises(RuleError, match=r"index\.broadcast: index tensors of these shapes") as caught:
        arange(4)[:, None] + arange(3)[:, None]
    assert caught.value.given == "[4, 1] and [3, 1]"
    assert (arange(4)[:, None] + arange(1)[:, None]).shape == (4, 1)


def test_views_stay_inside() -> None:
    with pytest.raises(IndexError):
        arange(4)[4]
    with pytest.raises(IndexError, match=r"too many indices for an index tensor of shape \[4\]"):
        arange(4)[0, 0]


def test_iteration_names_itself() -> None:
    with pytest.raises(NotImplementedError, match="iterating over the elements of an index"):
        list(arange(4))


def test_text() -> None:
    assert str(128 * scalar(LOOP) + arange(4)[:, None]) == "index [4, 1] 128*i + 1*d0"
    assert str((128 * scalar(LOOP) + arange(4)[:, None]).value) == "128*i + 1*d0"
