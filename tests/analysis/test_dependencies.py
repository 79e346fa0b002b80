"""Parallel iterations and grid instances that meet: flagged with both iterations and the place; their twins are not."""

import numpy as np
import pytest

import jnki.neuronxcc.nki as nki
import jnki.neuronxcc.nki.isa as nisa
import jnki.neuronxcc.nki.language as nl
from jnki import RuleError

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
