"""`tensor_tensor_scan`, one step after another: in float32 it gives the bits, in float64 what derivatives are made of.

XLA's CPU code takes subnormal float32 numbers for zero, so they are here too.
"""

from collections.abc import Callable
from types import MappingProxyType

import numpy as np

OPERATORS: MappingProxyType[str, Callable] = MappingProxyType(
    {
        "add": np.add,
        "subtract": np.subtract,
        "multiply": np.multiply,
        "divide": np.divide,
        "maximum": np.maximum,
        "minimum": np.minimum,
        "equal": np.equal,
        "not_equal": np.not_equal,
        "greater_equal": np.greater_equal,
        "greater": np.greater,
        "less_equal": np.less_equal,
        "less": np.less,
        "logical_and": np.logical_and,
        "logical_or": np.logical_or,
        "logical_xor": np.logical_xor,
        "power": np.power,
    }
)


def scan(
    data0: np.ndarray,
    data1: np.ndarray,
    initial: np.ndarray,
    op0: str,
    op1: str,
    reverse0: bool = False,
    reverse1: bool = False,
    mask: np.ndarray | None = None,
) -> np.ndarray:
    """All states, `[P, N]`, in the type of `initial`, `[P]`; under a mask, the state that is left at each place."""
    kind = initial.dtype
    states, state = np.empty(data0.shape, kind), initial.copy()
    with np.errstate(all="ignore"):
        for i in range(data0.shape[1]):
            a, b = data0[:, i].astype(kind), data1[:, i].astype(kind)
            inner = _flushed(OPERATORS[op0](*((state, a) if reverse0 else (a, state))).astype(kind))
            outer = _flushed(OPERATORS[op1](*((b, inner) if reverse1 else (inner, b))).astype(kind))
            state = outer if mask is None else np.where(mask[:, i], outer, state)
            states[:, i] = state
    return states


def _flushed(x: np.ndarray) -> np.ndarray:
    return np.where(np.abs(x) < np.finfo(np.float32).tiny, 0 * x, x) if x.dtype == np.float32 else x


def slopes(function: Callable[..., np.ndarray], operands: list[np.ndarray], weights: np.ndarray) -> list[np.ndarray]:
    """The gradient of `(function(*operands) * weights).sum()` by central differences in float64."""
    found = []
    for k, operand in enumerate(operands):
        slope = np.zeros(operand.shape)
        for place in np.ndindex(operand.shape):
            ends = []
            for step in (1e-6, -1e-6):
                moved = [x.astype(np.float64) for x in operands]
                moved[k][place] += step
                ends.append((function(*moved) * weights).sum())
            slope[place] = (ends[0] - ends[1]) / 2e-6
        found.append(slope)
    return found


NEUTRAL = MappingProxyType({"add": 0, "subtract": 0, "multiply": 1, "maximum": -np.inf, "minimum": np.inf})


def cumulative(x: np.ndarray, op0: str, imm0: np.ndarray, op1: str, start: np.ndarray | None) -> np.ndarray:
    """`tensor_scalar_cumulative`: all states, `[P, N]` in float32; `imm0` and `start` are `[P]`, None resets."""
    states, state = np.empty(x.shape, np.float32), np.full(x.shape[0], NEUTRAL[op1], np.float32)
    state = state if start is None else start
    for i in range(x.shape[1]):
        value = OPERATORS[op0](x[:, i].astype(np.float32), imm0).astype(np.float32)
        state = OPERATORS[op1](value, state).astype(np.float32)
        states[:, i] = state
    return states
