"""The reverse pass of `dma_copy`, one element at a time (C25; law 3: differentiable as mathematics says)."""

import numpy as np

from .casts import FLOATS
from .moves import Memory, Operand, plan_moves

Cotangent = dict[str, np.ndarray]


def dma_copy_vjp(
    memory: Memory,
    cotangent: Cotangent,
    *,
    dst: Operand,
    src: Operand,
    mask: np.ndarray | None = None,
    rmw: bool = False,
    oob: str = "error",
) -> Cotangent:
    """The cotangent of memory before a copy, from the cotangent of memory after it.

    An element that was not written keeps its own. One that was overwritten passes none to its old value, and
    all to the element that won it; a read-modify-write passes it to both, and to every contributor. Casts
    between floats pass it through; integers stop it.

    Args:
        memory: memory before the copy: it holds the row indices.
        cotangent: a float64 array for each floating-point buffer, of its shape; other buffers have none.
        dst, src, mask, rmw, oob: as for `dma_copy`.

    Returns:
        Float64 arrays under the same names.

    Raises:
        ValueError: an operand's buffer lacks its cotangent, or an integer buffer has one.
    """
    for op in (dst, src):
        if (op.buffer in cotangent) != (op.dtype in FLOATS):
            given = "has a" if op.buffer in cotangent else "has no"
            raise ValueError(f"{op.buffer} of {op.dtype} {given} cotangent")
    before = {name: np.array(array, dtype=np.float64, order="C") for name, array in cotangent.items()}
    if dst.dtype not in FLOATS:
        return before
    moves, _ = plan_moves(memory, dst, src, mask, oob)
    arriving = np.array(cotangent[dst.buffer], dtype=np.float64).reshape(-1)
    overwritten = before[dst.buffer].reshape(-1)
    if not rmw:
        moves = list(dict(moves).items())
        for to, _ in moves:
            overwritten[to] = 0.0
    if src.dtype in FLOATS:
        source = before[src.buffer].reshape(-1)
        for to, frm in moves:
            source[frm] += arriving[to]
    return before
