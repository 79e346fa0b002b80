"""Kernels whose listings are kept in `golden/`, one file each."""

import numpy as np

from jnki.neuronxcc import nki
from jnki.neuronxcc.nki.typing import mutable_tensor

nl, nisa = nki.language, nki.isa

TABLE = np.zeros((300, 512), np.float32)
ROWS = np.zeros((64, 1), np.int32)


@nki.jit
def whole_copy(a):
    b = nl.ndarray(a.shape, dtype=a.dtype, buffer=nl.shared_hbm)
    nisa.dma_copy(dst=b, src=a)
    return b


@nki.jit
def ragged_tiles(a):
    out = nl.ndarray(a.shape, dtype=nl.bfloat16, buffer=nl.shared_hbm)
    p, f = nl.arange(128)[:, None], nl.arange(512)[None, :]
    for i in nl.affine_range(3):
        row = 128 * i + p
        tile = nl.load(a[row, f], mask=row < 300)
        nl.store(out[row, f], tile, mask=row < 300)
    return out


@nki.jit
def gather(table, rows):
    out = nl.ndarray((64, 512), dtype=table.dtype, buffer=nl.shared_hbm)
    f = nl.arange(512)[None, :]
    index = nl.load(rows)
    tile = nisa.memset((64, 512), -1, dtype=table.dtype)
    nisa.dma_copy(dst=tile, src=table[index, f], oob_mode=nisa.oob_mode.skip)
    nl.store(out, tile)
    return out


@nki.jit
def scatter_add(table: mutable_tensor, rows):
    f = nl.arange(512)[None, :]
    for i in nl.sequential_range(2):
        index = nl.load(rows[32 * i : 32 * i + 32])
        tile = nisa.iota(nl.arange(32)[:, None] + 0 * f + i, dtype=nl.float32)
        nisa.dma_copy(dst=table[index, f], src=tile, dst_rmw_op=np.add)
    return table


@nki.jit
def grid(a):
    out = nl.ndarray(a.shape, dtype=a.dtype, buffer=nl.shared_hbm)
    i, j = nl.program_id(0), nl.program_id(1)
    nl.store(out[i, j], nl.load(a[i, j]))
    return out


@nki.jit
def mixed_loops(a):
    out = nl.ndarray((4, 128, 64), dtype=a.dtype, buffer=nl.shared_hbm)
    blocks = nl.ndarray((4, nl.par_dim(128), 64), dtype=a.dtype, buffer=nl.sbuf)
    for i in nl.affine_range(4):
        blocks[i] = nl.load(a[0:128, nl.ds(64 * i, 64)])
        for j in nl.sequential_range(64):
            if i == 2:
                blocks[i, :, j : j + 1] = 0
    for i in nl.static_range(4):
        nl.store(out[i], blocks[3 - i])
    scratch = nl.zeros((128, 16), dtype=nl.float32, buffer=nl.psum)
    nl.device_print("psum", scratch)
    return out, a


KERNELS = {
    "whole_copy": (whole_copy, (TABLE,)),
    "ragged_tiles": (ragged_tiles, (TABLE,)),
    "gather": (gather, (TABLE, ROWS)),
    "scatter_add": (scatter_add, (TABLE, ROWS)),
    "grid": (grid[4, 2], (np.zeros((4, 2, 8, 16), np.float16),)),
    "mixed_loops": (mixed_loops, (TABLE,)),
}


def listing_of(name):
    kernel, arrays = KERNELS[name]
    return f"{kernel.trace(*arrays)}\n"
