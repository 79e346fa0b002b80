"""Operators of the Vector Engine on two numbers, and reductions, one element after another."""

import math
from collections.abc import Callable
from types import MappingProxyType

import numpy as np

ARITHMETIC: MappingProxyType[str, Callable[[float, float], float]] = MappingProxyType(
    {
        "add": lambda a, b: a + b,
        "subtract": lambda a, b: a - b,
        "multiply": lambda a, b: a * b,
        "divide": lambda a, b: a / b,
        "maximum": max,
        "minimum": min,
        "power": math.pow,
        "equal": lambda a, b: float(a == b),
        "not_equal": lambda a, b: float(a != b),
        "greater_equal": lambda a, b: float(a >= b),
        "greater": lambda a, b: float(a > b),
        "less_equal": lambda a, b: float(a <= b),
        "less": lambda a, b: float(a < b),
        "logical_and": lambda a, b: float(a != 0 and b != 0),
        "logical_or": lambda a, b: float(a != 0 or b != 0),
        "logical_xor": lambda a, b: float((a != 0) != (b != 0)),
    }
)

BITS: MappingProxyType[str, Callable[[int, int, int], int]] = MappingProxyType(
    {
        "bitwise_and": lambda a, b, width: a & b,
        "bitwise_or": lambda a, b, width: a | b,
        "bitwise_xor": lambda a, b, width: a ^ b,
        "left_shift": lambda a, b, width: a << b,
        "right_shift": lambda a, b, width: (a % (1 << width)) >> b,
    }
)
"""On Python integers, with the width of the type; the result counts modulo two to that power."""


def apply(op: str, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """`a <op> b` for an arithmetic operator, float64, in the shape that both broadcast to."""
    a, b = np.broadcast_arrays(a.astype(np.float64), b.astype(np.float64))
    out = np.empty(a.shape)
    for place in np.ndindex(a.shape):
        out[place] = ARITHMETIC[op](float(a[place]), float(b[place]))
    return out


def apply_to_bits(op: str, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """`a <op> b` for a bitvec operator on two arrays of one integer type."""
    a, b = np.broadcast_arrays(a, b)
    out, width = np.empty(a.shape, a.dtype), a.dtype.itemsize * 8
    bits = out.view(np.dtype(f"u{a.dtype.itemsize}"))
    for place in np.ndindex(a.shape):
        bits[place] = BITS[op](int(a[place]), int(b[place]), width) % (1 << width)
    return out


def reduce(op: str, x: np.ndarray, mask: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """`[R, N]` folded to float64 `[R]` from the first enabled element on, and which results have one."""
    on = np.ones(x.shape, bool) if mask is None else mask
    out = np.full(x.shape[0], np.nan)
    for row in range(x.shape[0]):
        taken = [float(v) for v, keep in zip(x[row], on[row]) if keep]
        for number, value in enumerate(taken):
            if number:
                out[row] = ARITHMETIC[op](float(out[row]), value)
            else:
                out[row] = float(value != 0) if op.startswith("logical") else value
    return out, on.any(axis=1)
