"""Values at which arithmetic, casts and comparisons go wrong, as bit patterns of each type."""

import functools
from typing import Any

import jax.numpy as jnp
import numpy as np

from jnki.dtypes import ElementType, element_type

ROUNDING = (("bfloat16", 7), ("float16", 10), ("float8_e4m3", 3))
"""Explicit bits of the significands that wider floats are rounded to."""


def unsigned_of(dtype: Any) -> np.dtype:
    """The unsigned integer as wide as an element of `dtype`."""
    return np.dtype(f"uint{8 * np.dtype(dtype).itemsize}")


@functools.cache
def hostile_bits(dtype: np.dtype) -> np.ndarray:
    """Hostile values of a type as unsigned integers, without repetition.

    Floats: NaN, both infinities, both zeros, the smallest and the largest subnormal, the smallest normal number, the
    largest finite one, one and its neighbours, halves between integers, and in float32 the ties of rounding to narrower
    floats and their neighbours. Integers: both ends and their neighbours, -1, 0, 1.
    """
    kind = element_type(dtype)
    if kind.is_float:
        return np.unique(_float_bits(kind))
    if kind.is_integer:
        info = np.iinfo(dtype)
        values = {info.min, info.min + 1, info.max, info.max - 1, 0, 1, *(() if info.min == 0 else (-1,))}
        return np.unique(np.array(sorted(values), dtype).view(unsigned_of(dtype)))
    return np.array([0, 1], np.uint8)


def _float_bits(kind: ElementType) -> np.ndarray:
    unsigned, mantissa = unsigned_of(kind.storage), kind.mantissa_bits
    infinity = ((1 << kind.exponent_bits) - 1) << mantissa
    one = int(np.array(1, kind.storage).view(unsigned))
    positive = [0, 1, (1 << mantissa) - 1, 1 << mantissa, infinity - 1, infinity, infinity | (1 << (mantissa - 1))]
    positive += [one - 1, one, one + 1]
    positive += [int(np.array(value, kind.storage).view(unsigned)) for value in (0.5, 1.5, 2.5)]
    for _, narrow in ROUNDING:
        if narrow < mantissa:
            tie = one | (1 << (mantissa - narrow - 1))
            odd = tie | (1 << (mantissa - narrow))
            positive += [tie - 1, tie, tie + 1, odd - 1, odd, odd + 1]
    sign = 1 << (8 * kind.storage.itemsize - 1)
    return np.array([*positive, *(bits | sign for bits in positive)], unsigned)


def is_float(dtype: Any) -> bool:
    return bool(jnp.issubdtype(dtype, jnp.floating))
