"""The meaning of `activation` and `activation_reduce`, one element after another, in double precision."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .activations import FUNCTIONS

_COMBINE: dict[str, Callable[[float, float], float]] = {
    "add": lambda a, b: a + b,
    "multiply": lambda a, b: a * b,
    "maximum": max,
    "minimum": min,
}
_NEUTRAL = {"add": 0.0, "multiply": 1.0, "maximum": -np.inf, "minimum": np.inf}


@dataclass
class Result:
    """What an activation leaves behind.

    Attributes:
        values: float64 `[P, N]`, before the cast; NaN where nothing is written.
        written: which of them are written.
        registers: float64 `[P]`.
        ran: in which partitions the instruction did anything.
    """

    values: np.ndarray
    written: np.ndarray
    registers: np.ndarray
    ran: np.ndarray


def activation(
    data: np.ndarray,
    op: str,
    *,
    bias: np.ndarray | None = None,
    scale: float | np.ndarray = 1.0,
    mask: np.ndarray | None = None,
    reduce_op: str | None = None,
    reduce_cmd: str = "idle",
    registers: np.ndarray | None = None,
) -> Result:
    """What the instruction does with `data`, `[P, N]`.

    Args:
        bias: `[P]`.
        scale: a number, or `[P]`.
        mask: booleans `[P, N]`.
        reduce_cmd: idle, reset, reduce or reset_reduce.
        registers: `[P]`, as they were before.
    """
    partitions, count = data.shape
    on = np.ones(data.shape, bool) if mask is None else mask
    values = np.full(data.shape, np.nan)
    after = np.full(partitions, np.nan) if registers is None else registers.astype(np.float64)
    for p in range(partitions):
        if not on[p].any():
            continue
        if reduce_cmd in ("reset", "reset_reduce"):
            after[p] = _NEUTRAL[reduce_op or "add"]
        for i in range(count):
            if not on[p, i]:
                continue
            argument = float(data[p, i]) * float(np.broadcast_to(scale, partitions)[p])
            argument += 0.0 if bias is None else float(bias[p])
            values[p, i] = FUNCTIONS[op](argument)
            if reduce_cmd in ("reduce", "reset_reduce"):
                assert reduce_op is not None
                after[p] = _COMBINE[reduce_op](after[p], values[p, i])
    return Result(values, on, after, on.any(axis=1))
