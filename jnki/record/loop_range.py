"""What a kernel iterates over: `nl.affine_range(n)` and its relatives."""

import dis
import inspect
from collections.abc import Iterator
from typing import Any

from jnki.program.program import LoopKind
from jnki.record.recorder import Recorder, source_key
from jnki.source import user_frame

# What may stand between the instruction that asks for an iterator and the one that takes its first element.
_FILLERS = {dis.opmap[name] for name in ("EXTENDED_ARG", "CACHE", "NOP") if name in dis.opmap}


class LoopRange:
    """A range of loop indices.

    A `for` statement over it has its body recorded once, with a symbolic index. Whatever else iterates (`enumerate`,
    `zip`, `list`, `*`, a comprehension) gets numbers: it counts or keeps what a body recorded once has once.
    """

    def __init__(self, recorder: Recorder, values: range, kind: LoopKind | None):
        self._recorder = recorder
        self._values = values
        self._kind = kind
        self._key = source_key()

    def __iter__(self) -> Iterator[Any]:
        kind = self._kind if _by_for_statement() else None
        return self._recorder.loop(self._values, kind, self._key)

    def __len__(self) -> int:
        return len(self._values)


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
