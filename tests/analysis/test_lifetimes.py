"""Blocks in one place: reading what another block has overwritten is found, and nothing else is."""

import random
from dataclasses import replace

import numpy as np
import pytest

import jnki.neuronxcc.nki as nki
import jnki.neuronxcc.nki.compiler as ncc
import jnki.neuronxcc.nki.isa as nisa
import jnki.neuronxcc.nki.language as nl
from jnki import RuleError
from jnki.access.access import Access, Dim
from jnki.access.affine import ZERO, Affine, Symbol
from jnki.access.buffer import Buffer, Place, Space
from jnki.access.mask import as_mask
from jnki.analysis import lifetimes
from jnki.analysis.lifetimes import check_lifetimes
from jnki.dtypes import element_type
from jnki.isa.vector.memset import Memset
from jnki.isa.vector.tensor_copy import TensorCopy
from jnki.program.program import Loop, LoopKind
from tests.targets import TINY

X = np.ones((8, 128, 16), np.float32)
BF16 = element_type("bfloat16")
ELSEWHERE = Buffer("elsewhere", Space.PSUM, (4, 8), BF16, 0, (Place(0, 0, 1),))


def loading_then_reading(tiles, blocks=4, decorate=lambda kernel: kernel):
    @nki.jit
    def kernel(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        where = ncc.sbuf.mod_alloc(base_addr=0, num_free_tiles=tiles)
        t = nl.ndarray((blocks, nl.par_dim(128), 16), x.dtype, buffer=where)
        u = nl.ndarray((blocks, nl.par_dim(128), 16), x.dtype, buffer=ncc.sbuf.mod_alloc(base_addr=4096))
        for i in nl.affine_range(blocks):
            t[i] = nl.load(x[i])
        for i in nl.affine_range(blocks):
            u[i] = nl.add(t[i], 1.0)  # read
            nl.store(out[i], u[i])
        return out

    return decorate(kernel)


def test_what_is_read_after_another_block_took_its_place():
    with pytest.raises(RuleError) as caught:
        loading_then_reading((2,))(X[:4])
    error = caught.value
    assert error.rule == "allocation.lifetime"
    assert str(error).splitlines()[0] == (
        "allocation.lifetime: tensor_scalar: it reads 't'[0] (byte 0), which 't'[2] (byte 0) has overwritten"
    )
    line = error.location.line - 2
    place = f"dma_copy at test_lifetimes.py:{line} writes"
    assert error.given == f"{place} 't'[0] (byte 0), {place} 't'[2] (byte 0), then it is read"
    assert error.allowed == "places apart for what is needed at the same time; force_auto_alloc ignores all places"
    assert error.location.text.endswith("# read")


@pytest.mark.parametrize("tiles", [(4,), (8,)])
def test_a_place_for_each_block_is_enough(tiles):
    np.testing.assert_array_equal(loading_then_reading(tiles)(X[:4]), X[:4] + 1)


def test_forced_automatic_allocation_ignores_places():
    forced = loading_then_reading((2,), decorate=ncc.force_auto_alloc)
    np.testing.assert_array_equal(forced(X[:4]), X[:4] + 1)
    assert " at byte" not in str(forced.trace(X[:4]))


def test_a_pipeline_may_use_its_places_in_turn():
    """Loads run two blocks ahead of what uses them, in three places."""

    def kernel(tiles):
        @nki.jit
        def pipelined(x):
            out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
            where = ncc.sbuf.mod_alloc(base_addr=0, num_free_tiles=(tiles,))
            t = nl.ndarray((8, nl.par_dim(128), 16), x.dtype, buffer=where)
            u = nl.ndarray((8, nl.par_dim(128), 16), x.dtype, buffer=ncc.sbuf.mod_alloc(base_addr=1024))
            for i in range(10):
                if i < 8:
                    t[i] = nl.load(x[i])
                if i >= 2:
                    u[i - 2] = nl.add(t[i - 2], 1.0)
                    nl.store(out[i - 2], u[i - 2])
            return out

        return pipelined

    np.testing.assert_array_equal(kernel(3)(X), X + 1)
    with pytest.raises(RuleError, match=r"reads 't'\[0\] \(byte 0\), which 't'\[2\]"):
        kernel(2)(X)


def test_a_buffer_of_a_loop_is_new_in_each_iteration():
    @nki.jit
    def kernel(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        for i in nl.affine_range(8):
            a = nl.ndarray((128, 16), x.dtype, buffer=ncc.sbuf.mod_alloc(base_addr=0))
            b = nl.ndarray((128, 16), x.dtype, buffer=ncc.sbuf.mod_alloc(base_addr=64))
            a[...] = nl.load(x[i])
            b[...] = nl.add(a, 1.0)
            c = nl.ndarray((128, 16), x.dtype, buffer=ncc.sbuf.mod_alloc(base_addr=0))
            c[...] = nl.multiply(b, 2.0)
            nl.store(out[i], c)
        return out

    np.testing.assert_array_equal(kernel(X), (X + 1) * 2)


# Straight programs against memory, byte by byte.


def tile(buffer, block=0, rows=(0, 4), columns=(0, 8), offset=ZERO):
    """Rows and columns of one block of a `[P, F]` buffer with one block axis."""
    _, partitions, free = buffer.shape
    start = block * partitions * free + rows[0] * free + columns[0]
    dims = (Dim(free, rows[1] - rows[0]), Dim(1, columns[1] - columns[0]))
    return Access(buffer, offset + start, dims)


def draw(rng):
    """Buffers of one block axis in random places, and copies to and from parts of their blocks."""
    buffers = []
    for number in range(rng.randint(2, 3)):
        partitions = rng.choice([2, 4])
        starts = {2: [0, 2], 4: [0]}[partitions]
        places = tuple(Place(rng.choice(starts), rng.randrange(0, 6, 2)) for _ in range(rng.randint(1, 2)))
        shape = (len(places), partitions, rng.randint(1, 4))
        buffers.append(Buffer(f"b{number}", Space.SBUF, shape, BF16, 1, places))
    steps = []
    for _ in range(rng.randint(3, 16)):
        buffer = rng.choice(buffers)
        blocks, partitions, free = buffer.shape
        rows, columns = (sorted(rng.sample(range(n + 1), 2)) for n in (partitions, free))
        steps.append((rng.random() < 0.5, buffer, rng.randrange(blocks), rows, columns))
    return steps


def reads_what_is_lost(steps):
    """Whether a read meets a byte that its block has written and another block has written since."""
    holder, wrote = {}, {}
    for is_read, buffer, block, rows, columns in steps:
        place = buffer.places[block]
        cells = [
            (place.partition + row, place.byte + byte)
            for row in range(*rows)
            for byte in range(2 * columns[0], 2 * columns[1])
        ]
        me = buffer.name, block
        mine = wrote.setdefault(me, set())
        if is_read and any(cell in mine and holder[cell] != me for cell in cells):
            return True
        if not is_read:
            mine.update(cells)
            holder.update(dict.fromkeys(cells, me))
    return False


def instruction(step):
    is_read, buffer, block, rows, columns = step
    part = tile(buffer, block, rows, columns)
    other = Access(ELSEWHERE, ZERO, part.dims)
    return TensorCopy(dst=other, src=part) if is_read else TensorCopy(dst=part, src=other)


def is_flagged(nodes):
    try:
        check_lifetimes(tuple(nodes), TINY)
    except RuleError as error:
        assert error.rule == "allocation.lifetime"
        return True
    return False


def test_drawn_programs_against_bytes():
    rng, seen = random.Random(5), [0, 0]
    for _ in range(1500):
        steps = draw(rng)
        expected = reads_what_is_lost(steps)
        assert is_flagged(map(instruction, steps)) == expected, steps
        seen[expected] += 1
    assert min(seen) > 200


A, B = (Buffer(name, Space.SBUF, (2, 4, 8), BF16, 1, (Place(0, 0), Place(0, 16))) for name in "ab")


def copy(dst=None, src=None, **more):
    spare = Access(ELSEWHERE, ZERO, (dst or src).dims)
    return TensorCopy(dst=dst or spare, src=src or spare, **more)


def test_what_is_not_certain_is_not_flagged():
    mask = as_mask(nl.arange(4)[:, None] < 3)
    gaps = gaps_of(B)
    assert is_flagged([copy(dst=tile(A)), copy(dst=tile(B)), copy(src=tile(A))])
    assert not is_flagged([copy(dst=tile(A)), copy(dst=gaps), copy(src=tile(A))])
    assert not is_flagged([copy(dst=tile(A)), Memset(dst=tile(B), value=0), copy(src=tile(A))])
    assert not is_flagged([copy(dst=tile(A)), copy(dst=tile(B)), copy(dst=gaps_of(A)), copy(src=tile(A))])
    assert not is_flagged([copy(dst=tile(A)), copy(dst=tile(B), mask=mask), copy(src=tile(A))])


def gaps_of(buffer):
    return replace(tile(buffer), dims=(Dim(8, 4), Dim(7, 2)))


def test_loops_are_walked_as_far_as_the_limit_goes(monkeypatch):
    i = Symbol("i", 2)
    late = Loop(i, LoopKind.SEQUENTIAL, (copy(src=tile(A)), copy(dst=tile(A)), copy(dst=tile(B))))
    assert is_flagged([late])  # only in the second iteration
    monkeypatch.setattr(lifetimes, "MAX_STEPS", 3)
    assert not is_flagged([late])


def test_an_index_of_a_loop_tells_blocks_apart():
    i = Symbol("i", 2)
    at_i = Affine(0, ((i, 32),))
    writes = Loop(i, LoopKind.AFFINE, (copy(dst=tile(A, offset=at_i)),))
    assert not is_flagged([writes, copy(dst=tile(B, 1)), copy(src=tile(A, 0))])
    assert is_flagged([writes, copy(dst=tile(B, 1)), copy(src=tile(A, 1))])


def test_banks_of_psum_are_apart():
    def kernel(bank):
        @nki.jit
        def products(x):
            out = nl.ndarray((2, 16, 16), dtype=nl.float32, buffer=nl.shared_hbm)
            a = nl.ndarray((128, 16), x.dtype, buffer=ncc.sbuf.mod_alloc(base_addr=0))
            s = nl.ndarray((16, 16), nl.float32, buffer=ncc.sbuf.mod_alloc(base_addr=64))
            p = nl.ndarray((16, 16), nl.float32, buffer=ncc.psum.mod_alloc(base_bank=0))
            q = nl.ndarray((16, 16), nl.float32, buffer=ncc.psum.mod_alloc(base_bank=bank))
            a[...] = nl.load(x[0])
            p[...] = nisa.nc_matmul(a, a)
            q[...] = nisa.nc_matmul(a, a)
            for number, bank_tile in enumerate((q, p)):
                s[...] = nisa.tensor_copy(bank_tile)
                nl.store(out[number], s)
            return out

        return products

    np.testing.assert_array_equal(kernel(1)(X), np.full((2, 16, 16), 128))
    with pytest.raises(RuleError, match=r"reads 'p' \(bank 0\), which 'q' \(bank 0\) has overwritten"):
        kernel(0)(X)
