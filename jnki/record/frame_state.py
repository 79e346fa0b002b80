"""The Python state around a loop: what its function's variables and globals reach when an iteration ends."""

from collections.abc import Callable
from types import FrameType
from typing import Any

from jnki.access.affine import Symbol
from jnki.record.contents import globals_of
from jnki.record.liveness import live_variables
from jnki.record.python_state import PythonState

# A name that no variable has.
_GLOBALS = "<globals>"


class FrameState:
    """The state of a frame that stands at the head of a `for` statement."""

    def __init__(self, frame: FrameType, loop_of: Callable[[Symbol], Any], body: Any = None):
        """`body`: the function that is called for each iteration, where the loop has one."""
        self._code, self._head = frame.f_code, frame.f_lasti
        used = tuple(globals_of(frame.f_code, frame.f_globals))
        self._state = PythonState({**frame.f_locals, _GLOBALS: (used, body)}, loop_of)

    def agrees(self, other: "FrameState", *, within: bool) -> bool:
        """Whether both hold the same in what an iteration may read, or, unless `within`, code behind the loop may."""
        names = {*self._state.roots, *other._state.roots}
        if self._state.agrees(other._state, names):
            return True
        inside, after = live_variables(self._code, self._head)
        live = inside if within else inside | after
        return self._state.agrees(other._state, [name for name in names if name in live or name == _GLOBALS])

    def differing(self, other: "FrameState") -> list[str]:
        """Variables that an iteration may read and that reach something different in both, each looked at by itself."""
        inside, _ = live_variables(self._code, self._head)
        names = sorted({*self._state.roots, *other._state.roots} & inside)
        found = [name for name in names if not self._state.agrees(other._state, [name])]
        return found if self._state.agrees(other._state, [_GLOBALS]) else [*found, "what functions and globals hold"]
