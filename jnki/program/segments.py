"""What one core does, cut where it waits for the other one."""

from dataclasses import dataclass, replace
from typing import Any

from jnki.access.affine import Affine, Symbol
from jnki.errors import not_modelled
from jnki.isa.dma.sendrecv import SendRecv
from jnki.isa.gpsimd.core_barrier import CoreBarrier
from jnki.isa.instruction import Instruction
from jnki.program.program import Loop, Node, instructions

# A loop is one where its body waits.
Wait = CoreBarrier | SendRecv | Loop


@dataclass(frozen=True)
class Segment:
    """What a core does without waiting, and what it waits at then; None at its end."""

    nodes: tuple[Node, ...]
    wait: Wait | None


def segments(nodes: tuple[Node, ...]) -> list[Segment]:
    """The recording of one core as segments, the last of which ends with it.

    Raises:
        NotImplementedError: it waits inside of a loop whose number of iterations is not known.
    """
    found: list[Segment] = []
    start = 0
    for at, node in enumerate(nodes):
        if isinstance(node, (CoreBarrier, SendRecv)) or (not isinstance(node, Instruction) and _waits(node)):
            if not isinstance(node, (CoreBarrier, SendRecv, Loop)):
                raise not_modelled("waiting for the other core inside of a loop whose length is known at run time")
            found.append(Segment(nodes[start:at], node))
            start = at + 1
    return [*found, Segment(nodes[start:], None)]


def _waits(loop: Node) -> bool:
    return any(isinstance(i, (CoreBarrier, SendRecv)) for i in instructions((loop,)))


def with_index(nodes: tuple[Node, ...], symbol: Symbol, other: Symbol) -> tuple[Node, ...]:
    """These nodes with another index for the same loop around them."""
    return tuple(_with_index(node, symbol, other) for node in nodes)


def _with_index(node: Any, symbol: Symbol, other: Symbol) -> Node:
    if isinstance(node, Instruction):
        return node.substitute(symbol, Affine.of(other))
    changed: Node = replace(node, body=with_index(node.body, symbol, other))
    return changed
