"""The masks of a matmul: which of its three axes each comparison runs along.

    stationary [K, M]      K  contraction   a masked-off element contributes nothing
    moving     [K, N...]   M  rows          a masked-off row of the result is not written
    result     [M, N...]   N  columns       a masked-off column of the result is not written

A comparison of loop indices alone switches the whole instruction on or off; it is off, too, where no element of the
contraction is left. A mask on an operand speaks of the axes
of that operand; the instruction's own mask speaks of either operand, told apart by shape.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from jnki.access.affine import Affine
from jnki.access.mask import NEVER, Comparison, Mask, Test
from jnki.errors import RuleError, not_modelled

Shape = tuple[int, ...]
Along = Literal["loops", "contraction", "free"]


@dataclass(frozen=True)
class Layout:
    """The shapes of a matmul.

    Attributes:
        stationary, moving: shapes of the operands.
        contracted: how many leading axes are contracted: 1, or 2 for a pair of rows.
    """

    stationary: Shape
    moving: Shape
    contracted: int = 1

    def of(self, operand: str) -> Shape:
        return self.stationary if operand == "stationary" else self.moving

    @property
    def result(self) -> Shape:
        """`[M, N...]`: the free axes of the moving tile stay as they are."""
        return (math.prod(self.stationary[self.contracted :]), *(self.moving[self.contracted :] or (1,)))


def split_masks(
    layout: Layout, mask: Mask | None, stationary_mask: Mask | None, moving_mask: Mask | None
) -> tuple[Mask | None, Mask | None]:
    """One mask over the result (what is written) and one over the contracted axes (what contributes); None: everything.

    Args:
        layout: the shapes.
        mask: the instruction's own.
        stationary_mask, moving_mask: those on the operands.

    Raises:
        RuleError: `nc_matmul.mask` where a comparison fits no operand, or fits the free axes of both;
            `err_unsupported_expression_in_mask` where it runs along a contracted and a free axis at once.
        NotImplementedError: a mask along several free axes of the stationary tile, or one along the contracted axis
            that depends on a loop index and is no range.
    """
    on_operands = {"stationary": _comparisons(stationary_mask), "moving": _comparisons(moving_mask)}
    placed = [_placed(c, operand, layout) for operand, found in on_operands.items() for c in found]
    for comparison in _comparisons(mask):
        if comparison not in (*on_operands["stationary"], *on_operands["moving"]):
            placed.append(_placed(comparison, _operand_meant(comparison, layout), layout))
    result, contraction = ([c for over, c in placed if over == which] for which in ("result", "contraction"))
    return _joined([*result, *_some_on(contraction, layout)]), _joined(contraction)


def _placed(comparison: Comparison, operand: str, layout: Layout) -> tuple[str, Comparison]:
    """The comparison, given over the axes of an operand, as one over the result or over the contracted axes."""
    shape, deep = layout.of(operand), layout.contracted
    steps = _aligned(comparison, shape)
    match _along(comparison, shape, deep):
        case "loops":
            return "result", Comparison(comparison.base, (), (), comparison.test)
        case "contraction":
            return "contraction", _over(comparison, steps[:deep], shape[:deep])
        case "free" if operand == "moving":
            return "result", _over(comparison, (0, *steps[deep:]), layout.result)
        case "free" if len(shape) == deep + 1:
            return "result", _over(comparison, (steps[-1],) + (0,) * len(layout.result[1:]), layout.result)
        case "free":
            raise not_modelled("a mask along several free axes of nc_matmul's stationary tile")
        case _:
            allowed = f"a mask that broadcasts to the shape of {operand}"
            raise _misfit(f"on '{operand}'", comparison, layout, allowed)


def _some_on(contraction: list[Comparison], layout: Layout) -> list[Comparison]:
    """Comparisons of loop indices alone that hold just where the contraction leaves some element on.

    Along one axis each comparison leaves a half line, and half lines have an element in common with the axis where any
    two of them do.
    """
    symbols = {s for c in contraction for s in c.base.symbols}
    if not symbols:
        shape = layout.stationary[: layout.contracted]
        places = np.indices(shape)
        on = [c.passes(c.base.constant + np.tensordot(c.steps, places, 1)) for c in contraction]
        return [] if np.logical_and.reduce([np.ones(shape, bool), *on]).any() else list(NEVER.comparisons)
    halves = [half for c in contraction for half in _halves(c)]
    depth = layout.stationary[0]
    if any(c.test is not Test.NOT_NEGATIVE or abs(c.steps[0]) != 1 or any(c.steps[1:]) for c in halves):
        raise not_modelled("a mask along nc_matmul's contracted axis that depends on a loop index and is no range")
    at_least = [Affine(0), *(c.base for c in halves if c.steps[0] > 0)]  # k >= -base
    at_most = [Affine(depth - 1), *(c.base for c in halves if c.steps[0] < 0)]  # k <= base
    return [Comparison(low + high, (), (), Test.NOT_NEGATIVE) for low in at_least for high in at_most]


def _halves(c: Comparison) -> list[Comparison]:
    """The comparison, an equality as two inequalities."""
    if c.test is not Test.ZERO:
        return [c]
    opposite = Comparison(-c.base, tuple(-s for s in c.steps), c.shape, Test.NOT_NEGATIVE)
    return [Comparison(c.base, c.steps, c.shape, Test.NOT_NEGATIVE), opposite]


def _operand_meant(comparison: Comparison, layout: Layout) -> str:
    """The operand over whose axes a comparison of the instruction's own mask is given."""
    fits = {name: _along(comparison, layout.of(name), layout.contracted) for name in ("stationary", "moving")}
    found = [name for name, along in fits.items() if along is not None]
    if not found:
        raise _misfit("'mask'", comparison, layout, "a comparison that broadcasts to the shape of an operand")
    if len(found) == 2 and "free" in fits.values():
        allowed = "a mask on the operand that is meant, such as stationary[i < n]; this one fits the free axes of both"
        raise _misfit("'mask'", comparison, layout, allowed)
    return found[0]


def over_stationary(layout: Layout, result: Mask | None, contraction: Mask | None) -> Mask | None:
    """Where the stationary tile is read: both masks of `split_masks`, over its shape."""
    return _over_operand(layout, result, contraction, layout.stationary, lambda steps: steps[:1])


def over_moving(layout: Layout, result: Mask | None, contraction: Mask | None) -> Mask | None:
    """Where the moving tile is read: both masks of `split_masks`, over its shape."""
    return _over_operand(layout, result, contraction, layout.moving, lambda steps: steps[1:])


def _over_operand(
    layout: Layout, result: Mask | None, contraction: Mask | None, shape: Shape, own: Callable[[Shape], Shape]
) -> Mask | None:
    found = []
    for c in _comparisons(result):
        steps = own(c.steps)
        if any(steps):
            found.append(_over(c, (0,) * (len(shape) - len(steps)) + steps, shape))
        elif not any(c.steps):
            found.append(c)
    for c in _comparisons(contraction):
        found.append(_over(c, c.steps + (0,) * (len(shape) - layout.contracted), shape))
    return _joined(found)


def _along(comparison: Comparison, shape: Shape, contracted: int) -> Along | None:
    """What the comparison runs along in an operand of `shape`; None where it does not broadcast to it."""
    if not Mask((comparison,)).fits(shape):
        return None
    moving = {d for d, step in enumerate(_aligned(comparison, shape)) if step}
    if not moving:
        return "loops"
    if all(d < contracted for d in moving):
        return "contraction"
    if all(d >= contracted for d in moving):
        return "free"
    raise RuleError(
        "err_unsupported_expression_in_mask",
        "nc_matmul: a comparison runs along a contracted and a free axis at once",
        given=str(comparison),
        allowed="comparisons along one axis each, joined by &",
    )


def _comparisons(mask: Mask | None) -> tuple[Comparison, ...]:
    return () if mask is None else mask.comparisons


def _aligned(comparison: Comparison, shape: Shape) -> Shape:
    return (0,) * (len(shape) - len(comparison.steps)) + comparison.steps


def _over(comparison: Comparison, steps: Shape, shape: Shape) -> Comparison:
    varying = tuple(n if step else 1 for n, step in zip(shape, steps))
    return Comparison(comparison.base, steps, varying, comparison.test)


def _joined(comparisons: list[Comparison]) -> Mask | None:
    return Mask(tuple(dict.fromkeys(comparisons))).simplified() if comparisons else None


def _misfit(where: str, comparison: Comparison, layout: Layout, allowed: str) -> RuleError:
    return RuleError(
        "nc_matmul.mask",
        f"nc_matmul: cannot tell what the mask {where} speaks of",
        given=f"{comparison} over {list(comparison.shape)}, "
        f"stationary {list(layout.stationary)}, moving {list(layout.moving)}",
        allowed=allowed,
    )
