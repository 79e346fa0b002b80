"""`select_reduce` and `range_select`, one element after another."""

import operator
from types import MappingProxyType

import numpy as np

COMPARISONS = MappingProxyType(
    {
        "equal": operator.eq,
        "less": operator.lt,
        "less_equal": operator.le,
        "greater": operator.gt,
        "greater_equal": operator.ge,
    }
)


def select(predicate: np.ndarray, on_true: np.ndarray, on_false: np.ndarray, reverse: bool = False) -> np.ndarray:
    """`[P, N]` in float64; `on_false` is `[P]`."""
    out = np.empty(on_true.shape)
    for p, i in np.ndindex(out.shape):
        out[p, i] = on_true[p, i] if bool(predicate[p, i]) != reverse else on_false[p]
    return out


def range_select(
    on_true: np.ndarray, op0: str, op1: str, bound0: np.ndarray, bound1: np.ndarray, start: int, lowest: float
) -> np.ndarray:
    """`[P, N]` in float64; the bounds are `[P]`."""
    out = np.full(on_true.shape, lowest)
    for p, i in np.ndindex(out.shape):
        if COMPARISONS[op0](start + i, bound0[p]) and COMPARISONS[op1](start + i, bound1[p]):
            out[p, i] = on_true[p, i]
    return out


def registers(results: np.ndarray, command: str, before: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The largest so far in each partition, `[P]`, after a command with `results`, `[P, N]`."""
    after = before.astype(np.float64)
    for p in range(results.shape[0]):
        if not mask[p].any():
            continue
        if command != "reduce":
            after[p] = -np.inf
        if command != "reset":
            for value, on in zip(results[p], mask[p]):
                after[p] = max(after[p], value) if on else after[p]
    return after
