"""Operators on two tiles, or a tile and a number. All of them can be called, and can be given to `nki.isa` as `op`."""

from typing import Any, Protocol

from jnki.dialects.naming import named, public
from jnki.isa.promotion import of_scalar, promote
from jnki.nki.language.dtypes import wished_type
from jnki.tiles import compute, elementwise
from jnki.tiles.tensor import Tensor


class Binary(Protocol):
    """An operator on two tiles, or a tile and a number."""

    def __call__(self, x: Any, y: Any, dtype: Any = None) -> Any: ...


def _operator(op: str, summary: str, *, keeps_type: bool = False) -> Binary:
    """The function that records this operator, in the promoted type of its operands.

    Args:
        keeps_type: whether the result, which is 0 or 1, has that type too.
    """

    @named(op)
    def function(x: Any, y: Any, dtype: Any = None) -> Any:
        """
        Args:
            x, y: tiles or numbers, one of them at least a tile.
            dtype: element type of the result; by default the types of `x` and `y` promoted.
        """
        result = promote(*(_type_of(each) for each in (x, y))) if keeps_type and dtype is None else None
        return compute.binary(op, x, y, dtype=wished_type(dtype), result=result)

    return public(function, op, summary)


def _type_of(value: Any) -> Any:
    return value.access.dtype if isinstance(value, Tensor) else of_scalar(value)


def _remainder(function_name: str, summary: str) -> Binary:
    """The function that records one of the two remainders."""

    @named(function_name)
    def function(x: Any, y: Any, dtype: Any = None) -> Any:
        """
        Args:
            x, y: tiles or numbers, one of them at least a tile.
            dtype: element type of the result; by default the types of `x` and `y` promoted. Arithmetic is in float32.
        """
        return elementwise.remainder(function_name, x, y, dtype=wished_type(dtype))

    return public(function, function_name, summary)


add = _operator("add", "`x + y`.")
subtract = _operator("subtract", "`x - y`.")
multiply = _operator("multiply", "`x * y`.")
divide = _operator("divide", "`x / y`; of two integers it is a float32, unless `dtype` says.")
maximum = _operator("maximum", "The larger one of `x` and `y`.")
minimum = _operator("minimum", "The smaller one of `x` and `y`.")
power = _operator("power", "`x` to the power of `y`.")
abs_max = _operator("abs_max", "Whichever of `x` and `y` is farther from 0; `y` where both are as far.")
abs_min = _operator("abs_min", "Whichever of `x` and `y` is nearer to 0; `y` where both are as near.")

mod = _remainder("mod", "What is left of `x / y` rounded down: it has the sign of `y`, as Python's `%`.")
fmod = _remainder("fmod", "What is left of `x / y` rounded towards zero: it has the sign of `x`.")

bitwise_and = _operator("bitwise_and", "`x & y`, of integers.")
bitwise_or = _operator("bitwise_or", "`x | y`, of integers.")
bitwise_xor = _operator("bitwise_xor", "`x ^ y`, of integers.")
left_shift = _operator("left_shift", "`x << y`, of integers.")
right_shift = _operator("right_shift", "`x >> y`, of integers; zeros come in from the left.")

equal = _operator("equal", "1 where `x == y`, else 0.", keeps_type=True)
not_equal = _operator("not_equal", "1 where `x != y`, else 0.", keeps_type=True)
greater = _operator("greater", "1 where `x > y`, else 0.", keeps_type=True)
greater_equal = _operator("greater_equal", "1 where `x >= y`, else 0.", keeps_type=True)
less = _operator("less", "1 where `x < y`, else 0.", keeps_type=True)
less_equal = _operator("less_equal", "1 where `x <= y`, else 0.", keeps_type=True)
logical_and = _operator("logical_and", "1 where neither `x` nor `y` is zero, else 0.", keeps_type=True)
logical_or = _operator("logical_or", "1 where `x` or `y` is not zero, else 0.", keeps_type=True)
logical_xor = _operator("logical_xor", "1 where just one of `x` and `y` is zero, else 0.", keeps_type=True)
