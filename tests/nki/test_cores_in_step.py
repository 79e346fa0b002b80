"""Two cores that do not wait: in step where they run the same lines on common places, else core 0 first."""

import numpy as np

import jnki.nki as nki
import jnki.nki.isa as nisa
import jnki.nki.language as nl
from jnki.analysis import races
from jnki.lower.lowering import lower_program
from jnki.testing.rewriting import other_core_first

X = np.arange(1, 9, dtype=np.float32).reshape(8, 1)
ROWS = np.array([[6], [1], [7], [4], [3], [0], [5], [2]], np.int32)


@nki.jit
def scattered(x, rows):
    """Each core clears its half of the output, and then writes rows anywhere in it."""
    first = 4 * nl.program_id(0)
    out = nl.ndarray(x.shape, x.dtype, buffer=nl.shared_hbm)
    zeros, tile, index = (nl.ndarray((4, 1), kind) for kind in (x.dtype, x.dtype, nl.int32))
    nisa.memset(zeros, 0.0)
    nisa.dma_copy(out[nl.ds(first, 4)], zeros)
    nisa.dma_copy(tile, x[nl.ds(first, 4)])
    nisa.dma_copy(index, rows[nl.ds(first, 4)])
    nisa.dma_copy(out.ap([[1, 4], [1, 1]], vector_offset=index), tile)
    return out


def test_what_one_core_clears_first_it_does_not_clear_after_the_other_one():
    expected = np.zeros_like(X)
    expected[ROWS.ravel()] = X
    np.testing.assert_array_equal(scattered[2](X, ROWS), expected)


def test_it_is_a_race_all_the_same():
    program = scattered[2].trace(X, ROWS)
    assert races(program)
    (found,), _ = lower_program(other_core_first(program))(X, ROWS)
    assert (np.asarray(found) == 0).any()


def test_cores_that_share_no_place_keep_their_order():
    @nki.jit
    def halves(x):
        first = 4 * nl.program_id(0)
        out, tile = nl.ndarray(x.shape, x.dtype, buffer=nl.shared_hbm), nl.ndarray((4, 1), x.dtype)
        nisa.dma_copy(tile, x[nl.ds(first, 4)])
        nisa.tensor_scalar(tile, tile, nl.add, 1.0)
        nisa.dma_copy(out[nl.ds(first, 4)], tile)
        return out

    program = halves[2].trace(X)
    assert races(program) == ()
    told = str(program)
    assert told.index("tile@0 = tensor_scalar") < told.index("tile@1 = dma_copy")
    np.testing.assert_array_equal(halves[2](X), X + 1)


def test_cores_that_run_different_lines_keep_their_order():
    @nki.jit
    def kernel(x):
        out, tile = nl.ndarray(x.shape, x.dtype, buffer=nl.shared_hbm), nl.ndarray((8, 1), x.dtype)
        if nl.program_id(0) == 0:
            nisa.memset(tile, 0.0)
        else:
            nisa.dma_copy(tile, x)
        nisa.dma_copy(out, tile)
        return out

    np.testing.assert_array_equal(kernel[2](X), X)
