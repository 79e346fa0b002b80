"""Loops: `nl.affine_range`, `nl.sequential_range`, `nl.static_range`."""

import operator
from typing import Any

from jnki.neuronxcc.nki.directives import Directive, no_reorder
from jnki.program.program import LoopKind
from jnki.record.loop_range import LoopRange
from jnki.record.recorder import current


def affine_range(*args: Any, directives: Any = None, precise_schedule: bool = False) -> LoopRange:
    """Indices of a loop whose iterations are independent (but for associative accumulation).

    The body is recorded once, with a symbolic index, and recorded again unrolled if it needs the index's value.

    Args:
        *args: `stop`, or `start, stop`, or `start, stop, step`.
        directives: what `nki.compiler.no_reorder` or `multi_buffer` gives, or several of them; they change no value.
        precise_schedule: whether the compiler's scheduler takes the order as it is written. Then iterations may
            depend on earlier ones, as in a software pipeline; `no_reorder` says the same.
    """
    in_order = _check_options("nl.affine_range", directives, precise_schedule)
    return _loop("nl.affine_range", LoopKind.SEQUENTIAL if in_order else LoopKind.AFFINE, args)


def sequential_range(*args: Any, directives: Any = None, precise_schedule: bool = False) -> LoopRange:
    """Indices of a loop whose iterations may depend on earlier ones; recorded like `affine_range`, of its arguments."""
    _check_options("nl.sequential_range", directives, precise_schedule)
    return _loop("nl.sequential_range", LoopKind.SEQUENTIAL, args)


def static_range(*args: Any) -> LoopRange:
    """Indices of a loop that is unrolled while it is recorded: each one is a Python integer."""
    return _loop("nl.static_range", None, args)


def _check_options(function: str, directives: Any, precise_schedule: Any) -> bool:
    """Whether the options ask for the order that is written."""
    given = directives if isinstance(directives, (tuple, list)) else () if directives is None else (directives,)
    if not all(isinstance(directive, Directive) for directive in given):
        raise TypeError(
            f"{function}: directives are what nki.compiler.no_reorder() and multi_buffer() give, got {directives!r}"
        )
    if not isinstance(precise_schedule, bool):
        raise TypeError(f"{function}: precise_schedule is True or False, got {precise_schedule!r}")
    return precise_schedule or no_reorder() in given


def _loop(function: str, kind: LoopKind | None, args: tuple[Any, ...]) -> LoopRange:
    recorder = current(function)
    if not 1 <= len(args) <= 3:
        raise TypeError(f"{function} takes stop, or start and stop, or start, stop and step; got {len(args)} arguments")
    return LoopRange(recorder, range(*map(operator.index, args)), kind)
