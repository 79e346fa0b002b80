"""Loops: `nl.affine_range`, `nl.sequential_range`, `nl.static_range`."""

import operator
from typing import Any

from jnki.program.program import LoopKind
from jnki.record.loop_range import LoopRange
from jnki.record.recorder import current


def affine_range(*args: Any) -> LoopRange:
    """Indices of a loop whose iterations are independent (but for associative accumulation).

    The body is recorded once, with a symbolic index, and recorded again unrolled if it needs the index's value.

    Args:
        *args: `stop`, or `start, stop`, or `start, stop, step`.
    """
    return _loop("nl.affine_range", LoopKind.AFFINE, args)


def sequential_range(*args: Any) -> LoopRange:
    """Indices of a loop whose iterations may depend on earlier ones; recorded like `affine_range`."""
    return _loop("nl.sequential_range", LoopKind.SEQUENTIAL, args)


def static_range(*args: Any) -> LoopRange:
    """Indices of a loop that is unrolled while it is recorded: each one is a Python integer."""
    return _loop("nl.static_range", None, args)


def _loop(function: str, kind: LoopKind | None, args: tuple[Any, ...]) -> LoopRange:
    recorder = current(function)
    if not 1 <= len(args) <= 3:
        raise TypeError(f"{function} takes stop, or start and stop, or start, stop and step; got {len(args)} arguments")
    return LoopRange(recorder, range(*map(operator.index, args)), kind)
