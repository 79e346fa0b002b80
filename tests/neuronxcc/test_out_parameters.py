"""Kernels that write their parameters and return nothing: `nki.trace`, `baremetal`, `benchmark`, `simulate_kernel`."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jnki.errors import RuleError
from jnki.neuronxcc import nki
from tests.errors.refusals import flagged

nl, nisa, nt = nki.language, nki.isa, nki.typing

X = np.arange(24, dtype=np.float32).reshape(6, 4)


def double(x, out, part=None):
    nl.store(out, nl.load(x) * 2)
    if part is not None:
        nl.store(part[2:4], nl.load(x[0:2]))


traced = nki.trace(double)
MADE = {
    "trace": (traced, lambda kernel, *arrays: kernel(*arrays)),
    "jit": (nki.jit(double, mode="trace"), lambda kernel, *arrays: kernel(*arrays)),
    "baremetal": (nki.baremetal(double), lambda kernel, *arrays: kernel(*arrays)),
    "benchmark": (nki.benchmark(double), lambda kernel, *arrays: kernel(*arrays)),
    "simulated": (traced, nki.simulate_kernel),
    "function": (double, nki.simulate_kernel),
}


@pytest.mark.parametrize("way", MADE)
def test_numpy_arrays_are_overwritten_and_returned(way):
    kernel, call = MADE[way]
    out, part = np.zeros_like(X), -X
    found = call(kernel, X, out, part)
    np.testing.assert_array_equal(out, 2 * X)
    np.testing.assert_array_equal(part, np.concatenate([-X[:2], X[:2], -X[4:]]))
    assert len(found) == 2
    np.testing.assert_array_equal(found[0], out)
    np.testing.assert_array_equal(found[1], part)
    single = call(kernel, X, np.empty_like(X))
    np.testing.assert_array_equal(single, 2 * X)


def test_jax_arrays_are_only_returned_and_transformations_hold():
    out = jnp.zeros_like(X)
    np.testing.assert_array_equal(traced(jnp.asarray(X), out), 2 * X)
    assert not out.any()
    np.testing.assert_array_equal(jax.jit(traced)(X, out), 2 * X)
    np.testing.assert_array_equal(jax.vmap(traced, (0, None))(jnp.stack([X, -X]), out)[1], -2 * X)
    np.testing.assert_array_equal(jax.grad(lambda x: traced(x, out).sum())(jnp.asarray(X)), np.full_like(X, 2))
    held = np.zeros_like(X)
    jax.jit(lambda x: traced(x, held))(X)
    assert not held.any()  # a compiled program writes to no array of the caller


def test_nothing_is_overwritten_where_something_is_wrong():
    frozen = np.zeros_like(X)
    frozen.flags.writeable = False
    with pytest.raises(ValueError, match="kernel double writes its parameter 'out', and the array is read-only"):
        traced(X, frozen)

    @nki.trace
    def gather(x, rows, out):
        nl.store(out, nl.load(x[nl.load(rows), nl.arange(4)[None, :]]))

    out = np.zeros((3, 4), np.float32)
    with pytest.raises(IndexError):
        gather(X, np.array([[0], [9], [1]], np.int32), out)
    assert not out.any()
    gather(X, np.array([[0], [5], [1]], np.int32), out)
    np.testing.assert_array_equal(out, X[[0, 5, 1]])


def test_a_grid_and_a_nested_kernel():
    @nki.trace
    def rows(x, out):
        i = nl.program_id(0)
        double(x[nl.ds(3 * i, 3)], out[nl.ds(3 * i, 3)])

    out = np.zeros_like(X)
    rows[2](X, out)
    np.testing.assert_array_equal(out, 2 * X)

    @nki.jit
    def outer(x):
        out = nl.ndarray(x.shape, x.dtype, buffer=nl.shared_hbm)
        traced(x, out)
        return out

    np.testing.assert_array_equal(outer(X), 2 * X)


@nki.jit
def jitted(x, out):
    nl.store(out, nl.load(x))  # flagged


@nki.trace
def half(x, out):
    result = nl.ndarray(x.shape, x.dtype, buffer=nl.shared_hbm)
    nl.store(result, nl.load(x))
    nl.store(out, nl.load(x))
    return result


@nki.trace
def idle(x):
    nl.load(x)


def test_its_rules():
    flagged(
        jitted,
        X,
        X.copy(),
        rule="err_cannot_update_immutable_parameter",
        message="dma_copy: parameter 'out' is immutable",
        given="a write to hbm tensor 'out' [6, 4] float32",
        allowed="'out: nt.mutable_tensor', or a new tensor in nl.shared_hbm",
    )
    with pytest.raises(RuleError, match="err_mutable_parameter_not_returned: mutable parameter 'out' is written"):
        half(X, X.copy())
    with pytest.raises(RuleError, match="err_tensor_output_not_written_to: kernel idle has no output"):
        idle(X)
    nki.jit(half.function)  # a kernel made anew has the rules of what makes it
    with pytest.raises(RuleError, match="err_cannot_update_immutable_parameter"):
        nki.jit(traced)(X, X.copy())
