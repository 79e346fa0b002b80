"""Copies whose result hangs on an order that hardware does not promise, beside twins of which it does not."""

import numpy as np
import pytest

import jnki.neuronxcc.nki as nki
import jnki.neuronxcc.nki.isa as nisa
import jnki.neuronxcc.nki.language as nl
from jnki import Severity
from jnki import nki as current
from tests.analysis.findings import found

X = np.zeros((64, 256), np.float32)
ROWS = np.zeros((64, 1), np.int32)


def scatter(op):
    @nki.jit
    def kernel(x, rows):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        nl.store(out, nl.load(x))
        i_p, i_f = nl.arange(64)[:, None], nl.arange(256)[None, :]
        index = nl.load(rows)
        nisa.dma_copy(dst=out[index[i_p, 0], i_f], src=nl.load(x), dst_rmw_op=op)
        return out

    return found(kernel, "dma", X, ROWS)


def test_rows_of_an_index_may_repeat():
    (finding,) = scatter(None).of("dma.repeated_rows")
    assert finding.severity is Severity.ADVICE
    assert finding.message == "dma_copy writes rows that 'index' names, and it may name one twice"
    assert finding.given == "the last one wins here"
    (finding,) = scatter(np.add).of("dma.repeated_rows_added")
    assert finding.given == "they are summed in order here, and rounded once"


@pytest.mark.parametrize(("step", "may_repeat"), [(1, False), (2, False), (0, True)])
def test_rows_that_are_counted_off_do_not_repeat(step, may_repeat):
    @nki.jit
    def kernel(x):
        out = nl.ndarray((128, 256), dtype=x.dtype, buffer=nl.shared_hbm)
        i_p, i_f = nl.arange(64)[:, None], nl.arange(256)[None, :]
        index = nisa.iota(step * i_p, dtype=nl.int32)
        nisa.dma_copy(dst=out[index[i_p, 0], i_f], src=x)
        return out

    assert bool(found(kernel, "dma.repeated_rows", X)) == may_repeat


def test_an_index_that_something_else_writes_too_may_repeat():
    @nki.jit
    def kernel(x):
        out = nl.ndarray((128, 256), dtype=x.dtype, buffer=nl.shared_hbm)
        i_p, i_f = nl.arange(64)[:, None], nl.arange(256)[None, :]
        index = nl.ndarray((64, 1), dtype=nl.int32, buffer=nl.sbuf)
        index[...] = nisa.iota(i_p, dtype=nl.int32)
        index[0:3] = 1
        nisa.dma_copy(dst=out[index[i_p, 0], i_f], src=x)
        return out

    assert found(kernel, "dma.repeated_rows", X)


def shifting(dst, src):
    @nki.jit
    def kernel(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        nisa.dma_copy(dst=out, src=x)
        nisa.dma_copy(dst=out[dst], src=out[src])
        return out

    return found(kernel, "dma.overlap", X)


def test_a_copy_that_writes_where_it_reads():
    (finding,) = shifting(slice(1, 9), slice(0, 8))
    assert finding.severity is Severity.WARNING
    assert finding.message == "dma_copy writes tensor 'out' where it reads it"
    assert finding.given.endswith(" meet at [1, 0]")
    assert finding.allowed == "places apart, or a copy in between: here, all reads come before all writes"


def test_twins_that_stay_apart_or_in_place():
    assert not shifting(slice(8, 16), slice(0, 8))
    assert not shifting(slice(0, 8), slice(0, 8))
    assert not shifting(slice(0, 64, 2), slice(1, 64, 2))


@pytest.mark.parametrize("distance", [1, 4])
def test_overlap_inside_a_loop_is_that_of_one_iteration(distance):
    @nki.jit
    def kernel(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        nisa.dma_copy(dst=out, src=x)
        for i in nl.sequential_range(8):
            nisa.dma_copy(dst=out[nl.ds(i * 4 + distance, 4)], src=out[nl.ds(i * 4, 4)])
        return out

    assert bool(found(kernel, "dma.overlap", X)) == (distance < 4)


def test_what_run_time_decides_is_advice():
    @current.jit
    def kernel(x, rows):
        nl, nisa = current.language, current.isa
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        index = nl.ndarray((64, 1), dtype=nl.int32, buffer=nl.sbuf)
        nisa.dma_copy(out, x)
        nisa.dma_copy(index, rows)
        rows = out.ap([[256, 64], [1, 256]], vector_offset=index, indirect_dim=0)
        nisa.dma_copy(rows, out)
        return out

    (finding,) = found(kernel, "dma.overlap", X, ROWS)
    assert finding.severity is Severity.ADVICE
    assert finding.message == "dma_copy may write tensor 'out' where it reads it"
