"""What two cores may do at the same time: whatever stands between two places where they wait for each other.

Where the body of a loop waits, the end of one iteration is beside the beginning of the next, and the loop's edges are
beside what stands around it:

    a                        a | b               in no order
    for i: B | wait | C      B | B   C | C       in the same iteration
    d                        C | B, a | B, C | d in whichever iterations
"""

from collections.abc import Iterator
from dataclasses import dataclass

from jnki.access.affine import Symbol
from jnki.program.program import DeviceLoop, Loop, Node
from jnki.program.segments import segments, with_index

Sides = tuple[tuple[Node, ...], tuple[Node, ...]]


@dataclass(frozen=True)
class Stretch:
    """What each core does, in no order to what the other one does.

    Attributes:
        one, other: core 0 and core 1.
        shared: indices of the loops around both of them, which both have in common.
        is_exact: whether they do run beside each other; else it depends on the iterations.
    """

    one: tuple[Node, ...]
    other: tuple[Node, ...]
    shared: frozenset[Symbol]
    is_exact: bool


def stretches(
    one: tuple[Node, ...], other: tuple[Node, ...], shared: frozenset[Symbol] = frozenset()
) -> Iterator[Stretch]:
    """All stretches of two recordings that wait at the same places.

    Args:
        shared: indices of the loops around both.
    """
    ending: Sides = ((), ())
    for here, there in zip(segments(one), segments(other)):
        between = (here.nodes, there.nodes)
        yield Stretch(*between, shared, is_exact=True)
        yield from _beside(ending, between, shared)
        if not (isinstance(here.wait, (Loop, DeviceLoop)) and isinstance(there.wait, (Loop, DeviceLoop))):
            ending = ((), ())
            continue
        loop = here.wait
        bodies = (loop.body, with_index(there.wait.body, there.wait.symbol, loop.symbol))
        yield from stretches(*bodies, shared | {loop.symbol})
        first, last = (_first(bodies[0]), _first(bodies[1])), (_last(bodies[0]), _last(bodies[1]))
        yield from _beside((ending[0] + between[0], ending[1] + between[1]), first, shared)
        if loop.symbol.trips > 1:
            yield from _beside(last, first, shared)
        ending = last


def _beside(before: Sides, after: Sides, shared: frozenset[Symbol]) -> Iterator[Stretch]:
    yield Stretch(before[0], after[1], shared, is_exact=False)
    yield Stretch(after[0], before[1], shared, is_exact=False)


def _first(nodes: tuple[Node, ...]) -> tuple[Node, ...]:
    """What a block does before it waits for the first time."""
    segment = segments(nodes)[0]
    return segment.nodes + (_first(segment.wait.body) if isinstance(segment.wait, (Loop, DeviceLoop)) else ())


def _last(nodes: tuple[Node, ...]) -> tuple[Node, ...]:
    """What a block does after it has waited for the last time."""
    *before, segment = segments(nodes)
    loop = before[-1].wait if before else None
    return (_last(loop.body) if isinstance(loop, (Loop, DeviceLoop)) else ()) + segment.nodes
