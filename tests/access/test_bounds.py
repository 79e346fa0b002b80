"""Static bounds (C4) are exact: refused where some enabled element leaves its axis, and nowhere else."""

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jnki.access.access import Access
from jnki.access.affine import Symbol
from jnki.access.bounds import check_bounds
from jnki.access.index import arange, scalar
from jnki.access.mask import Mask
from jnki.access.pattern import hardware_pattern
from jnki.access.subscript import subscript
from jnki.errors import RuleError
from tests.access.walks import buffer, index_tile

few = settings(max_examples=300, derandomize=True, deadline=None)
I, J = Symbol("i", 3), Symbol("j", 2)  # noqa: E741
P, F = arange(4)[:, None], arange(5)[None, :]

small = st.integers(-3, 3)
affine = st.tuples(st.integers(-8, 12), small, small, small, small)
Terms = tuple[int, int, int, int, int]


def value(terms: Terms, p: Any, f: Any, i: Any, j: Any) -> Any:
    base, a, b, c, d = terms
    return a * p + b * f + c * i + d * j + base


def leaves(index: Terms, size: int, masks: list[tuple[Terms, str]]) -> tuple[int, int] | None:
    """The range of the index over all enabled elements of all iterations, where it leaves `[0, size)`."""
    seen = [
        value(index, *point)
        for point in itertools.product(range(4), range(5), range(3), range(2))
        if all(holds(value(terms, *point), sign) for terms, sign in masks)
    ]
    return (min(seen), max(seen)) if seen and (min(seen) < 0 or max(seen) >= size) else None


def holds(number: Any, sign: str) -> Any:
    return {">=": lambda: number >= 0, "==": lambda: number == 0, "!=": lambda: number != 0}[sign]()


def access(index: Any, size: int) -> Access:
    return subscript(Access.whole(buffer(size)), index + 0 * P + 0 * F)


@given(affine, st.integers(1, 14), st.lists(st.tuples(affine, st.sampled_from([">=", ">=", "==", "!="])), max_size=2))
@few
def test_c04_exactly_what_can_leave_is_refused(index: Terms, size: int, masks: list[tuple[Terms, str]]) -> None:
    """C4, C13: against all elements of all iterations, one by one."""
    loops = (P, F, scalar(I), scalar(J))
    mask: Mask | None = None
    for terms, sign in masks:
        condition = holds(value(terms, *loops) + 0 * P + 0 * F, sign)
        mask = condition if mask is None else mask & condition
    operand = access(value(index, *loops), size)
    outside = leaves(index, size, masks)
    if outside is None:
        check_bounds(operand, mask, "src")
        return
    with pytest.raises(RuleError) as caught:
        check_bounds(operand, mask, "src")
    assert caught.value.rule == "err_tensor_access_out_of_bound"
    assert caught.value.given.startswith(f"index range [{outside[0]}, {outside[1]}]")


def test_c04_text() -> None:
    operand = subscript(Access.whole(buffer(8, 6, name="x")), (slice(None), slice(2, 9)))
    with pytest.raises(RuleError) as caught:
        check_bounds(operand, None, "dma_copy's src")
    assert "out-of-bound access of tensor 'x' (dma_copy's src) on axis 1" in str(caught.value)
    assert (caught.value.given, caught.value.allowed) == ("index range [2, 8]", "[0, 5], the axis has size 6")
    assert "test_bounds.py" in str(caught.value)


def test_c04_text_with_a_mask() -> None:
    with pytest.raises(RuleError) as caught:
        check_bounds(access(P, 2), P < 3, "src")
    assert caught.value.given == "index range [0, 2] under the mask -1*d0 + 2 >= 0"
    check_bounds(access(P, 3), P < 3, "src")


def test_c04_an_index_tile_has_bounds_of_its_own() -> None:
    tile = subscript(index_tile(4, 2), (slice(None), slice(2, 3)))
    operand = hardware_pattern(buffer(8, 6), [[6, 4]], vector_offset=tile)
    with pytest.raises(RuleError, match=r"out-of-bound access of tensor 'i' \(src's index\) on axis 1"):
        check_bounds(operand, None, "src")


def test_c04_empty_loops_and_tiles_access_nothing() -> None:
    never = Symbol("n", 0)
    check_bounds(subscript(Access.whole(buffer(4)), scalar(never) + 9), None, "src")
    check_bounds(subscript(Access.whole(buffer(4, 3)), (slice(9, 9), slice(None))), None, "src")


def test_c04_long_loops_are_proved_without_enumeration() -> None:
    """The usual ragged tile, with a million iterations: proved by relaxation."""
    i = scalar(Symbol("i", 1 << 20))
    size = (1 << 27) - 100
    rows = 128 * i + arange(128)[:, None]
    operand = subscript(Access.whole(buffer(size)), rows)
    check_bounds(operand, rows < size, "src")
    with pytest.raises(NotImplementedError, match="a bounds check under a mask over so many loop iterations"):
        check_bounds(operand, rows <= size, "src")


def test_c13_a_mask_of_another_shape_names_itself() -> None:
    operand = access(P, 3)
    with pytest.raises(NotImplementedError, match=r"a mask over \[20\] for an access of \[4, 5\]"):
        check_bounds(operand, arange(20) < 15, "src", (20,))
    check_bounds(access(P, 4), arange(20) < 15, "src", (20,))
    check_bounds(operand, P < 3, "src", (4, 9))
    with pytest.raises(NotImplementedError, match="a mask over"):
        check_bounds(operand, F < 3, "src", (4, 1, 5))
    assert np.prod(operand.shape) == 20
