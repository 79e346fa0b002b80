"""`kernel.debug`: one instruction of the listing after the other, with the memory after it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jnki
import jnki.neuronxcc.nki as legacy
import jnki.nki as nki
from tests.nki.shared_kernels import f32, through_hbm
from tests.programs.check import arrays_of
from tests.programs.draw import program as random_program
from tests.programs.meanings import as_kernel
from tests.stepping import agrees, bits

nl, nisa = nki.language, nki.isa
old = legacy.language

X = np.arange(24, dtype=np.float32).reshape(3, 2, 4)


@legacy.jit
def rows(x):
    out = old.ndarray(x.shape, dtype=x.dtype, buffer=old.shared_hbm)
    for i in old.affine_range(3):
        tile = old.load(x[i])
        double = old.multiply(tile, 2.0)
        old.store(out[i], double)
    return out


def test_each_step_is_a_line_of_the_listing_in_one_iteration():
    steps = list(rows.debug(X))
    assert [step.number for step in steps] == list(range(9))
    assert [step.iterations for step in steps] == [(("i0", i),) for i in range(3) for _ in range(3)]
    assert [step.instruction.name for step in steps[:3]] == ["dma_copy", "tensor_scalar", "dma_copy"]
    np.testing.assert_array_equal(steps[4].memory.sbuf["double"], 2 * X[1])
    np.testing.assert_array_equal(steps[4].written()["dst"], 2 * X[1])
    np.testing.assert_array_equal(steps[5].written()["dst"], 2 * X[1])
    # Memory of a step stays as it was when others run.
    assert np.isnan(steps[5].memory.hbm["out"][2]).all()


def test_the_text_of_a_step():
    step = next(iter(rows.debug(X)))
    assert str(step).splitlines() == [
        f"0: {step.instruction.listing()}   # {step.line} in i0=0",
        "  [[0. 1. 2. 3.]",
        "   [4. 5. 6. 7.]]",
    ]
    assert step.line.startswith("test_debug.py:")


def test_run_gives_what_a_call_gives():
    result = rows.debug(X).run()
    assert isinstance(result, np.ndarray) and bits(result) == bits(rows(X))
    session = rows.debug(jnp.asarray(X))
    next(session)
    assert isinstance(session.run(), jax.Array)


def test_it_runs_no_further_than_asked():
    session = rows.debug(X)
    assert session.until(name="tensor_scalar").number == 1
    assert session.until(name="tensor_scalar").iterations == (("i0", 1),)
    line = session.last.instruction.location.line
    step = session.until(line=line)
    assert (step.number, step.iterations) == (7, (("i0", 2),))
    assert "out" in step.memory.hbm and np.isnan(step.memory.hbm["out"][2]).all()
    assert session.until(name="nothing") is None
    assert rows.debug(X).until(line=step.line).number == 1


def test_until_needs_a_question():
    with pytest.raises(ValueError, match=r"^until\(\) needs name=, line=, nan=True or differs_from="):
        rows.debug(X).until()


@nki.jit
def logarithm(x):
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    tile = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.sbuf)
    nisa.dma_copy(tile, x)
    nisa.tensor_scalar(tile, tile, nl.subtract, 1.0)
    nisa.activation(tile, nl.log, tile)
    nisa.tensor_scalar(tile, tile, nl.multiply, 2.0)
    nisa.dma_copy(out, tile)
    return out


def test_the_first_nan():
    step = logarithm.debug(X[0]).until(nan=True)
    assert step.instruction.name == "activation"
    assert not np.isfinite(step.memory.sbuf["tile"]).all()
    assert logarithm.debug(X[0] + 5).until(nan=True) is None


def test_the_first_difference():
    x = X[0] + 5
    right = {"tile": x, "out": np.log(x - 1) * 2}
    assert logarithm.debug(x).until(differs_from=right).instruction.name == "tensor_scalar"
    assert logarithm.debug(x).until(differs_from={"out": right["out"]}, rtol=1e-5) is None
    wrong = {"out": right["out"] + np.eye(2, 4)}
    assert logarithm.debug(x).until(differs_from=wrong, rtol=1e-5).number == 4
    part = {"out": np.concatenate([2 * X[:2], X[2:]])}
    assert rows.debug(X).until(differs_from=part).iterations == (("i0", 2),)


@pytest.mark.parametrize("trips", [0, 3])
def test_loops_on_the_device(trips):
    @nki.jit
    def kernel(x, count):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        tile = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.sbuf)
        much = nisa.register_alloc(0)
        nisa.register_load(much, count)
        nisa.dma_copy(tile, x)
        for _ in nl.dynamic_range(0, much):
            nisa.tensor_scalar(tile, tile, nl.multiply, 2.0)
        nisa.dma_copy(out, tile)
        return out

    count = np.full((1, 1), trips, np.int32)
    session = kernel.debug(X[0], count)
    doubled = [step for step in session if step.instruction.name == "tensor_scalar"]
    assert [step.iterations[0][1] for step in doubled] == list(range(trips))
    np.testing.assert_array_equal(session.run(), X[0] * 2**trips)


def test_two_cores():
    x = f32(8, 4)
    kernel = nki.jit(through_hbm)[2]
    assert bits(kernel.debug(x).run()) == bits(kernel(x))


def test_a_fault_is_told_by_the_step_and_ends_nothing():
    @nki.jit
    def gather(x, index):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        places = nl.ndarray(index.shape, dtype=index.dtype, buffer=nl.sbuf)
        nisa.dma_copy(places, index)
        nisa.dma_copy(out, x.ap([[4, 2], [1, 4]], vector_offset=places, indirect_dim=0))
        return out

    index = np.array([[1], [7]], np.int32)
    first, second = gather.debug(X[0], index)
    first.fault.raise_if_any()
    with pytest.raises(jnki.FaultError) as caught:
        second.fault.raise_if_any()
    with pytest.raises(jnki.FaultError) as plain:
        gather(X[0], index)
    assert (str(caught.value), caught.value.__notes__) == (str(plain.value), plain.value.__notes__)


@pytest.mark.parametrize("seed", range(0, 12, 3))
@pytest.mark.parametrize("loop", [old.static_range, old.sequential_range], ids=["unrolled", "recorded"])
def test_random_programs_have_the_bits_of_a_call(seed, loop):
    x, rows = arrays_of(seed)
    kernel = as_kernel(random_program(seed), loop)
    args = (np.zeros_like(x[0]), x[0], rows)
    steps = kernel.debug(*args)
    assert agrees(kernel, args, {}, steps.run(), kernel.with_fault(*args)[0])


def test_traced_arrays_are_refused():
    with pytest.raises(jnki.RuleError, match=r"^debug\.traced: kernel 'rows' runs step by step"):
        jax.jit(lambda x: rows.debug(x).run())(X)
