"""Reductions along free axes."""

from collections.abc import Sequence
from typing import Any, Protocol

from jnki.dialects.naming import named, public
from jnki.nki.language.dtypes import wished_type
from jnki.tiles import compute, statistics

Axes = int | Sequence[int]


class Reduction(Protocol):
    """A reduction of a tile along free axes."""

    def __call__(self, x: Any, axis: Axes, dtype: Any = None, keepdims: bool = False) -> Any: ...


def _reduction(name: str, op: str, summary: str) -> Reduction:
    """The function that records a reduction by the operator `op`."""

    @named(op)
    def function(x: Any, axis: Axes, dtype: Any = None, keepdims: bool = False) -> Any:
        """
        Args:
            x: a tile `[P, F...]` in SBUF or PSUM.
            axis: one or more free axes.
            dtype: element type of the result; that of `x` by default. Arithmetic is in float32.
            keepdims: whether reduced axes stay, with size 1. A result always keeps a free axis.
        """
        return compute.reduction(op, x, axis, dtype=wished_type(dtype), keepdims=keepdims)

    return public(function, name, summary)


max = _reduction("max", "maximum", "The largest element along the axes.")
min = _reduction("min", "minimum", "The smallest element along the axes.")
sum = _reduction("sum", "add", "The sum along the axes.")
prod = _reduction("prod", "multiply", "The product along the axes.")


def all(x: Any, axis: Axes, dtype: Any = None) -> Any:
    """1 where no element along the axes is zero, else 0, in the type of `x` unless `dtype` says."""
    return compute.reduction("logical_and", x, axis, dtype=wished_type(dtype))


def mean(x: Any, axis: Axes, dtype: Any = None, keepdims: bool = False) -> Any:
    """The mean along the axes."""
    return statistics.mean(x, axis, dtype=wished_type(dtype), keepdims=keepdims)


def var(x: Any, axis: Axes, dtype: Any = None, keepdims: bool = False) -> Any:
    """The variance along the axes, around the mean and divided by the number of elements.

    Args:
        x: a tile `[P, F...]`.
        axis: one or more free axes.
        dtype: element type of the result; that of `x` by default.
        keepdims: whether reduced axes stay, with size 1.
    """
    return statistics.variance(x, axis, dtype=wished_type(dtype), keepdims=keepdims)
