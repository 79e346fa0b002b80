"""What may come in any order is told; where recording refuses it already, the finding is that error."""

import numpy as np
import pytest

import jnki.neuronxcc.nki as nki
import jnki.neuronxcc.nki.isa as nisa
import jnki.neuronxcc.nki.language as nl
from jnki import Severity
from jnki import nki as current
from tests.analysis.findings import found

X = np.zeros((4, 64, 16), np.float32)


@pytest.mark.parametrize("distance", [0, 1])
def test_instances_that_read_what_others_write(distance):
    @nki.jit
    def kernel(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        between = nl.ndarray((5, 64, 16), dtype=x.dtype, buffer=nl.shared_hbm)
        me = nl.program_id(0)
        nl.store(between[me], nl.load(x[me]))
        nl.store(out[me], nl.load(between[me + distance]))
        return out

    seen = found(kernel[4], "ordering", X)
    if not distance:
        assert not seen
        return
    (finding,) = seen
    assert (finding.rule, finding.severity) == ("ordering.instances", Severity.WARNING)
    assert finding.message == "instances of the launch grid use tensor 'between' in no order"
    assert "the write by dma_copy (test_unordered.py:" in finding.given
    assert "=1 and the read by dma_copy" in finding.given
    assert finding.given.endswith("=0 meet at [1, 0, 0]")


@pytest.mark.parametrize("loop", [nl.affine_range, nl.sequential_range])
def test_iterations_of_which_nobody_can_tell(loop):
    @nki.jit
    def kernel(x, rows):
        out = nl.ndarray((128, 16), dtype=x.dtype, buffer=nl.shared_hbm)
        i_p, i_f = nl.arange(64)[:, None], nl.arange(16)[None, :]
        for i in loop(4):
            index = nl.load(rows[i])
            nisa.dma_copy(dst=out[index[i_p, 0], i_f], src=x[i])
        return out

    seen = found(kernel, "ordering", X, np.zeros((4, 64, 1), np.int32))
    if loop is nl.sequential_range:
        assert not seen
        return
    (finding,) = seen
    assert (finding.rule, finding.severity) == ("ordering.undecided", Severity.ADVICE)
    assert finding.message == "iterations of i0 may depend on each other through tensor 'out'"
    assert finding.given.endswith("an index or a mask of run time decides")
    assert finding.location.text.startswith("nisa.dma_copy(dst=out")


def test_a_dependency_that_is_certain_is_the_error_of_recording():
    @nki.jit
    def kernel(x):
        out = nl.ndarray((64, 16), dtype=x.dtype, buffer=nl.shared_hbm)
        for i in nl.affine_range(4):
            nl.store(out, nl.load(x[i]))
        return out

    (finding,) = kernel.check(X)
    assert (finding.rule, finding.severity) == ("err_unexpected_output_dependencies", Severity.ERROR)


@pytest.mark.parametrize("waits", [False, True])
def test_cores_that_race(waits):
    @current.jit
    def kernel(x):
        nl, nisa = current.language, current.isa
        out = nl.ndarray((64, 16), dtype=x.dtype, buffer=nl.shared_hbm)
        tile = nl.ndarray((64, 16), dtype=x.dtype, buffer=nl.sbuf)
        me = nl.program_id(0)
        if me == 0:
            nisa.dma_copy(out, x[0])
        if waits:
            nisa.core_barrier(out, (0, 1))
        nisa.dma_copy(tile, out)
        if me == 1:
            nisa.dma_copy(out, tile)
        return out

    seen = found(kernel[2], "ordering", X)
    assert [(f.rule, f.severity) for f in seen] == [("ordering.cores", Severity.WARNING)] * (1 if waits else 2)
    assert seen[0].message == "two cores use one place, and nothing says who comes first"
    assert seen[0].given.startswith(f"tensor 'out': the {'read' if waits else 'write'} of core 0 (test_unordered.py:")
    assert seen[0].given.endswith(" meet at [0, 0]")
