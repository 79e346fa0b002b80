"""Faults inside loops: the first one in program order is kept, and its note names the iteration."""

import jax
import numpy as np
import pytest

from jnki.lower.lowering import lower_program
from jnki.lower.plan import Form
from jnki.neuronxcc import nki

nl, nisa = nki.language, nki.isa

TABLE = np.arange(40, dtype=np.float32).reshape(10, 4)
FORMS = [Form.BATCH, Form.SCAN, None]


@nki.jit
def gathers(table, rows, more):
    """Two gathers in each of 3 x 2 iterations, 2 rows each."""
    out = nl.ndarray((12, 4), dtype=table.dtype, buffer=nl.shared_hbm)
    again = nl.ndarray((12, 4), dtype=table.dtype, buffer=nl.shared_hbm)
    f = nl.arange(4)[None, :]
    for i in nl.affine_range(3):
        for j in nl.affine_range(2):
            place = nl.ds(4 * i + 2 * j, 2)
            first = nl.load(rows[place])
            second = nl.load(more[place])
            nl.store(out[place], nl.load(table[first, f]))  # first gather
            nl.store(again[place], nl.load(table[second, f]))  # second gather
    return out, again


@nki.jit
def scatters(table, rows, more):
    """The same with scatters, which carry the output."""
    out = nl.ndarray((10, 4), dtype=table.dtype, buffer=nl.shared_hbm)
    nisa.dma_copy(dst=out, src=table)
    f = nl.arange(4)[None, :]
    for i in nl.sequential_range(3):
        for j in nl.sequential_range(2):
            place = nl.ds(4 * i + 2 * j, 2)
            first = nl.load(rows[place])
            second = nl.load(more[place])
            tile = nl.load(table[nl.ds(0, 2)])
            nl.store(out[first, f], tile)  # first gather
            nl.store(out[second, f], tile)  # second gather
    return out


def inputs(bad_rows=(), bad_more=()):
    rows, more = np.full((12, 1), 3, np.int32), np.full((12, 1), 4, np.int32)
    for place, value in bad_rows:
        rows[place] = value
    for place, value in bad_more:
        more[place] = value
    return TABLE, rows, more


def fault_of(kernel, form, arrays):
    _, fault = jax.jit(lower_program(kernel.trace(*arrays), form))(*arrays)
    return fault.details()


CASES = [
    (([(7, 12)], []), (7, 12, "first")),
    (([(11, -1), (4, 10)], []), (4, 10, "first")),
    (([(4, 10)], [(3, 11)]), (3, 11, "second")),
    (([(4, 10)], [(4, 11)]), (4, 10, "first")),
    (([(5, 10)], [(4, 11)]), (5, 10, "first")),
    (([(6, 10)], [(5, 11)]), (5, 11, "second")),
    (([], [(0, -7), (1, -8)]), (0, -7, "second")),
    (([(1, 2**31 - 1)], [(0, 10)]), (1, 2**31 - 1, "first")),
]


@pytest.mark.parametrize("form", FORMS, ids=["batch", "scan", "chosen"])
@pytest.mark.parametrize("kernel", [gathers, scatters], ids=["gathers", "scatters"])
@pytest.mark.parametrize("bad, expected", CASES)
def test_the_first_fault_in_program_order(kernel, form, bad, expected):
    place, index, which = expected
    (found,) = fault_of(kernel, form, inputs(*bad))
    assert (found.row, found.index) == (place % 2, index)
    assert found.iteration[:2] == (place // 4, place // 2 % 2)
    assert found.site.location.text.endswith(f"# {which} gather")
    assert found.flat_index == index * 4


@pytest.mark.parametrize("form", FORMS, ids=["batch", "scan", "chosen"])
@pytest.mark.parametrize("kernel", [gathers, scatters], ids=["gathers", "scatters"])
def test_no_fault(kernel, form):
    assert fault_of(kernel, form, inputs()) == []


@pytest.mark.parametrize("kernel", [gathers, scatters], ids=["gathers", "scatters"])
def test_the_error_names_the_iteration(kernel):
    with pytest.raises(IndexError) as caught:
        kernel(*inputs([(7, 12)]))
    error = caught.value
    assert str(error) == "index 48 is out of bounds for axis 0 with size 40"
    tensor, operand = ("table", "src") if kernel is gathers else ("out", "dst")
    assert error.__notes__[0] == (
        f"dma_copy: row 1 of '{operand}' has row index 12, out of bounds for axis 0 of tensor '{tensor}' with size 10"
    )
    assert error.__notes__[1].startswith(f"at {__file__}:")
    assert error.__notes__[1].endswith("# first gather")
    assert error.__notes__[2] == "in iteration i0=1, i1=1"


@pytest.mark.parametrize("form", FORMS, ids=["batch", "scan", "chosen"])
@pytest.mark.parametrize("place", range(5))
@pytest.mark.parametrize("edge", ["last", "first", "both"])
def test_a_ragged_edge_does_not_change_the_iteration(form, place, edge):
    """Masks split iterations off the loop; the fault names the iteration all the same."""

    @nki.jit
    def kernel(table, rows):
        out = nl.ndarray((10, 4), dtype=table.dtype, buffer=nl.shared_hbm)
        p, f = nl.arange(2)[:, None], nl.arange(4)[None, :]
        for i in nl.affine_range(5):
            index = nl.load(rows[nl.ds(2 * i, 2)])
            tile = nl.load(table[index, f])
            row = 2 * i + p
            mask = {"last": row < 9, "first": row > 0, "both": (row > 0) & (row < 9)}[edge]
            nl.store(out[row, f], tile, mask=mask)
        return out

    rows = np.zeros((10, 1), np.int32)
    rows[2 * place + 1] = 10 + place
    (found,) = fault_of(kernel, form, (TABLE, rows))
    assert (found.iteration[0], found.row, found.index) == (place, 1, 10 + place)
    with pytest.raises(IndexError) as caught:
        kernel(TABLE, rows)
    assert caught.value.__notes__[-1] == f"in iteration i0={place}"


def test_the_iterations_of_a_grid_are_named_too():
    @nki.jit
    def kernel(table, rows):
        out = nl.ndarray((12, 4), dtype=table.dtype, buffer=nl.shared_hbm)
        pid = nl.program_id(0)
        for i in nl.affine_range(3):
            place = nl.ds(6 * pid + 2 * i, 2)
            index = nl.load(rows[place])
            nl.store(out[place], nl.load(table[index, nl.arange(4)[None, :]]))
        return out

    rows = np.zeros((12, 1), np.int32)
    rows[9] = -2
    with pytest.raises(IndexError, match="index -8 is out of bounds") as caught:
        kernel[2](TABLE, rows)
    assert caught.value.__notes__[-1] == "in iteration pid0=1, i0=1"


def test_a_fault_before_a_loop_comes_first_and_one_after_it_last():
    @nki.jit
    def kernel(table, rows):
        out = nl.ndarray((6, 4), dtype=table.dtype, buffer=nl.shared_hbm)
        f = nl.arange(4)[None, :]
        nl.store(out[0:2], nl.load(table[nl.load(rows[0:2]), f]))
        for i in nl.affine_range(1, 3):
            index = nl.load(rows[nl.ds(2 * i, 2)])
            nl.store(out[nl.ds(2 * i, 2)], nl.load(table[index, f]))
        nl.store(out[0:2], nl.load(table[nl.load(rows[6:8]), f]))
        return out

    def first(*bad):
        rows = np.zeros((8, 1), np.int32)
        rows[list(bad)] = 10
        with pytest.raises(IndexError) as caught:
            kernel(TABLE, rows)
        return caught.value.row, caught.value.__notes__[2:]

    assert first(1, 4, 6) == (1, [])
    assert first(5, 6, 7) == (1, ["in iteration i0=1"])
    assert first(3, 6) == (1, ["in iteration i0=0"])
    assert first(7) == (1, [])


@pytest.mark.parametrize("form", FORMS, ids=["batch", "scan", "chosen"])
def test_a_batch_of_cases_has_a_first_fault_each(form):
    cases = [inputs([(7, 12)]), inputs(), inputs([(2, -1)], [(0, 10)]), inputs([], [(11, 99)])]
    function = jax.vmap(lower_program(gathers.trace(*cases[0]), form), in_axes=(None, 0, 0))
    _, fault = jax.jit(function)(TABLE, *(np.stack([case[k] for case in cases]) for k in (1, 2)))
    found = [(d.case, d.iteration[:2], d.row, d.index) for d in fault.details()]
    assert found == [((0,), (1, 1), 1, 12), ((2,), (0, 0), 0, 10), ((3,), (2, 1), 1, 99)]


@nki.jit
def unrolled(table, rows):
    """A recorded loop between two unrolled ones."""
    out = nl.ndarray((16, 4), dtype=table.dtype, buffer=nl.shared_hbm)
    for a in nl.static_range(4, 8, 2):
        for i in nl.affine_range(2):
            for b in nl.static_range(2):
                place = nl.ds(8 * ((a - 4) // 2) + 4 * i + 2 * b, 2)
                index = nl.load(rows[place])
                nl.store(out[place], nl.load(table[index, nl.arange(4)[None, :]]))
    return out


def test_an_unrolled_loop_names_its_iteration_as_a_recorded_one_does():
    """The number of the iteration, not the index: `a` counts 4, 6."""
    for place in (0, 3, 7, 9, 14):
        rows = np.full((16, 1), 3, np.int32)
        rows[place:] = 10
        with pytest.raises(IndexError, match="index 40 is out of bounds") as caught:
            unrolled(TABLE, rows)
        a, i, b, row = place // 8, place // 4 % 2, place // 2 % 2, place % 2
        names = caught.value.__notes__[-1].removeprefix("in iteration ").split(", ")
        assert [name.split("=")[0] for name in names][::2] == ["a", "b"]
        assert [name.split("=")[1] for name in names] == [str(a), str(i), str(b)]
        assert caught.value.row == row
