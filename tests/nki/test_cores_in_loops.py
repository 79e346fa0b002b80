"""Two cores that wait for each other in loops on the device: the values, faults where they do not agree, races."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jnki.nki as nki
from jnki.analysis import races
from jnki.memory import FaultError
from jnki.program.program import DeviceLoop, Loop
from tests.nki.shared_kernels import f32

nl, nisa = nki.language, nki.isa

X = f32(2, 4, 3)


def times(*each):
    """How often each core's loop runs."""
    return np.array(each if len(each) == 2 else each * 2, np.int32).reshape(2, 1, 1)


def loaded(n):
    tile = nl.ndarray((1, 1), dtype=nl.int32, buffer=nl.sbuf)
    nisa.dma_copy(tile, n)
    register = nisa.register_alloc()
    nisa.register_load(register, tile)
    return register


def fori(n, body):
    nl.fori_loop(0, loaded(n), body)


def fori_known(n, body):
    nl.fori_loop(0, 5, body)


def dynamic_range(n, body):
    for i in nl.dynamic_range(0, loaded(n)):
        body(i)


def counted_down(n, body):
    left = nl.ndarray((1, 1), dtype=nl.int32, buffer=nl.sbuf)
    register = loaded(n)
    while register:
        body(register)
        nisa.register_store(left, register)
        nisa.tensor_scalar(left, left, nl.add, -1)
        nisa.register_load(register, left)


def function_of(loop):
    def kernel(x, n):
        """Each core adds its rows, and gives half of what it has to the other one, `n` times."""
        me = nl.program_id(0)
        out = nl.ndarray(x.shape, x.dtype, buffer=nl.shared_hbm)
        held, row, received = (nl.ndarray(x.shape[1:], x.dtype, buffer=nl.sbuf) for _ in range(3))
        nisa.memset(held, 0)
        nisa.dma_copy(row, x[me])

        def body(i):
            nisa.tensor_tensor(held, held, row, nl.add)
            nisa.sendrecv(held, received, 1 - me, 1 - me, 0)
            nisa.tensor_scalar(held, received, nl.multiply, 0.5)

        loop(n[me], body)
        nisa.dma_copy(out[me], held)
        return out

    return kernel


def reference(x, n):
    held = jnp.zeros_like(x)
    for _ in range(n):
        held = (held + x)[::-1] * 0.5
    return held


LOOPS = [fori, fori_known, dynamic_range, counted_down]
each_loop = pytest.mark.parametrize("loop", LOOPS, ids=lambda loop: loop.__name__)
each_run_time_loop = pytest.mark.parametrize(
    "loop", [fori, dynamic_range, counted_down], ids=lambda loop: loop.__name__
)


@each_loop
def test_both_cores_go_through_the_loop_together(loop):
    kernel = nki.jit(function_of(loop))[2]
    np.testing.assert_array_equal(kernel(X, times(5)), reference(X, 5))
    np.testing.assert_array_equal(jax.jit(kernel)(X, times(5)), reference(X, 5))
    body = kernel.trace(X, times(5)).body
    assert sum(isinstance(node, (Loop, DeviceLoop)) for node in body) == 1


@each_run_time_loop
def test_in_a_batch_each_case_has_its_number_of_iterations(loop):
    kernel = nki.jit(function_of(loop))[2]
    counts = np.stack([times(0), times(3), times(1)])
    batch = jnp.stack([X, X + 1, X * 2])
    wanted = [reference(x, int(n[0, 0, 0])) for x, n in zip(batch, counts)]
    np.testing.assert_array_equal(jax.vmap(kernel)(batch, counts), jnp.stack(wanted))


@each_loop
def test_derivatives_backwards_with_a_bound(loop):
    kernel = nki.jit(function_of(loop)).max_trips(7)[2]
    weights = jnp.cos(jnp.arange(X.size, dtype=jnp.float32)).reshape(X.shape)
    slope = jax.grad(lambda x: jnp.sum(kernel(x, times(5)) * weights))(jnp.asarray(X))
    np.testing.assert_allclose(slope, jax.grad(lambda x: jnp.sum(reference(x, 5) * weights))(jnp.asarray(X)), rtol=1e-6)


@each_run_time_loop
@pytest.mark.parametrize("counts", [(3, 4), (5, 0), (0, 2)])
def test_cores_that_do_not_run_equally_often_are_a_fault(loop, counts):
    kernel = nki.jit(function_of(loop))[2]
    with pytest.raises(
        FaultError, match="two cores wait for each other in a .*, and do not run it equally often"
    ) as caught:
        kernel(X, times(*counts))
    assert f"of what decides it, core 0 has {counts[0]} and core 1 has {counts[1]}" in caught.value.__notes__[0]
    assert "test_cores_in_loops.py" in caught.value.__notes__[1]


def test_a_while_whose_conditions_part_later_is_a_fault():
    def slower(n, body):
        step = -1 if nl.program_id(0) == 0 else -2
        left = nl.ndarray((1, 1), dtype=nl.int32, buffer=nl.sbuf)
        register = loaded(n)
        while register:
            body(register)
            nisa.register_store(left, register)
            nisa.tensor_scalar(left, left, nl.add, step)
            nisa.register_load(register, left)

    with pytest.raises(FaultError) as caught:
        nki.jit(function_of(slower))[2](X, times(4))
    assert "core 0 has 3 and core 1 has 2" in caught.value.__notes__[0]


def test_a_number_beside_a_register_is_refused():
    def either(n, body):
        nl.fori_loop(0 if nl.program_id(0) == 0 else loaded(n), loaded(n), body)

    with pytest.raises(nisa.NkiValidationError) as caught:
        nki.jit(function_of(either))[2](X, times(4))
    assert caught.value.rule == "spmd.cores_wait"
    assert "core 0: for i" in caught.value.given and "; core 1: for i" in caught.value.given


def test_loops_of_different_kinds_are_refused():
    def either(n, body):
        (fori if nl.program_id(0) == 0 else counted_down)(n, body)

    with pytest.raises(nisa.NkiValidationError) as caught:
        nki.jit(function_of(either))[2](X, times(4))
    assert caught.value.rule == "spmd.cores_wait"


def through_hbm(waits):
    def kernel(x, n):
        """Each core doubles the row that the other one has written."""
        me = nl.program_id(0)
        out = nl.ndarray(x.shape, x.dtype, buffer=nl.shared_hbm)
        row = nl.ndarray(x.shape[1:], x.dtype, buffer=nl.sbuf)
        nisa.dma_copy(row, x[me])

        def body(i):
            nisa.dma_copy(out[me], row)
            nisa.core_barrier(out, (0, 1))
            nisa.dma_copy(row, out[1 - me])
            nisa.tensor_scalar(row, row, nl.multiply, 2.0)
            if waits:
                nisa.core_barrier(out, (0, 1))

        nl.fori_loop(0, loaded(n[me]), body)
        return out

    return nki.jit(kernel)[2]


def test_a_loop_needs_to_wait_before_its_next_iteration():
    found = races(through_hbm(waits=False).trace(X, times(3)))
    assert {(race.first.is_write, race.second.is_write) for race in found} == {(True, False), (False, True)}
    assert not any(race.is_certain for race in found)
    kernel = through_hbm(waits=True)
    assert races(kernel.trace(X, times(3))) == ()
    np.testing.assert_array_equal(kernel(X, times(3)), X * 4)
