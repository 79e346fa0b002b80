"""Masks: what they enable is what NumPy's comparisons say; everything else is refused (C13)."""

import itertools
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jnki.access.affine import Affine, Symbol
from jnki.access.concrete import NeedsConcrete
from jnki.access.index import arange, scalar
from jnki.access.mask import NEVER, Mask, as_mask
from jnki.errors import RuleError

few = settings(max_examples=150, derandomize=True, deadline=None)
LOOP = Symbol("i", 3)
SHAPE = (4, 6)
P, F = arange(4)[:, None], arange(6)[None, :]
NP, NF = np.arange(4)[:, None], np.arange(6)[None, :]

terms = st.tuples(st.integers(-6, 6), st.integers(-2, 2), st.integers(-2, 2), st.sampled_from(["<", "==", "!="]))


def holds(term: tuple[int, int, int, str], p: Any, f: Any) -> Any:
    base, a, b, sign = term
    value = a * p + b * f + base
    return {"<": lambda: value < 0, "==": lambda: value == 0, "!=": lambda: value != 0}[sign]()


def evaluated(mask: Mask | None, shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    return np.ones(shape, bool) if mask is None else np.asarray(mask.evaluate(shape, {}.__getitem__))


@given(terms, terms)
@few
def test_c13_evaluation_decision_and_box_agree_with_numpy(first: tuple, second: tuple) -> None:
    """`evaluate` is exact; `decided`, `simplified` and `box` never contradict it."""
    mask = holds(first, P, F) & holds(second, P, F)
    wanted = np.broadcast_to(holds(first, NP, NF) & holds(second, NP, NF), SHAPE)
    np.testing.assert_array_equal(evaluated(mask), wanted)
    np.testing.assert_array_equal(evaluated(mask.simplified()), wanted)
    np.testing.assert_array_equal(evaluated(as_mask(mask)), wanted)
    for term in (first, second):
        (comparison,) = holds(term, P, F).comparisons
        alone = np.broadcast_to(holds(term, NP, NF), SHAPE)
        if (verdict := comparison.decided()) is not None:
            assert (alone == verdict).all()
    box = mask.box(SHAPE)
    if box is not None:
        inside = np.zeros(SHAPE, bool)
        inside[tuple(slice(low, high) for low, high in box)] = True
        np.testing.assert_array_equal(inside, wanted)


@pytest.mark.parametrize(
    ("mask", "box"),
    [
        (P < 3, ((0, 3), (0, 6))),
        ((P >= 1) & (F <= 4), ((1, 4), (0, 5))),
        ((2 * F > 3) & (5 - F > 0), ((0, 4), (2, 5))),
        ((P < 2) & (P > 0), ((1, 2), (0, 6))),
        (F < 100, ((0, 4), (0, 6))),
        (NEVER, ((0, 0), (0, 0))),
        (P + F < 3, None),
        (P == 2, None),
        (scalar(LOOP) + P < 3, None),
    ],
)
def test_box(mask: Mask, box: tuple | None) -> None:
    assert mask.box(SHAPE) == box


def test_box_of_an_empty_range_is_empty() -> None:
    low, high = ((P >= 3) & (P < 2)).box(SHAPE)[0]  # type: ignore[index]
    assert low == high


def test_masks_broadcast_to_longer_shapes() -> None:
    mask = arange(6) < 2
    np.testing.assert_array_equal(evaluated(mask), np.broadcast_to(np.arange(6) < 2, SHAPE))
    assert mask.fits((4, 6)) and mask.fits((6,)) and not mask.fits((6, 4)) and not mask.fits(())
    assert (P < 2).fits(SHAPE) and not (P < 2).fits((4,)) and not (P + F < 2).fits((4, 1))
    assert NEVER.fits(()) and not evaluated(NEVER).any()


def test_loop_indices_are_filled_in() -> None:
    mask = 4 * scalar(LOOP) + P < 9
    for value in range(3):
        wanted = np.broadcast_to(4 * value + NP < 9, SHAPE)
        np.testing.assert_array_equal(mask.evaluate(SHAPE, lambda _, v=value: v), wanted)
        substituted = mask.substitute(LOOP, Affine(value))
        assert substituted.symbols == ()
        np.testing.assert_array_equal(evaluated(substituted.simplified()), wanted)
    assert mask.symbols == (LOOP,)


def test_simplification_drops_what_always_holds() -> None:
    assert ((P >= 0) & (F < 6)).simplified() is None
    assert ((P >= 0) & (F < 5)).simplified() == (F < 5)
    assert ((P >= 0) & (F > 5)).simplified() is NEVER
    assert ((F < 5) & (F < 5)).simplified() == (F < 5)


def test_equal_masks_are_equal_values() -> None:
    assert (P < 3) == (P < 3) and hash(P < 3) == hash(P < 3) and (P < 3) != (P < 2)
    assert (P < 3) != "text"


@pytest.mark.parametrize("given_mask", [None, True, np.True_, P >= 0])
def test_c13_as_mask_of_everything(given_mask: object) -> None:
    assert as_mask(given_mask) is None


@pytest.mark.parametrize("given_mask", [False, np.False_, P < 0])
def test_c13_as_mask_of_nothing(given_mask: object) -> None:
    assert as_mask(given_mask) == NEVER


def test_masks_join_with_booleans() -> None:
    assert ((P < 3) & True) == (P < 3) == (True & (P < 3))
    assert ((P < 3) & False) == NEVER == (np.False_ & (P < 3))


@pytest.mark.parametrize("value", range(3))
def test_numbers_up_to_32_bits_are_exact(value: int) -> None:
    mask = scalar(LOOP) * 2**30 + P - 2**30 >= -1
    wanted = np.broadcast_to(value * 2**30 + NP - 2**30 >= -1, SHAPE)
    at = jnp.int32(value)
    np.testing.assert_array_equal(mask.evaluate(SHAPE, lambda _: at), wanted)


def test_numbers_beyond_32_bits_name_themselves() -> None:
    mask = scalar(LOOP) * 2**31 + P < 2**31 + 5
    with pytest.raises(
        NotImplementedError, match="a mask whose expression leaves 32 bits, from -2147483647 to 2147483652"
    ):
        mask.evaluate(SHAPE, lambda _: 0)


# Errors.


@pytest.mark.parametrize(
    ("given_mask", "text"),
    [
        (1, "int 1"),
        (np.ones(3, bool), "ndarray [ True  True  True]"),
        (arange(4)[:, None], "Index index [4, 1] 0 + 1*d0"),
        (P % 2 == 0, "NonAffine"),
        (lambda: True, "function"),
    ],
)
def test_c13_only_affine_comparisons_are_masks(given_mask: object, text: str) -> None:
    with pytest.raises(RuleError) as caught:
        as_mask(given_mask)
    assert caught.value.rule == "err_unsupported_expression_in_mask"
    assert "a mask must be known before the kernel runs" in str(caught.value)
    assert caught.value.given.startswith(text)
    assert caught.value.allowed == (
        "comparisons of affine expressions of nl.arange, nl.mgrid, loop indices and nl.program_id, joined by &"
    )


@pytest.mark.parametrize(
    ("use", "given_text", "message"),
    [
        (lambda m: m | m, "|", "masks are joined with & only"),
        (lambda m: True | m, "|", "masks are joined with & only"),
        (lambda m: m ^ m, "|", "masks are joined with & only"),
        (lambda m: ~m, "~mask", "a mask cannot be negated"),
    ],
)
def test_c13_only_and_joins_masks(use: Any, given_text: str, message: str) -> None:
    with pytest.raises(RuleError, match=message) as caught:
        use(P < 3)
    assert caught.value.rule == "err_unsupported_expression_in_mask" and caught.value.given == given_text


def test_c13_a_mask_joined_with_another_thing() -> None:
    with pytest.raises(RuleError, match="err_unsupported_expression_in_mask") as caught:
        (P < 3) & "x"
    assert caught.value.given == "str x"


def test_masks_that_do_not_broadcast_together() -> None:
    with pytest.raises(RuleError, match=r"index\.broadcast: the masks that are joined") as caught:
        (arange(4)[:, None] < 3) & (arange(5)[:, None] < 3)
    assert caught.value.given == "[4, 1] and [5, 1]"


def test_control_flow_cannot_depend_on_elements() -> None:
    with pytest.raises(RuleError) as caught:
        if P < 3:
            pass
    assert caught.value.rule == "err_control_flow_condition_depending_on_arange"
    assert caught.value.given == "-1*d0 + 2 >= 0"
    assert "joined with & rather than 'and'" in caught.value.allowed
    assert bool(P < 4) is True and bool(P > 4) is False


def test_control_flow_on_a_loop_index_asks_for_its_number() -> None:
    with pytest.raises(NeedsConcrete):
        bool(scalar(LOOP) == 0)


def test_assignment_is_refused() -> None:
    with pytest.raises(RuleError, match="err_cannot_assign_to_index: a mask does not support item assignment"):
        (P < 3)[0] = True


def test_text() -> None:
    assert str((P < 3) & (scalar(LOOP) + 2 * F != 4)) == "-1*d0 + 2 >= 0 & 2*d1 + i - 4 != 0"
    assert str(NEVER) == "-1 >= 0"


def test_many_comparisons_stay_exact() -> None:
    """Every conjunction of three half-planes, against NumPy."""
    for signs in itertools.product((-1, 1), repeat=3):
        mask = (signs[0] * P < 1) & (signs[1] * F < 2) & (signs[2] * (P - F) <= 0)
        wanted = (signs[0] * NP < 1) & (signs[1] * NF < 2) & (signs[2] * (NP - NF) <= 0)
        np.testing.assert_array_equal(evaluated(mask), wanted)
