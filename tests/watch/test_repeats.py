"""Rows that one DMA writes twice, against a count by hand."""

import jax
import numpy as np
import pytest

import jnki.neuronxcc.nki as nki
from jnki import Severity

nl, nisa = nki.language, nki.isa

X = np.arange(8 * 4, dtype=np.float32).reshape(8, 4)


def scatter(op=None, mode=nisa.oob_mode.error, limit=None):
    @nki.jit
    def kernel(x, rows):
        out = nl.ndarray((12, 4), dtype=x.dtype, buffer=nl.shared_hbm)
        nl.store(out, nl.zeros((12, 4), dtype=x.dtype, buffer=nl.sbuf))
        i_p, i_f = nl.arange(8)[:, None], nl.arange(4)[None, :]
        index = nl.load(rows)
        mask = None if limit is None else i_p < limit
        nisa.dma_copy(dst=out[index[i_p, 0], i_f], src=nl.load(x), dst_rmw_op=op, oob_mode=mode, mask=mask)
        return out

    return kernel


def repeated(rows):
    """Of rows in bounds, how many were there before."""
    rows = [r for r in rows if 0 <= r < 12]
    return len(rows) - len(set(rows))


def column(*rows):
    return np.array(rows, np.int32)[:, None]


@pytest.mark.parametrize("op", [None, np.add])
def test_the_finding(op):
    found = scatter(op).with_findings(X, column(0, 3, 1, 3, 3, 5, 0, 7))[2]
    (finding,) = found.findings()
    assert (finding.rule, finding.severity) == ("dma.repeated_rows", Severity.WARNING)
    assert finding.message == "3 rows of 'out' are written twice by one dma_copy"
    assert finding.given == "the first one is row 3 of 'dst', index 3"
    assert finding.location.text.startswith("nisa.dma_copy(dst=out[")
    assert (int(found.repeated), int(found.unwritten)) == (3, 0)


def test_rows_that_differ_are_none():
    found = scatter().with_findings(X, column(*range(8)))[2]
    assert not found.findings() and len(found.places) == 1


def test_rows_that_move_nothing_do_not_count():
    rows = column(20, 20, 1, 20, -1, -1, 1, 2)
    assert int(scatter(mode=nisa.oob_mode.skip).with_findings(X, rows)[2].repeated) == 1
    masked = scatter(limit=4).with_findings(X, column(1, 1, 2, 3, 1, 1, 2, 3))[2]
    assert int(masked.repeated) == 1


def test_a_batch_of_random_rows():
    rows = np.random.default_rng(0).integers(-2, 14, (50, 8, 1)).astype(np.int32)
    kernel = scatter(mode=nisa.oob_mode.skip)
    found = jax.jit(jax.vmap(kernel.with_findings, in_axes=(None, 0)))(X, rows)[2]
    np.testing.assert_array_equal(found.repeated, [repeated(r[:, 0].tolist()) for r in rows])
    assert "cases)" in found.findings()[0].given


def test_loops_count_all_iterations():
    @nki.jit
    def kernel(x, rows):
        out = nl.ndarray((12, 4), dtype=x.dtype, buffer=nl.shared_hbm)
        nl.store(out, nl.zeros((12, 4), dtype=x.dtype, buffer=nl.sbuf))
        i_p, i_f = nl.arange(8)[:, None], nl.arange(4)[None, :]
        for k in nl.sequential_range(3):
            index = nl.load(rows[k])
            nisa.dma_copy(dst=out[index[i_p, 0], i_f], src=nl.load(x))
        return out

    rows = np.stack([column(*range(8)), column(*range(4), *range(4)), column(*[5] * 8)])
    found = kernel.with_findings(X, rows)[2]
    assert int(found.repeated) == 4 + 7
    (finding,) = found.findings().of("dma")
    assert finding.iterations == (("i0", 1),)
    assert finding.given == "the first one is row 4 of 'dst', index 0"
