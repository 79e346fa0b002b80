"""What the page has of a program, against the program."""

import numpy as np

import jnki.neuronxcc.nki as legacy
import jnki.nki as nki
from jnki.view.model import model

nl, nisa = nki.language, nki.isa
old = legacy.language

X = np.zeros((4, 8, 16), np.float32)


@legacy.jit
def rows(x):
    out = old.ndarray(x.shape, dtype=x.dtype, buffer=old.shared_hbm)
    for i in old.affine_range(4):
        tile = old.load(x[i])
        old.store(out[i], old.exp(tile), mask=old.arange(8)[:, None] < 5)
    return out


def test_lines_are_those_of_the_listing():
    program = rows.trace(X)
    listing = str(program).splitlines()
    found = model(program)
    for line in found["lines"]:
        assert any(line["text"] in other for other in listing), line["text"]
    assert [line["depth"] for line in found["lines"]] == [0, 1, 1, 1]
    assert [line["position"] for line in found["lines"]] == [None, 0, 1, 2]
    assert [line["masked"] for line in found["lines"]] == [False, False, False, True]
    assert found["lines"][1]["loops"] == [{"name": "i0", "trips": 4}]


def test_accesses_walk_the_elements():
    load = model(rows.trace(X))["lines"][1]
    dst, src = load["accesses"]
    assert (dst["operand"], dst["tensor"], dst["writes"]) == ("dst", "tile", True)
    assert src == {
        "operand": "src",
        "tensor": "x",
        "writes": False,
        "offset": {"constant": 0, "terms": {"i0": 128}},
        "dims": [[16, 8], [1, 16]],
        "indirect": None,
    }


def test_tensors_are_planes():
    tensors = model(rows.trace(X))["tensors"]
    assert (tensors["x"]["rows"], tensors["x"]["columns"], tensors["x"]["role"]) == (32, 16, "in")
    assert (tensors["out"]["role"], tensors["tile"]["space"]) == ("out", "sbuf")
    assert (tensors["tile"]["rows"], tensors["tile"]["columns"]) == (8, 16)


def test_source_findings_memories_and_transfers_are_those_of_the_kernel():
    program = rows.trace(X)
    found = model(program)
    (lines,) = found["source"].values()
    assert "        tile = old.load(x[i])" in lines.values()
    assert [f["text"] for f in found["findings"]] == [str(f) for f in rows.check(X)]
    (sbuf,) = found["memories"]
    assert (sbuf["used"], sbuf["peak"]) == (list(rows.occupancy(X)[0].used_bytes), rows.occupancy(X)[0].peak)
    assert [t["bytes"] for t in found["transfers"]] == [4 * 512, 4 * 512]
    assert found["terms"] == [str(term) for term in rows.report(X).terms]


def test_indices_of_run_time_and_loops_on_the_device():
    @nki.jit
    def kernel(x, index, count):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        places = nl.ndarray(index.shape, dtype=index.dtype, buffer=nl.sbuf)
        nisa.dma_copy(places, index)
        much = nisa.register_alloc(0)
        nisa.register_load(much, count)
        for _ in nl.dynamic_range(0, much):
            nisa.dma_copy(out, x.ap([[16, 8], [1, 16]], vector_offset=places, indirect_dim=0))
        return out

    one = np.ones((1, 1), np.int32)
    program = kernel.trace(X[0], np.zeros((8, 1), np.int32), one)
    found = model(program)
    gather = next(line for line in found["lines"] if line["depth"] == 1 and len(line["accesses"]) == 3)
    assert gather["loops"] == []
    assert [a["operand"] for a in gather["accesses"]] == ["dst", "src", "src's index"]
    assert gather["accesses"][1]["indirect"] == {"step": 16, "index": "places"}
    positions = [line["position"] for line in found["lines"] if line["position"] is not None]
    assert positions == list(range(len(found["memories"][0]["used"])))
