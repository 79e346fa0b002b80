"""Two loops, one of each core, in which the cores wait for each other: they become one."""

from dataclasses import replace

from jnki.access.access import Access
from jnki.errors import RuleError
from jnki.isa.instruction import Instruction
from jnki.isa.registers.cores_agree import CoresAgree
from jnki.isa.registers.counted_loop import CountedLoop
from jnki.isa.registers.register_move import RegisterMove
from jnki.isa.registers.while_loop import WhileLoop
from jnki.program.program import DeviceLoop, Loop, Node


def joined(one: Loop | DeviceLoop, other: Loop | DeviceLoop, body: tuple[Node, ...]) -> tuple[Node, ...]:
    """One loop for both cores, which runs as often as both say; where they differ at run time, that is a fault.

    Args:
        body: what both do in an iteration.

    Raises:
        RuleError: `spmd.cores_wait`, where the loops are known to be different.
    """
    buffers = (*one.buffers, *other.buffers)
    match one, other:
        case Loop(), Loop() if (one.symbol.trips, one.kind) == (other.symbol.trips, other.kind):
            return (replace(one, body=body, buffers=buffers),)
        case DeviceLoop(head=CountedLoop() as mine), DeviceLoop(head=CountedLoop() as theirs):
            bounds = ((mine.lower, theirs.lower), (mine.upper, theirs.upper), (mine.step, theirs.step))
            if (before := _agreeing(mine, bounds)) is not None:
                index = RegisterMove(dst=theirs.dst, src=mine.dst, location=theirs.location)
                return (*before, replace(one, body=(index, *body), buffers=buffers))
        case DeviceLoop(head=WhileLoop() as mine), DeviceLoop(head=WhileLoop() as theirs):
            if (checks := _agreeing(mine, ((mine.condition, theirs.condition),))) is not None:
                return (*checks, replace(one, body=(*body, *checks), buffers=buffers))
    raise RuleError(
        "spmd.cores_wait",
        "the cores wait for each other in loops that are not alike",
        given=f"core 0: {told(one)}; core 1: {told(other)}",
        allowed="as many iterations on both cores",
        at=other.location,
    )


def _agreeing(
    head: CountedLoop | WhileLoop, pairs: tuple[tuple[Access | int, Access | int], ...]
) -> tuple[Instruction, ...] | None:
    """What finds out whether each pair is one number; None where it is known that one is not, or what kind it is of."""
    checks = []
    for mine, theirs in pairs:
        if isinstance(mine, Access) and isinstance(theirs, Access):
            checks.append(
                CoresAgree(one=mine, other=theirs, loop=head.kind, location=head.location, unrolled=head.unrolled)
            )
        elif mine != theirs:
            return None
    return tuple(checks)


def told(loop: Loop | DeviceLoop) -> str:
    """A loop in the words of an error."""
    what = f"a loop of {loop.symbol.trips}" if isinstance(loop, Loop) else loop.head.listing()
    return f"{what} ({loop.location.short()})" if loop.location is not None else what
