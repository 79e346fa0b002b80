"""Rules that the tests of their rooms do not break: each with its text, and a twin that keeps it."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jnki
import jnki.neuronxcc.nki as legacy
import jnki.neuronxcc.nki.compiler as compiler
import jnki.neuronxcc.nki.isa as legacy_nisa
import jnki.neuronxcc.nki.language as legacy_nl
from jnki import nki

nl, nisa, ncc = nki.language, nki.isa, nki.collectives
X = np.ones((32, 32), np.float32)
LANES = {"lanes": np.ones((2, 24), np.uint32)}


def tile(*shape, dtype=nl.float32, buffer=nl.sbuf):
    made = nl.ndarray(shape, dtype=dtype, buffer=buffer)
    nisa.memset(made, 0)
    return made


def recorded(body, target="trn3"):
    """A kernel of the current dialect whose body is that, recorded and not run."""

    @nki.jit
    def kernel(x):
        body(x)
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        nisa.dma_copy(out, x)
        return out

    return kernel.on_target(target).trace(X)


def rows():
    return tile(32, 1, dtype=nl.uint32)


def one():
    return tile(1, 1, dtype=nl.uint32)


REFUSED = {
    "nc_transpose.dtype": (
        lambda x: nisa.nc_transpose(tile(32, 32, dtype=nl.bfloat16), tile(32, 32)),
        lambda x: nisa.nc_transpose(tile(32, 32), tile(32, 32), engine=nisa.vector_engine),
        ("dst bfloat16, data float32", "float32"),
    ),
    "rand.buffer": (
        lambda x: nl.rand((4, 4), nl.float32, buffer=nl.psum),
        lambda x: nl.rand((4, 4), nl.float32),
        ("buffer=psum", "nl.sbuf"),
    ),
    "view.select_index": (
        lambda x: nisa.dma_copy(tile(1, 32), x.select(0, tile(1, 2, dtype=nl.uint32))),
        lambda x: nisa.dma_copy(tile(1, 32), x.select(0, one()).expand_dim(0)),
        ("[1, 2] in sbuf", "[1, 1] in sbuf, or a register"),
    ),
    "view.indirect_twice": (
        lambda x: x.select(0, one()).select(0, one()),
        lambda x: x.select(0, one()).select(0, 3),
        None,
    ),
    "view.indirect": (
        lambda x: x.select(0, one()).view(nl.int32),
        lambda x: x.view(nl.int32).select(0, one()),
        None,
    ),
    "view.contiguous": (
        lambda x: x.permute([1, 0]).flatten_dims(0, 1),
        lambda x: x.flatten_dims(0, 1),
        ("shape [32, 32], steps [1, 32]", "dims whose steps nest without a gap; copy the view first"),
    ),
    "dma_compute.srcs": (
        lambda x: nisa.dma_compute(tile(32, 32), x, nl.add),
        lambda x: nisa.dma_compute(tile(32, 32), [x, x], nl.add),
        ("NkiTensor", "[src, ...]"),
    ),
    "nonzero_with_count.integers": (
        lambda x: nisa.nonzero_with_count(tile(128, 33, dtype=nl.int32), tile(128, 32), index_offset=0.5),
        lambda x: nisa.nonzero_with_count(tile(128, 33, dtype=nl.int32), tile(128, 32), index_offset=5),
        ("0.5, -1", "integers of 32 bits"),
    ),
    "dma_transpose.indirect_dst": (
        lambda x: nisa.dma_transpose(x.vector_select(0, rows()), x),
        lambda x: nisa.dma_transpose(tile(32, 32), x),
        None,
    ),
}


@pytest.mark.parametrize("rule", REFUSED)
def test_it_is_refused_and_its_twin_is_not(rule):
    wrong, right, words = REFUSED[rule]
    with pytest.raises(jnki.RuleError) as caught:
        recorded(wrong)
    assert caught.value.rule == rule
    if words is not None:
        assert (caught.value.given, caught.value.allowed) == words
    recorded(right)


def test_numbers_of_rand2_are_no_booleans():
    memory = jnki.DeviceMemory.of(sbuf={"x": np.zeros((2, 3), np.bool_), "y": np.zeros((2, 3), np.float32)} | LANES)
    usual = {"state": jnki.sbuf("lanes"), "min": 0.0, "max": 1.0, "target": "trn3"}
    jnki.rand2(memory, dst=jnki.sbuf("y"), **usual)
    with pytest.raises(jnki.RuleError) as caught:
        jnki.rand2(memory, dst=jnki.sbuf("x"), **usual)
    assert (caught.value.rule, caught.value.given, caught.value.allowed) == ("rand2.dst", "bool", "any other type")


@pytest.mark.parametrize("byte", [8, 32])
def test_an_address_by_hand_is_aligned(byte):
    coarse = dataclasses.replace(jnki.TRN2, name="coarse", sbuf_min_align_bytes=32)

    @legacy.jit
    def kernel(x):
        out = legacy_nl.ndarray(x.shape, dtype=x.dtype, buffer=legacy_nl.shared_hbm)
        place = legacy_nl.ndarray((32, 32), dtype=x.dtype, buffer=compiler.sbuf.mod_alloc(base_addr=byte))
        place[...] = legacy_nl.load(x)
        legacy_nl.store(out, place)
        return out

    if byte == 32:
        assert (kernel.on_target(coarse)(X) == X).all()
        return
    with pytest.raises(jnki.RuleError) as caught:
        kernel.on_target(coarse)(X)
    assert caught.value.rule == "allocation.alignment"
    assert (caught.value.given, caught.value.allowed) == ("byte_addr 8", "a multiple of 32 on coarse")


@pytest.mark.parametrize("buffer", [legacy_nl.sbuf, legacy_nl.psum])
def test_only_what_accumulates_is_initialised_by_its_first_write(buffer):
    @legacy.jit
    def kernel(x):
        total = legacy_nl.ndarray((32, 32), dtype=x.dtype, buffer=buffer, lazy_initialization=True)
        total += legacy_nisa.nc_matmul(legacy_nl.load(x), legacy_nl.load(x))
        out = legacy_nl.ndarray(x.shape, dtype=x.dtype, buffer=legacy_nl.shared_hbm)
        legacy_nl.store(out, legacy_nl.copy(total))
        return out

    if buffer is legacy_nl.psum:
        assert (kernel(X) == 32).all()
        return
    with pytest.raises(jnki.RuleError) as caught:
        kernel(X)
    assert caught.value.rule == "ndarray.lazy_initialization"
    assert caught.value.allowed == "buffer=nl.psum; nl.zeros makes a tensor of zeros"


@pytest.mark.parametrize("dtype", [np.int32, np.float32])
def test_integers_cannot_turn_nan(dtype):
    @nki.jit
    def picked(table, rows):
        index = nl.ndarray(rows.shape, dtype=rows.dtype, buffer=nl.sbuf)
        out = nl.ndarray((2, 3), dtype=table.dtype, buffer=nl.shared_hbm)
        nisa.dma_copy(index, rows)
        nisa.dma_copy(out, table.vector_select(0, index))
        return out

    run = jax.jit(lambda table, rows: picked.on_fault("nan")(table, rows))
    arguments = jnp.ones((4, 3), dtype), jnp.array([[0], [4]])
    if dtype == np.float32:
        assert np.isnan(run(*arguments)).any()
        return
    with pytest.raises(jnki.RuleError, match=r"fault\.policy") as caught:
        run(*arguments)
    assert caught.value.given == 'the policy "nan"'


@pytest.mark.parametrize("ranks", [2, 3])
def test_the_groups_speak_of_the_ranks_that_there_are(ranks):
    @nki.jit
    def total(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        ncc.all_reduce([x], [out], ncc.ReplicaGroup([[0, 1]]), nl.add)
        return out

    run = jax.vmap(total.over("x"), axis_name="x")
    x = jnp.ones((ranks, 4, 4))
    if ranks == 2:
        assert (run(x) == 2).all()
        return
    with pytest.raises(jnki.RuleError, match=r"collectives\.ranks") as caught:
        run(x)
    assert caught.value.allowed == "ranks 0 to 2, every rank in one group"
