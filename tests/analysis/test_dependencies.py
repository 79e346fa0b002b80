"""Parallel iterations and grid instances that meet: flagged with both iterations and the place; their twins are not."""

import numpy as np
import pytest

import jnki.neuronxcc.nki as nki
import jnki.neuronxcc.nki.isa as nisa
import jnki.neuronxcc.nki.language as nl
from jnki import RuleError
from jnki.analysis.dependencies import judged
from jnki.analysis.verdict import Verdict

X = np.ones((4, 16, 64), np.float32)


def storing(place, loop=nl.affine_range):
    """A kernel whose iteration i stores a tile at `place(out, i)`."""

    @nki.jit
    def kernel(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        for i in loop(4):
            view = place(out, i)
            tile = nl.zeros((16, view.shape[-1]), dtype=x.dtype, buffer=nl.sbuf)
            nl.store(view, tile)
        return out

    return kernel


@pytest.mark.parametrize(
    ("place", "first", "second", "where"),
    [
        (lambda out, i: out[0], 0, 1, "[0, 0, 0]"),
        (lambda out, i: out[0, :, nl.ds(i * 8, 16)], 0, 1, "[0, 0, 8]"),
        (lambda out, i: out[0, :, nl.ds(24 - i * 8, 9)], 0, 1, "[0, 0, 24]"),
    ],
    ids=["one place", "overlapping", "backwards by one"],
)
def test_two_iterations_that_write_one_location_are_an_error(place, first, second, where):
    with pytest.raises(RuleError) as error:
        storing(place).trace(X)
    text = str(error.value)
    assert text.startswith("err_unexpected_output_dependencies: two iterations of an affine_range write one location")
    assert f"i0={first} and i0={second} both write tensor 'out' at {where}" in text
    assert "nl.sequential_range" in text
    assert "nl.store(view, tile)" in text


@pytest.mark.parametrize(
    "place",
    [
        lambda out, i: out[i],
        lambda out, i: out[0, :, nl.ds(i * 16, 16)],
        lambda out, i: out[3 - i],
        lambda out, i: out[0, nl.arange(16)[:, None], i + 4 * nl.arange(16)[None, :]],
    ],
    ids=["by block", "by columns", "backwards", "interleaved"],
)
def test_disjoint_iterations_are_fine(place):
    storing(place).trace(X)


def test_a_sequential_loop_may_write_one_place():
    storing(lambda out, i: out[0], nl.sequential_range).trace(X)


def reading_back(loop):
    @nki.jit
    def kernel(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        kept = nl.zeros((16, 5, 64), dtype=x.dtype, buffer=nl.sbuf)
        for i in loop(4):
            nl.store(out[i], kept[:, i, :])
            kept[:, i + 1, :] = nl.load(x[i])
        return out

    return kernel


def test_an_iteration_that_reads_what_another_wrote_is_an_error():
    with pytest.raises(RuleError) as error:
        reading_back(nl.affine_range).trace(X)
    text = str(error.value)
    assert text.startswith("affine_range.no_carried_dep: an iteration of an affine_range reads what another one writes")
    assert "i0=1 and i0=0 meet at tensor 'kept' at [0, 1, 0]" in text


def test_the_same_in_order_is_fine():
    out = reading_back(nl.sequential_range)(X)
    np.testing.assert_array_equal(out[0], 0)
    np.testing.assert_array_equal(out[1:], 1)


def accumulating(op):
    @nki.jit
    def kernel(x):
        out = nl.ndarray(x.shape[1:], dtype=x.dtype, buffer=nl.shared_hbm)
        total = nl.zeros((16, 64), dtype=nl.float32, buffer=nl.sbuf)
        for i in nl.affine_range(4):
            op(total, nl.load(x[i]))
        nl.store(out, total)
        return out

    return kernel


def add(total, tile):
    total += tile


def largest(total, tile):
    total[...] = nl.maximum(total, tile)


def shifted(total, tile):
    total[...] = nl.subtract(tile, total)


@pytest.mark.parametrize("op", [add, largest])
def test_associative_accumulation_is_excepted(op):
    accumulating(op).trace(X)


def test_other_carried_values_are_not():
    with pytest.raises(RuleError, match=r"err_unexpected_output_dependencies|affine_range\.no_carried_dep"):
        accumulating(shifted).trace(X)


def test_matmul_accumulation_is_excepted():
    @nki.jit
    def kernel(x):
        out = nl.ndarray((64, 64), dtype=x.dtype, buffer=nl.shared_hbm)
        total = nl.zeros((64, 64), dtype=nl.float32, buffer=nl.psum)
        for i in nl.affine_range(4):
            tile = nl.load(x[i])
            total += nisa.nc_matmul(tile, tile)
        nl.store(out, nl.copy(total))
        return out

    np.testing.assert_array_equal(kernel(X), np.full((64, 64), 64))


def on_a_grid(place):
    @nki.jit
    def kernel(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        nl.store(place(out, nl.program_id(0)), nl.load(x[nl.program_id(0)]))
        return out

    return kernel[4]


def test_instances_that_do_the_very_same_are_none():
    """Public kernels are launched on grids that they do not look at."""

    def storing(first):
        @nki.jit
        def kernel(x):
            out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
            for i in nl.affine_range(x.shape[0]):
                nl.store(out[i], nl.load(first(x, out)[i]))
            return out

        return kernel[3]

    np.testing.assert_array_equal(storing(lambda x, out: x)(X), X)
    # What an instance reads of another one's results may differ.
    with pytest.raises(RuleError, match="err_unexpected_output_dependencies"):
        storing(lambda x, out: out).trace(X)


def test_two_instances_of_a_grid_that_write_one_location_are_an_error():
    with pytest.raises(RuleError) as error:
        on_a_grid(lambda out, pid: out[0]).trace(X)
    assert "two instances of the launch grid write one location" in str(error.value)
    assert "pid0=0 and pid0=1 both write tensor 'out' at [0, 0, 0]" in str(error.value)


def test_instances_with_places_of_their_own_are_fine():
    np.testing.assert_array_equal(on_a_grid(lambda out, pid: out[pid])(X), X)


def test_a_ragged_edge_is_no_overlap():
    @nki.jit
    def kernel(x):
        out = nl.ndarray((40, 8), dtype=x.dtype, buffer=nl.shared_hbm)
        for i in nl.affine_range(3):
            row, column = i * 16 + nl.arange(16)[:, None], nl.arange(8)[None, :]
            nl.store(out[row, column], nl.load(x[row, column], mask=row < 40), mask=row < 40)
        return out

    x = np.arange(320, dtype=np.float32).reshape(40, 8)
    np.testing.assert_array_equal(kernel(x), x)


def test_masks_that_keep_iterations_apart_are_believed():
    def kernel_with(bound):
        @nki.jit
        def kernel(x):
            out = nl.ndarray((16, 32), dtype=x.dtype, buffer=nl.shared_hbm)
            for i in nl.affine_range(2):
                column = i * 8 + nl.arange(16)[None, :]
                inside = nl.arange(16)[None, :] < bound
                row = nl.arange(16)[:, None]
                nl.store(out[row, column], nl.load(x[row, column], mask=inside), mask=inside)
            return out

        return kernel

    x = np.ones((16, 32), np.float32)
    kernel_with(8).trace(x)
    with pytest.raises(RuleError, match="err_unexpected_output_dependencies"):
        kernel_with(9).trace(x)


def from_both_ends(trips, far):
    """Iterations i and far - i store to one row."""

    @nki.jit
    def kernel(x):
        out = nl.ndarray((2 * trips, 1), dtype=nl.float32, buffer=nl.shared_hbm)
        for i in nl.affine_range(trips):
            nl.store(out[i : i + 1, :], nl.load(x[0:1, 0:1]))
            nl.store(out[far - i : far - i + 1, :], nl.load(x[0:1, 0:1]))
        return out

    return kernel


@pytest.mark.parametrize("trips", [1024, 4096, 1 << 29])
def test_a_clash_is_refused_however_often_the_loop_runs(trips):
    x = np.ones((1, 1), np.float32)
    with pytest.raises(RuleError, match="err_unexpected_output_dependencies") as error:
        from_both_ends(trips, trips + trips // 2).trace(x)
    assert f"i0={trips // 2 + 1} and i0={trips - 1} both write tensor 'out' at [{trips // 2 + 1}, 0]" in str(
        error.value
    )
    from_both_ends(trips, 2 * trips - 1).trace(x)


def flat_blocks(columns, last):
    """Even blocks of a flat tensor from the front, and others from the end."""
    size = 128 * columns

    @nki.jit
    def kernel(x):
        out = nl.ndarray((8 * size,), dtype=nl.float32, buffer=nl.shared_hbm)
        p, f = nl.arange(128)[:, None], nl.arange(columns)[None, :]
        for i in nl.affine_range(4):
            tile = nl.load(x[p, f])
            nl.store(out[2 * i * size + p * columns + f], tile)
            nl.store(out[(last - 2 * i) * size + p * columns + f], tile)
        return out

    return kernel


def test_tiles_of_a_flat_tensor_are_told_apart_whatever_their_size():
    x = np.ones((128, 4096), np.float32)
    flat_blocks(4096, 7).trace(x)
    with pytest.raises(RuleError, match=r"i0=0 and i0=3 both write tensor 'out' at \[0\]"):
        flat_blocks(4096, 6).trace(x)


def test_loops_around_have_one_index_for_both_iterations():
    """`out[i + j]`: for one j, every i has a row of its own; but some (i, j) and (i', j') share one."""

    def kernel_with(step, outer_loop):
        @nki.jit
        def kernel(x):
            out = nl.ndarray((16, 64), dtype=x.dtype, buffer=nl.shared_hbm)
            for j in outer_loop(4):
                for i in nl.affine_range(4):
                    nl.store(out[i * step + j, :], nl.load(x[0, 0:1, :]))
            return out

        return kernel

    kernel_with(1, nl.sequential_range).trace(X)
    kernel_with(4, nl.affine_range).trace(X)
    with pytest.raises(RuleError, match=r"i1=0 and i1=1 both write tensor 'out' at \[0, 0\]"):
        kernel_with(0, nl.sequential_range).trace(X)
    with pytest.raises(RuleError, match=r"i0=0 and i0=1 both write tensor 'out' at \[1, 0\]"):
        kernel_with(1, nl.affine_range).trace(X)


def test_what_is_not_judged_can_be_asked_for():
    @nki.jit
    def kernel(x, rows):
        out = nl.ndarray((16, 64), dtype=x.dtype, buffer=nl.shared_hbm)
        kept = nl.zeros((16, 4), dtype=x.dtype, buffer=nl.sbuf)
        for i in nl.affine_range(4):
            nl.store(out[nl.load(rows[:, i]), nl.arange(64)[None, :]], nl.load(x[i]))
            kept[:, i] = nl.load(x[i, :, 0:1])
        nl.store(out[:, 0:4], kept)
        return out

    program = kernel.trace(X, np.zeros((16, 4), np.int32))
    open_ones = [p for p in judged(program.body) if p.meeting.verdict is Verdict.UNDECIDED]
    assert [(p.first.access.buffer.name, p.first.is_write, p.second.is_write) for p in open_ones] == [
        ("out", True, True)
    ]
