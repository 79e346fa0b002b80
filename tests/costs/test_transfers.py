"""What each DMA moves, against numbers worked out by hand."""

import itertools

import numpy as np
import pytest

import jnki.nki as nki
from jnki.access.access import Access, Dim
from jnki.access.affine import Affine
from jnki.access.buffer import Buffer, Space
from jnki.costs.transfers import pieces
from jnki.dtypes import element_type

nl, nisa = nki.language, nki.isa

X = np.zeros((128, 512), np.float32)


def moved(body, *args, **kwargs):
    """The DMAs of a kernel that returns `out [128, 512]`."""

    @nki.jit
    def kernel(*args):
        out = nl.ndarray((128, 512), dtype=args[0].dtype, buffer=nl.shared_hbm)
        body(out, *args)
        return out

    return kernel.report(*args).transfers


def tile(*shape, dtype=nl.float32):
    return nl.ndarray(shape, dtype=dtype, buffer=nl.sbuf, name="tile")


def test_a_whole_copy_in_hbm_is_one_piece():
    (move,) = moved(lambda out, x: nisa.dma_copy(out, x), X)
    assert (move.read_bytes, move.written_bytes, move.hbm_bytes) == (262144, 262144, 524288)
    assert (move.descriptors, move.source_run_bytes, move.destination_run_bytes) == (1, 262144, 262144)
    assert (move.times, move.is_most) == (1, False)
    assert (move.sources, move.destination) == (("hbm:args_0",), "hbm:out")
    assert move.dge[0] == "hwdge"


def test_a_tile_has_a_piece_for_each_partition():
    def body(out, x):
        nisa.dma_copy(t := tile(128, 512), x)
        nisa.dma_copy(out, t)

    load, store = moved(body, X)
    assert (load.descriptors, load.source_run_bytes, load.destination_run_bytes) == (128, 262144, 2048)
    assert (load.hbm_bytes, store.hbm_bytes) == (262144, 262144)
    assert (store.descriptors, store.source_run_bytes) == (128, 2048)


def test_every_other_element_is_a_piece_of_its_own():
    (move,) = moved(lambda out, x: nisa.dma_copy(out[:, 0:256], x[:, 0:512:2]), X)
    assert (move.descriptors, move.source_run_bytes, move.destination_run_bytes) == (128 * 256, 4, 1024)


def test_loops_and_casts():
    def body(out, x):
        for i in range(8):
            t = nl.ndarray((16, 512), dtype=nl.bfloat16, buffer=nl.sbuf)
            nisa.dma_copy(t, x[16 * i : 16 * i + 16])
            nisa.dma_copy(out[16 * i : 16 * i + 16], t)

    load, store = moved(body, X)
    assert (load.times, load.read_bytes, load.written_bytes) == (8, 32768, 16384)
    assert (load.total_bytes, store.total_bytes) == (8 * 32768, 8 * 32768)


def test_a_gather_moves_at_most_so_much():
    def body(out, x, rows):
        index = nl.ndarray((128, 1), dtype=nl.int32, buffer=nl.sbuf)
        nisa.dma_copy(index, rows)
        nisa.dma_copy(out, x.ap([[512, 128], [1, 512]], vector_offset=index, indirect_dim=0))

    _, move = moved(body, X, np.zeros((128, 1), np.int32))
    assert move.is_most and move.dge[0] == "swdge" and move.read_bytes == 262144


def test_an_addition_reads_what_it_adds_to():
    def body(out, x):
        nisa.dma_copy(out, x)
        nisa.dma_compute(out, [x, out], reduce_op=nl.add)

    _, move = moved(body, X)
    assert (move.read_bytes, move.written_bytes) == (2 * 262144, 262144)


def test_a_loop_of_unknown_length():
    def body(out, x, count):
        trips = nisa.register_alloc(0)
        nisa.register_load(trips, count)
        for _ in nl.dynamic_range(0, trips):
            nisa.dma_copy(out, x)

    (move,) = [m for m in moved(body, X, np.ones((1, 1), np.int32)) if m.name == "dma_copy"]
    assert move.times is None and move.total_bytes == 0 and move.moved_bytes == 262144


@pytest.mark.parametrize("seed", range(30))
def test_pieces_against_a_walk(seed):
    rng = np.random.default_rng(seed)
    kind = element_type(np.float32)

    def access(name):
        inner, gap = rng.integers(1, 6), rng.integers(0, 2)
        outer = 24 // inner if 24 % inner == 0 else 0
        if not outer:
            return access(name)
        step = int(inner + gap)
        buffer = Buffer(name, Space.HBM, (int(outer), step), kind)
        return Access(buffer, Affine(0), (Dim(step, int(outer)), Dim(1, int(inner))))

    one, other = access("a"), access("b")

    def places(a):
        return [d * a.dims[0].step + e for d in range(a.dims[0].count) for e in range(a.dims[1].count)]

    walked = list(zip(places(one), places(other)))
    breaks = sum((b[0] - a[0], b[1] - a[1]) != (1, 1) for a, b in itertools.pairwise(walked))
    assert pieces(one, other) == breaks + 1
