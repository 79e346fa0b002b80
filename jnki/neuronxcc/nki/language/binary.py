"""Operators on two tiles, or a tile and a number. They broadcast as NumPy's do, along partitions too.

All of them can be called, and can be given to `nki.isa` as `op`.
"""

from typing import Any, Protocol

from jnki.dialects.naming import named, public
from jnki.neuronxcc.nki.language.elementwise import result_type
from jnki.tiles import compute, elementwise
from jnki.tiles.tensor import Tensor


class Binary(Protocol):
    """An operator on two tiles, or a tile and a number."""

    def __call__(self, x: Any, y: Any, *, dtype: Any = None, mask: Any = None) -> Tensor: ...


def _arithmetic(op: str, summary: str) -> Binary:
    """The function that records this operator, in the promoted type of its operands."""

    @named(op)
    def function(x: Any, y: Any, *, dtype: Any = None, mask: Any = None) -> Tensor:
        """
        Args:
            x, y: tiles or numbers, one of them at least a tile.
            dtype: element type of the result; by default the types of `x` and `y` promoted, where a Python number
                counts as int32 or float32.
            mask: what to leave unwritten.
        """
        return compute.binary(op, x, y, dtype=dtype, mask=mask)

    return public(function, op, summary)


def _comparison(op: str, summary: str) -> Binary:
    """The function that records this operator, whose result is a bool."""

    @named(op)
    def function(x: Any, y: Any, *, dtype: Any = bool, mask: Any = None) -> Tensor:
        """
        Args:
            x, y: tiles or numbers, one of them at least a tile.
            dtype: element type of the result.
            mask: what to leave unwritten.
        """
        return compute.binary(op, x, y, **result_type(dtype), mask=mask)

    return public(function, op, summary)


def _remainder(function_name: str, summary: str) -> Binary:
    """The function that records one of the two remainders."""

    def function(x: Any, y: Any, dtype: Any = None, mask: Any = None) -> Tensor:
        """
        Args:
            x, y: tiles or numbers, one of them at least a tile.
            dtype: element type of the result; by default the types of `x` and `y` promoted. Arithmetic is in float32.
            mask: what to leave unwritten.
        """
        return elementwise.remainder(function_name, x, y, dtype=dtype, mask=mask)

    return public(function, function_name, summary)


add = _arithmetic("add", "`x + y`.")
subtract = _arithmetic("subtract", "`x - y`.")
multiply = _arithmetic("multiply", "`x * y`.")
divide = _arithmetic("divide", "`x / y`; of two integers it is a float32, unless `dtype` says.")
maximum = _arithmetic("maximum", "The larger one of `x` and `y`.")
minimum = _arithmetic("minimum", "The smaller one of `x` and `y`.")
power = _arithmetic("power", "`x` to the power of `y`.")

mod = _remainder("mod", "What is left of `x / y` rounded down: it has the sign of `y`, as Python's `%`.")
fmod = _remainder("fmod", "What is left of `x / y` rounded towards zero: it has the sign of `x`.")

bitwise_and = _arithmetic("bitwise_and", "`x & y`, of integers.")
bitwise_or = _arithmetic("bitwise_or", "`x | y`, of integers.")
bitwise_xor = _arithmetic("bitwise_xor", "`x ^ y`, of integers.")
left_shift = _arithmetic("left_shift", "`x << y`, of integers.")
right_shift = _arithmetic("right_shift", "`x >> y`, of integers; zeros come in from the left.")

equal = _comparison("equal", "Whether `x == y`.")
not_equal = _comparison("not_equal", "Whether `x != y`.")
greater = _comparison("greater", "Whether `x > y`.")
greater_equal = _comparison("greater_equal", "Whether `x >= y`.")
less = _comparison("less", "Whether `x < y`.")
less_equal = _comparison("less_equal", "Whether `x <= y`.")
logical_and = _comparison("logical_and", "Whether neither `x` nor `y` is zero.")
logical_or = _comparison("logical_or", "Whether `x` or `y` is not zero.")
logical_xor = _comparison("logical_xor", "Whether just one of `x` and `y` is zero.")
