"""The two meanings of a random copy kernel: as a kernel of the dialect, and as plain NumPy. They share no code."""

import numpy as np

from jnki.neuronxcc import nki
from tests.lower.copy_kernels import Fill, Gather, Keep, Load, Move, Repeat, Scatter, Store

nl, nisa = nki.language, nki.isa

LOOPS = {"affine": nl.affine_range, "sequential": nl.sequential_range, "static": nl.static_range}


def as_nki(spec, loop="sequential"):
    """The kernel, with all its loops of one kind. It takes the source, the indices and the first output."""

    def copies(source, indices, before):
        output = nl.ndarray(spec.output, dtype=before.dtype, buffer=nl.shared_hbm)
        nisa.dma_copy(dst=output, src=before)
        a = nl.zeros(spec.tile, dtype=before.dtype, buffer=nl.sbuf)
        b = nl.ndarray(spec.tile, dtype=before.dtype, buffer=nl.sbuf)
        block(spec, spec.body, {}, {"a": a, "b": b}, (source, indices, output), LOOPS[loop])
        return output

    return nki.jit(copies)


def block(spec, body, at, tiles, memory, loop):
    source, indices, output = memory
    tiles = dict(tiles)
    p, f = nl.arange(spec.tile[0])[:, None], nl.arange(spec.tile[1])[None, :]

    def place(affine):
        return affine.constant + sum(factor * at[name] for name, factor in affine.factors)

    def part(tensor, window):
        row, column = place(window.row) + p, place(window.column) + f
        mask = None
        if window.masked:
            mask = (row >= 0) & (row < tensor.shape[0]) & (column >= 0) & (column < tensor.shape[1])
        return tensor[row, column], mask

    def rows(affine):
        return nl.load(indices[place(affine) + p, 0])

    for statement in body:
        match statement:
            case Repeat():
                for i in loop(statement.values.start, statement.values.stop, statement.values.step):
                    block(spec, statement.body, {**at, statement.name: i}, tiles, memory, loop)
            case Load():
                window, mask = part(source, statement.window)
                tiles[statement.tile] = nl.load(window, mask=mask)
            case Gather():
                tile = nisa.memset(spec.tile, -1, source.dtype)
                picked = source[rows(statement.indices), place(statement.column) + f]
                nisa.dma_copy(dst=tile, src=picked, oob_mode=nisa.oob_mode.skip)
                tiles[statement.tile] = tile
            case Keep(add=False):
                tiles[statement.kept][...] = tiles[statement.tile]
            case Keep(add=True):
                kept = tiles[statement.kept]
                kept += tiles[statement.tile]
            case Fill():
                tiles[statement.kept][...] = statement.value
            case Store():
                window, mask = part(output, statement.window)
                nl.store(window, tiles[statement.tile], mask=mask)
            case Scatter(add=add):
                picked = output[rows(statement.indices), place(statement.column) + f]
                if add:
                    nisa.dma_copy(dst=picked, src=tiles[statement.tile], dst_rmw_op=np.add)
                else:
                    nisa.dma_copy(dst=picked, src=tiles[statement.tile], oob_mode=nisa.oob_mode.skip)
            case Move():
                (src, first), (dst, second) = part(source, statement.source), part(output, statement.destination)
                mask = first if second is None else second if first is None else first & second
                nisa.dma_copy(dst=dst, src=src, mask=mask, dst_rmw_op=np.add if statement.add else None)


class _Tile:
    """A tile of the NumPy run: its values, which of them were written, and the iteration that made it."""

    def __init__(self, shape, dtype, made_in):
        self.values = np.full(shape, np.nan, dtype) if dtype.kind not in "iu" else np.full(shape, -0x5A5A5A5B, dtype)
        self.written = np.zeros(shape, bool)
        self.made_in = made_in


class _Fault(Exception):
    pass


def as_numpy(spec, source, indices, before):
    """The output, and whether some row was out of bounds where that is a fault."""
    output, faulted = before.copy(), []
    a, b = _Tile(spec.tile, source.dtype, None), _Tile(spec.tile, source.dtype, None)
    a.values[...], a.written[...], b.written[...] = 0, True, True
    _numpy_block(spec, spec.body, {}, {"a": a, "b": b}, (source, indices, output), faulted)
    return output, bool(faulted)


def _numpy_block(spec, body, at, tiles, memory, faulted):
    source, indices, output = memory
    tiles, here = dict(tiles), object()
    height, width = spec.tile
    for statement in body:
        match statement:
            case Repeat():
                for value in statement.values:
                    _numpy_block(spec, statement.body, {**at, statement.name: value}, tiles, memory, faulted)
            case Load(name, window):
                tile = tiles[name] = _Tile(spec.tile, source.dtype, here)
                for r in range(height):
                    for c in range(width):
                        place = window.row.at(at) + r, window.column.at(at) + c
                        if _exists(source, place):
                            tile.values[r, c], tile.written[r, c] = source[place], True
            case Gather(name, first, column):
                tile = tiles[name] = _Tile(spec.tile, source.dtype, here)
                tile.values[...], tile.written[...] = -1, True
                for r in range(height):
                    row = indices[first.at(at) + r, 0]
                    if 0 <= row < source.shape[0]:
                        tile.values[r] = source[row, column.at(at) :][:width]
            case Keep(kept, name, add):
                tile, kept = tiles[name], tiles[kept]
                on = tile.written if tile.made_in is here else np.ones(spec.tile, bool)
                value = _added(kept.values, tile.values) if add else tile.values
                kept.values[on] = value[on]
            case Fill(kept, value):
                tiles[kept].values[...] = value
            case Store(name, window):
                for r in range(height):
                    for c in range(width):
                        place = window.row.at(at) + r, window.column.at(at) + c
                        if _exists(output, place):
                            output[place] = tiles[name].values[r, c]
            case Scatter(name, first, column, add):
                values, start = tiles[name].values, column.at(at)
                rows = [int(indices[first.at(at) + r, 0]) for r in range(height)]
                good = [0 <= row < output.shape[0] for row in rows]
                if add:
                    faulted.extend(row for row, ok in zip(rows, good) if not ok)
                    _add_rows(output, rows, good, values, start)
                else:
                    for r, row in enumerate(rows):
                        if good[r]:
                            output[row, start : start + width] = values[r]
            case Move(src, dst, add):
                moved = []
                for r in range(height):
                    for c in range(width):
                        here_, there = ((w.row.at(at) + r, w.column.at(at) + c) for w in (src, dst))
                        if _exists(source, here_) and _exists(output, there):
                            moved.append((there, source[here_]))
                for there, value in moved:
                    output[there] = _added(output[there], value) if add else value


def _exists(array, place):
    return all(0 <= index < size for index, size in zip(place, array.shape))


def _added(x, y):
    return _as(x.astype(np.float32) + y.astype(np.float32), x.dtype)


def _add_rows(output, rows, good, values, start):
    """Repeats are summed in float32 and rounded once."""
    width = values.shape[1]
    for row in {row for row, ok in zip(rows, good) if ok}:
        total = output[row, start : start + width].astype(np.float32)
        for r, other in enumerate(rows):
            if other == row:
                total = total + values[r].astype(np.float32)
        output[row, start : start + width] = _as(total, output.dtype)


def _as(value, dtype):
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        rounded = np.rint(value.astype(np.float64))
        return np.where(np.isnan(rounded), 0, np.clip(rounded, info.min, info.max)).astype(dtype)
    return value.astype(dtype)
