"""The Scalar Engine's accumulator registers as data: through loops, redirected results, grids; and unread ones."""

import jax
import numpy as np

from jnki.access.buffer import Space
from jnki.isa import Activation
from jnki.lower.lowering import lower_program
from jnki.lower.plan import Form, plan
from jnki.neuronxcc import nki
from jnki.neuronxcc.nki import isa as nisa
from jnki.neuronxcc.nki import language as nl
from jnki.program.program import Loop, instructions

P, N, TRIPS = 4, 6, 5
COMMAND = nisa.reduce_cmd


def data():
    return np.random.default_rng(8).normal(size=(TRIPS * P, N)).astype(np.float32)


def tile(x, i):
    return nl.load(x[nl.ds(i * P, P)])


def activations(program):
    return [i for i in instructions(program.body) if isinstance(i, Activation)]


def running_total(x):
    """Sums all blocks of rows in the registers, and reads them out after every one."""
    out = nl.ndarray((TRIPS * P, 1), nl.float32, buffer=nl.shared_hbm)
    nisa.activation(nl.copy, nl.load(x[0:P]), reduce_cmd=COMMAND.reset)
    for i in nl.sequential_range(TRIPS):
        total = nl.ndarray((P, 1), nl.float32)
        nisa.activation(nl.square, tile(x, i), reduce_op=np.add, reduce_cmd=COMMAND.reduce, reduce_res=total)
        nl.store(out[nl.ds(i * P, P)], total)
    return out


def test_registers_are_carried_through_a_loop():
    x = data()
    kernel = nki.jit(running_total)
    wanted = (x.astype(np.float64) ** 2).sum(axis=1).reshape(TRIPS, P).cumsum(axis=0).reshape(-1, 1)
    np.testing.assert_allclose(kernel(x), wanted, rtol=1e-5)
    loop = next(node for node in kernel.trace(x).body if isinstance(node, Loop))
    assert [b.name for b in plan(loop).carried] == ["activation_accumulator"]
    unrolled = np.asarray(lower_program(kernel.trace(x), Form.SCAN)(x)[0][0])
    np.testing.assert_array_equal(unrolled, kernel(x))
    slopes = jax.grad(lambda x: kernel(x).sum())(x)
    weights = np.repeat(np.arange(TRIPS, 0, -1), P)[:, None]
    np.testing.assert_allclose(slopes, 2 * x * weights, rtol=1e-5)


def test_registers_that_each_iteration_resets_are_not_carried():
    """Iterations stay independent where all registers are reset; where only some are, the others must be kept."""

    def kernel_of(rows):
        @nki.jit
        def kernel(x):
            out = nl.ndarray((x.shape[0], 1), nl.float32, buffer=nl.shared_hbm)
            for i in nl.affine_range(x.shape[0] // rows):
                total, part = nl.ndarray((rows, 1), nl.float32), nl.load(x[nl.ds(i * rows, rows)])
                nisa.activation(nl.square, part, reduce_op=np.add, reduce_cmd=COMMAND.reset_reduce)
                nisa.activation(nl.exp, part, reduce_op=np.add, reduce_cmd=COMMAND.reduce, reduce_res=total)
                nl.store(out[nl.ds(i * rows, rows)], total)
            return out

        return kernel

    x = np.random.default_rng(9).normal(size=(512, 3)).astype(np.float32)
    for rows, form in ((128, Form.BATCH), (64, Form.SCAN)):
        kernel = kernel_of(rows)
        (loop,) = kernel.trace(x).body
        assert plan(loop).form is form
        np.testing.assert_allclose(kernel(x), (x**2 + np.exp(x)).sum(axis=1, keepdims=True), rtol=1e-5)


def test_registers_that_nobody_reads_are_left_out():
    @nki.jit
    def kernel(x):
        out = nl.ndarray((TRIPS * P, 1), nl.float32, buffer=nl.shared_hbm)
        for i in nl.affine_range(TRIPS):
            total = nl.ndarray((P, 1), nl.float32)
            nisa.activation_reduce(nl.square, tile(x, i), reduce_op=np.add, reduce_res=total)
            nl.store(out[nl.ds(i * P, P)], total)
        return out

    x = data()
    program = kernel.trace(x)
    assert "activation_accumulator" not in str(program)
    assert [a.accumulator for a in activations(program)] == [None]
    loop = next(node for node in program.body if isinstance(node, Loop))
    assert plan(loop).form is Form.BATCH and plan(loop).carried == ()
    np.testing.assert_allclose(kernel(x), (x**2).sum(axis=1, keepdims=True), rtol=1e-5)


def test_registers_never_reset_read_as_nan():
    @nki.jit
    def kernel(x):
        out = nl.ndarray((P, 1), nl.float32, buffer=nl.shared_hbm)
        total = nl.ndarray((P, 1), nl.float32)
        nisa.activation(nl.exp, nl.load(x), reduce_res=total)
        nl.store(out, total)
        return out

    assert np.isnan(kernel(data()[:P])).all()


def redirected(use_both):
    @nki.jit
    def kernel(x):
        out = nl.ndarray((P, 1), nl.float32, buffer=nl.shared_hbm)
        copy = nl.ndarray((P, N), nl.float32, buffer=nl.shared_hbm)
        loaded = nl.load(x)
        held, total = nl.ndarray((P, N), nl.float32), nl.ndarray((P, 1), nl.float32)
        nisa.activation(nl.copy, loaded, reduce_cmd=COMMAND.reset)
        value = nisa.activation(nl.square, loaded, reduce_op=np.add, reduce_cmd=COMMAND.reduce, reduce_res=total)
        held[...] = value
        nl.store(out, total)
        nl.store(copy, value if use_both else held)
        return out, copy

    return kernel


def test_a_redirected_result_is_reduced_once():
    x = data()[:P]
    for use_both, count in ((False, 2), (True, 3)):
        kernel = redirected(use_both)
        total, copy = kernel(x)
        np.testing.assert_allclose(total, (x**2).sum(axis=1, keepdims=True), rtol=1e-5)
        np.testing.assert_array_equal(copy, x**2)
        found = activations(kernel.trace(x))
        assert len(found) == count
        assert [a.reduce_cmd for a in found if a.reduce_cmd is COMMAND.reduce] == [COMMAND.reduce]


def test_instances_of_a_grid_have_registers_of_their_own():
    @nki.jit
    def kernel(x):
        out = nl.ndarray((TRIPS * P, 1), nl.float32, buffer=nl.shared_hbm)
        i = nl.program_id(0)
        total = nl.ndarray((P, 1), nl.float32)
        nisa.activation(nl.square, tile(x, i), reduce_op=np.add, reduce_cmd=COMMAND.reset_reduce)
        nisa.activation(nl.copy, tile(x, i), reduce_res=total)
        nl.store(out[nl.ds(i * P, P)], total)
        return out

    x = data()
    program = kernel[TRIPS].trace(x)
    assert all("accumulator" not in b.name for b in program.buffers)
    (loop,) = program.body
    assert [b.name for b in loop.buffers if "accumulator" in b.name] == ["activation_accumulator"]
    assert plan(loop).form is Form.BATCH
    np.testing.assert_allclose(kernel[TRIPS](x), (x**2).sum(axis=1, keepdims=True), rtol=1e-5)


def test_unrolled_instances_have_registers_of_their_own_too():
    """What one instance leaves behind is not what the next one finds."""

    @nki.jit
    def kernel(x):
        out = nl.ndarray((2 * P, 1), nl.float32, buffer=nl.shared_hbm)
        i = nl.program_id(0)
        total = nl.ndarray((P, 1), nl.float32)
        if i == 0:
            nisa.activation(nl.square, tile(x, i), reduce_op=np.add, reduce_cmd=COMMAND.reset_reduce)
        nisa.activation(nl.copy, tile(x, i), reduce_res=total)
        nl.store(out[nl.ds(i * P, P)], total)
        return out

    x = data()[: 2 * P]
    result = kernel[2](x)
    np.testing.assert_allclose(result[:P], (x[:P] ** 2).sum(axis=1, keepdims=True), rtol=1e-5)
    assert np.isnan(result[P:]).all()


def test_the_buffer():
    program = nki.jit(running_total).trace(data())
    (registers,) = [b for b in program.buffers if b.name == "activation_accumulator"]
    assert (registers.space, registers.shape, registers.dtype.name) == (Space.SBUF, (128, 1), "float32")
