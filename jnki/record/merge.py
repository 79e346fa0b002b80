"""The recordings of two cores as one: they take turns, and meet where they wait for each other.

    core 0     a b | barrier | c | sendrecv(dst, src)   | d
    core 1     A   | barrier | B | sendrecv(dst', src') |

    together   a b A core_barrier() c B sendrecv(dst, src, dst', src') d

Between two places where they wait, nothing says which core comes first; core 0 does here, with all of it. Where both do
the same there, line by line, and use common places of a tensor, they go in step, as on two cores that start together:

    core 0     zero(out[0:4])  | out[at(i)] = x
    core 1     zero(out[4:8])  | out[at(j)] = y        zero(out[0:4]) zero(out[4:8]) out[at(i)] = x out[at(j)] = y

What depends on it is a finding (`jnki.analysis.races`).
"""

from dataclasses import replace
from itertools import zip_longest

from jnki.errors import RuleError, not_modelled
from jnki.isa.dma.sendrecv import SendRecv
from jnki.isa.gpsimd.core_barrier import CoreBarrier
from jnki.program.program import DeviceLoop, Loop, Node
from jnki.program.segments import Segment, Wait, segments, with_index
from jnki.record.common_places import have_common_places
from jnki.record.joined_loops import joined, told
from jnki.target import Target

_FINISHED = Segment((), None)


def merged(cores: tuple[tuple[Node, ...], ...], target: Target, *, in_step: bool = True) -> tuple[Node, ...]:
    """What the cores do, in one order that both could have.

    Args:
        cores: the recording of each; one alone, or none, stays as it is.
        in_step: whether they may go in step; else the first one always comes first.

    Raises:
        RuleError: `spmd.cores_wait`, where one waits and the other does not come; rules of what they wait at.
    """
    if len(cores) < 2:
        return tuple(node for core in cores for node in core)
    first, second = cores
    together: list[Node] = []
    for one, other in zip_longest(segments(first), segments(second), fillvalue=_FINISHED):
        together += _side_by_side(one.nodes, other.nodes) if in_step else (*one.nodes, *other.nodes)
        if one.wait is not None or other.wait is not None:
            together += _met(one.wait, other.wait, target, in_step)
    return tuple(together)


def _side_by_side(one: tuple[Node, ...], other: tuple[Node, ...]) -> tuple[Node, ...]:
    """What both do without waiting."""
    if len(one) == len(other) and all(map(_same_line, one, other)) and have_common_places(one, other):
        return tuple(node for pair in zip(one, other) for node in pair)
    return (*one, *other)


def _same_line(one: Node, other: Node) -> bool:
    return type(one) is type(other) and one.location == other.location


def _met(one: Wait | None, other: Wait | None, target: Target, in_step: bool) -> tuple[Node, ...]:
    match one, other:
        case CoreBarrier(), CoreBarrier():
            return (_barrier(one, other),)
        case SendRecv(), SendRecv():
            return (_exchange(one, other, target),)
        case ((Loop() | DeviceLoop()), (Loop() | DeviceLoop())):
            bodies = (one.body, with_index(other.body, other.symbol, one.symbol))
            return joined(one, other, merged(bodies, target, in_step=in_step))
    raise _apart(one, other)


def _barrier(one: CoreBarrier, other: CoreBarrier) -> CoreBarrier:
    assert one.data is not None and other.data is not None
    # A tensor in SBUF is each core's own, and named apart.
    on_chip = one.data.buffer.space.on_chip and other.data.buffer.space.on_chip
    if not on_chip and one.data.buffer.name != other.data.buffer.name:
        raise other.error(
            "core_barrier.data",
            "the cores meet here for different tensors",
            given=f"core 0: '{one.data.buffer.name}'{_line(one)}; core 1: '{other.data.buffer.name}'{_line(other)}",
            allowed="one tensor in nl.shared_hbm",
        )
    return replace(one, data=None)


def _exchange(one: SendRecv, other: SendRecv, target: Target) -> SendRecv:
    if one.pipe_id != other.pipe_id:
        # Pipes do not wait for each other, and so either of them may come first.
        raise not_modelled(
            f"pipes that the cores come to in different orders: core 0 is at pipe {one.pipe_id}{_line(one)}, core 1 at "
            f"pipe {other.pipe_id}{_line(other)}"
        )
    if (one.src.shape, one.src.dtype) != (other.src.shape, other.src.dtype):
        raise other.error(
            "sendrecv.other_tile",
            "the cores send each other tiles of different shapes or types",
            given=f"core 0: {_tile(one)}{_line(one)}; core 1: {_tile(other)}{_line(other)}",
            allowed="equal shapes and types",
        )
    if one.gpsimd_dma != other.gpsimd_dma:
        raise other.error(
            "sendrecv.other_engine",
            "the cores send through different DMA engines",
            given=f"core 0: {_engine(one)}{_line(one)}; core 1: {_engine(other)}{_line(other)}",
            allowed="the same dma_engine on both cores",
        )
    exchange = replace(one, other_dst=other.dst, other_src=other.src)
    exchange.check(target)
    return exchange


def _tile(half: SendRecv) -> str:
    return f"{list(half.src.shape)} {half.src.dtype}"


def _engine(half: SendRecv) -> str:
    return "dma_engine.gpsimd_dma" if half.gpsimd_dma else "dma_engine.dma"


def _apart(one: Wait | None, other: Wait | None) -> RuleError:
    told = (
        f"core {core} waits at {_told(wait)}" if wait is not None else f"core {core} comes to its end"
        for core, wait in enumerate((one, other))
    )
    late = other if other is not None else one
    assert late is not None
    return RuleError(
        "spmd.cores_wait",
        "one core waits here, and the other one never comes",
        given="; ".join(told),
        allowed="the same core_barrier and sendrecv, in the same order, on both cores",
        at=late.location,
    )


def _told(wait: Wait) -> str:
    return told(wait) if isinstance(wait, (Loop, DeviceLoop)) else f"{wait.name}{_line(wait)}"


def _line(wait: Wait) -> str:
    return f" ({wait.location.short()})" if wait.location is not None else ""
