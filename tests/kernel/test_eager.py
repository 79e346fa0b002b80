"""Kernels that run step by step: the same results, and values to look at."""

import copy
import pathlib
import pickle
import re
import runpy
import traceback

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jnki
from jnki import FaultError, RuleError, serve
from jnki.neuronxcc import nki
from jnki.neuronxcc.nki.typing import mutable_tensor
from jnki.nki import isa as cisa
from jnki.nki import jit as current_jit
from jnki.nki import language as cl
from jnki.nki import simulate
from jnki.stepping.kinds import compiled
from tests.nki.pairs import PAIRS
from tests.stepping import bits, check_both, every_call_both_ways

nl, nisa = nki.language, nki.isa

ROOT = pathlib.Path(__file__).parents[2]
# The others are about transformations, and call kernels under them only.
EXAMPLES = ("causal_attention", "copy_tensor", "free_axis_transpose", "gather_scatter", "max_pooling")
EXAMPLES += ("rms_norm", "softmax", "strided_access", "tiled_matmul")

X = np.arange(24, dtype=np.float32).reshape(4, 6)


@nki.jit
def doubled(x):
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    for i in nl.affine_range(2):
        rows = slice(2 * i, 2 * i + 2)
        nl.store(out[rows], nl.load(x[rows]) * 2)
    return out


def looking(look):
    """A kernel of each dialect that calls `look` on a tile of `X`'s first two rows."""

    def legacy(x):
        out = nl.ndarray((2, 6), dtype=x.dtype, buffer=nl.shared_hbm)
        tile = nl.load(x[0:2])
        look(tile)
        nl.store(out, tile)
        return out

    def current(x):
        out = cl.ndarray((2, 6), dtype=x.dtype, buffer=cl.shared_hbm)
        tile = cl.ndarray((2, 6), dtype=x.dtype, buffer=cl.sbuf)
        cisa.dma_copy(dst=tile, src=x[0:2])
        look(tile)
        cisa.dma_copy(dst=out, src=tile)
        return out

    return nki.jit(legacy), current_jit(current)


def seen(look, kernel=0):
    found = []
    looking(lambda tile: found.append(look(tile)))[kernel].eager(X)
    return found[0]


each_dialect = pytest.mark.parametrize("dialect", [0, 1], ids=["legacy", "current"])


# The same results.


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_kernels_of_an_example_give_the_same_bits(name):
    with every_call_both_ways() as calls, serve.serve():
        runpy.run_path(str(ROOT / "examples" / f"{name}.py"), run_name="__main__")
    assert calls


@pytest.mark.parametrize("name", PAIRS)
def test_both_spellings_give_the_same_bits(name):
    pair = PAIRS[name]
    for kernel in (nki.jit(pair.old), current_jit(pair.new)):
        check_both(kernel, *pair.arrays)


def test_what_arrays_go_in_comes_out():
    assert isinstance(doubled.eager(X), np.ndarray)
    assert isinstance(doubled.eager(jnp.asarray(X)), jax.Array)
    result = doubled.eager(X)
    result[0] = 0  # is the caller's own


def test_a_grid_runs_instance_by_instance():
    order = []

    @nki.jit
    def kernel(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        i = nl.program_id(0)
        order.append(i)
        nl.store(out[i : i + 1], nl.load(x[i : i + 1]) + i)
        return out

    result = kernel[4].eager(X)
    assert order == [0, 1, 2, 3]
    np.testing.assert_array_equal(result, X + np.arange(4)[:, None])
    assert bits(result) == bits(kernel[4](X)) == bits(kernel.eager[4](X))


def test_what_supersedes_an_instruction_counts_once():
    @nki.jit
    def kernel(x):
        out = nl.ndarray((4, 7), dtype=nl.float32, buffer=nl.shared_hbm)
        tile, sums = nl.ndarray((4, 6), nl.float32, buffer=nl.sbuf), nl.zeros((4, 1), nl.float32)
        loaded = nl.load(x)
        settings = {"op": np.square, "reduce_op": np.add}
        nisa.activation(data=loaded, reduce_cmd=nisa.reduce_cmd.reset_reduce, **settings)
        tile[...] = nisa.activation(data=loaded, reduce_cmd=nisa.reduce_cmd.reduce, reduce_res=sums, **settings)
        nl.store(out[:, 0:6], tile)
        nl.store(out[:, 6:7], sums)
        return out

    np.testing.assert_array_equal(check_both(kernel, X)[:, 6], 2 * (X * X).sum(1))


def test_products_add_up_in_psum():
    @nki.jit
    def kernel(x):
        out = nl.ndarray((6, 6), dtype=nl.float32, buffer=nl.shared_hbm)
        acc = nl.ndarray((6, 6), dtype=nl.float32, buffer=nl.psum)
        for _ in nl.affine_range(3):
            tile = nl.load(x)
            acc += nisa.nc_matmul(tile, tile)
        nl.store(out, nl.copy(acc))
        return out

    np.testing.assert_array_equal(check_both(kernel, X), 3 * (X.T @ X))


def test_random_numbers_and_constants():
    @nki.jit
    def kernel(x):
        out = nl.ndarray(x.shape, dtype=nl.float32, buffer=nl.shared_hbm)
        nl.random_seed(3)
        tile = nl.ndarray(x.shape, dtype=nl.float32, buffer=nl.sbuf)
        tile[...] = nl.rand(x.shape, nl.float32)
        constant = nl.load(nl.shared_constant(np.arange(6, dtype=np.float32)[None]))
        nl.store(out, tile + nl.rand(x.shape, nl.float32) + constant.broadcast_to((4, 6)))
        return out

    check_both(kernel, X)


def test_masks_and_ragged_edges():
    @nki.jit
    def kernel(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        p, f = nl.arange(3)[:, None], nl.arange(6)[None, :]
        for i in nl.affine_range(2):
            row = 3 * i + p
            tile = nl.load(x[row, f], mask=row < 4)
            nl.store(out[row, f], nl.add(tile, 1, mask=f >= row), mask=row < 4)
        return out

    check_both(kernel, X)


def test_each_kind_of_instruction_is_compiled_once():
    @nki.jit
    def kernel(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        for i in nl.affine_range(64):
            row = slice(i, i + 1)
            value = nl.load(x[row]) * 3
            nl.store(out[row], value + nisa.iota(i + nl.arange(6)[None, :], dtype=nl.int32))
        return out

    compiled.cache_clear()
    x = np.ones((64, 6), np.float32)
    np.testing.assert_array_equal(kernel.eager(x), 3 + np.arange(64)[:, None] + np.arange(6)[None, :])
    assert compiled.cache_info().misses <= 6


# Values.


@each_dialect
def test_values_of_a_tile(dialect):
    values = seen(np.asarray, dialect)
    np.testing.assert_array_equal(values, X[:2])
    assert values.dtype == np.float32 and not values.flags.writeable
    np.testing.assert_array_equal(seen(lambda tile: np.asarray(tile[1:2, 2:4], np.int32), dialect), [[8, 9]])
    assert seen(lambda tile: (float(tile[1:2, 2:3]), int(tile[1:2, 2:3])), dialect) == (8.0, 8)


def test_values_are_those_of_the_moment():
    found = []

    @nki.jit
    def kernel(x):
        tile = nl.load(x)
        before = np.asarray(tile)
        tile[...] = tile + 1
        found.extend((before, np.asarray(tile), np.asarray(x)))
        return x

    kernel.eager(X)
    for values, wanted in zip(found, (X, X + 1, X), strict=True):
        np.testing.assert_array_equal(values, wanted)


@each_dialect
def test_a_tile_prints_with_its_values(dialect, capsys):
    looking(print)[dialect].eager(X)
    assert capsys.readouterr().out == (
        "tensor 'tile' [2, 6] float32 in sbuf\n[[ 0.  1.  2.  3.  4.  5.]\n [ 6.  7.  8.  9. 10. 11.]]\n"
    )
    looking(print)[dialect](X)
    assert capsys.readouterr().out.splitlines()[0] == "tensor 'tile' [2, 6] float32 in sbuf"


def test_what_nothing_was_written_to_is_marked(capsys):
    @nki.jit
    def kernel(x):
        tile = nl.ndarray((2, 4), dtype=nl.bfloat16, buffer=nl.sbuf)
        print(tile)
        tile[:, 0:2] = nl.load(x[0:2, 0:2])
        whole = nl.ndarray((2, 2), dtype=nl.float32, buffer=nl.sbuf)
        whole[...] = tile[:, 2:4]  # copies what was not written: written with NaN
        numbers = nl.ndarray((1, 2), dtype=nl.int32, buffer=nl.sbuf)
        numbers[:, 0:1] = 5
        print(tile, whole, numbers, sep="\n")
        return x

    kernel.eager(X)
    assert capsys.readouterr().out == (
        "tensor 'tile' [2, 4] bfloat16 in sbuf\nnothing was written to it\n"
        "tensor 'tile' [2, 4] bfloat16 in sbuf\n[[0.0 1.0 -- --]\n [6.0 7.0 -- --]]\n"
        "tensor 'whole' [2, 2] float32 in sbuf\n[[nan nan]\n [nan nan]]\n"
        "tensor 'numbers' [1, 2] int32 in sbuf\n[[5 --]]\n"
    )


def test_a_register_prints_with_its_value(capsys):
    @current_jit
    def kernel(x):
        def body(i):
            print(i)

        cl.fori_loop(0, 2, body)
        return x

    kernel.eager(X)
    assert capsys.readouterr().out == "register 'i' = 0\nregister 'i.1' = 1\n"


def test_a_print_on_the_device_is_in_its_place(capfd):
    @nki.jit
    def kernel(x):
        for i in nl.affine_range(2):
            print("python", i, flush=True)
            nl.device_print("device", nl.load(x[i : i + 1, 0:1]))
        return x

    kernel.eager(X)
    assert capfd.readouterr().out == "python 0\ndevice [[0.]]\npython 1\ndevice [[6.]]\n"


@each_dialect
def test_where_a_kernel_is_recorded_there_are_no_values(dialect):
    for look in (np.asarray, float):
        with pytest.raises(
            (TypeError, RuleError), match="(has no values|is not known) while (its|the) kernel is recorded"
        ):
            looking(look)[dialect](X)


def test_python_does_not_decide_by_values():
    for decide in (lambda tile: bool(tile[0:1, 0:1]), lambda tile: range(tile[0:1, 0:1])):
        with pytest.raises(RuleError, match="err_dynamic_control_flow_not_supported"):
            seen(decide)
    with pytest.raises(TypeError, match="cannot be interpreted as an integer"):
        seen(lambda tile: range(tile[0:1, 0:1]), 1)


def test_several_elements_are_no_number():
    with pytest.raises(
        TypeError, match=re.escape("float() takes a tensor of one element, and tensor 'tile' is [2, 6]")
    ):
        seen(float)


def test_functions_of_numpy_are_refused_as_in_a_recording():
    with pytest.raises(TypeError, match="np.exp is called on tensor 'tile' .* nl.exp records it"):
        seen(np.exp)


def test_a_dead_tile_has_no_values():
    tiles = []

    @nki.jit
    def kernel(x):
        for i in nl.affine_range(2):
            tiles.append(nl.load(x[i : i + 1]))
        assert repr(tiles[0]) == "tensor 'tile' [1, 6] float32 in sbuf"
        np.asarray(tiles[0])

    with pytest.raises(RuleError, match="err_local_variable_used_out_of_scope"):
        kernel.eager(X)
    assert repr(tiles[1]).splitlines() == ["tensor 'tile.1' [1, 6] float32 in sbuf"]


# Faults and rules.


@nki.jit
def gathered(x, rows):
    out = nl.ndarray((2, 6), dtype=x.dtype, buffer=nl.shared_hbm)
    index = nl.load(rows)
    tile = nl.ndarray((2, 6), dtype=x.dtype, buffer=nl.sbuf)
    nisa.dma_copy(dst=tile, src=x[index, nl.arange(6)[None, :]])
    nl.store(out, tile)
    return out


def test_a_fault_is_raised_at_its_line():
    rows = np.array([[1], [7]], np.int32)
    with pytest.raises(FaultError) as lowered:
        gathered(X, rows)
    with pytest.raises(FaultError) as stepped:
        gathered.eager(X, rows)
    assert str(stepped.value) == str(lowered.value)
    assert stepped.value.__notes__ == lowered.value.__notes__
    lines = [frame.line for frame in traceback.extract_tb(stepped.tb) if frame.filename == __file__]
    assert lines[-1] == "nisa.dma_copy(dst=tile, src=x[index, nl.arange(6)[None, :]])"


def test_with_fault_goes_on():
    rows = np.array([[1], [7]], np.int32)
    lowered, stepped = gathered.with_fault(X, rows), gathered.eager.with_fault(X, rows)
    assert bits(lowered[0]) == bits(stepped[0])
    assert lowered[1].details() == stepped[1].details() != []
    good = np.array([[1], [0]], np.int32)
    assert not gathered.eager.with_fault(X, good)[1].occurred
    np.testing.assert_array_equal(gathered.eager(X, good), X[[1, 0]])


def test_a_rule_is_told_as_in_a_recording():
    @nki.jit
    def kernel(x):
        tile = nl.load(x)
        return nl.add(tile, nl.load(x[0:2]))

    errors = []
    for call in (kernel, kernel.eager):
        with pytest.raises(RuleError) as caught:
            call(X)
        errors.append(str(caught.value))
    assert errors[0] == errors[1]


def test_an_output_must_be_written():
    @nki.jit
    def kernel(x):
        return nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)

    with pytest.raises(RuleError, match="err_tensor_output_not_written_to"):
        kernel.eager(X)


# Parameters that a kernel writes.


def test_written_parameters():
    @nki.trace
    def legacy(x, out: mutable_tensor):
        nl.store(out, nl.load(x) + 1)

    @current_jit
    def current(x, out):
        tile = cl.load(x)
        cl.store(out, cl.add(tile, tile))
        return out

    check_both(legacy, X, np.zeros_like(X))
    check_both(current, X, np.zeros_like(X))
    out = np.zeros_like(X)
    simulate(current.eager)(X, out)
    np.testing.assert_array_equal(out, 2 * X)
    before = jnp.zeros_like(X)
    np.testing.assert_array_equal(legacy.eager(jnp.asarray(X), before), X + 1)
    np.testing.assert_array_equal(before, 0)


def test_an_error_leaves_arrays_as_they_were():
    @nki.trace
    def kernel(x, out):
        nl.store(out, nl.load(x))
        raise ZeroDivisionError

    out = np.zeros_like(X)
    with pytest.raises(ZeroDivisionError):
        kernel.eager(X, out)
    np.testing.assert_array_equal(out, 0)
    out.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        nki.trace(lambda x, out: nl.store(out, nl.load(x))).eager(X, out)


# Loops on the device.


def test_loops_on_the_device():
    @current_jit
    def kernel(x, counts):
        out = cl.ndarray((4, 6), dtype=x.dtype, buffer=cl.shared_hbm)
        tile = cl.load(x)
        low = cisa.register_alloc(cl.load(counts))
        seen = cl.zeros((1, 1), dtype=cl.int32, buffer=cl.sbuf)

        def add(i):
            cisa.tensor_scalar(dst=tile, data=tile, op0=cl.add, operand0=1.0)
            cisa.register_store(seen, i)

        cl.fori_loop(low, 7, add, step=2)
        cl.fori_loop(0, 2, add)
        left = cisa.register_alloc(3)
        state = cl.load(counts)
        while left:
            cisa.tensor_scalar(dst=tile, data=tile, op0=cl.multiply, operand0=2.0)
            cisa.tensor_scalar(dst=state, data=state, op0=cl.subtract, operand0=1)
            cisa.register_load(left, state)
        zero = cisa.register_alloc(0)
        while zero:
            cisa.register_move(zero, 0)
        cl.store(out, tile)
        return out

    result = check_both(kernel, X, np.array([[3]], np.int32))
    np.testing.assert_array_equal(result, (X + 4) * 8)


def test_a_loop_on_the_device_that_is_too_long():
    @current_jit
    def kernel(x):
        left = cisa.register_alloc(1)

        def again(register):
            cisa.register_move(register, 1)
            return register

        cl.while_loop(left, again)
        return x

    errors = []
    for call in (kernel.max_trips(3), kernel.max_trips(3).eager):
        with pytest.raises(FaultError) as caught:
            call(X)
        errors.append(str(caught.value))
    assert errors[0] == errors[1]


def test_loops_on_the_device_break_the_same_rules():
    def never_ends(x):
        left = cisa.register_alloc(1)
        while left:
            cl.load(x)
        return x

    def left_early(x):
        for _ in cl.dynamic_range(3):
            break
        cl.store(x, cl.load(x))
        return x

    for function, rule in ((never_ends, "while_loop.condition"), (left_early, "device_loop.left_early")):
        errors = []
        for call in (current_jit(function), current_jit(function).eager):
            with pytest.raises((RuleError, TypeError)) as caught:
                call(X)
            errors.append(str(caught.value))
        assert errors[0] == errors[1] and rule in errors[0]


def test_cores_that_wait_for_each_other_are_refused():
    @current_jit
    def kernel(x):
        shared = cl.ndarray(x.shape, dtype=x.dtype, buffer=cl.shared_hbm)
        cl.store(shared, cl.load(x))
        cisa.core_barrier(shared, cores=(0, 1))
        return shared

    with pytest.raises(NotImplementedError, match="core_barrier between two cores step by step"):
        kernel[2].eager(X)


# Where kernels run step by step.


def test_traced_arrays_are_refused():
    for transformed in (jax.jit(doubled.eager), jax.vmap(doubled.eager), jax.grad(lambda x: doubled.eager(x).sum())):
        with pytest.raises(RuleError, match=re.escape("eager.traced: kernel 'doubled' runs step by step")):
            transformed(jnp.asarray(X)[None] if transformed.__name__ == "eager" else jnp.asarray(X))
    concrete = jnp.asarray(X)
    with pytest.raises(RuleError, match="given:   a call inside of jax.jit"):
        jax.jit(lambda: doubled.eager(concrete))()
    with pytest.raises(RuleError, match="ShapeDtypeStruct, which has no values"):
        doubled.eager(jax.ShapeDtypeStruct((4, 6), jnp.float32))


def test_it_can_be_traced_and_lowered_all_the_same():
    assert str(doubled.eager.trace(X)) == str(doubled.trace(X))


def test_the_option_around_a_call(monkeypatch):
    prints = []
    for kernel in looking(lambda tile: prints.append(np.asarray(tile).shape)):
        with jnki.eager():
            kernel(X)
        monkeypatch.setenv("JNKI_EAGER", "1")
        kernel(X)
        monkeypatch.setenv("JNKI_EAGER", "0")
        with pytest.raises(TypeError):
            kernel(X)
        monkeypatch.delenv("JNKI_EAGER")
    assert prints == [(2, 6)] * 4


def test_what_a_kernel_calls_runs_step_by_step():
    found = []

    @nki.jit
    def inner(tile):
        found.append(float(tile[0:1, 1:2]))
        return nl.add(tile, 1)

    @nki.jit
    def outer(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        nl.store(out, inner(nl.load(x)))
        return out

    np.testing.assert_array_equal(outer.eager(X), X + 1)
    assert found == [1.0]

    @nki.jit
    def recorded(x):
        return inner.eager(nl.load(x))

    with pytest.raises(RuleError, match="eager.nested"):
        recorded(X)


def test_it_is_one_object_and_can_be_pickled():
    assert doubled.eager is doubled.eager is doubled.eager.eager is copy.deepcopy(doubled.eager)
    assert doubled.eager is not doubled
    assert pickle.loads(pickle.dumps(doubled.eager)) is doubled.eager
    assert pickle.loads(pickle.dumps(doubled)) is doubled
