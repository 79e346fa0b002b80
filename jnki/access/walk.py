"""A view of a view: dims that walk along the dims of another access."""

from collections.abc import Sequence
from dataclasses import dataclass

from jnki.access.access import Access, Bound, Dim
from jnki.access.affine import Affine


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
    offset: Affine = sum((walk.start * dim.step for walk, dim in zip(walks, access.dims)), access.offset)
    steps = _along(walks, [dim.step for dim in access.dims], len(shape))
    bounds = [Bound(walk.start, walk.steps, axis, access.dims[axis].count) for axis, walk in enumerate(walks)]
    for bound in access.unchecked:
        base = sum((walk.start * step for walk, step in zip(walks, bound.steps)), bound.base)
        bounds.append(Bound(base, _along(walks, bound.steps, len(shape)), bound.axis, bound.size))
    unchecked = tuple(bound for bound in bounds if not _surely_inside(bound, shape))
    return Access(access.buffer, offset, tuple(map(Dim, steps, shape)), None, unchecked, blocks)


def _along(walks: Sequence[Walk], steps: Sequence[int], rank: int) -> tuple[int, ...]:
    """What one step along each new dim adds, where a step along old dim `k` adds `steps[k]`."""
    return tuple(sum(walk.steps[d] * step for walk, step in zip(walks, steps)) for d in range(rank))


def _surely_inside(bound: Bound, shape: tuple[int, ...]) -> bool:
    if 0 in shape:
        return True
    low, high = bound.base.bounds()
    for step, count in zip(bound.steps, shape):
        reach = step * (count - 1)
        low, high = low + min(0, reach), high + max(0, reach)
    return low >= 0 and high < bound.size
