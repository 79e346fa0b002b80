"""How full the memories on chip are over the course of a program, of which an author knows the lifetimes."""

import itertools

import numpy as np
import pytest

import jnki.neuronxcc.nki as nki
import jnki.neuronxcc.nki.compiler as ncc
import jnki.neuronxcc.nki.isa as nisa
import jnki.neuronxcc.nki.language as nl
from jnki import Severity
from jnki import nki as current
from jnki.access.buffer import Space
from jnki.analysis.occupancy import occupancy
from jnki.isa.instruction import Instruction
from jnki.program.program import Loop
from jnki.target import TRN2
from tests.analysis.findings import found
from tests.programs.check import arrays_of
from tests.programs.draw import program as random_program
from tests.programs.meanings import as_kernel

X = np.zeros((128, 64), np.float32)


@nki.jit
def in_a_row(x):
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    a = nl.load(x)  # 256 bytes in each partition
    b = nl.load(x)
    c = nl.add(a, b)  # a, b and c
    d = nl.load(x[:, 0:32])  # c and d: 128 bytes
    e = nl.multiply(c[:, 0:32], d)
    nl.store(out[:, 0:32], e)
    nl.store(out[:, 32:64], c[:, 32:64])
    return out


def test_a_tensor_is_needed_from_its_first_use_to_its_last_one():
    (sbuf,) = in_a_row.occupancy(X)
    spans = {life.buffer.name: (life.first, life.last, life.size_bytes) for life in sbuf.lifetimes}
    assert spans == {"a": (0, 2, 256), "b": (1, 2, 256), "c": (2, 6, 256), "d": (3, 4, 128), "e": (4, 5, 128)}
    assert sbuf.used_bytes == (256, 512, 768, 384, 512, 384, 256)
    assert (sbuf.peak, sbuf.peak_bytes, sbuf.limit_bytes) == (2, 768, TRN2.sbuf_bytes_per_partition)
    assert sbuf.at.location.text.startswith("c = nl.add(a, b)")
    assert {life.buffer.name for life in sbuf.alive} == {"a", "b", "c"}


def test_the_report():
    report = in_a_row.occupancy(X)
    line = report[0].at.location.short()
    assert str(report) == (
        f"sbuf: 768 of {TRN2.sbuf_bytes_per_partition} bytes per partition (0 %), at {line}\n"
        "       256  a\n       256  b\n       256  c"
    )

    @nki.jit
    def moves_in_hbm(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        nisa.dma_copy(dst=out, src=x)
        return out

    assert str(moves_in_hbm.occupancy(X)) == "nothing on chip"


def test_a_loop_needs_what_it_uses_from_outside_all_the_time():
    @nki.jit
    def kernel(x):
        out = nl.ndarray((4, 128, 64), dtype=x.dtype, buffer=nl.shared_hbm)
        scale = nl.load(x)
        for i in nl.affine_range(4):
            tile = nl.load(x)
            first = nl.multiply(tile, scale)
            nl.store(out[i], first)
        return out

    (sbuf,) = kernel.occupancy(X)
    spans = {life.buffer.name: (life.first, life.last) for life in sbuf.lifetimes}
    assert spans == {"scale": (0, 3), "tile": (1, 2), "first": (2, 3)}
    assert sbuf.used_bytes == (256, 512, 768, 512)


def test_psum_and_block_axes():
    @nki.jit
    def kernel(x):
        out = nl.ndarray((128, 128), dtype=x.dtype, buffer=nl.shared_hbm)
        tiles = nl.ndarray((3, nl.par_dim(128), 64), dtype=x.dtype, buffer=nl.sbuf)
        for i in nl.affine_range(3):
            tiles[i] = nl.load(x)
        total = nl.zeros((64, 64), dtype=nl.float32, buffer=nl.psum)
        for i in nl.affine_range(3):
            total += nisa.nc_matmul(tiles[i], tiles[i])
        nl.store(out[0:64, 0:64], total)
        nl.store(out[64:128, 64:128], total)
        nl.store(out[0:64, 64:128], total)
        nl.store(out[64:128, 0:64], total)
        return out

    sbuf, psum = kernel.occupancy(X)
    assert sbuf.lifetimes[0].size_bytes == 3 * 256
    assert (str(psum.space), psum.peak_bytes, psum.limit_bytes) == ("psum", 256, TRN2.psum_bytes_per_partition)


def test_tensors_in_one_place_count_once():
    def kernel_with(second_byte):
        @nki.jit
        def kernel(x):
            out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
            a = nl.ndarray((nl.par_dim(128), 64), dtype=x.dtype, buffer=ncc.sbuf.alloc(at(0)))
            b = nl.ndarray((nl.par_dim(128), 64), dtype=x.dtype, buffer=ncc.sbuf.alloc(at(second_byte)))
            nisa.dma_copy(dst=a, src=x)
            nisa.dma_copy(dst=b, src=x)
            nisa.dma_copy(dst=out[:, 0:32], src=a[:, 0:32])
            nisa.dma_copy(dst=out[:, 32:64], src=b[:, 32:64])
            return out

        return kernel

    def at(byte):
        return lambda idx, pdim_size, fdim_size: (0, byte)

    (apart,) = kernel_with(256).occupancy(X)
    (half,) = kernel_with(128).occupancy(X)
    assert (apart.peak_bytes, half.peak_bytes) == (512, 384)
    assert {life.buffer.name: life.size_bytes for life in half.lifetimes} == {"a": 256, "b": 256}


def holding(tiles, columns):
    """A kernel that needs all its tiles at the end; no instruction needs more than two of them."""

    @nki.jit
    def kernel(x):
        out = nl.ndarray((128, 64), dtype=x.dtype, buffer=nl.shared_hbm)
        held = [nl.zeros((128, columns), dtype=x.dtype, buffer=nl.sbuf) for _ in range(tiles)]
        for tile in held:
            nl.store(out, tile[:, 0:64])
        return out

    return kernel


def test_more_than_there_is_at_one_time_is_a_warning():
    columns = TRN2.sbuf_bytes_per_partition // 4 // 4
    assert not found(holding(4, columns), "capacity", X)
    (finding,) = found(holding(5, columns), "capacity", X)
    assert finding.severity is Severity.WARNING
    assert finding.rule == "capacity.sbuf_peak"
    assert finding.message == "the tensors that are needed at the same time do not fit in sbuf"
    assert finding.given.startswith(f"{20 * columns} bytes per partition: '")
    assert finding.given.count(f" {4 * columns}") == 5
    assert finding.allowed == f"{16 * columns} on trn2; a compiler may reorder the program, or spill"


def test_each_core_has_a_memory_of_its_own():
    @current.jit
    def kernel(x):
        nl, nisa = current.language, current.isa
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        me = nl.program_id(0)
        rows = slice(0, 32) if me == 0 else slice(32, 128)
        tile = nl.ndarray((rows.stop - rows.start, 64 * (1 + me)), dtype=x.dtype, buffer=nl.sbuf)
        nisa.dma_copy(tile[:, 0:64], x[rows])
        nisa.dma_copy(out[rows], tile[:, 0:64])
        return out

    report = kernel[2].occupancy(X)
    assert [(one.core, one.peak_bytes) for one in report] == [(0, 256), (1, 512)]
    assert str(report).startswith("sbuf of core 0: 256 of ")


@pytest.mark.parametrize("trips", [1, 3])
def test_unrolled_and_recorded_loops_have_one_peak(trips):
    def kernel_over(loop):
        @nki.jit
        def kernel(x):
            out = nl.ndarray((trips, 128, 64), dtype=x.dtype, buffer=nl.shared_hbm)
            for i in loop(trips):
                nl.store(out[i], nl.exp(nl.load(x)))
            return out

        return kernel

    peaks = {kernel_over(loop).occupancy(X)[0].peak_bytes for loop in (nl.affine_range, nl.static_range)}
    assert peaks == {512}


def most_in_use(program):
    """The peak by running through all iterations: each makes its tensors anew, needed from first to last use."""
    steps, sizes = [], {}

    def walk(nodes, instances):
        for node in nodes:
            if isinstance(node, Instruction):
                used = {a.buffer for o in node.operands().values() for a in o.accesses()}
                steps.append({(b.name, instances.get(b.name, 0)) for b in used if b.space is Space.SBUF})
                for b in used:
                    sizes[b.name] = b.size_bytes // b.shape[b.partition_axis]
                continue
            for _ in range(node.symbol.trips):
                serial = next(serials)
                walk(node.body, instances | {b.name: serial for b in node.buffers})

    serials = itertools.count(1)
    walk(program.body, {})
    first, last = {}, {}
    for number, used in enumerate(steps):
        for one in used:
            first.setdefault(one, number)
            last[one] = number
    in_use = (sum(sizes[n] for n, i in first if first[n, i] <= k <= last[n, i]) for k in range(len(steps)))
    return max(in_use, default=0)


def test_random_programs_need_no_more_than_is_said():
    exact = 0
    for seed in range(40):
        kernel = as_kernel(random_program(seed), nl.sequential_range)
        x, rows = arrays_of(seed)
        program = kernel.trace(x[0], x[0], rows)
        said = next((one.peak_bytes for one in occupancy(program) if one.space is Space.SBUF), 0)
        needed = most_in_use(program)
        assert said >= needed, seed
        exact += said == needed
        if not any(isinstance(node, Loop) for node in program.body):
            assert said == needed, seed
    assert exact > 10
