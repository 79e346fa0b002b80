"""Instructions with the loops around them."""

from collections.abc import Iterator

from jnki.access.affine import Symbol
from jnki.isa.instruction import Instruction
from jnki.program.program import DeviceLoop, Loop, Node


def with_loops(
    nodes: tuple[Node, ...], around: frozenset[Symbol] = frozenset()
) -> Iterator[tuple[Instruction, frozenset[Symbol]]]:
    """Each instruction in program order, and the indices of the loops around it."""
    for node in nodes:
        match node:
            case Loop():
                yield from with_loops(node.body, around | {node.symbol})
            case DeviceLoop():
                yield node.head, around
                yield from with_loops(node.body, around)
            case _:
                yield node, around
