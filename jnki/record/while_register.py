"""`while register:`, decided by what a register says when Python asks for its truth.

The first time at a statement its loop opens, and the answer is True; when the body has been recorded the loop closes,
and the answer is False.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from types import FrameType
from typing import Any

from jnki.errors import RuleError
from jnki.record.device_block import while_block
from jnki.record.recorder import Recorder
from jnki.record.while_statement import Position, position_of, refusal
from jnki.source import user_frame


@dataclass(eq=False)
class _OpenWhile:
    """A statement that is open: which one, in which call of its function, and the loop that it records."""

    frame: FrameType
    position: Position
    register: Any
    loop: Iterator[Any]


def holds(recorder: Recorder, register: Any) -> bool:
    """What a register says at the head of `while register:`: the body is recorded, or else it has been.

    In a kernel that runs step by step that is whether the register is not 0.

    Raises:
        TypeError: it is no plain `while register:`.
        RuleError: `while_loop.condition`, and what `Blocks.on_device` refuses.
    """
    frame = user_frame()
    assert frame is not None
    position = position_of(frame)
    if recorder.whiles and _is_at(recorder.whiles[-1], frame, position):
        return _goes_on(recorder, recorder.whiles[-1], register)
    if why := refusal(frame):
        raise TypeError(
            f"register '{register.name}' has no value while its kernel is recorded, and {why}: a register is the "
            "condition of a plain `while register:` only, without else, break and return"
        )
    if any(_is_at(other, frame, position) for other in recorder.whiles):
        recorder.check_finished()
    loop = while_block(recorder, register.access, lambda _: None)
    for _ in loop:
        recorder.whiles.append(_OpenWhile(frame, position, register, loop))
        return True
    return False


def _is_at(loop: _OpenWhile, frame: FrameType, position: Position) -> bool:
    return loop.frame is frame and loop.position == position


def _goes_on(recorder: Recorder, loop: _OpenWhile, register: Any) -> bool:
    if register.access != loop.register.access:
        raise RuleError(
            "while_loop.condition",
            "the condition of a while loop is another register than the one it began with",
            given=f"register '{register.name}', and register '{loop.register.name}' before",
            allowed="one register; nisa.register_move or nisa.register_load changes what it holds",
        )
    for _ in loop.loop:
        return True
    recorder.whiles.pop()
    return False
