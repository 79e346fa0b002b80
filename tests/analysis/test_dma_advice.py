"""How many bytes a DMA finds one after the other, against a count by hand; and what is told of it."""

import numpy as np
import pytest

import jnki.neuronxcc.nki as nki
import jnki.neuronxcc.nki.isa as nisa
import jnki.neuronxcc.nki.language as nl
from jnki import Severity
from jnki.access.access import Access, Dim
from jnki.access.affine import Affine
from jnki.access.buffer import Buffer, Space
from jnki.analysis.dma_advice import run_length
from jnki.dtypes import element_type
from tests.analysis.findings import found

HBM = Buffer("x", Space.HBM, (16, 8, 4), element_type(np.float32))
SBUF = Buffer("t", Space.SBUF, (16, 8, 4), element_type(np.float32))


@pytest.mark.parametrize(
    ("dims", "in_hbm", "on_chip"),
    [
        ([(32, 16), (4, 8), (1, 4)], 512, 32),
        ([(32, 16), (4, 8), (1, 3)], 3, 3),
        ([(32, 16), (4, 2), (1, 4)], 8, 8),
        ([(32, 16), (1, 4)], 4, 4),
        ([(32, 16), (2, 16)], 1, 1),
        ([(32, 16), (1, 1)], 1, 1),
        ([(32, 2), (7, 1), (1, 32)], 64, 32),
        ([(4, 8), (1, 4)], 32, 32),
        ([(1, 4), (4, 8)], 1, 1),
        ([(-1, 4)], 1, 1),
        ([(0, 4), (1, 4)], 4, 4),
    ],
)
def test_a_run_ends_at_a_gap_and_on_chip_at_the_partition(dims, in_hbm, on_chip):
    dims = tuple(Dim(*dim) for dim in dims)
    assert run_length(Access(HBM, Affine(0), dims)) == in_hbm
    assert run_length(Access(SBUF, Affine(0), dims)) == on_chip


def test_one_element_in_each_partition():
    column = Buffer("c", Space.SBUF, (128, 1), element_type(np.float32))
    assert run_length(Access.whole(column)) == 1


def advice(function, x):
    return found(nki.jit(function), "dma", x)


def copying(columns, dtype=np.float32):
    def kernel(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        nisa.dma_copy(dst=out[:, 0:columns], src=x[:, 0:columns])
        return out

    return advice(kernel, np.zeros((64, 1024), dtype))


def test_runs_below_512_bytes_are_told():
    assert not copying(128)
    (finding,) = copying(127)
    assert (finding.rule, finding.severity) == ("dma.short_runs", Severity.ADVICE)
    assert finding.message == "dma_copy moves few bytes at a time"
    assert finding.given == "contiguous bytes: 508 of dst, 508 of src"
    assert finding.allowed == "2048 or more at a time: wider tiles, neighbours in memory along the free axis"
    assert finding.location.text.startswith("nisa.dma_copy(")
    assert not copying(256, np.float16)
    assert copying(255, np.float16)


def test_a_copy_that_is_shorter_in_all_is_not_told():
    def kernel(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        nisa.dma_copy(dst=out, src=x)
        return out

    assert not advice(kernel, np.zeros((4, 8), np.float32))


@pytest.mark.parametrize("is_across", [False, True])
def test_a_copy_across_the_rows_is_told(is_across):
    def kernel(x):
        out = nl.ndarray((256, 256), dtype=x.dtype, buffer=nl.shared_hbm)
        i, k = nl.arange(256)[:, None], nl.arange(256)[None, :]
        nisa.dma_copy(dst=out[i, k], src=x[k, i] if is_across else x[i, k])
        return out

    seen = advice(kernel, np.zeros((256, 256), np.float32))
    if not is_across:
        assert not seen
        return
    (finding,) = seen
    assert (finding.rule, finding.severity) == ("dma.transposing", Severity.ADVICE)
    assert finding.message == "dma_copy walks 'x' across its rows: each element is moved on its own"
    assert finding.given == "x(0: [1,256] [256,256])"


def test_a_line_is_told_once():
    def kernel(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        for i in nl.static_range(8):
            nisa.dma_copy(dst=out[i, :, 0:4], src=x[i, :, 0:4])
        return out

    assert len(advice(kernel, np.zeros((8, 16, 128), np.float32))) == 1
