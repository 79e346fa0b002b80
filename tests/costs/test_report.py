"""The report: terms worked out by hand from the numbers of the target, what is unknown said to be, and its text."""

import numpy as np
import pytest

import jnki.neuronxcc.nki as legacy
import jnki.nki as nki
from jnki.costs.cycles import Basis
from jnki.target import TRN1, TRN2, TRN3

nl, nisa = nki.language, nki.isa
old, old_isa = legacy.language, legacy.isa

X = np.zeros((128, 512), np.float32)


@nki.jit
def product(x, y):
    out = nl.ndarray((128, 512), dtype=nl.float32, buffer=nl.shared_hbm)
    left = nl.ndarray((128, 128), dtype=x.dtype, buffer=nl.sbuf)
    right = nl.ndarray((128, 512), dtype=y.dtype, buffer=nl.sbuf)
    total = nl.ndarray((128, 512), dtype=nl.float32, buffer=nl.psum)
    result = nl.ndarray((128, 512), dtype=nl.float32, buffer=nl.sbuf)
    nisa.dma_copy(left, x)
    nisa.dma_copy(right, y)
    nisa.nc_matmul(total, left, right)
    nisa.tensor_copy(result, total)
    nisa.dma_copy(out, result)
    return out


def terms(kernel, *args):
    return {term.name: term for term in kernel.report(*args).terms}


def test_terms_by_hand():
    found = terms(product.on_target(TRN2), X[:, :128], X)
    moved = 128 * 128 * 4 + 2 * 128 * 512 * 4
    assert found["DMA engines"].ns == moved / (16 * 27.2)
    assert found["HBM"].ns == moved / TRN2.device_hbm_bandwidth_bytes_per_ns
    assert found["hardware descriptors"].ns == 3 * 600 / TRN2.hwdge_count
    assert found["tensor engine"].ns == 4 * 512 / TRN2.tensor_clock_ghz
    # Twice as wide as the engine that the formula speaks of.
    assert found["vector engine"].ns == 512 / 2 / TRN2.vector_clock_ghz
    assert found["vector engine"].basis is Basis.DERIVED
    report = product.on_target(TRN2).report(X[:, :128], X)
    assert report.bound_ns == max(term.ns for term in report.terms)
    assert report.bound_by == "DMA engines" and found["DMA engines"].ns > found["hardware descriptors"].ns


def test_other_targets_have_other_numbers():
    first = terms(product.on_target(TRN1), X[:, :128], X)
    assert first["vector engine"].ns == 512 / TRN1.vector_clock_ghz
    assert first["vector engine"].basis is Basis.DOCUMENTED
    assert "hardware descriptors" not in first
    third = terms(product.on_target(TRN3), X[:, :128], X)["hardware descriptors"]
    assert third.ns is None and third.basis is Basis.UNKNOWN
    assert str(third).split() == ["hardware", "descriptors", "unknown", "unknown:", *third.source.split()]


def test_bfloat16_takes_one_pass():
    narrow = X.astype(nl.bfloat16)
    assert terms(product.on_target(TRN2), narrow[:, :128], narrow)["tensor engine"].ns == 512 / TRN2.tensor_clock_ghz


def test_software_descriptors_are_unknown():
    @nki.jit
    def gather(x, rows):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        index = nl.ndarray((128, 1), dtype=nl.int32, buffer=nl.sbuf)
        nisa.dma_copy(index, rows)
        nisa.dma_copy(out, x.ap([[512, 128], [1, 512]], vector_offset=index, indirect_dim=0))
        return out

    report = gather.report(X, np.zeros((128, 1), np.int32))
    found = {term.name: term for term in report.terms}
    assert found["software descriptors"].ns is None
    assert found["software descriptors"].source == "1 DMAs; their cost is not published"
    # A gather may move nothing: the bound has the load of the rows alone.
    assert found["DMA engines"].source.startswith("512 bytes at 16 x ")


def test_totals_of_each_tensor():
    report = product.report(X[:, :128], X)
    assert {name: (r, w) for name, r, w in report.tensors} == {
        "hbm:x": (65536, 0),
        "sbuf:left": (0, 65536),
        "hbm:y": (262144, 0),
        "sbuf:right": (0, 262144),
        "sbuf:result": (262144, 0),
        "hbm:out": (0, 262144),
    }


def test_a_tensor_is_told_what_is_read_of_it():
    """Sources of two widths, and a destination that is added to."""

    @nki.jit
    def kernel(x, y):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        nisa.dma_copy(out, x)
        nisa.dma_compute(out, [x, y, out], nl.add)
        return out

    report = kernel.report(X, X.astype(nl.bfloat16))
    found = {name: (read, wrote) for name, read, wrote in report.tensors}
    assert found == {"hbm:out": (262144, 2 * 262144), "hbm:x": (2 * 262144, 0), "hbm:y": (131072, 0)}

    @legacy.jit
    def adding(x):
        out = old.ndarray(x.shape, dtype=x.dtype, buffer=old.shared_hbm)
        old_isa.dma_copy(dst=out, src=x)
        old_isa.dma_copy(dst=out, src=x, dst_rmw_op=np.add)
        return out

    found = {name: (read, wrote) for name, read, wrote in adding.report(X).tensors}
    assert found == {"hbm:out": (262144, 2 * 262144), "hbm:x": (2 * 262144, 0)}


def test_the_text():
    text = str(product.on_target(TRN2).report(X[:, :128], X)).splitlines()
    assert text[0] == "kernel product on trn2: a lower bound of its time, and no prediction"
    assert " ".join(text[1].split()) == "DMA engines 1,355 ns derived: 589,824 bytes at 16 x 27.2 B/ns"
    assert any(line.strip() == "at least 1,355 ns, by DMA engines" for line in text)
    row = next(line for line in text if "hbm:y -> sbuf:right" in line)
    assert row.split()[:4] == ["262,144", "1", "128", "2048"]


@pytest.mark.parametrize("trips", [1, 5])
def test_loops_multiply(trips):
    @nki.jit
    def kernel(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        tile = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.sbuf)
        nisa.dma_copy(tile, x)
        for _ in range(trips):
            nisa.activation(tile, nl.exp, tile)
        nisa.dma_copy(out, tile)
        return out

    assert terms(kernel.on_target(TRN2), X)["scalar engine"].ns == trips * 512 / TRN2.scalar_clock_ghz
