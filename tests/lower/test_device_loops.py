"""Loops of unknown length, lowered: bounds, faults, derivatives, and their place among other loops."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jnki import FaultError, RuleError
from jnki.isa import Activation, DmaCopy, Memset, RegisterLoad, TensorCopy, TensorTensor
from jnki.kernel.pieces import Pieces
from jnki.lower.lowering import lower_program
from jnki.lower.plan import Form
from jnki.neuronxcc import nki
from tests.record.device_kernels import alloc, ap, dynamic_range, emit, fori, hbm, load, new, store, while_loop

X = np.random.default_rng(0).uniform(0.5, 2.0, (6, 8)).astype(np.float32)


def counts(*numbers):
    return np.array(numbers, np.int32)


@nki.jit
def squares(x, n):
    """The first `n` rows of `x`, squared; the others are 0. The last row is their sum."""
    out = hbm((7, 8), name="out")
    zero, total = new((7, 8), name="zero"), new((1, 8), name="total")
    emit(Memset, dst=zero, value=0.0)
    emit(Memset, dst=total, value=0.0)
    emit(DmaCopy, dst=out, src=zero)
    count = alloc(name="count")
    load(count, n[0:1])

    def body(i):
        row = new((1, 8), name="row")
        emit(DmaCopy, dst=row, src=ap(x, [[8, 1], [1, 8]], by=i))
        emit(TensorTensor, dst=row, data1=row, data2=row, op="multiply")
        emit(TensorTensor, dst=total, data1=total, data2=row, op="add")
        emit(DmaCopy, dst=ap(out, [[8, 1], [1, 8]], by=i), src=row)

    fori(0, count, body)
    emit(DmaCopy, dst=ap(out, [[8, 1], [1, 8]], 48), src=total)
    return out


def wanted(x, n):
    n = max(n, 0)
    out = np.zeros((7, 8), np.float32)
    out[:n] = x[:n] * x[:n]
    for row in out[:n]:
        out[6] += row
    return out


def test_it_runs_as_often_as_it_says():
    for n in (0, 1, 6, -3):
        np.testing.assert_array_equal(squares(X, counts(n)), wanted(X, n))


def test_a_fault_tells_the_iteration():
    with pytest.raises(FaultError) as caught:
        squares(X, counts(7))
    error = caught.value
    assert (error.tensor, error.row_index, error.axis, error.axis_size) == ("x", 6, 0, 6)
    assert "in iteration d0=6" in error.__notes__


def test_cases_that_are_done_stay_as_they_are():
    """One of a batch goes on, and faults; the others do not hear of it."""
    outputs, fault = jax.jit(jax.vmap(squares.with_fault, (None, 0)))(X, np.array([[2], [9], [0]], np.int32))
    assert fault.occurred.tolist() == [False, True, False]
    assert fault.index[1] == 6
    np.testing.assert_array_equal(outputs[0], wanted(X, 2))
    np.testing.assert_array_equal(outputs[2], wanted(X, 0))


# Bounds.


def test_without_a_bound_there_is_no_derivative_backwards():
    def loss(x):
        return squares(x, jnp.array([3])).sum()

    for derivative in (jax.grad(loss), jax.grad(jax.jit(loss)), jax.jit(jax.grad(loss))):
        with pytest.raises(RuleError) as caught:
            derivative(X)
        assert caught.value.rule == "loop.reverse_mode"
        assert "a derivative backwards through a fori_loop needs to know how often the loop runs at most" in str(
            caught.value
        )
        assert caught.value.allowed.startswith("kernel.max_trips(n), where no such loop runs more than n times; ")


def test_without_a_bound_there_are_derivatives_forwards_and_of_what_passes_by():
    _, slope = jax.jvp(lambda x: squares(x, jnp.array([3])).sum(), (X,), (np.ones_like(X),))
    np.testing.assert_allclose(slope, 2 * 2 * X[:3].sum(), rtol=1e-5)
    grad = jax.grad(lambda x: x.sum() + jax.lax.stop_gradient(squares(x, jnp.array([3]))).sum())(X)
    np.testing.assert_array_equal(grad, np.ones_like(X))


@pytest.mark.parametrize("n", [0, 3, 4])
def test_with_a_bound_there_are_all(n):
    bounded = squares.max_trips(4)
    np.testing.assert_array_equal(bounded(X, counts(n)), wanted(X, n))
    grad = jax.jit(jax.grad(lambda x: (bounded(x, jnp.array([n])) ** 2).sum()))(X)
    total = (X[:n] ** 2).sum(0)
    expected = np.zeros_like(X)
    expected[:n] = 4 * X[:n] ** 3 + 4 * total * X[:n]
    np.testing.assert_allclose(grad, expected, rtol=1e-5)


def test_more_iterations_than_the_bound_are_a_fault():
    bounded = squares.max_trips(4)
    with pytest.raises(FaultError, match="a fori_loop runs more than 4 times") as caught:
        bounded(X, counts(5))
    assert caught.value.__notes__[0] == "fori_loop: 4 is the bound that kernel.max_trips states for all its loops"
    _, fault = jax.vmap(bounded.with_fault, (None, 0))(X, np.array([[4], [5]], np.int32))
    assert fault.occurred.tolist() == [False, True]


@pytest.mark.parametrize("number", [0, -1, 1.5, True, "4"])
def test_what_is_no_bound(number):
    with pytest.raises(RuleError) as caught:
        squares.max_trips(number)
    assert (caught.value.rule, caught.value.allowed) == ("kernel.max_trips", "a positive integer")


def test_the_bound_is_a_setting_of_the_kernel():
    assert squares.max_trips(4) is squares.max_trips(4)
    assert squares.max_trips(4).max_trips(5) is squares.max_trips(5)
    assert squares.max_trips(4) is not squares


@nki.jit
def roots(x, n):
    """`x` under `n` square roots: an iteration that there is not would take one of 0, whose slope is infinite."""
    out, t, zero = hbm((1, 8), name="out"), new((1, 8), name="t"), new((1, 8), name="zero")
    emit(DmaCopy, dst=t, src=ap(x, [[8, 1], [1, 8]]))
    k, one, c = new((1, 1), "int32", name="k"), new((1, 1), "int32", name="one"), alloc(name="c")
    emit(DmaCopy, dst=k, src=ap(n, [[1, 1], [1, 1]]))
    emit(Memset, dst=one, value=1)
    emit(Memset, dst=zero, value=0.0)
    load(c, k)

    def body(r):
        emit(
            Activation,
            dst=t,
            op="sqrt",
            data=t,
            bias=None,
            scale=1.0,
            reduce_op=None,
            reduce_res=None,
            accumulator=None,
        )
        emit(TensorTensor, dst=k, data1=k, data2=one, op="subtract")
        load(r, k)
        return r

    while_loop(c, body)
    emit(DmaCopy, dst=out, src=t)
    return out


def test_iterations_that_there_are_not_have_no_derivative():
    """Alone and in a batch, where they are computed all the same."""
    bounded = roots.max_trips(3)

    def loss(x, n):
        return bounded(x, n).sum()

    zeros = np.zeros_like(X)
    np.testing.assert_array_equal(jax.grad(loss)(zeros, counts(0))[0], np.ones(8))
    grads = jax.vmap(jax.grad(loss), (0, 0))(np.stack([zeros, X]), np.array([[0], [2]], np.int32))
    np.testing.assert_array_equal(grads[0, 0], np.ones(8))
    np.testing.assert_allclose(grads[1, 0], 0.25 * X[0] ** -0.75, rtol=1e-5)


# Among others.


@nki.jit
def searching(x, n):
    """Follows `x`, a table of rows, from `n` on until it finds 0, and faults where a row is not in the table."""
    out, at = hbm((1, 2), "int32", name="out"), new((1, 2), "int32", name="at")
    one, place = new((1, 1), "int32", name="one"), alloc(name="place")
    emit(Memset, dst=at, value=0)
    emit(Memset, dst=one, value=1)
    load(place, n[0:1])
    while place:
        emit(DmaCopy, dst=ap(at, [[2, 1], [1, 1]]), src=ap(x, [[1, 1], [1, 1]], by=place))
        steps = ap(at, [[2, 1], [1, 1]], 1)
        emit(TensorTensor, dst=steps, data1=steps, data2=one, op="add")
        emit(RegisterLoad, dst=place.destination, src=ap(at, [[2, 1], [1, 1]]))
    emit(DmaCopy, dst=out, src=at)
    return out


def test_a_while_ends_with_a_fault():
    """Else it would go round for ever: nothing brings the number that would end it."""
    table = np.array([[9], [0], [1], [2], [8]], np.int32).reshape(5)
    assert searching(table, counts(3)).tolist() == [[0, 3]]
    with pytest.raises(FaultError, match="index 8 is out of bounds"):
        searching(table, counts(4))
    outputs, fault = jax.vmap(searching.with_fault, (None, 0))(table, np.array([[3], [4], [0], [7]], np.int32))
    assert fault.occurred.tolist() == [False, True, False, True]
    assert outputs[0].tolist() == [[0, 3]]


@nki.jit
def hanging(x, n):
    """A fault, and then, in other loops, one that waits for a number that the fault has kept away."""
    out, t = hbm((4, 8), name="out"), new((4, 8), name="t")
    k, c, flag = new((1, 1), "int32", name="k"), alloc(name="c"), new((1, 1), "int32", name="flag")
    emit(DmaCopy, dst=t, src=ap(x, [[8, 4], [1, 8]]))
    load(c, n[0:1])
    emit(Memset, dst=flag, value=1)
    emit(DmaCopy, dst=flag, src=ap(n, [[1, 1], [1, 1]], by=c))
    for i in dynamic_range(4):
        r = alloc(name="r")
        load(r, flag)
        part = ap(t, [[8, 4], [1, 2]], by=i, dim=1)
        while r:
            emit(TensorTensor, dst=part, data1=part, data2=part, op="add")
            emit(TensorCopy, dst=k, src=flag)
            load(r, k)
    emit(DmaCopy, dst=out, src=t)
    return out


@pytest.mark.parametrize("form", [None, Form.SCAN])
def test_a_fault_before_ends_the_loops_after_it(form):
    run = lower_program(hanging.trace(X, counts(3, 0)), form)
    (out,), fault = jax.jit(run)(X, counts(1, 0))
    assert not fault.occurred
    np.testing.assert_array_equal(out, X[:4])
    _, fault = jax.jit(run)(X, counts(3, 0))
    assert (bool(fault.occurred), int(fault.index)) == (True, 3)
    pieces = Pieces(hanging.trace(X, counts(3, 0)))
    _, fault = lower_program(hanging.trace(X, counts(3, 0)), run=pieces)(X, counts(3, 0))
    assert (bool(fault.occurred), int(fault.index)) == (True, 3)


@pytest.mark.parametrize("kernel", [squares, squares.max_trips(6)], ids=["while", "scan"])
def test_in_pieces(kernel):
    program = kernel.trace(X, counts(3))
    run = lower_program(program, run=Pieces(program))
    for n in (0, 5):
        (out,), fault = run(X, counts(n))
        np.testing.assert_array_equal(out, wanted(X, n))
        assert not fault.occurred


@nki.jit
def tiled(x):
    """A loop between integers."""
    out = hbm((6, 8), name="out")
    for i in dynamic_range(0, 6, 2):
        t = new((2, 8), name="t")
        emit(DmaCopy, dst=t, src=ap(x, [[8, 2], [1, 8]], by=i))
        emit(TensorTensor, dst=t, data1=t, data2=t, op="multiply")
        emit(DmaCopy, dst=ap(out, [[8, 2], [1, 8]], by=i), src=t)
    return out


def test_between_integers_iterations_are_a_batch_and_have_derivatives():
    program = tiled.trace(X)
    assert not jax.make_jaxpr(lower_program(program))(X).pretty_print().count("gather[dimension_numbers=Gather") > 4
    assert "scan" not in str(jax.make_jaxpr(lambda x: lower_program(program)(x)[0])(X))
    np.testing.assert_array_equal(tiled(X), X * X)
    np.testing.assert_allclose(jax.grad(lambda x: tiled(x).sum())(X), 2 * X, rtol=1e-6)


@nki.jit
def kept(x, n):
    """Odd bits of bfloat16 on their way through a loop."""
    out, t = hbm((6, 8), "bfloat16", name="out"), new((6, 8), "bfloat16", name="t")
    emit(DmaCopy, dst=t, src=x)
    count = alloc(name="count")
    load(count, n[0:1])
    for i in dynamic_range(count):
        part = ap(t, [[8, 6], [1, 1]], by=i, dim=1)
        emit(TensorCopy, dst=part, src=part)
        store(new((1, 1), "int32", name="k"), i)
    emit(DmaCopy, dst=out, src=t)
    return out


@pytest.mark.parametrize("kernel", [kept, kept.max_trips(8)], ids=["while", "scan"])
def test_bits_are_kept(kernel):
    bits = np.random.default_rng(0).integers(0, 2**16, (6, 8)).astype(np.uint16)
    x = bits.view(jnp.bfloat16)
    np.testing.assert_array_equal(np.asarray(kernel(x, counts(5))).view(np.uint16), bits)
    found = jax.jit(jax.vmap(kernel, (None, 0)))(x, np.array([[0], [8]], np.int32))
    np.testing.assert_array_equal(np.asarray(found).view(np.uint16), np.stack([bits, bits]))
