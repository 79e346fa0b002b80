"""What a kernel iterates over: `nl.affine_range(n)` and its relatives."""

import dis
import inspect
from collections.abc import Iterator
from typing import Any

import numpy as np

from jnki.errors import RuleError
from jnki.program.program import LoopKind
from jnki.record.recorder import Recorder, source_key
from jnki.source import user_frame

# What may stand between the instruction that asks for an iterator and the one that takes its first element.
_FILLERS = {dis.opmap[name] for name in ("EXTENDED_ARG", "CACHE", "NOP") if name in dis.opmap}


_INT32 = np.iinfo(np.int32)


class LoopRange:
    """A range of loop indices.

    A `for` statement over it has its body recorded once, with a symbolic index. Whatever else iterates (`enumerate`,
    `zip`, `list`, `*`, a comprehension) gets numbers: it counts or keeps what a body recorded once has once.
    """

    def __init__(self, recorder: Recorder, values: range, kind: LoopKind | None):
        if kind is not None:
            _check_int32(values)
        self._recorder = recorder
        self._values = values
        self._kind = kind
        self._key = source_key()

    def __iter__(self) -> Iterator[Any]:
        kind = self._kind if _by_for_statement() else None
        return self._recorder.loop(self._values, kind, self._key)

    def __len__(self) -> int:
        return len(self._values)


def _check_int32(values: range) -> None:
    """Every index, and the number of them, fits in the int32 in which a recorded loop counts.

    Raises:
        RuleError: one does not.
    """
    if not values:
        return
    ends = values[0], values[-1], (values[-1] - values[0]) // values.step + 1
    if not all(_INT32.min <= end <= _INT32.max for end in ends):
        raise RuleError(
            "loop.int32_index",
            "a loop counts further than its index can",
            given=f"{ends[2]} iterations from {ends[0]} to {ends[1]}",
            allowed=f"indices and a number of iterations from {_INT32.min} to {_INT32.max}: they are int32",
        )


def _by_for_statement() -> bool:
    """Whether the user's frame is at the start of a `for` statement: it asks for an iterator, then for its elements."""
    frame = user_frame()
    if frame is None or frame.f_code.co_flags & inspect.CO_GENERATOR:  # who knows what iterates over a generator
        return False
    code, at = frame.f_code.co_code, frame.f_lasti
    if code[at] != dis.opmap["GET_ITER"]:
        return False
    at += 2
    while code[at] in _FILLERS:
        at += 2
    return code[at] == dis.opmap["FOR_ITER"]
