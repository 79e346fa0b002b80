"""One element's value: bits to float32 and float32 to bits, for the thirteen element types (C5-C7).

An element travels as a Python integer that holds its bits, so that a copy between equal types is exact. A NaN
that is cast stays a NaN; which NaN is not stated, so compare cast results as values, and uncast ones as bits.
"""

from types import MappingProxyType

import ml_dtypes
import numpy as np

STORAGE = MappingProxyType(
    {
        "int8": np.dtype(np.int8),
        "int16": np.dtype(np.int16),
        "int32": np.dtype(np.int32),
        "uint8": np.dtype(np.uint8),
        "uint16": np.dtype(np.uint16),
        "uint32": np.dtype(np.uint32),
        "bool": np.dtype(np.uint8),
        "float32": np.dtype(np.float32),
        "tfloat32": np.dtype(np.float32),
        "bfloat16": np.dtype(ml_dtypes.bfloat16),
        "float16": np.dtype(np.float16),
        "float8_e4m3": np.dtype(ml_dtypes.float8_e4m3),
        "float8_e5m2": np.dtype(ml_dtypes.float8_e5m2),
    }
)
"""The NumPy type that holds each element type in memory."""

DTYPES = tuple(STORAGE)
FLOATS = frozenset(name for name in DTYPES if "float" in name)
_RANGES = {name: np.iinfo(STORAGE[name]) for name in DTYPES if name not in FLOATS and name != "bool"}
INTEGERS = MappingProxyType({name: (int(info.min), int(info.max)) for name, info in _RANGES.items()})
"""The smallest and the largest value of each integer type."""

_BITS = MappingProxyType({1: np.uint8, 2: np.uint16, 4: np.uint32})


def to_bits(array: np.ndarray, dtype: str) -> list[int]:
    """The elements of `array` in row-major order, each as an unsigned integer that holds its bits.

    Raises:
        ValueError: `array` is not stored as `dtype` is (`bool` may be NumPy's `uint8` or `bool_`).
    """
    allowed = (STORAGE[dtype], np.dtype(np.bool_)) if dtype == "bool" else (STORAGE[dtype],)
    if array.dtype not in allowed:
        raise ValueError(f"a buffer of {dtype} must be stored as {STORAGE[dtype]}, but it is {array.dtype}")
    flat = np.ascontiguousarray(array).reshape(-1)
    return flat.view(_BITS[flat.itemsize]).tolist()


def from_bits(bits: list[int], like: np.ndarray) -> np.ndarray:
    """A new array with the bits given, and with the type and shape of `like`."""
    return np.array(bits, dtype=_BITS[like.itemsize]).view(like.dtype).reshape(like.shape)


def decode(bits: int, dtype: str) -> np.float32:
    """The float32 value of one element of type `dtype`; the nearest one where an integer has no exact one."""
    if dtype in INTEGERS:
        low, high = INTEGERS[dtype]
        return np.float32(bits if bits <= high else bits - (high - low + 1))
    if dtype == "bool":
        return np.float32(bits != 0)
    storage = STORAGE[dtype]
    return _BITS[storage.itemsize](bits).view(storage).astype(np.float32)


def encode(value: np.float32, dtype: str) -> int:
    """The bits of `value` as `dtype`, rounded half to even.

    An integer type saturates and takes NaN to 0 (C6). A `bool` is true for every value but zero, so also for
    NaN. A float type overflows to infinity.
    """
    if dtype in INTEGERS:
        return _encode_integer(float(value), *INTEGERS[dtype])
    if dtype == "bool":
        return int(value != 0)
    if dtype == "tfloat32":
        return _round_to_ten_mantissa_bits(int(value.view(np.uint32)))
    storage = STORAGE[dtype]
    return int(value.astype(storage).view(_BITS[storage.itemsize]))


def cast(bits: int, source: str, target: str) -> int:
    """The bits of an element of type `source` as type `target`: untouched if equal, else through float32."""
    return bits if source == target else encode(decode(bits, source), target)


def _encode_integer(value: float, low: int, high: int) -> int:
    if value != value:
        return 0
    clamped = min(max(value, low), high)
    return round(clamped) & (high - low)


def _round_to_ten_mantissa_bits(bits: int) -> int:
    if bits & 0x7FFF_FFFF > 0x7F80_0000:
        # Without the quiet bit, a NaN whose payload lies in the dropped bits would turn into an infinity.
        return (bits | 0x0040_0000) & ~0x1FFF
    dropped = bits & 0x1FFF
    kept = bits - dropped
    is_odd = bool(kept & 0x2000)
    rounds_up = dropped > 0x1000 or (dropped == 0x1000 and is_odd)
    return kept + 0x2000 if rounds_up else kept
