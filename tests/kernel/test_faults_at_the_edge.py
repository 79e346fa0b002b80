"""Where a fault goes when a kernel returns: raised, given back, turned into NaN, or handed to who asked for it."""

import warnings

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import checkify

from jnki.kernel.edge import UnreportedFaultWarning
from jnki.neuronxcc import nki

nl, nisa = nki.language, nki.isa

TABLE = np.arange(20, dtype=np.float32).reshape(5, 4)
GOOD = np.array([[1], [3]], np.int32)
BAD = np.array([[1], [7]], np.int32)
MESSAGE = "index 28 is out of bounds for axis 0 with size 20"


@nki.jit
def gather(table, rows):
    out = nl.ndarray((2, 4), dtype=table.dtype, buffer=nl.shared_hbm)
    index = nl.load(rows)
    nl.store(out, nl.load(table[index, nl.arange(4)[None, :]]))
    return out


@nki.jit
def gather_both(table, rows):
    """A float and an integer output."""
    out = nl.ndarray((2, 4), dtype=table.dtype, buffer=nl.shared_hbm)
    count = nl.ndarray((2, 1), dtype=nl.int32, buffer=nl.shared_hbm)
    index = nl.load(rows)
    nl.store(out, nl.load(table[index, nl.arange(4)[None, :]]))
    nl.store(count, index)
    return out, count


def test_with_concrete_arrays_a_fault_is_raised():
    np.testing.assert_array_equal(gather(TABLE, GOOD), TABLE[[1, 3]])
    for arrays in ((TABLE, BAD), (jnp.asarray(TABLE), jnp.asarray(BAD))):
        with pytest.raises(IndexError) as caught:
            gather(*arrays)
        error = caught.value
        assert str(error) == MESSAGE
        assert (error.tensor, error.axis, error.axis_size) == ("table", 0, 5)
        assert (error.row_index, error.row, error.batch_element) == (7, 1, None)
        assert error.location.text == "nl.store(out, nl.load(table[index, nl.arange(4)[None, :]]))"


def test_with_fault_gives_the_record_back():
    out, fault = gather.with_fault(TABLE, GOOD)
    np.testing.assert_array_equal(out, TABLE[[1, 3]])
    assert not fault.occurred
    for function in (gather.with_fault, jax.jit(gather.with_fault)):
        out, fault = function(TABLE, BAD)
        np.testing.assert_array_equal(np.asarray(out)[0], TABLE[1])
        assert np.isnan(np.asarray(out)[1]).all(), "the tile's row was never written"
        assert bool(fault.occurred)
        with pytest.raises(IndexError, match=MESSAGE):
            fault.raise_if_any()


def test_with_fault_under_vmap_tells_the_case():
    rows = np.stack([GOOD, BAD, GOOD, BAD - 8])
    out, fault = jax.jit(jax.vmap(gather.with_fault, in_axes=(None, 0)))(TABLE, rows)
    np.testing.assert_array_equal(fault.occurred, [False, True, False, True])
    np.testing.assert_array_equal(out[2], TABLE[[1, 3]])
    with pytest.raises(IndexError, match=MESSAGE) as caught:
        fault.raise_if_any()
    assert caught.value.batch_element == (1,)
    assert "in batch element 1 (2 faulty in all)" in caught.value.__notes__


def fresh_gather():
    """A kernel that nobody has traced yet: JAX traces a function once, and what warns while it is traced warns once."""
    return nki.jit(gather.function)


# Poison: the default inside a transformation.


def test_under_jit_the_float_outputs_turn_nan():
    np.testing.assert_array_equal(jax.jit(gather)(TABLE, GOOD), TABLE[[1, 3]])
    assert np.isnan(jax.jit(gather)(TABLE, BAD)).all()
    out, count = jax.jit(gather_both)(TABLE, BAD)
    assert np.isnan(out).all()
    np.testing.assert_array_equal(count, BAD)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16, jnp.float8_e4m3, jnp.float8_e5m2])
def test_every_float_can_be_poisoned(dtype):
    table = TABLE.astype(dtype)
    np.testing.assert_array_equal(np.float32(jax.jit(gather)(table, GOOD)), np.float32(table[[1, 3]]))
    assert np.isnan(np.float32(jax.jit(gather)(table, BAD))).all()


def test_gradients_turn_nan_too():
    def loss(table, rows):
        return jnp.sum(gather(table, rows) * jnp.arange(8.0).reshape(2, 4))

    gradient = jax.jit(jax.grad(loss))
    expected = np.zeros_like(TABLE)
    expected[1], expected[3] = np.arange(4), np.arange(4, 8)
    np.testing.assert_array_equal(gradient(TABLE, GOOD), expected)
    # The row that was read gets NaN; the rows that nobody read have no part in it.
    found = np.asarray(gradient(TABLE, BAD))
    assert np.isnan(found[1]).all()

    value, pull = jax.vjp(jax.jit(lambda t: gather(t, BAD)), TABLE)
    assert np.isnan(value).all()
    assert np.isnan(pull(jnp.ones((2, 4)))[0][1]).all()

    value, tangent = jax.jvp(jax.jit(lambda t: gather(t, BAD)), (TABLE,), (TABLE,))
    assert np.isnan(value).all()
    assert np.isnan(tangent).all()


def test_under_vmap_only_the_failing_case_turns_nan():
    rows = np.stack([GOOD, BAD, GOOD + 1])
    for function in (jax.vmap(gather, (None, 0)), jax.jit(jax.vmap(gather, (None, 0)))):
        out = np.asarray(function(TABLE, rows))
        assert np.isnan(out[1]).all()
        np.testing.assert_array_equal(out[[0, 2]], [TABLE[[1, 3]], TABLE[[2, 4]]])

    def loss(table, rows):
        return jnp.sum(gather(table, rows))

    tables = np.stack([TABLE] * 3)
    gradients = np.asarray(jax.jit(jax.vmap(jax.grad(loss)))(tables, rows))
    assert np.isnan(gradients[1, 1]).all()
    assert np.isfinite(gradients[[0, 2]]).all()
    np.testing.assert_array_equal(gradients[0].sum(axis=1), [0, 4, 0, 4, 0])


def test_under_scan_the_failing_steps_turn_nan():
    def step(carry, rows):
        return carry + 1, gather(TABLE, rows)

    count, outs = jax.lax.scan(step, 0, np.stack([GOOD, BAD, GOOD]))
    assert count == 3
    np.testing.assert_array_equal(np.isnan(outs).all(axis=(1, 2)), [False, True, False])


def test_eager_gradients_raise_where_the_indices_are_concrete():
    with pytest.raises(IndexError, match=MESSAGE):
        jax.grad(lambda table: gather(table, BAD).sum())(TABLE)


def test_without_a_fault_every_bit_is_kept():
    table = np.array([[0x7FC12345, 0xFF800001, 0x80000000, 1]] * 5, np.uint32).view(np.float32)
    out = np.asarray(jax.jit(gather)(table, GOOD))
    np.testing.assert_array_equal(out.view(np.uint32), table[[1, 3]].view(np.uint32))


def test_integers_alone_cannot_be_poisoned_and_a_warning_says_so():
    table = TABLE.astype(np.int32)
    with pytest.warns(UnreportedFaultWarning) as caught:
        out = jax.jit(fresh_gather())(table, BAD)
    (warning,) = caught
    assert str(warning.message) == (
        "kernel 'gather' can fault, and its integer outputs cannot turn NaN: inside a transformation use "
        "kernel.with_fault(...), kernel.on_fault('callback') or checkify"
    )
    np.testing.assert_array_equal(out[0], table[1])


def test_no_warning_where_the_news_has_a_way_out():
    table = TABLE.astype(np.int32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gather(table, GOOD)
        jax.jit(gather.with_fault)(table, BAD)
        jax.jit(gather.on_fault("callback"))(table, GOOD)
        jax.jit(gather_both)(TABLE, BAD)
        jax.jit(whole)(table)


@nki.jit
def whole(table):
    out = nl.ndarray(table.shape, dtype=table.dtype, buffer=nl.shared_hbm)
    nisa.dma_copy(dst=out, src=table)
    return out


# Callback.


def test_the_callback_policy_raises():
    kernel = gather.on_fault("callback")
    np.testing.assert_array_equal(jax.jit(kernel)(TABLE, GOOD), TABLE[[1, 3]])
    jax.effects_barrier()
    with pytest.raises(Exception, match=MESSAGE):
        jax.block_until_ready(jax.jit(kernel)(TABLE, BAD))
        jax.effects_barrier()


def test_the_callback_policy_changes_no_concrete_call():
    with pytest.raises(IndexError, match=MESSAGE):
        gather.on_fault("callback")(TABLE, BAD)


def test_policies_have_names():
    with pytest.raises(ValueError, match="'ignore' is not a policy for faults\n  allowed: poison, callback"):
        gather.on_fault("ignore")
    assert gather.on_fault("poison").grid == ()


# checkify and chex.


CHECK = "a row index is out of bounds in kernel 'gather': row 1 has index 7"


def test_checkify_sees_a_failed_check():
    checked = jax.jit(checkify.checkify(gather, errors=checkify.user_checks))
    error, out = checked(TABLE, GOOD)
    assert error.get() is None
    np.testing.assert_array_equal(out, TABLE[[1, 3]])
    error, _ = checked(TABLE, BAD)
    assert CHECK in error.get()
    with pytest.raises(checkify.JaxRuntimeError, match="row 1 has index 7"):
        error.throw()


def test_checkify_sees_it_under_vmap_and_through_gradients():
    rows = np.stack([GOOD, BAD])
    error, _ = checkify.checkify(jax.vmap(gather, (None, 0)))(TABLE, rows)
    assert CHECK in error.get()
    error, _ = checkify.checkify(jax.vmap(gather, (None, 0)))(TABLE, rows[:1])
    assert error.get() is None
    error, _ = checkify.checkify(jax.jit(jax.grad(lambda table, rows: gather(table, rows).sum())))(TABLE, BAD)
    assert CHECK in error.get()


def test_checkify_sees_it_with_integer_outputs():
    with pytest.warns(UnreportedFaultWarning):
        error, _ = checkify.checkify(jax.jit(fresh_gather()))(TABLE.astype(np.int32), BAD)
    assert CHECK in error.get()


def test_chexify_users_see_it():
    @chex.chexify
    @jax.jit
    def step(table, rows):
        chex.assert_tree_all_finite(table)
        return gather(table, rows)

    np.testing.assert_array_equal(step(TABLE, GOOD), TABLE[[1, 3]])
    step.wait_checks()
    step(TABLE, BAD)
    with pytest.raises(checkify.JaxRuntimeError, match="row 1 has index 7"):
        step.wait_checks()


def test_a_kernel_that_cannot_fault_has_no_check_and_no_record():
    text = str(jax.make_jaxpr(whole)(TABLE))
    assert "check" not in text
    assert str(jax.make_jaxpr(gather)(TABLE, GOOD)).count("check") >= 1
    assert not whole.trace(TABLE).may_fault
