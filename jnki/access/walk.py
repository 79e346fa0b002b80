"""A view of a view: dims that walk along the dims of another access."""

from collections.abc import Sequence
from dataclasses import dataclass

from jnki.access.access import Access, Bound, Dim
from jnki.access.affine import ZERO, Affine


@dataclass(frozen=True, slots=True)
class Walk:
    """Where a view stands on one dim of what it is a view of: `start + sum(steps[d] * d)`, `d` its own dims."""

    start: Affine
    steps: tuple[int, ...]


def walked(access: Access, walks: Sequence[Walk], shape: tuple[int, ...], blocks: int = 0) -> Access:
    """The view of `access` that stands at `walks[k]` on its dim `k`.

    What `access` leaves unchecked stays so, in terms of the new dims, beside walks that may leave their own dim.

    Args:
        access: a direct access.
        walks: one per dim of it.
        shape: the view's own.
        blocks: how many of the view's dims stand in front of its partition axis.
    """
    offset, steps = _followed(access.offset, [dim.step for dim in access.dims], walks, len(shape))
    unchecked = [
        Bound(walk.start, walk.steps, axis, dim.count)
        for axis, (walk, dim) in enumerate(zip(walks, access.dims))
        if not _stays_inside(walk.start, walk.steps, shape, dim.count)
    ]
    for bound in access.unchecked:
        base, moves = _followed(bound.base, bound.steps, walks, len(shape))
        if not _stays_inside(base, moves, shape, bound.size):
            unchecked.append(Bound(base, moves, bound.axis, bound.size))
    return Access(access.buffer, offset, tuple(map(Dim, steps, shape)), None, tuple(unchecked), blocks)


def _followed(base: Affine, steps: Sequence[int], walks: Sequence[Walk], rank: int) -> tuple[Affine, tuple[int, ...]]:
    """What `base`, plus `steps[k]` for each step along old dim `k`, is in terms of `rank` new dims."""
    moves = [0] * rank
    for walk, step in zip(walks, steps):
        if walk.start is not ZERO:
            base = base + walk.start * step
        for d, move in enumerate(walk.steps):
            if move:
                moves[d] += move * step
    return base, tuple(moves)


def _stays_inside(base: Affine, steps: Sequence[int], shape: tuple[int, ...], size: int) -> bool:
    low, high = base.bounds() if base.terms else (base.constant, base.constant)
    for step, count in zip(steps, shape):
        if step > 0:
            high += step * (count - 1)
        elif step:
            low += step * (count - 1)
    return (low >= 0 and high < size) or 0 in shape
