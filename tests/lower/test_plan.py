"""Which form a loop gets, and how each buffer travels through it."""

import numpy as np
import pytest

from jnki.lower import plan as planning
from jnki.lower.plan import Form, plan
from jnki.lower.ragged import split_edges
from jnki.neuronxcc import nki
from jnki.program.program import Loop

nl, nisa = nki.language, nki.isa

X = np.zeros((512, 64), np.float32)
ROWS = np.zeros((512, 1), np.int32)


def plans(body, *arrays, shape=(512, 64)):
    """The plans of the loops of a kernel, outermost first, as words."""

    @nki.jit
    def kernel(x, rows=None):
        out = nl.ndarray(shape, dtype=x.dtype, buffer=nl.shared_hbm)
        body(out, x, *([] if rows is None else [rows]))
        return out

    found = []

    def look(nodes):
        for node in nodes:
            if isinstance(node, Loop):
                for piece in split_edges(node):
                    if isinstance(piece, Loop):
                        how = plan(piece)
                        found.append(words(how))
                        look(how.body)
                    else:
                        found.append(piece)

    look(kernel.trace(*arrays).body)
    return found


def words(how):
    parts = {
        "in": [s.buffer.name for s in how.slabs_in],
        "out": [s.buffer.name for s in how.slabs_out],
        "carried": [b.name for b in how.carried],
        "remade": [b.name for b in how.remade],
    }
    return how.form, {name: sorted(buffers) for name, buffers in parts.items() if buffers}


@pytest.mark.parametrize("loop", [nl.affine_range, nl.sequential_range])
def test_a_tiled_copy_is_a_batch_with_slabs_on_both_sides(loop):
    def body(out, x):
        for i in loop(4):
            nl.store(out[nl.ds(128 * i, 128)], nl.load(x[nl.ds(128 * i, 128)]))

    assert plans(body, X) == [(Form.BATCH, {"in": ["x"], "out": ["out"]})]


def test_a_nest_of_tiled_loops_is_batches_all_the_way():
    def body(out, x):
        for i in nl.affine_range(4):
            for j in nl.affine_range(2):
                part = slice(32 * j, 32 * j + 32)
                nl.store(out[nl.ds(128 * i, 128), part], nl.load(x[nl.ds(128 * i, 128), part]))

    tiled = (Form.BATCH, {"in": ["x"], "out": ["out"]})
    assert plans(body, X) == [tiled, tiled]


def test_a_ragged_copy_is_a_batch_and_a_last_iteration():
    def body(out, x):
        p, f = nl.arange(128)[:, None], nl.arange(64)[None, :]
        for i in nl.affine_range(4):
            nl.store(out[128 * i + p, f], nl.load(x[128 * i + p, f], mask=128 * i + p < 500), mask=128 * i + p < 500)

    assert plans(body, X[:500], shape=(500, 64)) == [(Form.BATCH, {"in": ["x"], "out": ["out"]}), 3]


def test_an_output_that_is_not_covered_comes_in_as_slabs_too():
    def body(out, x):
        for i in nl.affine_range(4):
            nl.store(out[nl.ds(128 * i, 100)], nl.load(x[nl.ds(128 * i, 100)]))

    assert plans(body, X) == [(Form.SCAN, {"in": ["out", "x"], "out": ["out"]})]


def test_a_tile_that_is_carried_makes_a_scan():
    def body(out, x):
        total = nl.zeros((128, 64), dtype=x.dtype, buffer=nl.sbuf)
        for i in nl.sequential_range(4):
            total += nl.load(x[nl.ds(128 * i, 128)])
            nl.store(out[nl.ds(128 * i, 128)], total)

    assert plans(body, X) == [(Form.SCAN, {"in": ["x"], "out": ["out"], "carried": ["total"]})]


def test_a_tile_that_every_iteration_overwrites_is_not_carried():
    def body(out, x):
        tile = nl.ndarray((128, 64), dtype=x.dtype, buffer=nl.sbuf)
        for i in nl.sequential_range(4):
            tile[...] = nl.load(x[nl.ds(128 * i, 128)])
            nl.store(out[nl.ds(128 * i, 128)], tile)

    assert plans(body, X) == [(Form.BATCH, {"in": ["x"], "out": ["out"], "remade": ["tile"]})]


@pytest.mark.parametrize("why", ["masked", "part", "read first", "skipped rows"])
def test_a_tile_that_is_overwritten_in_part_is_carried(why):
    def body(out, x, rows):
        tile = nl.zeros((128, 64), dtype=x.dtype, buffer=nl.sbuf)
        p, f = nl.arange(128)[:, None], nl.arange(64)[None, :]
        for i in nl.sequential_range(4):
            match why:
                case "masked":
                    tile[...] = nl.load(x[128 * i + p, f], mask=f < 60)
                case "part":
                    tile[0:127] = nl.load(x[nl.ds(128 * i, 127)])
                case "read first":
                    nl.store(out[nl.ds(128 * i, 128)], tile)
                    tile[...] = nl.load(x[nl.ds(128 * i, 128)])
                case "skipped rows":
                    index = nl.load(rows[nl.ds(128 * i, 128)])
                    nisa.dma_copy(dst=tile, src=x[index, f], oob_mode=nisa.oob_mode.skip)
            nl.store(out[nl.ds(128 * i, 128)], tile)

    ((form, parts),) = plans(body, X, ROWS)
    assert form is Form.SCAN
    assert parts["carried"] == ["tile"]
    assert parts["out"] == ["out"]


def test_slabs_may_be_larger_than_the_tiles_in_them_and_filled_piece_by_piece():
    def body(out, x):
        for i in nl.affine_range(2):
            nl.store(out[nl.ds(256 * i, 128)], nl.load(x[nl.ds(256 * i + 128, 128)]))
            nl.store(out[nl.ds(256 * i + 128, 128)], nl.load(x[nl.ds(256 * i, 128)]))

    assert plans(body, X) == [(Form.SCAN, {"in": ["out", "x"], "out": ["out"]})]


def test_a_gather_reads_its_table_whole():
    def body(out, x, rows):
        f = nl.arange(64)[None, :]
        for i in nl.affine_range(4):
            index = nl.load(rows[nl.ds(128 * i, 128)])
            nl.store(out[nl.ds(128 * i, 128)], nl.load(x[index, f]))

    assert plans(body, X, ROWS) == [(Form.BATCH, {"in": ["rows"], "out": ["out"]})]


def test_a_scatter_carries_its_tensor():
    def body(out, x, rows):
        f = nl.arange(64)[None, :]
        for i in nl.sequential_range(4):
            index = nl.load(rows[nl.ds(128 * i, 128)])
            nl.store(out[index, f], nl.load(x[nl.ds(128 * i, 128)]))

    assert plans(body, X, ROWS) == [(Form.SCAN, {"in": ["rows", "x"], "carried": ["out"]})]


def test_windows_that_overlap_are_read_one_by_one():
    def body(out, x):
        for i in nl.affine_range(4):
            nl.store(out[nl.ds(128 * i, 128)], nl.load(x[nl.ds(100 * i, 128)]))

    assert plans(body, X) == [(Form.SCAN, {"out": ["out"]})]


def test_printing_keeps_the_iterations_in_order():
    def body(out, x):
        for i in nl.affine_range(4):
            tile = nl.load(x[nl.ds(128 * i, 128)])
            nl.device_print("tile", tile)
            nl.store(out[nl.ds(128 * i, 128)], tile)

    assert plans(body, X) == [(Form.SCAN, {"in": ["x"], "out": ["out"]})]


def test_a_batch_that_would_hold_too_much_is_a_scan(monkeypatch):
    def body(out, x):
        for i in nl.affine_range(4):
            nl.store(out[nl.ds(128 * i, 128)], nl.load(x[nl.ds(128 * i, 128)]))

    def remaking(out, x):
        tile = nl.ndarray((128, 64), dtype=x.dtype, buffer=nl.sbuf)
        for i in nl.sequential_range(4):
            tile[...] = nl.load(x[nl.ds(128 * i, 128)])
        nl.store(out[0:128], tile)

    for made, arrays in ((body, {"in": ["x"], "out": ["out"]}), (remaking, {"in": ["x"], "remade": ["tile"]})):
        monkeypatch.setattr(planning, "BATCH_LIMIT_BYTES", X.nbytes)
        assert plans(made, X)[0] == (Form.BATCH, arrays)
        monkeypatch.setattr(planning, "BATCH_LIMIT_BYTES", X.nbytes - 1)
        assert plans(made, X)[0] == (Form.SCAN, arrays)


def test_a_form_can_be_asked_for_but_a_batch_cannot_carry():
    def body(out, x):
        for i in nl.affine_range(4):
            nl.store(out[nl.ds(128 * i, 128)], nl.load(x[nl.ds(128 * i, 128)]))

    @nki.jit
    def kernel(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        body(out, x)
        total = nl.zeros((128, 64), dtype=x.dtype, buffer=nl.sbuf)
        for i in nl.sequential_range(4):
            total += nl.load(x[nl.ds(128 * i, 128)])
        nl.store(out[0:128], total)
        return out

    independent, carrying = (node for node in kernel.trace(X).body if isinstance(node, Loop))
    assert [plan(independent, form).form for form in Form] == list(Form)
    assert [plan(carrying, form).form for form in Form] == [Form.SCAN, Form.SCAN]
