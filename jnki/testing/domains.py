"""What arguments are drawn from: shapes and types are static, contents a pure function of random words.

Contents are made of random bits with integer arithmetic and exact scaling, so that a case has the same bits alone, in a
batch of any size and on any number of devices. A function of a key that uses other arithmetic has what XLA makes of
it.
"""

import itertools
import math
from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jnki.dtypes import element_type
from jnki.testing.hostile import hostile_bits, is_float, unsigned_of
from jnki.testing.randomness import Source
from jnki.testing.shapes import Shape, as_shape


@dataclass(frozen=True, eq=False)
class Domain:
    """What one array argument is drawn from."""

    @abstractmethod
    def draw(self, source: Source) -> jax.Array:
        """The contents that belong to these random words."""

    @abstractmethod
    def spec(self) -> Any:
        """The domain as JSON; `None` where it cannot be written down (a function)."""

    @property
    def simplest(self) -> tuple[float, ...] | None:
        """Values that shrinking may put in the place of an element, the simplest first; None where it must not."""
        return None

    def contains(self, array: jax.Array) -> jax.Array:
        """Whether all of the array could have been drawn, as a boolean that may be traced."""
        return jnp.bool_(True)


def chance(words: jax.Array, rate: float) -> jax.Array:
    """Booleans that are true at this rate, made by comparing bits."""
    return words < np.uint32(min(round(rate * 2**32), 2**32 - 1))


def below(bits: jax.Array, count: int) -> jax.Array:
    """Integers from 0 up to `count`, exclusive, from 32 random bits each (uniform to one part in 2**32 / count)."""
    return bits if count == 2**32 else bits % np.uint32(count)


def _checked_rate(rate: float, name: str) -> float:
    if not 0 <= rate <= 1:
        raise ValueError(f"'{name}' is a share of the elements, from 0 to 1, not {rate!r}")
    return float(rate)


@dataclass(frozen=True, eq=False)
class Numbers(Domain):
    """Floats, integers or booleans, between two bounds, some of them hostile. See `floats` and `integers`."""

    shape: Shape
    dtype: np.dtype
    low: float | int | None
    high: float | int | None
    hostile: float
    any_bits: bool = False

    def draw(self, source: Source) -> jax.Array:
        unsigned = unsigned_of(self.dtype)
        plain = source.words(self.shape)
        if self.any_bits:
            bits = plain.astype(unsigned)
        elif self.dtype == np.bool_:
            return (plain & 1).astype(jnp.bool_)
        elif is_float(self.dtype):
            bits = lax.bitcast_convert_type(self._floats(plain), unsigned)
        else:
            low, high = self._bounds()
            number = below(plain, high - low + 1) + np.uint32(low % 2**32)
            bits = number.astype(unsigned)
        if self.hostile:
            table = jnp.asarray(self._hostile_bits())
            picked = table[below(source.words(self.shape, 1), len(table))]
            bits = jnp.where(chance(source.words(self.shape, 2), self.hostile), picked, bits)
        return lax.bitcast_convert_type(bits, self.dtype) if self.dtype != np.bool_ else bits.astype(jnp.bool_)

    def _floats(self, bits: jax.Array) -> jax.Array:
        """Multiples of powers of two, each exact in the type: nothing is rounded, so no two compilations differ."""
        digits = element_type(self.dtype).mantissa_bits + 1
        if self.low is None or self.high is None:
            whole = (bits >> np.uint32(32 - digits)).astype(jnp.int32)
            spread = (bits & np.uint32(7)).astype(jnp.int32)
            signed = jnp.where(bits & np.uint32(8), -whole, whole)
            steps = np.array([2.0 ** -(digits - 1 + e) for e in range(8)], np.float32)
            return (signed.astype(jnp.float32) * jnp.asarray(steps)[spread]).astype(self.dtype)
        first, last, step = lattice(float(self.low), float(self.high), digits)
        number = below(bits, last - first + 1).astype(jnp.int32) + np.int32(first)
        return (number.astype(jnp.float32) * np.float32(step)).astype(self.dtype)

    def _bounds(self) -> tuple[int, int]:
        info = np.iinfo(self.dtype)
        return (
            int(info.min) if self.low is None else int(self.low),
            int(info.max) if self.high is None else int(self.high),
        )

    def _hostile_bits(self) -> np.ndarray:
        """Hostile values; of integers with bounds those inside of them."""
        bits = hostile_bits(self.dtype)
        if is_float(self.dtype) or self.dtype == np.bool_:
            return bits
        low, high = self._bounds()
        values = [int(v) for v in bits.view(self.dtype) if low <= int(v) <= high]
        ends = [v for v in (low, high) if v not in values]
        return np.array([*values, *ends], self.dtype).view(unsigned_of(self.dtype))

    @property
    def simplest(self) -> tuple[float, ...]:
        low, high = self.low, self.high
        inside = [v for v in (0, 1, 2, -1) if (low is None or v >= low) and (high is None or v <= high)]
        if self.dtype.kind == "u":
            inside = [v for v in inside if v >= 0]
        return tuple(inside) or tuple(v for v in (low, high) if v is not None)

    def contains(self, array: jax.Array) -> jax.Array:
        if self.dtype == np.bool_ or self.any_bits or (self.low is None and self.high is None):
            return jnp.bool_(True)
        low, high = (self.low, self.high) if is_float(self.dtype) else self._bounds()
        inside = (array >= jnp.asarray(low, self.dtype)) & (array <= jnp.asarray(high, self.dtype))
        if self.hostile and is_float(self.dtype):
            bits = lax.bitcast_convert_type(array, unsigned_of(self.dtype))
            inside |= jnp.isin(bits, jnp.asarray(hostile_bits(self.dtype)))
        return jnp.all(inside)

    def spec(self) -> Any:
        return ["n", list(self.shape), self.dtype.name, self.low, self.high, self.hostile, int(self.any_bits)]


def lattice(low: float, high: float, digits: int) -> tuple[int, int, float]:
    """Multiples of a power of two from `low` to `high`, of at most `digits` binary digits: first, last, step."""
    top = max(abs(low), abs(high))
    step = 2.0 ** (math.frexp(top)[1] - digits) if top else 1.0
    first, last = math.ceil(low / step), math.floor(high / step)
    if first > last:
        raise ValueError(f"no number of {digits} binary digits lies between {low!r} and {high!r}")
    return first, last, step


@dataclass(frozen=True, eq=False)
class Rows(Domain):
    """Row indices. See `rows`."""

    shape: Shape
    size: int
    outside: float
    dtype: np.dtype

    def draw(self, source: Source) -> jax.Array:
        count, size = math.prod(self.shape), self.size
        if count == 0:
            return jnp.zeros(self.shape, self.dtype)
        anywhere = below(source.words((count,)), size).astype(jnp.int32)
        kind, first, second = source.words((3,), 1)
        coprime = (a for a in range(1, size + 1) if math.gcd(a, size) == 1)
        steps = np.array(list(itertools.islice(coprime, 64)), np.uint32)
        places = np.arange(count, dtype=np.uint32) % np.uint32(size)
        # i -> a*i + b modulo size is a permutation where a and size have no common factor: no sorting.
        stride = jnp.asarray(steps)[first % np.uint32(len(steps))]
        permuted = _times_modulo(places, stride, size, second % np.uint32(size))
        gap = max(1, 2 * size // count)
        rising = jnp.minimum(jnp.cumsum(anywhere % (gap + 1)), size - 1)
        choices = jnp.stack([anywhere, anywhere, jnp.full((count,), anywhere[0]), rising, permuted])
        picked = choices[kind % np.uint32(5)]
        if self.outside:
            # -1 is what kernels write for "no row"; of unsigned rows it is the largest number.
            ends = np.array([-1, size, np.iinfo(np.int32).min, np.iinfo(np.int32).max], np.int64).astype(np.int32)
            where = chance(source.words((count,), 2), self.outside)
            wrong = jnp.asarray(ends)[below(source.words((count,), 3), 4)]
            picked = jnp.where(where, wrong, picked)
        return picked.astype(self.dtype).reshape(self.shape)

    def is_outside(self, array: Any) -> Any:
        """Which rows are out of bounds, for NumPy's arrays and JAX's."""
        return (array < 0) | (array >= self.size)

    @property
    def simplest(self) -> tuple[float, ...]:
        return (0,) if self.size == 1 else (0, 1)

    def contains(self, array: jax.Array) -> jax.Array:
        return jnp.bool_(True) if self.outside else ~jnp.any(self.is_outside(array))

    def spec(self) -> Any:
        return ["r", list(self.shape), self.size, self.outside, self.dtype.name]


def _times_modulo(places: np.ndarray, stride: jax.Array, size: int, start: jax.Array) -> jax.Array:
    """`(places * stride + start) % size` in uint32: with fewer than 2**23 rows, 64 strides are small enough."""
    return ((jnp.asarray(places) * stride + start) % np.uint32(size)).astype(jnp.int32)


@dataclass(frozen=True, eq=False)
class Choice(Domain):
    """One of several arrays, or of several values for each element. See `choice`."""

    values: np.ndarray
    shape: Shape | None

    def draw(self, source: Source) -> jax.Array:
        number = below(source.words(self.shape or ()), len(self.values))
        return jnp.asarray(self.values)[number]

    @property
    def simplest(self) -> tuple[float, ...] | None:
        return None if self.shape is None else tuple(float(v) for v in sorted(set(self.values.tolist()), key=abs))

    def contains(self, array: jax.Array) -> jax.Array:
        return jnp.asarray(True) if self.shape is None else jnp.all(jnp.isin(array, jnp.asarray(self.values)))

    def spec(self) -> Any:
        return ["c", packed(self.values), None if self.shape is None else list(self.shape)]


@dataclass(frozen=True, eq=False)
class Constant(Domain):
    """The same in each case; anything but an array is a static argument."""

    value: Any

    @property
    def is_static(self) -> bool:
        return not isinstance(self.value, (np.ndarray, jax.Array))

    def draw(self, source: Source) -> jax.Array:
        return jnp.asarray(self.value)

    def spec(self) -> Any:
        if self.is_static:
            plain = isinstance(self.value, (bool, int, float, str, type(None)))
            return ["s", self.value] if plain else None
        return ["k", packed(np.asarray(self.value))]


@dataclass(frozen=True, eq=False)
class Function(Domain):
    """What a function makes of a `jax.random` key."""

    function: Callable[[jax.Array], Any]
    name: str = field(default="")

    def draw(self, source: Source) -> jax.Array:
        return jnp.asarray(self.function(source.key))

    def spec(self) -> Any:
        return None


LARGEST_PACKED = 256
"""Bytes of an array that a token spells out; of a larger one the domain has to be given again."""


def packed(array: np.ndarray) -> Any:
    """An array as JSON, or None where it is too large for a line of text."""
    if array.nbytes > LARGEST_PACKED:
        return None
    return [list(array.shape), array.dtype.name, np.ascontiguousarray(array).tobytes().hex()]


def unpacked(spec: Any) -> np.ndarray:
    shape, dtype, content = spec
    return np.frombuffer(bytes.fromhex(content), np.dtype(dtype)).reshape(shape)


# What users call.


def floats(
    shape: Any,
    dtype: Any = "float32",
    *,
    low: float | None = None,
    high: float | None = None,
    hostile: float = 0.0,
) -> Domain:
    """Floats of any sign from about 1e-3 to 2, or evenly spaced multiples of a power of two from `low` to `high`.

    Args:
        shape, dtype: of the array; both are static.
        low, high: bounds, both or none.
        hostile: the share of elements that are NaN, infinite, -0.0, subnormal, extreme or next to a rounding boundary
            instead, bounds or not.
    """
    kind = _storage(dtype)
    if not is_float(kind):
        raise TypeError(f"floats() draws floats, not {kind.name}; use integers, bits or booleans")
    _check_bounds(low, high, both=True)
    if low is not None and high is not None:
        lattice(float(low), float(high), element_type(kind).mantissa_bits + 1)
    return Numbers(as_shape(shape), kind, low, high, _checked_rate(hostile, "hostile"))


def integers(
    shape: Any, dtype: Any = "int32", *, low: int | None = None, high: int | None = None, hostile: float = 0.0
) -> Domain:
    """Integers from `low` to `high`, both included; all of the type without them.

    Args:
        hostile: the share that is at an end of the range or of the type, -1, 0 or 1, where that is inside of the range.
    """
    kind = _storage(dtype)
    if kind.kind not in "iu":
        raise TypeError(f"integers() draws integers, not {kind.name}")
    _check_bounds(low, high, both=False)
    info = np.iinfo(kind)
    for bound in (low, high):
        if bound is not None and not info.min <= bound <= info.max:
            raise ValueError(f"{bound} is no {kind.name}: it goes from {info.min} to {info.max}")
    return Numbers(as_shape(shape), kind, low, high, _checked_rate(hostile, "hostile"))


def bits(shape: Any, dtype: Any = "float32") -> Domain:
    """Every bit pattern of a type alike: of a float one in 256 or so is NaN."""
    kind = _storage(dtype)
    return Numbers(as_shape(shape), kind, None, None, 0.0, any_bits=kind != np.bool_)


def booleans(shape: Any) -> Domain:
    return Numbers(as_shape(shape), np.dtype(np.bool_), None, None, 0.0)


def rows(shape: Any, size: int, *, outside: float = 0.0, dtype: Any = "int32") -> Domain:
    """Indices of an axis of `size` rows: anywhere (two cases in five), all equal, sorted, or a permutation.

    Args:
        outside: the share of indices that are out of bounds instead: -1, `size`, and both ends of int32.
    """
    kind = _storage(dtype)
    if kind.name not in ("int32", "uint32"):
        raise TypeError(f"row indices are int32 or uint32, not {kind.name}")
    if not 1 <= size < 2**23:
        raise ValueError(f"rows() takes a size from 1 to 2**23 - 1, not {size}")
    return Rows(as_shape(shape), int(size), _checked_rate(outside, "outside"), kind)


def choice(values: Sequence[Any], shape: Any = None) -> Domain:
    """One of several arrays of one shape and type; with `shape`, an array whose elements are some of the `values`."""
    stacked = np.stack([np.asarray(v) for v in values])
    if stacked.dtype in (np.float64, np.int64):  # Python's numbers
        stacked = stacked.astype(np.float32 if stacked.dtype == np.float64 else np.int32)
    if shape is not None and stacked.ndim != 1:
        raise ValueError("choice(values, shape) takes numbers, one of which each element is")
    return Choice(stacked, None if shape is None else as_shape(shape))


def constant(value: Any) -> Domain:
    """The same in every case. Anything but an array is a static argument of the kernel."""
    return Constant(value)


def like(array: Any, *, hostile: float = 0.0) -> Domain:
    """Random contents of the shape and type of an array or `jax.ShapeDtypeStruct`."""
    kind = np.dtype(array.dtype)
    if kind == np.bool_:
        return booleans(array.shape)
    make = floats if is_float(kind) else integers
    return make(array.shape, kind, hostile=hostile)


def _storage(dtype: Any) -> np.dtype:
    return element_type(dtype).storage


def _check_bounds(low: Any, high: Any, *, both: bool) -> None:
    if both and (low is None) != (high is None):
        raise ValueError("give both 'low' and 'high', or neither")
    if low is not None and high is not None and low > high:
        raise ValueError(f"'low' is {low}, above 'high', {high}")
