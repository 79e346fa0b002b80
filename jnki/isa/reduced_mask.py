"""Which results of a reduction a mask over its operand leaves unwritten."""

from collections.abc import Collection

from jnki.access.mask import Comparison, Mask


def of_result(
    mask: Mask | None, data: tuple[int, ...], reduced: Collection[int], result: tuple[int, ...]
) -> Mask | None:
    """The comparisons of a mask that speak of no reduced axis, as a mask over the result.

    Where the others enable no element at all, a result is unwritten too, which no comparison of its axes can say.

    Args:
        mask: over `data`.
        data: shape of the operand.
        reduced: which of its axes are reduced.
        result: shape of the result: the kept axes in order, with any number of axes of size 1 among them.
    """
    if mask is None:
        return None
    rank = len(data)
    kept = [d for d in range(rank) if d not in reduced and data[d] > 1]
    places = [d for d, n in enumerate(result) if n > 1]
    moved = []
    for c in mask.comparisons:
        missing = rank - len(c.steps)
        steps = (0,) * missing + c.steps
        if any(steps[d] for d in range(rank) if d not in kept):
            continue
        own = dict(zip(places, kept))
        moved.append(
            Comparison(
                c.base,
                tuple(steps[own[d]] if d in own else 0 for d in range(len(result))),
                tuple(n if d in own and steps[own[d]] else 1 for d, n in enumerate(result)),
                c.test,
            )
        )
    return Mask(tuple(moved)) if moved else None
