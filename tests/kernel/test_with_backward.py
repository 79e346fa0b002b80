"""A kernel whose gradient is another kernel."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jnki
from jnki.neuronxcc import nki

nl, nisa = nki.language, nki.isa

SHAPE = (4, 8)
X, W = (np.asarray(jax.random.normal(jax.random.key(n), SHAPE)) for n in range(2))


@nki.jit
def scaled_softmax(x, scale=1.0):
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    nl.store(out, nl.softmax(nl.multiply(nl.load(x), scale), axis=1))
    return out


@nki.jit
def scaled_softmax_backward(y, dy, scale):
    out = nl.ndarray(y.shape, dtype=y.dtype, buffer=nl.shared_hbm)
    value, cotangent = nl.load(y), nl.load(dy)
    dot = nl.sum(value * cotangent, axis=1, keepdims=True)
    nl.store(out, nl.multiply(value * (cotangent - dot), scale))
    return out


softmax = jnki.with_backward(scaled_softmax, lambda x, scale, y, dy: scaled_softmax_backward(y, dy, scale))


def loss(function, scale=1.0):
    return lambda x: (function(x, scale) * W).sum()


def by_hand(x, scale=1.0):
    return jax.nn.softmax(x * scale, axis=1)


def test_values_are_those_of_the_forward_kernel():
    np.testing.assert_array_equal(softmax(X), scaled_softmax(X))
    assert softmax.__name__ == "scaled_softmax"


@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_gradients_are_those_of_the_backward_kernel_in_every_transformation(scale):
    expected = jax.grad(loss(by_hand, scale))(X)
    gradient = jax.grad(loss(softmax, scale))
    both = jnp.stack([X, X])
    for found in (
        gradient(X),
        jax.jit(gradient)(X),
        jax.vmap(gradient)(both)[1],
        jax.grad(jax.checkpoint(loss(softmax, scale)))(X),
        jax.grad(lambda x: jax.lax.scan(lambda c, _: (c + loss(softmax, scale)(x), None), 0.0, None, length=1)[0])(X),
    ):
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_the_backward_kernel_is_what_runs_and_has_a_derivative_itself():
    doubled = jnki.with_backward(scaled_softmax, lambda x, scale, y, dy: 2 * scaled_softmax_backward(y, dy, scale))
    np.testing.assert_allclose(jax.grad(loss(doubled))(X), 2 * jax.grad(loss(by_hand))(X), atol=1e-6)
    second = jax.grad(lambda x: jax.grad(loss(softmax))(x)[0, 0])(X)
    np.testing.assert_allclose(second, jax.grad(lambda x: jax.grad(loss(by_hand))(x)[0, 0])(X), atol=1e-6)


def test_integers_have_no_gradient_and_none_is_zero():
    @nki.jit
    def gather(table, rows, other):
        out = nl.ndarray((2, 8), dtype=table.dtype, buffer=nl.shared_hbm)
        nl.store(out, nl.load(table[nl.load(rows), nl.arange(8)[None, :]]))
        copy = nl.ndarray(rows.shape, dtype=rows.dtype, buffer=nl.shared_hbm)
        nl.store(copy, nl.load(rows))
        return out, copy

    def backward(table, rows, other, out, copy, d_out):
        assert d_out.shape == out.shape, "the integer output has no cotangent"
        return jnp.zeros_like(table).at[rows[:, 0]].add(d_out), None

    rows = np.array([[3], [1]], np.int32)
    taken = jnki.with_backward(gather, backward)
    gradient, other = jax.grad(lambda t, o: (taken(t, rows, o)[0] * W[:2]).sum(), (0, 1))(X, X)
    np.testing.assert_array_equal(gradient, np.stack([0 * W[0], W[1], 0 * W[0], W[0]]))
    np.testing.assert_array_equal(other, np.zeros_like(X))


def test_wrong_gradients_are_named():
    def gradient(backward):
        return jax.grad(loss(jnki.with_backward(scaled_softmax, backward)))(X)

    with pytest.raises(TypeError) as caught:
        gradient(lambda x, scale, y, dy: (dy, dy))
    assert str(caught.value) == (
        "with_backward: <lambda> returns 2 gradients, and the forward function has 1 arguments that are arrays of "
        "floats: float32[4, 8]"
    )
    for wrong, text in ((lambda dy: dy[1:], "float32[3, 8]"), (lambda dy: dy.astype(jnp.bfloat16), "bfloat16[4, 8]")):
        with pytest.raises(TypeError) as caught:
            gradient(lambda x, scale, y, dy, wrong=wrong: wrong(dy))
        assert str(caught.value) == (
            f"with_backward: <lambda> returns as gradient 0 {text}\n"
            "  allowed: float32[4, 8], as the argument, or None for zero"
        )
