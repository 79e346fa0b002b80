"""The meaning of `dma_copy`: all reads, then all writes (C1-C19 of `docs/isa/dma/dma_copy.md`)."""

import numpy as np

from .casts import cast, decode, encode, from_bits, to_bits
from .moves import Fault, Memory, Operand, plan_moves


def dma_copy(
    memory: Memory,
    *,
    dst: Operand,
    src: Operand,
    mask: np.ndarray | None = None,
    rmw: bool = False,
    oob: str = "error",
) -> tuple[Memory, Fault | None]:
    """Memory in which `dst` holds the elements of `src`, and the first fault; `memory` itself is unchanged.

    Args:
        memory: every buffer, by name.
        dst: where the elements go.
        src: where they come from: as many as `dst` has.
        mask: boolean, of the pattern's shape; false elements are neither read, checked nor written (C13).
        rmw: adds to the destination instead of overwriting it (C16, C17).
        oob: "error" records the first bad row as a fault (C11), "skip" does not (C12); no bad row ever moves.

    Raises:
        ValueError: the copy is not a legal one.
        IndexError: a static address leaves its buffer (C4).
    """
    if rmw and oob != "error":
        raise ValueError("a read-modify-write needs oob='error' (C15)")
    moves, fault = plan_moves(memory, dst, src, mask, oob)
    # Every read below is of these two lists, which nothing writes: all reads come before all writes (C19).
    source = to_bits(memory[src.buffer], src.dtype)
    before = to_bits(memory[dst.buffer], dst.dtype)
    after = list(before)
    with np.errstate(all="ignore"):
        if rmw:
            for address, total in _sums(moves, before, source, dst.dtype, src.dtype).items():
                after[address] = encode(total, dst.dtype)
        else:
            for to, frm in moves:
                after[to] = cast(source[frm], src.dtype, dst.dtype)
    return {**memory, dst.buffer: from_bits(after, memory[dst.buffer])}, fault


def _sums(
    moves: list[tuple[int, int]], before: list[int], source: list[int], dst_dtype: str, src_dtype: str
) -> dict[int, np.float32]:
    sums: dict[int, np.float32] = {}
    for to, frm in moves:
        if to not in sums:
            sums[to] = decode(before[to], dst_dtype)
        sums[to] = sums[to] + decode(source[frm], src_dtype)
    return sums
