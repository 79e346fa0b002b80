"""What one core does, cut where it waits for the other one."""

from dataclasses import dataclass

from jnki.errors import not_modelled
from jnki.isa.dma.sendrecv import SendRecv
from jnki.isa.gpsimd.core_barrier import CoreBarrier
from jnki.isa.instruction import Instruction
from jnki.program.program import Node, instructions

Wait = CoreBarrier | SendRecv


@dataclass(frozen=True)
class Segment:
    """What a core does without waiting, and what it waits at then; None at its end."""

    nodes: tuple[Node, ...]
    wait: Wait | None


def segments(nodes: tuple[Node, ...]) -> list[Segment]:
    """The recording of one core as segments, the last of which ends with it.

    Raises:
        NotImplementedError: it waits inside of a loop.
    """
    found: list[Segment] = []
    start = 0
    for at, node in enumerate(nodes):
        if isinstance(node, (CoreBarrier, SendRecv)):
            found.append(Segment(nodes[start:at], node))
            start = at + 1
        elif not isinstance(node, Instruction) and (wait := _waits(node)):
            raise not_modelled(f"{wait.name} inside of a loop that is recorded once")
    return [*found, Segment(nodes[start:], None)]


def _waits(loop: Node) -> Wait | None:
    return next((i for i in instructions((loop,)) if isinstance(i, (CoreBarrier, SendRecv))), None)
