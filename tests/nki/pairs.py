"""Kernels in both spellings: the same instructions, so the same bits.

Each pair is two functions of the same arrays, `old` in the legacy dialect and `new` in the current one.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

import jnki.neuronxcc.nki as old_nki
import jnki.neuronxcc.nki.isa as old_isa
import jnki.neuronxcc.nki.language as ol
import jnki.nki as nki
import jnki.nki.isa as nisa
import jnki.nki.language as nl

RNG = np.random.default_rng(10)


@dataclass
class Pair:
    old: Callable
    new: Callable
    arrays: tuple[np.ndarray, ...]


def f32(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


PAIRS: dict[str, Pair] = {}


def pair(*arrays):
    """Makes a pair of a function that defines both kernels."""

    def add(define):
        PAIRS[define.__name__] = Pair(*define(), arrays)
        return define

    return add


def loaded(x, dtype=None):
    """A tile with the elements of an HBM tensor."""
    tile = nl.ndarray(x.shape, dtype=dtype or x.dtype, buffer=nl.sbuf)
    nisa.dma_copy(dst=tile, src=x)
    return tile


def stored(tile):
    """An output with the elements of a tile."""
    out = nl.ndarray(tile.shape, dtype=tile.dtype, buffer=nl.shared_hbm)
    nisa.dma_copy(dst=out, src=tile)
    return out


def kernel_of_tiles(body):
    """A legacy kernel that stores the tiles of `body`: it makes outputs by itself, as only a kernel may."""

    def kernel(*arrays):
        results = []
        for result in body(*arrays):
            out = ol.ndarray(result.shape, dtype=result.dtype, buffer=ol.shared_hbm)
            ol.store(out, result)
            results.append(out)
        return tuple(results)

    return old_nki.jit(kernel)


def same(shape_of, dtype=None):
    """A new tile like another one."""
    return nl.ndarray(shape_of.shape, dtype=dtype or shape_of.dtype, buffer=nl.sbuf)


@pair(f32(128, 96))
def softmax():
    @kernel_of_tiles
    def old(x):
        t = ol.load(x)
        highest = old_isa.tensor_reduce(ol.max, t, axis=1, negate=True, keepdims=True)
        total = ol.zeros((128, 1), dtype=ol.float32)
        powers = old_isa.activation_reduce(ol.exp, t, bias=highest, reduce_op=ol.add, reduce_res=total)
        return (old_isa.tensor_scalar(powers, ol.multiply, old_isa.reciprocal(total)),)

    @nki.jit
    def new(x):
        t = loaded(x)
        highest = nl.ndarray((128, 1), dtype=nl.float32)
        nisa.tensor_reduce(highest, nl.max, t, axis=1, negate=True, keepdims=True)
        total, powers = nl.zeros((128, 1), dtype=nl.float32), same(t)
        nisa.activation_reduce(powers, nl.exp, t, reduce_op=nl.add, reduce_res=total, bias=highest)
        nisa.reciprocal(total, total)
        nisa.tensor_scalar(powers, powers, nl.multiply, total)
        return stored(powers)

    return old, new


@pair(f32(256, 64), f32(256, 128))
def matmul_over_two_tiles():
    @kernel_of_tiles
    def old(x, y):
        acc = ol.zeros((64, 128), dtype=ol.float32, buffer=ol.psum)
        for k in ol.static_range(2):
            acc += old_isa.nc_matmul(ol.load(x[k * 128 : (k + 1) * 128]), ol.load(y[k * 128 : (k + 1) * 128]))
        return (ol.copy(acc),)

    @nki.jit
    def new(x, y):
        acc = nl.ndarray((64, 128), dtype=nl.float32, buffer=nl.psum)
        for k in range(2):
            nisa.nc_matmul(acc, loaded(x[k * 128 : (k + 1) * 128]), loaded(y[k * 128 : (k + 1) * 128]))
        tile = same(acc)
        nisa.tensor_copy(tile, acc)
        return stored(tile)

    return old, new


@pair(f32(64, 128))
def transposes():
    @kernel_of_tiles
    def old(x):
        t = ol.load(x)
        return ol.copy(old_isa.nc_transpose(t)), old_isa.nc_transpose(t[0:32, 0:32])

    @nki.jit
    def new(x):
        t = loaded(x)
        whole = nl.ndarray((128, 64), dtype=t.dtype, buffer=nl.psum)
        nisa.nc_transpose(whole, t)
        part = nl.ndarray((32, 32), dtype=t.dtype, buffer=nl.sbuf)
        nisa.nc_transpose(part, t[0:32, 0:32], engine=nisa.vector_engine)
        tile = same(whole)
        nisa.tensor_copy(tile, whole)
        return stored(tile), stored(part)

    return old, new


@pair(f32(128, 64), f32(128, 64))
def arithmetic():
    @kernel_of_tiles
    def old(x, y):
        a, b = ol.load(x), ol.load(y)
        c = old_isa.tensor_tensor(a, b, ol.multiply)
        d = old_isa.tensor_scalar(c, ol.subtract, 0.5, True, ol.maximum, -0.25)
        e = old_isa.scalar_tensor_tensor(data=d, op0=ol.multiply, operand0=b[:, 0:1], op1=ol.add, operand1=a)
        return e, ol.add(ol.exp(a), 1), ol.sum(b, axis=1, keepdims=True)

    @nki.jit
    def new(x, y):
        a, b = loaded(x), loaded(y)
        c, d, e = same(a), same(a), same(a)
        nisa.tensor_tensor(c, a, b, nl.multiply)
        nisa.tensor_scalar(d, c, nl.subtract, 0.5, True, nl.maximum, -0.25)
        nisa.scalar_tensor_tensor(e, d, nl.multiply, b[:, 0:1], nl.add, a)
        return stored(e), stored(nl.add(nl.exp(a), 1)), stored(nl.sum(b, axis=1, keepdims=True))

    return old, new


@pair(RNG.integers(-1000, 1000, (128, 32), np.int32), RNG.integers(0, 31, (128, 32), np.int32))
def bits():
    @kernel_of_tiles
    def old(x, y):
        a, b = ol.load(x), ol.load(y)
        shifted = old_isa.tensor_tensor(a, b, ol.right_shift)
        mixed = old_isa.tensor_scalar(shifted, ol.bitwise_xor, 0x55, False, ol.bitwise_and, 0xFF)
        return mixed, old_isa.tensor_reduce(ol.bitwise_or, a, axis=1)

    @nki.jit
    def new(x, y):
        a, b = loaded(x), loaded(y)
        shifted, mixed = same(a), same(a)
        nisa.tensor_tensor(shifted, a, b, nl.right_shift)
        nisa.tensor_scalar(mixed, shifted, nl.bitwise_xor, 0x55, False, nl.bitwise_and, 0xFF)
        result = nl.ndarray((128, 1), dtype=nl.int32)
        nisa.tensor_reduce(result, nl.bitwise_or, a, axis=1)
        return stored(mixed), stored(result)

    return old, new


@pair(f32(64, 32), RNG.integers(0, 64, (128, 1), np.int32))
def gather_and_scatter():
    @kernel_of_tiles
    def old(table, rows):
        index = ol.load(rows)
        tile = ol.ndarray((128, 32), dtype=table.dtype, buffer=ol.sbuf)
        old_isa.dma_copy(dst=tile, src=table[index, ol.arange(32)[None, :]])
        out = ol.load(table)
        home = ol.ndarray((64, 32), dtype=table.dtype, buffer=ol.hbm)
        ol.store(home, out)
        old_isa.dma_copy(dst=home[index, ol.arange(32)[None, :]], src=ol.multiply(tile, 2))
        return (ol.load(home),)

    @nki.jit
    def new(table, rows):
        index = loaded(rows)
        tile = nl.ndarray((128, 32), dtype=table.dtype, buffer=nl.sbuf)
        nisa.dma_copy(dst=tile, src=table.vector_select(0, index))
        out = stored(loaded(table))
        nisa.tensor_scalar(tile, tile, nl.multiply, 2)
        nisa.dma_copy(dst=out.ap([[32, 128], [1, 32]], vector_offset=index), src=tile)
        return out

    return old, new


@pair(f32(128, 64))
def affine():
    @kernel_of_tiles
    def old(x):
        t, (p, f) = ol.load(x), ol.mgrid[0:128, 0:64]
        return old_isa.affine_select(f - p >= 3, t, -1.0), old_isa.iota(2 * f + 5 * p + 1, ol.int32)

    @nki.jit
    def new(x):
        t, number = loaded(x), nl.ndarray((128, 64), dtype=nl.int32)
        nisa.affine_select(t, [[1, 64]], -1, t, -1.0, nl.greater_equal, offset=-3)
        nisa.iota(number, [[2, 64]], offset=1, channel_multiplier=5)
        return stored(t), stored(number)

    return old, new


@pair(f32(128, 256))
def statistics():
    @kernel_of_tiles
    def old(x):
        t = ol.load(x)
        stats = old_isa.bn_stats(t, dtype=ol.float32)
        mean = old_isa.bn_aggr(stats, dtype=ol.float32)
        return old_isa.activation(ol.rsqrt, mean[:, 1:2], scale=2.0), mean

    @nki.jit
    def new(x):
        t, stats = loaded(x), nl.ndarray((128, 6), dtype=nl.float32)
        mean, root = nl.ndarray((128, 2), dtype=nl.float32), nl.ndarray((128, 1), dtype=nl.float32)
        nisa.bn_stats(stats, t)
        nisa.bn_aggr(mean, stats)
        nisa.activation(root, nl.rsqrt, mean[:, 1:2], scale=2.0)
        return stored(root), stored(mean)

    return old, new


@pair(f32(16, 64), f32(16, 64))
def scan():
    @kernel_of_tiles
    def old(x, y):
        return (old_isa.tensor_tensor_scan(ol.load(x), ol.load(y), 1.0, ol.multiply, ol.add),)

    @nki.jit
    def new(x, y):
        a, b = loaded(x), loaded(y)
        states = same(a)
        nisa.tensor_tensor_scan(states, a, b, 1.0, nl.multiply, nl.add)
        return stored(states)

    return old, new


@pair(f32(128, 64))
def eights():
    @kernel_of_tiles
    def old(x):
        t = ol.load(x)
        best = old_isa.max8(src=t)
        places = old_isa.nc_find_index8(data=t, vals=best)
        return best, places, old_isa.nc_match_replace8(data=t, vals=best, imm=0.0)

    @nki.jit
    def new(x):
        t, best = loaded(x), nl.ndarray((128, 8), dtype=nl.float32)
        places, rest = nl.ndarray((128, 8), dtype=nl.uint32), same(t)
        nisa.max8(best, t)
        nisa.nc_find_index8(places, t, best)
        nisa.nc_match_replace8(rest, t, best, 0.0)
        return stored(best), stored(places), stored(rest)

    return old, new


@pair(f32(128, 64), RNG.integers(0, 2, (128, 64), np.uint8))
def predicates():
    @kernel_of_tiles
    def old(x, when):
        t, where = ol.load(x), ol.load(when)
        copied, chosen = ol.zeros((128, 64), dtype=ol.float32), ol.ndarray((128, 64), dtype=ol.float32)
        old_isa.tensor_copy_predicated(src=t, dst=copied, predicate=where)
        old_isa.select_reduce(dst=chosen, predicate=where, on_true=t, on_false=-1.0)
        return copied, chosen

    @nki.jit
    def new(x, when):
        t, where = loaded(x), loaded(when)
        copied, chosen = nl.zeros((128, 64), dtype=nl.float32), same(t)
        nisa.tensor_copy_predicated(copied, t, where)
        nisa.select_reduce(chosen, where, t, -1.0)
        return stored(copied), stored(chosen)

    return old, new


@pair(f32(64, 32))
def shuffles():
    mask = [(5 * n + 3) % 32 if n % 7 else 255 for n in range(32)]

    @kernel_of_tiles
    def old(x):
        t, out = ol.load(x), ol.zeros((64, 32), dtype=ol.float32)
        old_isa.nc_stream_shuffle(src=t, dst=out, shuffle_mask=mask)
        return out, old_isa.tensor_partition_reduce(ol.add, t)

    @nki.jit
    def new(x):
        t, out, total = loaded(x), nl.zeros((64, 32), dtype=nl.float32), nl.ndarray((1, 32), dtype=nl.float32)
        nisa.nc_stream_shuffle(out, t, mask)
        nisa.tensor_partition_reduce(total, nl.add, t)
        return stored(out), stored(total)

    return old, new


@pair(f32(128, 4, 16))
def views():
    @kernel_of_tiles
    def old(x):
        t = ol.load(x)
        halves = t.reshape((128, 8, 8))
        out = ol.ndarray((128, 8), dtype=x.dtype, buffer=ol.sbuf)
        out[...] = ol.add(halves[:, 3, :], halves[:, 5, :])
        return (out,)

    @nki.jit
    def new(x):
        t = loaded(x)
        halves = t.reshape((128, 8, 8))
        out = nl.ndarray((128, 8), dtype=x.dtype, buffer=nl.sbuf)
        nisa.tensor_tensor(out, halves[:, 3, :], halves.select(1, 5), nl.add)
        return stored(out)

    return old, new


@pair(f32(128, 64))
def casts():
    @kernel_of_tiles
    def old(x):
        t = ol.load(x)
        return (
            old_isa.tensor_copy(t, dtype=ol.bfloat16),
            old_isa.tensor_copy(ol.multiply(t, 100), dtype=ol.int8),
            ol.load(x, dtype=ol.float16),
        )

    @nki.jit
    def new(x):
        t = loaded(x)
        narrow, whole = same(t, nl.bfloat16), same(t, nl.int8)
        nisa.tensor_copy(narrow, t)
        nisa.tensor_copy(whole, nl.multiply(t, 100))
        return stored(narrow), stored(whole), stored(loaded(x, nl.float16))

    return old, new


@pair(f32(32, 64), f32(1, 64))
def language():
    @kernel_of_tiles
    def old(x, w):
        t, gain = ol.load(x), ol.load(w)
        return (
            ol.softmax(t, axis=1),
            ol.rms_norm(t, ol.broadcast_to(gain, shape=(32, 64)), axis=1, n=64),
            ol.where(ol.greater(t, 0, dtype=ol.float32), t, 0.0),
            ol.mean(t, axis=1),
            ol.var(t, axis=1),
        )

    @nki.jit
    def new(x, w):
        t, gain = nl.load(x), nl.load(w)
        return (
            stored(nl.softmax(t)),
            stored(nl.rms_norm(t, nl.broadcast_to(gain, (32, 64)), axis=1, n=64)),
            stored(nl.where(nl.greater(t, 0), t, 0.0)),
            stored(nl.mean(t, axis=1)),
            stored(nl.var(t, axis=1)),
        )

    return old, new
