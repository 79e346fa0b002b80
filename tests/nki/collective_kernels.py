"""Kernels that exchange data with other devices, and what they mean in NumPy."""

import jnki.nki as nki
import jnki.nki.collectives as ncc
import jnki.nki.isa as nisa
import jnki.nki.language as nl

WHOLE = ncc.ReplicaGroup([[0, 1, 2, 3]])
HALVES = ncc.ReplicaGroup([[3, 1], [0, 2]])


def loaded(x):
    tile = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.sbuf)
    nisa.dma_copy(tile, x)
    return tile


def stored(tile):
    out = nl.ndarray(tile.shape, dtype=tile.dtype, buffer=nl.shared_hbm)
    nisa.dma_copy(out, tile)
    return out


@nki.jit
def total(x, group=WHOLE, op=nl.add):
    """Twice what the ranks have together."""
    tile = loaded(x)
    nisa.tensor_scalar(tile, tile, nl.multiply, 2.0)
    ncc.all_reduce(srcs=[tile], dsts=[tile], replica_group=group, op=op)
    return stored(tile)


@nki.jit
def matmul(x, w, group=WHOLE):
    """A product whose contraction is divided among the ranks: `x [K, M]`, `w [K, N]`."""
    product = nl.ndarray((x.shape[1], w.shape[1]), dtype=nl.float32, buffer=nl.psum)
    nisa.nc_matmul(product, loaded(x), loaded(w))
    tile = nl.ndarray(product.shape, dtype=nl.float32, buffer=nl.sbuf)
    nisa.tensor_copy(tile, product)
    ncc.all_reduce([tile], [tile], group, nl.add)
    return stored(tile)


@nki.jit
def coalesced(x, y, group=WHOLE):
    """Several tensors at once, of different shapes and types."""
    results = [nl.ndarray((4 * t.shape[0], *t.shape[1:]), dtype=t.dtype, buffer=nl.shared_hbm) for t in (x, y)]
    ncc.all_gather([x, y], results, group, collective_dim=0)
    return tuple(results)


@nki.jit
def tiled_gather(x, tiles, group=WHOLE):
    """A gather for each tile of columns, as a long recording: it becomes a loop."""
    width = x.shape[1] // tiles
    out = nl.ndarray((x.shape[0], 4 * x.shape[1]), dtype=x.dtype, buffer=nl.shared_hbm)
    for t in range(tiles):
        tile = loaded(x[:, t * width : (t + 1) * width])
        wide = nl.ndarray((x.shape[0], 4 * width), dtype=x.dtype, buffer=nl.sbuf)
        ncc.all_gather([tile], [wide], group, collective_dim=1)
        nisa.tensor_scalar(wide, wide, nl.add, 1.0)
        nisa.dma_copy(out[:, 4 * t * width : 4 * (t + 1) * width], wide)
    return out


@nki.jit
def ring_sum(x, rounds, group=WHOLE):
    """Adds what comes around a ring; after as many rounds as ranks less one it is the sum."""
    sum_, here = loaded(x), loaded(x)
    for _ in range(rounds):
        there = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.sbuf)
        ncc.collective_permute_implicit([[here]], [[there]], group)
        nisa.tensor_tensor(sum_, sum_, there, nl.add)
        here = there
    return stored(sum_)


@nki.jit
def odd_steps(x, steps, group=WHOLE):
    """No two steps are alike in place and size: a long kernel that runs in pieces."""
    here = loaded(x)
    for step in range(steps):
        row, width = step % x.shape[0], 1 + (step * step) % x.shape[1]
        part = here[0 : row + 1, 0:width]
        nisa.tensor_scalar(part, part, nl.add, float(step % 7))
        if step % 50 == 0:
            ncc.collective_permute_implicit([[here]], [[here]], group)
    return stored(here)


@nki.jit
def gathered_rows(table, rows, group=WHOLE):
    """Rows by an index, and the sum of what all ranks have found."""
    index = loaded(rows)
    tile = nl.zeros((rows.shape[0], table.shape[1]), dtype=table.dtype, buffer=nl.sbuf)
    nisa.dma_copy(tile, table.ap([[table.shape[1], rows.shape[0]], [1, table.shape[1]]], vector_offset=index))
    ncc.all_reduce([tile], [tile], group, nl.add)
    return stored(tile)


@nki.jit
def exchanged(x, counts, group=WHOLE):
    """A chunk for each rank, and how many elements came from each."""
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    metadata = nl.ndarray(counts.shape, dtype=nl.uint32, buffer=nl.shared_hbm)
    zero = nl.zeros(x.shape, dtype=x.dtype, buffer=nl.sbuf)
    nisa.dma_copy(out, zero)
    nisa.dma_copy(metadata, counts)
    ncc.all_to_all_v([x], [out], group, metadata)
    return out, metadata


@nki.jit
def constant_loop(x, rounds, group=WHOLE):
    """A loop whose carry does not vary over the mesh, until a collective writes to it."""
    ring = nl.zeros((2, 4), dtype=nl.float32, buffer=nl.sbuf)
    for _ in range(rounds):
        nisa.tensor_scalar(ring, ring, nl.add, 1.0)
        ncc.collective_permute_implicit([[ring]], [[ring]], group)
    nisa.tensor_tensor(ring, ring, loaded(x), nl.add)
    return stored(ring)
