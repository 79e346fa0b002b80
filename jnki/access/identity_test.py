"""Whether a function asks if something is True itself: nothing can stand for True there."""

import dis
import types
from functools import lru_cache


@lru_cache(maxsize=4096)
def asks_for_identity(code: types.CodeType) -> bool:
    """Whether `code`, or a function in it, has `... is True`, `... is not False`, or `case True:`."""
    before: dis.Instruction | None = None
    for instruction in dis.get_instructions(code):
        if instruction.opname == "IS_OP" and before is not None and isinstance(before.argval, bool):
            return True
        before = instruction
    return any(asks_for_identity(inner) for inner in code.co_consts if isinstance(inner, types.CodeType))
