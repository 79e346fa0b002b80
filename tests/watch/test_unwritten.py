"""Elements that are read and were never written: each kernel with a twin that writes them first."""

import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jnki
import jnki.neuronxcc.nki as legacy
import jnki.nki as nki
from jnki import Severity

nl, nisa = nki.language, nki.isa
old, old_isa = legacy.language, legacy.isa

X = np.arange(128, dtype=np.float32).reshape(8, 16)


def output(x):
    return nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm, name="out")


def tile_of(x, name="tile"):
    return nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.sbuf, name=name)


def halves(rows):
    @nki.jit
    def kernel(x):
        out, tile = output(x), tile_of(x)
        nisa.dma_copy(tile[0:rows], x[0:rows])
        nisa.dma_copy(out, tile)
        return out

    return kernel


def test_the_finding_tells_what_is_read_and_where():
    outputs, fault, found = halves(5).with_findings(X)
    np.testing.assert_array_equal(outputs[:5], X[:5])
    fault.raise_if_any()
    (finding,) = found.findings()
    assert (finding.rule, finding.severity) == ("unwritten.read", Severity.WARNING)
    assert finding.message == "48 elements of 'tile' are read that were never written"
    assert finding.given == "the first one is [5, 0] of [8, 16], which dma_copy reads as src"
    assert finding.location.text == "nisa.dma_copy(out, tile)"
    assert str(found).startswith("1 warning\nwarning: unwritten.read: 48 elements of 'tile'")
    assert int(found.unwritten) == 48
    with pytest.raises(jnki.RuleError, match=r"^unwritten\.read: 48 elements"):
        found.raise_if_any()


def test_the_twin_has_none_and_is_not_even_watched():
    *_, found = halves(8).with_findings(X)
    assert not found.findings() and found.places == ()
    found.raise_if_any()
    assert str(found) == "nothing found"


def test_what_is_returned_is_read():
    @nki.jit
    def kernel(x):
        out = output(x)
        nisa.dma_copy(out[:, 1:], x[:, 1:])
        return out

    (finding,) = kernel.with_findings(X)[2].findings()
    assert finding.rule == "unwritten.output"
    assert finding.message == "8 elements of 'out' are returned that were never written"
    assert finding.given == "the first one is [0, 0] of [8, 16]"


def test_one_element():
    @nki.jit
    def kernel(x):
        out = output(x)
        nisa.dma_copy(out[0:7], x[0:7])
        nisa.dma_copy(out[7:8, 0:15], x[7:8, 0:15])
        return out

    (finding,) = kernel.with_findings(X)[2].findings()
    assert finding.message == "1 element of 'out' is returned that was never written"
    assert "[7, 15]" in finding.given


@nki.jit
def gather(x, rows):
    out, tile = output(x), tile_of(x)
    index = tile_of(rows, "index")
    nisa.dma_copy(index, rows)
    source = x.ap([[16, 8], [1, 16]], vector_offset=index, indirect_dim=0)
    nisa.dma_copy(tile, source, oob_mode=nisa.oob_mode.skip)
    nisa.dma_copy(out, tile)
    return out


def test_a_batch_has_a_count_for_each_case():
    rows = np.stack([np.arange(8)[:, None] + shift for shift in (0, -1, 3, 20)]).astype(np.int32)
    _, _, found = jax.jit(jax.vmap(gather.with_findings, in_axes=(None, 0)))(X, rows)
    assert found.unwritten.tolist() == [0, 16, 48, 128]
    (finding,) = found.findings()
    assert finding.message == "192 elements of 'tile' are read that were never written"
    assert finding.given == (
        "the first one is [0, 0] of [8, 16], which dma_copy reads as src, in case 1 (3 of 4 cases)"
    )


def test_two_batch_axes_and_a_scan():
    rows = np.stack([np.arange(8)[:, None] + shift for shift in (0, 1)]).astype(np.int32)
    nested = jax.vmap(jax.vmap(gather.with_findings, in_axes=(None, 0)), in_axes=(0, None))
    found = nested(np.stack([X, X]), rows)[2]
    assert found.unwritten.tolist() == [[0, 16], [0, 16]]
    assert "in case (0, 1) (2 of 4 cases)" in found.findings()[0].given
    scanned = jax.lax.scan(lambda carry, r: (carry, gather.with_findings(X, r)[2]), 0, rows)[1]
    assert scanned.unwritten.tolist() == [0, 16]


def test_outputs_and_gradients_are_those_of_the_kernel():
    def loss(call):
        return jax.grad(lambda x: (call(x) ** 2).sum())

    np.testing.assert_array_equal(loss(lambda x: halves(8).with_findings(x)[0])(X), loss(lambda x: halves(8)(x))(X))
    outputs, _, _ = halves(5).with_findings(X)
    np.testing.assert_array_equal(outputs.view(np.int32), halves(5)(X).view(np.int32))


def test_bytes_of_a_view():
    @nki.jit
    def kernel(x, width):
        out = nl.ndarray((8, 4), dtype=nl.uint32, buffer=nl.shared_hbm)
        tile = nl.ndarray((8, 8), dtype=nl.uint16, buffer=nl.sbuf)
        nisa.memset(tile[:, 0:width], 1)
        nisa.dma_copy(out, tile.view(nl.uint32))
        return out

    assert int(kernel.with_findings(X, 8)[2].unwritten) == 0
    (finding,) = kernel.with_findings(X, 5)[2].findings()
    assert finding.message.startswith("16 elements of 'tile'")  # the half that was written is not enough
    assert "[0, 2] of [8, 4]" in finding.given


def test_loops_name_the_first_iteration():
    @legacy.jit
    def kernel(x):
        out = old.ndarray((4, *x.shape), dtype=x.dtype, buffer=old.shared_hbm)
        tile = old.ndarray(x.shape, dtype=x.dtype, buffer=old.sbuf)
        for i in old.sequential_range(4):
            tile[:, old.ds(4 * i, 4)] = old.load(x[:, old.ds(4 * i, 4)])
            old.store(out[i], tile)
        return out

    (finding,) = kernel.with_findings(X)[2].findings()
    assert finding.message.startswith(f"{8 * (12 + 8 + 4)} elements of 'tile'")
    assert finding.iterations == (("i0", 0),)
    assert "[0, 4] of [8, 16]" in finding.given


def test_a_tile_that_each_iteration_makes_is_unwritten_in_each():
    @legacy.jit
    def kernel(x):
        out = old.ndarray((4, *x.shape), dtype=x.dtype, buffer=old.shared_hbm)
        for i in old.affine_range(4):
            tile = old.ndarray(x.shape, dtype=x.dtype, buffer=old.sbuf)
            tile[:, 0:15] = old.load(x[:, 0:15])
            old.store(out[i], tile)
        return out

    assert int(kernel.with_findings(X)[2].unwritten) == 4 * 8


@pytest.mark.parametrize("trips", [0, 2, 4])
def test_a_loop_on_the_device(trips):
    @nki.jit
    def kernel(x, count):
        out = output(x)
        nisa.memset(tile := tile_of(x)[:, 0:4], 0.0)
        much = nisa.register_alloc(0)
        nisa.register_load(much, count)
        whole = tile_of(x, "whole")
        nisa.memset(whole[:, 0:4], 0.0)
        for _ in nl.dynamic_range(0, much):
            nisa.dma_copy(out, whole)
        nisa.dma_copy(out[:, 0:4], tile)
        return out

    found = kernel.with_findings(X, np.full((1, 1), trips, np.int32))[2]
    reads = sum(int(row[0]) for place, row in zip(found.places, found.tally) if place.instruction != "return")
    assert reads == trips * 8 * 12


def test_two_cores():
    @nki.jit
    def kernel(x):
        out, me = output(x), nl.program_id(0)
        tile = nl.ndarray((4, 16), dtype=x.dtype, buffer=nl.sbuf)
        part = slice(0, 16) if me == 0 else slice(0, 10)
        nisa.dma_copy(tile[:, part], x[4 * me : 4 * me + 4, part])
        nisa.dma_copy(out[4 * me : 4 * me + 4], tile)
        return out

    assert int(kernel[2].with_findings(X)[2].unwritten) == 4 * 6


def test_what_values_decide_is_said_to_be_unjudged():
    @nki.jit
    def kernel(x, index):
        data, places, out = (
            tile_of(x),
            tile_of(index, "places"),
            nl.ndarray(index.shape, dtype=x.dtype, buffer=nl.shared_hbm),
        )
        got = nl.ndarray(index.shape, dtype=x.dtype, buffer=nl.sbuf)
        nisa.dma_copy(data[:, 0:8], x[:, 0:8])
        nisa.dma_copy(places, index)
        nisa.nc_n_gather(got, data, places)
        nisa.dma_copy(out, got)
        return out

    found = kernel.with_findings(X, np.zeros((8, 2), np.uint32))[2]
    (told,) = found.unjudged
    assert told.startswith("nc_n_gather's data at test_unwritten.py:")
    assert str(found) == f"nothing found\nnot judged: {told}"


def test_one_object_for_each_kernel():
    assert gather.with_findings is gather.with_findings
    assert pickle.loads(pickle.dumps(gather.with_findings)) is gather.with_findings
    assert gather.on_target("trn2").with_findings is not gather.with_findings
    assert repr(gather.with_findings) == "<<kernel gather>.with_findings>"
    traces = []
    run = jax.jit(lambda r: (traces.append(1), gather.with_findings(X, r)[2].unwritten)[1])
    for _ in range(2):
        run(jnp.zeros((8, 1), jnp.int32))
    assert len(traces) == 1
