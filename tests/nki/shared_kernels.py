"""Kernels that one core, or two together, run: the same operations on the same parts, so the same bits.

What a core does for each of its parts, the only core does for both. `exchanged` is what the other part has: one core
has made it itself, two send it to each other.
"""

import numpy as np

import jnki.nki.isa as nisa
import jnki.nki.language as nl

RNG = np.random.default_rng(7)
PARTS = 2


def mine():
    """The parts that this core works on."""
    return [nl.program_id(0)] if nl.num_programs() == PARTS else list(range(PARTS))


def exchanged(tiles, pipe_id=0):
    """From each part that this core has to the same tile of the other part."""
    if len(tiles) == PARTS:
        return {part: tiles[1 - part] for part in tiles}
    ((me, tile),) = tiles.items()
    received = nl.ndarray(tile.shape, dtype=tile.dtype, buffer=nl.sbuf)
    nisa.sendrecv(tile, received, send_to_rank=1 - me, recv_from_rank=1 - me, pipe_id=pipe_id)
    return {me: received}


def tile_like(tile, dtype=None):
    return nl.ndarray(tile.shape, dtype=dtype or tile.dtype, buffer=nl.sbuf)


def loaded(x):
    tile = tile_like(x)
    nisa.dma_copy(tile, x)
    return tile


def combined(tiles, op, pipe_id=0):
    """From each part to what `op` makes of the tiles of part 0 and part 1."""
    others, results = exchanged(tiles, pipe_id), {}
    for part, tile in tiles.items():
        results[part] = tile_like(tile)
        nisa.tensor_tensor(results[part], tile, others[part], op)
    return results


def total(x):
    """`[P, 1]`, the sum over the columns, which the parts share; the first part stores it."""
    out = nl.ndarray((x.shape[0], 1), dtype=x.dtype, buffer=nl.shared_hbm)
    width = x.shape[1] // PARTS
    sums = {}
    for part in mine():
        sums[part] = nl.ndarray((x.shape[0], 1), dtype=x.dtype, buffer=nl.sbuf)
        nisa.tensor_reduce(sums[part], nl.add, loaded(x[:, nl.ds(part * width, width)]), axis=1)
    for part, result in combined(sums, nl.add).items():
        if part == 0:
            nisa.dma_copy(out, result)
    return out


def matmul(a, b):
    """`a.T @ b`: each part of the rows gives a product, and both make the sum; each part stores half of it."""
    (k, m), n = a.shape, b.shape[1]
    out = nl.ndarray((m, n), dtype=nl.float32, buffer=nl.shared_hbm)
    products, depth, half = {}, k // PARTS, m // PARTS
    for part in mine():
        rows = nl.ds(part * depth, depth)
        psum = nl.ndarray((m, n), dtype=nl.float32, buffer=nl.psum)
        nisa.nc_matmul(psum, loaded(a[rows]), loaded(b[rows]))
        products[part] = nl.ndarray((m, n), dtype=nl.float32, buffer=nl.sbuf)
        nisa.tensor_copy(products[part], psum)
    for part, result in combined(products, nl.add).items():
        places = nl.ds(part * half, half)
        nisa.dma_copy(out[places], result[places])
    return out


def softmax(x):
    """Over the columns: the parts tell each other their maximum, then their sum, through two pipes."""
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    rows, width = x.shape[0], x.shape[1] // PARTS
    tiles = {part: loaded(x[:, nl.ds(part * width, width)]) for part in mine()}
    most, sums = {}, {}
    for part, tile in tiles.items():
        most[part] = nl.ndarray((rows, 1), dtype=x.dtype, buffer=nl.sbuf)
        nisa.tensor_reduce(most[part], nl.maximum, tile, axis=1, negate=True)
    for part, least in combined(most, nl.minimum).items():
        nisa.activation(tiles[part], nl.exp, tiles[part], bias=least)
        sums[part] = nl.ndarray((rows, 1), dtype=x.dtype, buffer=nl.sbuf)
        nisa.tensor_reduce(sums[part], nl.add, tiles[part], axis=1)
    for part, together in combined(sums, nl.add, pipe_id=1).items():
        nisa.reciprocal(together, together)
        nisa.tensor_scalar(tiles[part], tiles[part], nl.multiply, together)
        nisa.dma_copy(out[:, nl.ds(part * width, width)], tiles[part])
    return out


def diffusion(x):
    """Twenty steps on two halves of a line, which show each other their edges: long enough to be re-rolled."""
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    rows, width = x.shape[0], x.shape[1] // PARTS
    tiles = {part: loaded(x[:, nl.ds(part * width, width)]) for part in mine()}
    for step in range(20):
        edges = {}
        for part, tile in tiles.items():
            inner = width - 1 if part == 0 else 0
            edges[part] = nl.ndarray((rows, 1), dtype=x.dtype, buffer=nl.sbuf)
            nisa.tensor_copy(edges[part], tile[:, inner : inner + 1])
        others = exchanged(edges, pipe_id=step % 2)
        for part, tile in tiles.items():
            new = tile_like(tile)
            nisa.tensor_scalar(new, tile, nl.multiply, 0.75, op1=nl.add, operand1=others[part])
            tiles[part] = new
    for part, tile in tiles.items():
        nisa.dma_copy(out[:, nl.ds(part * width, width)], tile)
    return out


def through_hbm(x):
    """Each part leaves its rows in shared HBM, and takes those of the other one, reversed, after both are there."""
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    between = [nl.ndarray((x.shape[0], x.shape[1]), dtype=x.dtype, buffer=nl.shared_hbm) for _ in range(3)]
    half = x.shape[0] // PARTS
    source = x
    for stage in between:
        for part in mine():
            tile = loaded(source[nl.ds(part * half, half)])
            nisa.tensor_scalar(tile, tile, nl.multiply, 3.0, op1=nl.subtract, operand1=1.0)
            nisa.dma_copy(stage[nl.ds((1 - part) * half, half)], tile)
        if nl.num_programs() == PARTS:
            nisa.core_barrier(stage, cores=(0, 1))
        source = stage
    for part in mine():
        nisa.dma_copy(out[nl.ds(part * half, half)], loaded(source[nl.ds(part * half, half)]))
    return out


def updates(x, table):
    """Each part writes its rows of a parameter, and returns it."""
    half = x.shape[0] // PARTS
    for part in mine():
        rows = nl.ds(part * half, half)
        tile = loaded(x[rows])
        nisa.tensor_tensor(tile, tile, loaded(table[rows]), nl.add)
        nisa.dma_copy(table[rows], tile)
    return table


def f32(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


KERNELS = {
    "total": (total, (f32(8, 12),)),
    "matmul": (matmul, (f32(16, 8), f32(16, 6))),
    "softmax": (softmax, (f32(4, 10),)),
    "diffusion": (diffusion, (f32(4, 8),)),
    "through_hbm": (through_hbm, (f32(8, 4),)),
    "updates": (updates, (f32(8, 4), f32(8, 4))),
}
