"""When a result counts as the expected one: bit for bit, in ulps, or within a bound.

Everything here runs on NumPy's arrays and on JAX's alike: `xp` is `numpy` or `jax.numpy`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jax import lax

from jnki.dtypes import element_type
from jnki.testing.hostile import is_float, unsigned_of


@dataclass(frozen=True)
class Tolerance:
    """How far a float may be from the expected one. Integers and booleans are compared exactly.

    Attributes:
        ulp: in units of the last place of the result's type; 0 asks for equal bits.
        rtol, atol: `|result - expected| <= atol + rtol * |expected|`, in float32 (float64 beside a float64 reference).
        bound: length of the reduction behind each element: the tolerance is what rounding explains.
        magnitude: from the arguments of a case to the sum of the absolute values of what each element sums.
        equal_nan: whether one NaN is another, whatever its bits.
    """

    ulp: int | None = None
    rtol: float | None = None
    atol: float | None = None
    bound: int | None = None
    magnitude: Callable[..., Any] | None = None
    equal_nan: bool = True

    def __post_init__(self) -> None:
        kinds = [self.ulp is not None, self.rtol is not None or self.atol is not None, self.bound is not None]
        if sum(kinds) > 1:
            raise ValueError("give one of ulp=, rtol= and atol=, or bound=")
        for name in ("ulp", "rtol", "atol", "bound"):
            value = getattr(self, name)
            if value is not None and not value >= 0:
                raise ValueError(f"'{name}' is {value!r}; a tolerance is not negative")

    def __str__(self) -> str:
        if self.bound is not None:
            return f"within the rounding of sums of {self.bound} terms"
        if self.rtol is not None or self.atol is not None:
            return f"within rtol={self.rtol or 0:g} atol={self.atol or 0:g}"
        return f"within {self.ulp} ulp" if self.ulp else "bit for bit"

    def accepts(self, result: Any, expected: Any, xp: Any, magnitude: Any = None) -> Any:
        """Which elements of `result` count as `expected`: booleans of their shape."""
        if not is_float(result.dtype):
            return result == expected
        nan = _is_nan(result, xp) & _is_nan(expected, xp)
        if self.bound is None and self.rtol is None and self.atol is None:
            rounded = expected.astype(result.dtype)
            if not self.ulp:
                equal = bits_of(result, xp) == bits_of(rounded, xp)
                return equal | nan if self.equal_nan else equal & ~nan
            near = ulps_between(result, rounded, xp) <= np.uint32(min(self.ulp, 2**32 - 1))
            return self._special(near, result, rounded, nan, xp)
        wide = np.float64 if expected.dtype == np.float64 else np.float32
        found, wanted = result.astype(wide), expected.astype(wide)
        if self.bound is None:
            allowed = wide(self.atol or 0) + wide(self.rtol or 0) * xp.abs(wanted)
        else:
            allowed = self._rounding(result.dtype, xp.abs(wanted), magnitude, xp)
        with np.errstate(invalid="ignore"):
            return self._special(xp.abs(found - wanted) <= allowed, result, expected, nan, xp)

    def _rounding(self, dtype: Any, size: Any, magnitude: Any, xp: Any) -> Any:
        """Half an ulp of the type for the result, and a float32 rounding per term for the sum."""
        kind = element_type(dtype)
        unit, single = 2.0 ** -(kind.mantissa_bits + 1), 2.0**-24
        finite = xp.where(xp.isfinite(size), size, 0)
        total = magnitude if magnitude is not None else xp.max(finite, initial=0)
        smallest = 2.0 ** (2 - 2 ** (kind.exponent_bits - 1) - kind.mantissa_bits)
        return finite.dtype.type(2 * unit) * finite + (finite.dtype.type((self.bound or 0) * single) * total + smallest)

    def _special(self, near: Any, result: Any, expected: Any, nan: Any, xp: Any) -> Any:
        """NaN and infinities are near nothing but themselves."""
        plain = xp.isfinite(result) & xp.isfinite(expected)
        infinite = xp.isinf(result) & xp.isinf(expected) & ((result > 0) == (expected > 0))
        same = (near & plain) | infinite
        return same | nan if self.equal_nan else same


def _is_nan(array: Any, xp: Any) -> Any:
    return xp.isnan(array)


def bits_of(array: Any, xp: Any) -> Any:
    if xp is np:
        return np.ascontiguousarray(array).view(unsigned_of(array.dtype))
    return lax.bitcast_convert_type(array, unsigned_of(array.dtype))


def ulps_between(a: Any, b: Any, xp: Any) -> Any:
    """How many floats lie from `a` to `b`, as uint32: 0 between the zeros, 1 between neighbours."""
    first, second = _ordered(a, xp), _ordered(b, xp)
    return xp.where(first > second, first - second, second - first)


def _ordered(array: Any, xp: Any) -> Any:
    """The place of each float among all of its type, as uint32: zero of either sign is in the middle."""
    bits, sign = bits_of(array, xp).astype(np.uint32), np.uint32(1 << (8 * array.dtype.itemsize - 1))
    return xp.where(bits >= sign, np.uint32(2**31) - (bits - sign), np.uint32(2**31) + bits)


def check_shapes(outputs: Any, expected: Any, name: str) -> None:
    """Outputs and reference have one structure, shapes, and kinds of types.

    Raises:
        TypeError: they have not; the text names the first output that differs.
    """
    found, wanted = jax.tree.leaves(outputs), jax.tree.leaves(expected)
    if len(found) != len(wanted):
        raise TypeError(f"{name} has {len(found)} outputs, and the reference gives {len(wanted)}")
    for place, (one, other) in enumerate(zip(found, wanted)):
        whose = f"output {place} of {name}" if len(found) > 1 else f"the output of {name}"
        if tuple(one.shape) != tuple(other.shape):
            raise TypeError(f"{whose} has shape {list(one.shape)}, and the reference gives {list(other.shape)}")
        if _kind(one.dtype) != _kind(other.dtype):
            raise TypeError(f"{whose} is {one.dtype}, and the reference gives {other.dtype}")


def _kind(dtype: Any) -> str:
    return "float" if is_float(dtype) else "bool" if np.dtype(dtype) == np.bool_ else "integer"


@dataclass(frozen=True)
class Difference:
    """The elements of one output that are not as expected.

    Attributes:
        output: which output.
        place: index of the first one, in row-major order.
        expected, actual: it.
        count, size: how many differ, of how many.
        ulps: of the first one; None for integers, or where one of the two is NaN.
        largest_ulps: over all elements that are numbers.
    """

    output: int
    place: tuple[int, ...]
    expected: Any
    actual: Any
    count: int
    size: int
    ulps: int | None
    largest_ulps: int | None


def differences(outputs: Any, expected: Any, tolerance: Tolerance, magnitudes: Any = None) -> list[Difference]:
    """Where the outputs of one case differ from the reference, on the host."""
    found = []
    pairs = zip(jax.tree.leaves(outputs), jax.tree.leaves(expected), strict=True)
    with np.errstate(all="ignore"):
        for number, (one, other) in enumerate(pairs):
            one, other = np.asarray(one), np.asarray(other)
            wrong = ~np.asarray(tolerance.accepts(one, other, np, magnitudes))
            if not wrong.any():
                continue
            place = tuple(int(n) for n in np.argwhere(wrong.reshape(one.shape))[0])
            ulps, largest = None, None
            if is_float(one.dtype):
                rounded = other.astype(one.dtype)
                distance, numbers = ulps_between(one, rounded, np), ~(np.isnan(one) | np.isnan(rounded))
                ulps = int(distance[place]) if numbers[place] else None
                largest = int(distance[numbers].max()) if numbers.any() else None
            given, wanted = one[place], other[place]
            found.append(
                Difference(number, place, wanted, given, int(wrong.sum()), math.prod(one.shape), ulps, largest)
            )
    return found
