"""Instructions by which the two cores of a launch `kernel[2]` wait for each other: `core_barrier` and `sendrecv`."""

import math
from collections.abc import Sequence
from typing import Any

from jnki.access.buffer import Space
from jnki.errors import RuleError
from jnki.isa.dma.sendrecv import SendRecv
from jnki.isa.gpsimd.core_barrier import CoreBarrier
from jnki.nki.isa.enums import core_member, dma_engine, engine
from jnki.nki.isa.instruction import NkiInstruction, emitted, operand, recorded
from jnki.record.recorder import current
from jnki.source import user_location

# Arguments have the names of these.
_Engine, _DmaEngine = engine, dma_engine


def core_barrier(
    data: Any, cores: Sequence[int] | int, engine: engine = engine.gpsimd, name: str | None = None
) -> NkiInstruction:
    """Both cores wait here until each has come: what either has written to `data` the other one may read then.

    Args:
        data: a tensor in `nl.shared_hbm`, or a parameter; or one in SBUF, which changes nothing.
        cores: the numbers of all cores of the launch, `(0, 1)`. A launch on one core may name that one, and waits for
            nobody.
        engine: which engine of each core waits.

    Raises:
        RuleError: `core_barrier.cores`, `core_barrier.shared_hbm`, `core_barrier.version`, `core_barrier.engine`.
    """
    recorder = current("nisa.core_barrier")
    shared = operand(data, "core_barrier", "data")
    waiting = core_member(engine, _Engine, "core_barrier", "engine")
    barrier = CoreBarrier(data=shared, engine=waiting, location=user_location())
    barrier.check(recorder.target)
    count = math.prod(recorder.grid)
    named = (cores,) if isinstance(cores, int) else tuple(cores)
    if named != tuple(range(count)):
        raise barrier.error(
            "core_barrier.cores",
            "all cores of the launch wait together",
            given=f"cores={cores!r}, launched on {count}",
            allowed=f"{tuple(range(count))}" if count > 1 else "kernel[2] and cores=(0, 1)",
        )
    if shared.buffer.space is Space.HBM and not recorder.is_outside_grid(shared.buffer):
        raise barrier.error(
            "core_barrier.shared_hbm",
            "the tensor is one core's own",
            given=str(shared.buffer),
            allowed="a tensor in nl.shared_hbm, or a parameter",
        )
    return emitted(barrier, name) if count > 1 else NkiInstruction(barrier)


def sendrecv(
    src: Any,
    dst: Any,
    send_to_rank: int,
    recv_from_rank: int,
    pipe_id: int,
    dma_engine: dma_engine = dma_engine.dma,
    name: str | None = None,
) -> NkiInstruction:
    """Sends `src` to the other core, and receives into `dst` what the other core sends; both at once.

    Args:
        src, dst: `[P, F...]` in SBUF, of one shape and type; parts of one tile too, and even the same part.
        send_to_rank, recv_from_rank: the number of the other core.
        pipe_id: an integer: the n-th `sendrecv` of a core with this number meets the n-th of the other one.
        dma_engine: dma, or gpsimd_dma, which moves 256 elements of each partition at most.

    Raises:
        RuleError: `sendrecv.lnc`, `sendrecv.rank`, `sendrecv.pipe_id`, and the rules of docs/isa/dma/sendrecv.md.
    """
    recorder = current("nisa.sendrecv")
    sent, received = operand(src, "sendrecv", "src"), operand(dst, "sendrecv", "dst")
    count = math.prod(recorder.grid)
    if count != 2:
        raise RuleError(
            "sendrecv.lnc", "sendrecv: there is no other core", given=f"launched on {count}", allowed="kernel[2]"
        )
    this = int(recorder.programs[0])
    for argument, rank in (("send_to_rank", send_to_rank), ("recv_from_rank", recv_from_rank)):
        if isinstance(rank, bool) or not isinstance(rank, int) or rank != 1 - this:
            raise RuleError(
                "sendrecv.rank",
                f"sendrecv: '{argument}' is the number of the other core",
                given=f"{argument}={rank!r} on core {this}",
                allowed=str(1 - this),
            )
    if isinstance(pipe_id, bool) or not isinstance(pipe_id, int):
        raise RuleError(
            "sendrecv.pipe_id", "sendrecv: 'pipe_id' is a number", given=repr(pipe_id)[:80], allowed="an int"
        )
    if not isinstance(dma_engine, _DmaEngine):
        raise RuleError(
            "sendrecv.enum_only",
            "sendrecv: 'dma_engine' must be a member of nisa.dma_engine",
            given=repr(dma_engine)[:80],
            allowed=", ".join(f"dma_engine.{member.name}" for member in _DmaEngine),
        )
    through = dma_engine is _DmaEngine.gpsimd_dma
    half = SendRecv(dst=received, src=sent, pipe_id=pipe_id, gpsimd_dma=through, location=user_location())
    return recorded(half, name)
