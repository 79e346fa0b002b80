"""Functions that record several instructions: `where`, `softmax`, `rms_norm`."""

from collections.abc import Sequence
from typing import Any

from jnki.tiles import elementwise, normalization
from jnki.tiles.tensor import Tensor


def where(condition: Tensor, x: Tensor, y: Any, *, dtype: Any = None, mask: Any = None) -> Tensor:
    """Elements of `x` where `condition` is not zero, else of `y`.

    Args:
        condition: a tile.
        x: a tile.
        y: a tile or a number. All of them broadcast together as NumPy's arrays do.
        dtype: element type of the result; by default the types of `x` and `y` promoted.
        mask: what to leave unwritten.
    """
    return elementwise.select(condition, x, y, dtype=dtype, mask=mask)


def softmax(
    x: Tensor, axis: int | Sequence[int], *, dtype: Any = None, compute_dtype: Any = None, mask: Any = None
) -> Tensor:
    """`exp(x - max(x)) / sum(exp(x - max(x)))` along free axes.

    Args:
        x: a tile `[P, F...]`.
        axis: one or more free axes.
        dtype: element type of the result.
        compute_dtype: element type of the tiles in between. Each of the two stands for the other where that is not
            given; without both the result has the type of `x`, and the tiles in between are float32.
        mask: over `x`; a masked-off element takes no part, and is not written.
    """
    return normalization.softmax(x, axis, dtype=dtype, compute_dtype=compute_dtype, mask=mask)


def rms_norm(
    x: Tensor,
    w: Tensor,
    axis: int | Sequence[int],
    n: int,
    epsilon: float = 1e-6,
    *,
    dtype: Any = None,
    compute_dtype: Any = None,
    mask: Any = None,
) -> Tensor:
    """`x / sqrt(sum(x * x) / n + epsilon) * w` along free axes.

    Args:
        x: a tile `[P, F...]`.
        w: a tile that broadcasts to `x`.
        axis: one or more free axes.
        n: how many values the sum stands for.
        epsilon: what keeps the root away from zero.
        dtype, compute_dtype: see `softmax`.
        mask: over `x`; a masked-off element takes no part, and is not written.
    """
    return normalization.rms_norm(x, w, axis, n, epsilon, dtype=dtype, compute_dtype=compute_dtype, mask=mask)
