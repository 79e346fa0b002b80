"""Reductions of a tile along free axes."""

from collections.abc import Sequence
from typing import Any, Protocol

from jnki.dialects.naming import named, public
from jnki.dtypes import bool_, element_type
from jnki.tiles import compute, statistics
from jnki.tiles.tensor import Tensor


class Reduction(Protocol):
    """A reduction of a tile along free axes."""

    def __call__(
        self, x: Tensor, axis: int | Sequence[int], *, dtype: Any = None, mask: Any = None, keepdims: bool = False
    ) -> Tensor: ...


def _reduction(name: str, op: str, summary: str) -> Reduction:
    """The function that records a reduction by the operator `op`."""

    @named(op)
    def function(
        x: Tensor, axis: int | Sequence[int], *, dtype: Any = None, mask: Any = None, keepdims: bool = False
    ) -> Tensor:
        """
        Args:
            x: a tile `[P, F...]` in SBUF or PSUM.
            axis: one or more free axes.
            dtype: element type of the result; that of `x` by default. Arithmetic is in float32.
            mask: over `x`; a masked-off element takes no part, a result without any enabled element is not written.
            keepdims: whether reduced axes stay, with size 1.
        """
        return compute.reduction(op, x, axis, dtype=dtype, mask=mask, keepdims=keepdims)

    return public(function, name, summary)


max = _reduction("max", "maximum", "The largest element along the axes.")
min = _reduction("min", "minimum", "The smallest element along the axes.")
sum = _reduction("sum", "add", "The sum along the axes.")
prod = _reduction("prod", "multiply", "The product along the axes.")


def all(x: Tensor, axis: int | Sequence[int], *, dtype: Any = bool, mask: Any = None) -> Tensor:
    """Whether no element along the axes is zero."""
    if dtype is bool:
        return compute.reduction("logical_and", x, axis, result=bool_, mask=mask)
    return compute.reduction("logical_and", x, axis, dtype=element_type(dtype), mask=mask)


def mean(
    x: Tensor, axis: int | Sequence[int], *, dtype: Any = None, mask: Any = None, keepdims: bool = False
) -> Tensor:
    """The mean along the axes: of the enabled elements, where there is a mask over them."""
    return statistics.mean(x, axis, dtype=dtype, mask=mask, keepdims=keepdims)


def var(x: Tensor, axis: int | Sequence[int], *, dtype: Any = None, mask: Any = None) -> Tensor:
    """The variance along the axes, around the mean and divided by the number of elements."""
    return statistics.variance(x, axis, dtype=dtype, mask=mask)
