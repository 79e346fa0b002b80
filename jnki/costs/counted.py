"""How often each instruction of a program runs."""

import math
from collections.abc import Iterator

from jnki.isa.instruction import Instruction
from jnki.program.program import DeviceLoop, Node, with_loops


def with_times(nodes: tuple[Node, ...]) -> Iterator[tuple[Instruction, int | None]]:
    """Each instruction in program order and how often it runs; None in a loop of unknown length."""
    for instruction, loops in with_loops(nodes):
        is_known = not any(isinstance(loop, DeviceLoop) for loop in loops)
        yield instruction, math.prod(loop.symbol.trips for loop in loops) if is_known else None
