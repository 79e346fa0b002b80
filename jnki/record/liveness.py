"""Which local variables of a function a loop may read before it writes them, from the function's bytecode.

Only these carry something from one iteration to the next. The others hold what is left of an earlier iteration, or of
a variable of the same name elsewhere, and nobody will look.
"""

import dis
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from types import CodeType

# After these, the next instruction in the code is not the next one to run.
_NO_FALLTHROUGH = frozenset(
    (
        *("JUMP_FORWARD", "JUMP_BACKWARD", "JUMP_BACKWARD_NO_INTERRUPT", "JUMP_ABSOLUTE"),
        *("RETURN_VALUE", "RETURN_CONST", "RAISE_VARARGS", "RERAISE", "INTERPRETER_EXIT"),
    )
)
# Whoever calls these may read any variable by its name.
_READS_BY_NAME = frozenset(("locals", "vars", "eval", "exec", "dir", "_getframe", "currentframe", "stack"))


@dataclass(frozen=True)
class Step:
    """One instruction: what it reads and writes, and which ones may follow."""

    reads: frozenset[str]
    writes: frozenset[str]
    following: tuple[int, ...]
    is_loop_head: bool = False


@lru_cache(maxsize=1024)
def live_variables(code: CodeType, head: int) -> tuple[frozenset[str], frozenset[str]]:
    """Local variables that are live around the loop whose `FOR_ITER` stands at offset `head` of `code`.

    Returns:
        The variables that an iteration may read before it writes them, and those that code behind the loop may.
    """
    steps = _steps(code)
    everything = frozenset((*code.co_varnames, *code.co_cellvars, *code.co_freevars))
    # Where a generator feeds the loop, Python 3.12 stands at what it keeps behind the instruction.
    head = max((offset for offset in steps if offset <= head), default=-1)
    if head < 0 or not steps[head].is_loop_head or not _READS_BY_NAME.isdisjoint(code.co_names):
        return everything, everything
    body, *exits = steps[head].following
    shared = frozenset((*code.co_cellvars, *code.co_freevars))
    inside = {**steps, head: Step(frozenset(), frozenset(), (body,))}
    after = frozenset().union(*(_live(steps)[offset] for offset in exits))
    return _live(inside)[body] | shared, after | shared


def _live(steps: dict[int, Step]) -> dict[int, frozenset[str]]:
    """The variables that are live before each instruction: the least solution of the usual equations."""
    before: dict[int, frozenset[str]] = dict.fromkeys(steps, frozenset())
    comes_from: dict[int, list[int]] = {offset: [] for offset in steps}
    for offset, step in steps.items():
        for following in step.following:
            comes_from[following].append(offset)
    waiting = list(steps)
    while waiting:
        offset = waiting.pop()
        step = steps[offset]
        behind = frozenset().union(*(before[following] for following in step.following))
        live = step.reads | (behind - step.writes)
        if live != before[offset]:
            before[offset] = live
            waiting.extend(comes_from[offset])
    return before


@lru_cache(maxsize=256)
def _steps(code: CodeType) -> dict[int, Step]:
    instructions = list(dis.get_instructions(code))
    handlers = list(_handlers(code))
    steps = {}
    for instruction, behind in zip(instructions, [*instructions[1:], None]):
        following = []
        if behind is not None and instruction.opname not in _NO_FALLTHROUGH:
            following.append(behind.offset)
        if instruction.opcode in dis.hasjrel or instruction.opcode in dis.hasjabs:
            following.append(instruction.argval)
        at = instruction.offset
        following.extend(target for start, end, target in handlers if start <= at < end)
        reads, writes = _effect(instruction)
        steps[at] = Step(reads, writes, tuple(following), instruction.opname == "FOR_ITER")
    return steps


def _handlers(code: CodeType) -> Iterator[tuple[int, int, int]]:
    """Ranges of offsets, and where an exception in them leads."""
    for entry in getattr(dis.Bytecode(code), "exception_entries", ()):
        yield entry.start, entry.end, entry.target


def _effect(instruction: dis.Instruction) -> tuple[frozenset[str], frozenset[str]]:
    """Variables read and written. A deletion, or an instruction of a newer Python, counts as reading."""
    name, variables = instruction.opname, instruction.argval
    if "_FAST" not in name:
        return frozenset(), frozenset()
    names = variables if isinstance(variables, tuple) else (variables,)
    match name:
        case "STORE_FAST" | "STORE_FAST_STORE_FAST" | "STORE_FAST_MAYBE_NULL":
            return frozenset(), frozenset(names)
        case "STORE_FAST_LOAD_FAST":
            written, read = names
            return frozenset((read,)) - {written}, frozenset((written,))
    return frozenset(n for n in names if isinstance(n, str)), frozenset()
