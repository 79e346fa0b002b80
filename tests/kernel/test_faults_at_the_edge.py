"""Where a fault goes when a kernel returns: raised, given back, turned into NaN, or handed to who asked for it."""

import copy
import pickle

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import checkify

import jnki
from jnki import RuleError
from jnki.kernel import edge
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


# Poison: the default inside a transformation.


def test_under_jit_the_float_outputs_turn_nan():
    np.testing.assert_array_equal(jax.jit(gather)(TABLE, GOOD), TABLE[[1, 3]])
    assert np.isnan(jax.jit(gather)(TABLE, BAD)).all()


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


# Integers, which cannot turn NaN.


@nki.jit
def gather_floats_and_integers(table, ids, rows):
    out = nl.ndarray((2, 4), dtype=table.dtype, buffer=nl.shared_hbm)
    picked = nl.ndarray((2, 4), dtype=ids.dtype, buffer=nl.shared_hbm)
    index, p, f = nl.load(rows), nl.arange(2)[:, None], nl.arange(4)[None, :]
    nisa.dma_copy(dst=out, src=table[index[p, 0], f])
    nisa.dma_copy(dst=picked, src=ids[index[p, 0], f])
    return out, picked


IDS = np.arange(20, dtype=np.int32).reshape(5, 4)


def integers(rows, table=TABLE):
    return gather_floats_and_integers(table, IDS, rows)[1].sum()


def loss_and_integers(table, rows):
    out, picked = gather_floats_and_integers(table, IDS, rows)
    return out.sum(), picked


FORMS = {
    "jit": jax.jit(integers),
    "vmap": lambda rows: jax.vmap(integers)(jnp.stack([GOOD, rows])),
    "scan": lambda rows: jax.lax.scan(lambda c, r: (c + integers(r), ()), 0, jnp.stack([GOOD, rows]))[0],
    "map": lambda rows: jax.lax.map(integers, jnp.stack([GOOD, rows])),
    "cond": jax.jit(lambda rows: jax.lax.cond(rows[0, 0] >= 0, integers, lambda rows: 0, rows)),
    "while": jax.jit(
        lambda rows: jax.lax.while_loop(lambda c: c[0] < 2, lambda c: (c[0] + 1, c[1] + integers(rows)), (0, 0))[1]
    ),
    "gradients": jax.jit(lambda rows: jax.grad(loss_and_integers, has_aux=True)(TABLE, rows)[1]),
    "remat": jax.jit(lambda rows: jax.grad(jax.checkpoint(loss_and_integers), has_aux=True)(TABLE, rows)[1]),
    "integers_in_a_loss": jax.jit(lambda rows: jax.grad(lambda t: t.sum() * integers(rows, t))(TABLE)),
    "nothing_used": jax.jit(lambda rows: (gather_floats_and_integers(TABLE, IDS, rows), rows)[1]),
}


def finished(function, *args):
    """The result, when every callback has run."""
    try:
        return jax.block_until_ready(function(*args))
    finally:
        jax.effects_barrier()


@pytest.mark.parametrize("form", FORMS)
def test_a_program_that_uses_only_integers_cannot_miss_a_fault(form):
    finished(FORMS[form], GOOD)
    with pytest.raises(Exception, match=MESSAGE) as caught:
        finished(FORMS[form], BAD)
    assert "of tensor 'table' with size 5" in str(caught.value)


def test_integers_alone_raise():
    table = TABLE.astype(np.int32)
    np.testing.assert_array_equal(finished(jax.jit(gather), table, GOOD), table[[1, 3]])
    with pytest.raises(Exception, match=MESSAGE):
        finished(jax.jit(gather), table, BAD)


def test_a_branch_that_is_not_taken_raises_nothing():
    branch = jax.jit(lambda take, rows: jax.lax.cond(take, integers, lambda rows: 0, rows))
    assert finished(branch, False, BAD) == 0
    with pytest.raises(Exception, match=MESSAGE):
        finished(branch, True, BAD)
    none = jax.jit(lambda n, rows: jax.lax.fori_loop(0, n, lambda i, c: c + integers(rows), 0))
    assert finished(none, 0, BAD) == 0


def test_in_a_batch_of_branches_all_run_and_the_error_says_so():
    """`vmap` turns `cond` into a selection between both results, before the kernel can know of it."""
    branch = jax.jit(jax.vmap(lambda take, rows: jax.lax.cond(take, integers, lambda rows: 0, rows)))
    take = np.array([True, False])
    assert finished(branch, take, np.stack([GOOD, GOOD])).tolist() == [integers(GOOD), 0]
    with pytest.raises(Exception, match=MESSAGE) as caught:
        finished(branch, take, np.stack([GOOD, BAD]))
    assert "in batch element 1 (1 faulty in all)" in str(caught.value)
    assert edge.UNTAKEN in str(caught.value)

    def careful(take, rows):
        def taken(rows):
            (_, picked), fault = gather_floats_and_integers.with_fault(TABLE, IDS, rows)
            return picked.sum(), fault.occurred

        return jax.lax.cond(take, taken, lambda rows: (0, False), rows)

    found, occurred = jax.jit(jax.vmap(careful))(take, np.stack([GOOD, BAD]))
    assert found.tolist() == [integers(GOOD), 0] and not occurred.any()


def test_kernels_with_float_outputs_alone_call_nothing_back():
    assert "callback" not in str(jax.make_jaxpr(gather)(TABLE, GOOD))
    assert "callback" in str(jax.make_jaxpr(gather)(IDS, GOOD))
    assert "callback" not in str(jax.make_jaxpr(gather.with_fault)(IDS, GOOD))
    jax.jit(whole)(IDS)


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
    check = checkify.checkify(jax.jit(gather.with_fault))
    error, (_, fault) = check(TABLE.astype(np.int32), BAD)
    assert error.get() is None and fault.occurred
    with pytest.raises(Exception, match=MESSAGE):
        finished(checkify.checkify(jax.jit(gather)), TABLE.astype(np.int32), BAD)


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


def test_a_batch_of_no_cases_has_no_fault():
    none = jnp.zeros((0, 2, 1), jnp.int32)
    for call in (jax.vmap(gather, (None, 0)), jax.jit(jax.vmap(gather, (None, 0)))):
        assert call(TABLE, none).shape == (0, 2, 4)
    _, fault = jax.vmap(gather.with_fault, (None, 0))(TABLE, none)
    assert fault.occurred.shape == (0,)
    assert fault.details() == []


@nki.jit
def with_integers(table, rows):
    out = nl.ndarray((2, 4), dtype=table.dtype, buffer=nl.shared_hbm)
    copy = nl.ndarray(rows.shape, dtype=rows.dtype, buffer=nl.shared_hbm)
    index = nl.load(rows)
    nl.store(out, nl.load(table[index, nl.arange(4)[None, :]]))
    nl.store(copy, index)
    return out, copy


def test_the_policy_nan_checks_nothing_on_the_host_and_refuses_integers():
    quiet = gather.on_fault("nan")
    assert "check" in str(jax.make_jaxpr(gather)(TABLE, BAD))
    assert "check" not in str(jax.make_jaxpr(quiet)(TABLE, BAD))
    assert np.isnan(jax.jit(quiet)(TABLE, BAD)).all()
    assert np.isnan(jax.grad(lambda t: jax.jit(quiet)(t, BAD).sum())(jnp.asarray(TABLE))).any()
    with pytest.raises(RuleError) as caught:
        jax.jit(with_integers.on_fault("nan"))(TABLE, GOOD)
    assert "kernel 'with_integers' has an output of integers" in str(caught.value)
    assert caught.value.allowed == 'kernel.with_fault, or the policies "poison" and "callback"'


def test_a_policy_for_all_kernels(monkeypatch):
    def text(kernel):
        return str(jax.make_jaxpr(lambda t, r: kernel(t, r))(TABLE, GOOD))

    assert "debug_callback" not in text(gather)
    with jnki.use_fault_policy("callback"):
        assert "debug_callback" in text(gather)
        assert "debug_callback" not in text(gather.on_fault("nan")), "a kernel's own comes first"
        with jnki.use_fault_policy("nan"):
            assert "check" not in text(gather)
    assert "debug_callback" not in text(gather)
    monkeypatch.setenv("JNKI_FAULT_POLICY", "callback")
    assert "debug_callback" in text(gather)
    monkeypatch.setenv("JNKI_FAULT_POLICY", "loud")
    with pytest.raises(ValueError, match=r"JNKI_FAULT_POLICY: 'loud' is not a policy for faults"):
        text(gather)
    with (
        pytest.raises(ValueError, match=r"use_fault_policy: 'x' is not a policy .*\n  allowed: poison, callback, nan"),
        jnki.use_fault_policy("x"),
    ):
        pass


def test_the_error_has_a_class_of_its_own_and_survives_pickling():
    with pytest.raises(jnki.FaultError) as caught:
        gather(TABLE, BAD)
    for error in (pickle.loads(pickle.dumps(caught.value)), copy.deepcopy(caught.value)):
        assert isinstance(error, IndexError) and type(error) is jnki.FaultError
        assert type(error) == IndexError == type(error) and type(error) != ValueError  # noqa: E721
        assert vars(error) == vars(caught.value) and error.row_index == 7
        assert error.__notes__ == caught.value.__notes__ and str(error) == MESSAGE
