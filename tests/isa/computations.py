"""Compute instructions on batches of random memories, and results beside the numbers that they stand for."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import ml_dtypes
import numpy as np

from jnki import DeviceMemory
from jnki.dtypes import element_type
from tests.oracle.casts import INTEGERS, STORAGE

FLOATS = ("float32", "tfloat32", "bfloat16", "float16", "float8_e4m3", "float8_e5m2")
NARROW_FLOATS = FLOATS[1:]


def assert_stands_for(actual: np.ndarray, expected: np.ndarray, dtype: str, *, steps: float = 16, scale=None) -> None:
    """Each element of `actual` is `expected`, rounded once to `dtype`, up to `steps` roundings of float32 before it.

    Args:
        expected: float64.
        steps: the error that may be there before the cast, in units of 2^-24 of `scale`.
        scale: how large the numbers were that the result was computed from; the result's own size by default.
    """
    got = np.asarray(actual).astype(np.float64)
    wide = np.asarray(expected, np.float64)
    size = np.abs(wide) if scale is None else np.maximum(np.abs(wide), scale)
    before = steps * 2.0**-24 * size + 2.0**-126
    if dtype == "bool":
        assert (np.asarray(actual) == (wide != 0)).all()
        return
    if dtype in INTEGERS:
        assert (np.abs(got - np.clip(wide, *INTEGERS[dtype])) <= 0.5 + before).all()
        return
    kind = element_type(dtype)
    bias = 2 ** (kind.exponent_bits - 1) - 1
    smallest = 2.0 ** (1 - bias - kind.mantissa_bits)
    rounding = np.maximum(2.0 ** -(kind.mantissa_bits + 1) * np.abs(wide), smallest / 2) * (1 + 2.0**-20)
    finite = np.abs(wide) <= float(ml_dtypes.finfo(STORAGE[dtype]).max)
    with np.errstate(invalid="ignore"):
        near = np.abs(got - wide) <= rounding + before
        overflowed = ~finite & ((got == np.sign(wide) * np.inf) | near)
    both_nan = np.isnan(got) & np.isnan(wide)
    wrong = ~((finite & near) | overflowed | both_nan)
    assert not wrong.any(), (got[wrong][:5], wide[wrong][:5])


def tame(rng: np.random.Generator, shape: tuple[int, ...], dtype: str, low: float = -10, high: float = 10):
    """Ordinary numbers from a range, rounded to `dtype` and stored as it is."""
    values = rng.uniform(low, high, size=shape)
    if dtype in INTEGERS:
        bottom, top = INTEGERS[dtype]
        return np.clip(np.round(values), bottom, top).astype(STORAGE[dtype])
    if dtype == "bool":
        return values > (low + high) / 2
    stored = values.astype(STORAGE[dtype])
    if dtype == "tfloat32":
        stored.view(np.uint32)[...] &= np.uint32(0xFFFF_E000)
    return stored


Arrays = dict[str, np.ndarray]


def batch(
    make: Callable[[np.random.Generator], Arrays], run: Callable[[DeviceMemory], DeviceMemory], cases: int = 64
) -> list[tuple[Arrays, Arrays]]:
    """SBUF before and after `run`, for `cases` memories that `make` draws: one compilation, one vmapped call."""
    rng = np.random.default_rng(0)
    before = [make(rng) for _ in range(cases)]
    stacked = {name: np.stack([arrays[name] for arrays in before]) for name in before[0]}

    def changed(arrays: Mapping[str, Any]) -> dict[str, Any]:
        return dict(run(DeviceMemory.of(sbuf=arrays)).sbuf)

    after = {name: np.asarray(array) for name, array in jax.jit(jax.vmap(changed))(stacked).items()}
    return [(arrays, {name: after[name][case] for name in after}) for case, arrays in enumerate(before)]


def assert_only(before: Arrays, after: Arrays, name: str, inside: Any = ...) -> None:
    """Nothing but the part `inside` of the buffer `name` has changed, bit for bit."""
    for other in before:
        kept = np.ones(before[other].shape, bool)
        if other == name:
            kept[inside] = False
        same = before[other].view(f"V{before[other].itemsize}") == after[other].view(f"V{after[other].itemsize}")
        assert same[kept].all(), other
