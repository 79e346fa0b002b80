"""What one core does, cut where it waits for the other one."""

from dataclasses import dataclass, replace

from jnki.access.affine import Affine, Symbol
from jnki.isa.dma.sendrecv import SendRecv
from jnki.isa.gpsimd.core_barrier import CoreBarrier
from jnki.isa.instruction import Instruction
from jnki.program.program import DeviceLoop, Loop, Node, instructions

# A loop is one where its body waits.
Wait = CoreBarrier | SendRecv | Loop | DeviceLoop


@dataclass(frozen=True)
class Segment:
    """What a core does without waiting, and what it waits at then; None at its end."""

    nodes: tuple[Node, ...]
    wait: Wait | None


def segments(nodes: tuple[Node, ...]) -> list[Segment]:
    """The recording of one core as segments, the last of which ends with it."""
    found: list[Segment] = []
    start = 0
    for at, node in enumerate(nodes):
        if isinstance(node, (CoreBarrier, SendRecv)) or (isinstance(node, (Loop, DeviceLoop)) and _waits(node)):
            found.append(Segment(nodes[start:at], node))
            start = at + 1
    return [*found, Segment(nodes[start:], None)]


def _waits(loop: Node) -> bool:
    return any(isinstance(i, (CoreBarrier, SendRecv)) for i in instructions((loop,)))


def with_index(nodes: tuple[Node, ...], symbol: Symbol, other: Symbol) -> tuple[Node, ...]:
    """These nodes with another index for the same loop around them."""
    return tuple(_with_index(node, symbol, other) for node in nodes)


def _with_index(node: Node, symbol: Symbol, other: Symbol) -> Node:
    if isinstance(node, Instruction):
        return node.substitute(symbol, Affine.of(other))
    body = with_index(node.body, symbol, other)
    if isinstance(node, DeviceLoop):
        return replace(node, head=node.head.substitute(symbol, Affine.of(other)), body=body)
    return replace(node, body=body)
