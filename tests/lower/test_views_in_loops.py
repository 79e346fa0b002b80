"""Views of another type inside loops: the bits agree in every form, and the derivative of what is no view stays."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jnki.lower.lowering import lower_program
from jnki.lower.plan import Form
from jnki.neuronxcc import nki

nl, nisa = nki.language, nki.isa

X = np.random.default_rng(0).normal(size=(3, 4, 6)).astype(np.float32)


def kernel_over(loop):
    """Running sums, whose bits are looked at before each addition."""

    @nki.jit
    def kernel(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        bits = nl.ndarray(x.shape, dtype=nl.int32, buffer=nl.shared_hbm)
        total = nl.zeros((4, 6), dtype=nl.float32, buffer=nl.sbuf)
        for i in loop(3):
            nl.store(bits[i], total.view(nl.int32))
            total += nl.load(x[i])
            nl.store(out[i], total)
        return out, bits

    return kernel.trace(X)


@pytest.mark.parametrize("form", [Form.SCAN, None])
@pytest.mark.parametrize("loop", [nl.sequential_range, nl.static_range])
def test_a_tensor_that_is_also_looked_at_as_bits(loop, form):
    function = lower_program(kernel_over(loop), form)
    (out, bits), _ = jax.jit(function)(X)
    before = np.concatenate([np.zeros((1, 4, 6), np.float32), np.asarray(out)[:-1]])
    np.testing.assert_allclose(out, np.cumsum(X, axis=0), rtol=1e-6)
    np.testing.assert_array_equal(bits, before.view(np.int32))

    def loss(of, x):
        return jnp.sum(of(x) * jnp.arange(72.0).reshape(3, 4, 6))

    found = jax.grad(functools.partial(loss, lambda x: function(x)[0][0]))(X)
    np.testing.assert_allclose(found, jax.grad(functools.partial(loss, lambda x: jnp.cumsum(x, 0)))(X), rtol=1e-6)


@pytest.mark.parametrize("loop", [nl.sequential_range, nl.affine_range, nl.static_range])
def test_writing_bits_in_a_loop(loop):
    @nki.jit
    def kernel(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        for i in loop(3):
            tile = nl.load(x[i])
            tile.view(nl.uint16)[:, 0:12:2] = 0
            nl.store(out[i], tile)
        return out

    expected = X.copy()
    expected.view(np.uint16)[..., ::2] = 0
    np.testing.assert_array_equal(kernel(X), expected)
