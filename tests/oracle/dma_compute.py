"""What `nki.isa.dma_compute` leaves in memory, one element at a time."""

import numpy as np

from .casts import decode, encode, from_bits, to_bits
from .moves import Fault, Memory, Operand, plan_moves


def dma_compute(
    memory: Memory, *, dst: Operand, srcs: list[Operand], adds: bool = False, oob: str = "error"
) -> tuple[Memory, Fault | None]:
    """Memory after `dst = cast(srcs[0] + srcs[1] + ...)` in float32, from left to right, and the first fault.

    Args:
        dst, srcs: operands; without `adds` all of them direct.
        adds: whether the one source is added to the old value of `dst`; where several rows of `dst` are one, each
            counts, and the sum is rounded once.
        oob: `error` or `skip`: bad rows add nothing.
    """
    fault = None
    totals: dict[int, np.float32] = {}
    old = to_bits(memory[dst.buffer], dst.dtype)
    for source in srcs:
        bits = to_bits(memory[source.buffer], source.dtype)
        moves, fault = plan_moves(memory, dst, source, None, oob)
        for to, place in moves:
            if adds and to not in totals:
                totals[to] = decode(old[to], dst.dtype)
            value = decode(bits[place], source.dtype)
            with np.errstate(all="ignore"):
                totals[to] = totals[to] + value if to in totals else value
    for to, total in totals.items():
        old[to] = encode(np.float32(total), dst.dtype)
    return {**memory, dst.buffer: from_bits(old, memory[dst.buffer])}, fault
