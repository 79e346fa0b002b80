"""What a program does for nothing: tiles and loads that no output depends on, and stores that are overwritten."""

from collections.abc import Iterator

from jnki.access.access import Access
from jnki.access.buffer import Buffer, Space
from jnki.analysis.finding import Finding, Severity
from jnki.isa.dma.dma_copy import DmaCopy
from jnki.isa.instruction import Instruction
from jnki.isa.registers.loop_head import LoopHead
from jnki.program.program import DeviceLoop, Loop, Node, Program, instructions


def check_unused(program: Program) -> Iterator[Finding]:
    """Advises of tensors that are written although no output, nothing printed and no other device depends on them."""
    every = tuple(instructions(program.body))
    needed = _needed(program, every)
    writers: dict[str, list[tuple[Buffer, Instruction]]] = {}
    for instruction in every:
        for access in instruction.written():
            writers.setdefault(access.buffer.name, []).append((access.buffer, instruction))
    for name, wrote in writers.items():
        (buffer, first), *_ = wrote
        if name in needed or buffer.space is Space.REGISTER or _is_by_the_way(buffer, wrote):
            continue
        is_load = all(isinstance(i, DmaCopy) and i.src.buffer.space is Space.HBM for _, i in wrote)
        does = "is loaded" if is_load and buffer.space.on_chip else "is written"
        yield Finding(
            "unused.load" if is_load and buffer.space.on_chip else "unused.tensor",
            Severity.ADVICE,
            f"'{name}' {does} and no output depends on it",
            given=str(buffer),
            location=first.location,
        )
    for parameter in program.parameters:
        if parameter.buffer.name not in needed:
            yield Finding(
                "unused.parameter",
                Severity.ADVICE,
                f"no output depends on parameter '{parameter.buffer.name}'",
                given=str(parameter.buffer),
            )


def _needed(program: Program, every: tuple[Instruction, ...]) -> set[str]:
    """Names of the tensors that something depends on that can be seen from outside."""
    needed = {access.buffer.name for access in program.outputs}
    needed |= {p.buffer.name for p in program.parameters if p.mutable}
    waiting = list(every)
    while True:
        # Backwards, one pass finds all that a straight line needs; loops take more.
        left = []
        for instruction in reversed(waiting):
            if _is_seen(instruction) or any(a.buffer.name in needed for a in instruction.written()):
                # Its destination too: what it does not write there stays.
                needed |= {a.buffer.name for operand in instruction.operands().values() for a in operand.accesses()}
            else:
                left.append(instruction)
        if len(left) == len(waiting):
            return needed
        waiting = left[::-1]


def _is_seen(instruction: Instruction) -> bool:
    return (
        instruction.has_side_effect
        or instruction.crosses_devices
        or isinstance(instruction, LoopHead)
        or not instruction.written()
    )


def _is_by_the_way(buffer: Buffer, wrote: list[tuple[Buffer, Instruction]]) -> bool:
    """Whether each instruction that writes the tensor must write something there, beside what is needed of it."""
    return all(len(i.written()) > 1 for _, i in wrote)


def check_dead_stores(program: Program) -> Iterator[Finding]:
    """Advises of what is written and, before anything reads the tensor, written again."""
    yield from _dead_in(program.body)


def _dead_in(nodes: tuple[Node, ...]) -> Iterator[Finding]:
    open_stores: dict[str, list[tuple[Access, Instruction]]] = {}
    for node in nodes:
        if isinstance(node, (Loop, DeviceLoop)):
            yield from _dead_in(node.body)
            for instruction in instructions((node,)):
                for access in (*instruction.reads(), *instruction.written()):
                    open_stores.pop(access.buffer.name, None)
            continue
        for access in node.reads():
            open_stores.pop(access.buffer.name, None)
        for access in node.written():
            before = open_stores.setdefault(access.buffer.name, [])
            if _writes_all(node, access):
                for store in [store for store in before if _covers(access, store[0])]:
                    before.remove(store)
                    yield _dead(store[1], access, node)
            if len(node.written()) == 1:
                before.append((access, node))


def _writes_all(instruction: Instruction, access: Access) -> bool:
    """Whether every element of the access gets a new value, whatever the values are."""
    return instruction.mask is None and not instruction.reads_destination and not instruction.has_offset


def _covers(access: Access, other: Access) -> bool:
    if access.buffer != other.buffer or access.unchecked:
        return False
    same = (access.offset, access.dims, access.indirect) == (other.offset, other.dims, other.indirect)
    return access.is_whole or same


def _dead(store: Instruction, access: Access, by: Instruction) -> Finding:
    line = f" at {by.location.short()}" if by.location is not None else ""
    return Finding(
        "unused.store",
        Severity.ADVICE,
        f"what {store.name} writes to '{access.buffer.name}' is overwritten before anything reads it",
        given=f"{by.name}{line} writes it again",
        location=store.location,
    )
