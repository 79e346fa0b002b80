"""How often each instruction of a program runs."""

from collections.abc import Iterator

from jnki.isa.instruction import Instruction
from jnki.program.program import DeviceLoop, Loop, Node


def with_times(nodes: tuple[Node, ...], times: int | None = 1) -> Iterator[tuple[Instruction, int | None]]:
    """Each instruction in program order and how often it runs; None in a loop of unknown length."""
    for node in nodes:
        match node:
            case Loop():
                yield from with_times(node.body, None if times is None else times * node.symbol.trips)
            case DeviceLoop():
                yield node.head, None
                yield from with_times(node.body, None)
            case _:
                yield node, times
