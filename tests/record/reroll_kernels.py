"""Kernels whose loops are unrolled, small ones of each kind: each is made anew, since a kernel keeps what it recorded.

All take `x` float32 `[8, 4, 8]` and `rows` int32 `[8, 4, 1]`, and return something of the size of `x`.
"""

import numpy as np

from jnki.neuronxcc import nki

nl, nisa = nki.language, nki.isa

COUNT, TALL, WIDE = 8, 4, 8


def independent(x, rows):
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    for i in nl.static_range(COUNT):
        tile = nl.load(x[i])
        nl.store(out[i], nl.multiply(tile, tile))
    return out


def nested(x, rows):
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    for i in nl.static_range(2):
        total = nl.zeros((TALL, WIDE), nl.float32)
        for k in nl.static_range(4):
            total[...] = nl.add(total, nl.load(x[4 * i + k]))
        for k in range(4):
            nl.store(out[2 * k + i], total)
    return out


def lists_of_tiles(x, rows):
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    tiles = [nl.load(x[i]) for i in range(COUNT)]
    for i in range(COUNT):
        total = nl.zeros((TALL, WIDE), nl.float32)
        for k in range(COUNT):
            total[...] = nl.add(total, tiles[k])
        nl.store(out[i], nl.subtract(total, tiles[COUNT - 1 - i]))
    return out


def lists_of_lists(x, rows):
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    tiles = [[nl.load(x[2 * i + k]) for k in range(2)] for i in range(2)]
    for i in range(2):
        for k in range(2):
            nl.store(out[2 * i + k], nl.maximum(tiles[i][k], tiles[k][i]))
            nl.store(out[4 + 2 * i + k], nl.subtract(tiles[i][k], tiles[k][i]))
    return out


def handed_on(x, rows):
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    total = nl.zeros((TALL, WIDE), nl.float32)
    for i in range(COUNT):
        total = nl.add(total, nl.load(x[i]))
        nl.store(out[i], total)
    return out


def handed_on_late(x, rows):
    """The old tile is still needed when the new one is there."""
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    most = nl.full((TALL, WIDE), -9.0, nl.float32)
    for i in range(COUNT):
        new = nl.maximum(most, nl.load(x[i]))
        nl.store(out[i], nl.subtract(new, most))
        most = new
    return out


def fetched_ahead(x, rows):
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    ahead = nl.load(x[0])
    for i in range(COUNT):
        tile = ahead
        if i + 1 < COUNT:
            ahead = nl.load(x[i + 1])
        nl.store(out[i], nl.multiply(tile, tile))
    return out


def lists_handed_on(x, rows):
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    totals = [nl.zeros((TALL, WIDE), nl.float32) for _ in range(4)]
    for i in range(2):
        for k in range(4):
            totals[k] = nl.add(totals[k], nl.load(x[4 * i + k]))
        for k in range(4):
            nl.store(out[4 * i + k], totals[k])
    return out


def first_and_last_differ(x, rows):
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    total = nl.ndarray((TALL, WIDE), nl.float32)
    for i in nl.static_range(COUNT):
        tile = nl.load(x[i])
        if i == 0:
            total[...] = nl.copy(tile)
        else:
            total[...] = nl.add(total, tile)
        if i == COUNT - 1:
            total[...] = nl.negative(total)
        nl.store(out[i], total)
    return out


def ragged(x, rows):
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    p, f = nl.arange(TALL)[:, None], nl.arange(WIDE)[None, :]
    for i in nl.static_range(COUNT):
        tile = nl.zeros((TALL, WIDE), nl.float32)
        tile[p, f] = nl.load(x[i, p, f], mask=TALL * i + p < 29)
        nl.store(out[i, p, f], tile, mask=TALL * i + p < 31)
        nl.store(out[i, p, f], -1.0, mask=TALL * i + p >= 31)
    return out


def made_in_parts(x, rows):
    """A tile that no instruction overwrites whole: an element that is not written must not be an old one."""
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    for i in nl.static_range(COUNT):
        tile = nl.ndarray((TALL, WIDE), nl.float32)
        tile[:, 0:4] = nl.load(x[i, :, 4:8])
        if i % 2 == 0:
            tile[:, 4:8] = nl.load(x[i, :, 0:4])
        nl.store(out[i], tile)
    return out


def in_recorded_loops(x, rows):
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    for i in nl.affine_range(2):
        total = nl.zeros((TALL, WIDE), nl.float32)
        for k in nl.static_range(4):
            total[...] = nl.add(total, nl.load(x[4 * i + k]))
            nl.store(out[4 * i + k], total)
    return out


def around_recorded_loops(x, rows):
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    for i in nl.static_range(4):
        total = nl.zeros((TALL, WIDE), nl.float32)
        for k in nl.sequential_range(2):
            tile = nl.load(x[2 * i + k])
            total[...] = nl.add(total, tile)
            nl.store(out[2 * i + k], total)
    return out


def along_rows(x, rows):
    """Offsets that advance evenly through the buffer, but not along its axes."""
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    for i in nl.static_range(COUNT):
        for k in nl.static_range(4):
            nl.store(out[i, :, 2 * k : 2 * k + 2], nl.negative(nl.load(x[i, :, 2 * k : 2 * k + 2])))
    return out


def numbers_of_iterations(x, rows):
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    for i in nl.static_range(COUNT):
        tile = nisa.iota(nl.arange(TALL)[:, None] * 8 + nl.arange(WIDE)[None, :] + 3 * i, dtype=nl.float32)
        nl.store(out[i], nl.add(tile, nl.load(x[i])))
    return out


def gathers(x, rows):
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    table = x.reshape((COUNT * TALL, WIDE))
    f = nl.arange(WIDE)[None, :]
    for i in nl.sequential_range(2):
        for k in nl.static_range(2):
            for n in nl.static_range(2):
                index = nl.load(rows[4 * i + 2 * k + n])
                tile = nl.ndarray((TALL, WIDE), nl.float32)
                nisa.dma_copy(dst=tile, src=table[index, f])
                nl.store(out[4 * i + 2 * k + n], tile)
    return out


KERNELS = (
    independent,
    nested,
    lists_of_tiles,
    lists_of_lists,
    handed_on,
    handed_on_late,
    fetched_ahead,
    lists_handed_on,
    first_and_last_differ,
    ragged,
    made_in_parts,
    in_recorded_loops,
    around_recorded_loops,
    along_rows,
    numbers_of_iterations,
    gathers,
)


def arrays(seed=0):
    """Small integers, which every order of additions keeps exact."""
    rng = np.random.default_rng(seed)
    x = rng.integers(-8, 9, (COUNT, TALL, WIDE)).astype(np.float32)
    return x, rng.integers(0, COUNT * TALL, (COUNT, TALL, 1)).astype(np.int32)
