"""Writing through a view of another type: floats that it leaves alone keep their derivative, all others have none."""

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest

from jnki.memory.reinterpret import put_back, reinterpret
from jnki.neuronxcc import nki
from jnki.neuronxcc.nki import language as nl

FLOATS = (np.float32, np.float16, ml_dtypes.bfloat16, ml_dtypes.float8_e4m3)
VIEWS = (np.int8, np.uint16, np.int32, np.float32, ml_dtypes.bfloat16)
X = jnp.arange(1.0, 33.0).reshape(4, 8)


@pytest.mark.parametrize("held", FLOATS)
def test_put_back_keeps_what_has_no_written_byte(held):
    """Random marks against NumPy's view of them; bits that are written as they were are written."""
    rng = np.random.default_rng(0)
    old = jnp.asarray(rng.uniform(1, 2, (3, 8)), held)
    cases = {}
    for view in VIEWS:
        shape = (3, 8 * np.dtype(held).itemsize // np.dtype(view).itemsize)
        cases[view] = rng.random(shape) < 0.3

    def again(x, marks, view):
        return put_back(x, reinterpret(old, marks.shape, np.dtype(view)), jnp.asarray(marks))

    def everything(x):
        found = {}
        for view, marks in cases.items():
            value, pull = jax.vjp(lambda x, marks=marks, view=view: again(x, marks, view), x)
            tangent = jax.jvp(lambda x, marks=marks, view=view: again(x, marks, view), (x,), (jnp.ones_like(x),))[1]
            found[view] = value, pull(jnp.ones_like(x))[0], tangent
        return list(found.values())

    for (view, marks), (value, gradient, tangent) in zip(cases.items(), jax.jit(everything)(old)):
        written = np.repeat(marks.ravel(), np.dtype(view).itemsize).reshape(3, 8, np.dtype(held).itemsize).any(axis=-1)
        assert np.asarray(value).tobytes() == np.asarray(old).tobytes()
        assert np.asarray(gradient != 0).tolist() == (~written).tolist() == np.asarray(tangent != 0).tolist()


def straight(t):
    t.view(nl.int32)[0:2, 1:3] = 0


def equal_bits(t):
    bits = t.view(nl.int32)
    bits[0:2, 1:3] = nl.bitwise_or(bits[0:2, 1:3], 0)


def in_bytes(t):
    t.view(nl.int8)[0:2, 4 * 1 + 3 : 4 * 2 + 1] = 0


def as_other_float(t):
    t.view(nl.bfloat16)[0:2, 3:5] = 0


def scanned(t):
    bits = t.view(nl.int32)
    for i in nl.sequential_range(2):
        bits[0:2, nl.ds(1 + i, 1)] = nl.bitwise_or(bits[0:2, nl.ds(1 + i, 1)], 0)


def divided(t):
    bits = t.view(nl.int32)
    for i in nl.affine_range(2):
        bits[0:2, nl.ds(1 + i, 1)] = 0


def with_floats_beside(t):
    bits = t.view(nl.int32)
    for i in nl.sequential_range(2):
        bits[0:2, nl.ds(1 + i, 1)] = 0
        t[2:4, nl.ds(1 + i, 1)] = nl.multiply(t[2:4, nl.ds(1 + i, 1)], 3.0)


def kernel_of(body):
    @nki.jit
    def kernel(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        t = nl.multiply(nl.load(x), 2.0)
        body(t)
        nl.store(out, t)
        return out

    return kernel


BODIES = (straight, equal_bits, in_bytes, as_other_float, scanned, divided, with_floats_beside)


def test_in_kernels_and_their_loops():
    kernels = [kernel_of(body) for body in BODIES]

    @jax.jit
    def gradients(x):
        batch = jnp.stack([x, x + 1])
        alone = [jax.grad(lambda x, k=k: k(x).sum())(x) for k in kernels]
        batched = [jax.vmap(jax.grad(lambda x, k=k: k(x).sum()))(batch)[1] for k in kernels]
        return alone, batched

    for form in gradients(X):
        for body, found in zip(BODIES, form):
            expected = np.full((4, 8), 2.0)
            expected[0:2, 1:3] = 0
            if body is with_floats_beside:
                expected[2:4, 1:3] = 6
            np.testing.assert_array_equal(found, expected, err_msg=body.__name__)


def test_equal_bits_change_no_value():
    np.testing.assert_array_equal(kernel_of(equal_bits)(X), 2 * X)
    np.testing.assert_array_equal(kernel_of(scanned)(X), 2 * X)


def test_masked_writes_in_hbm():
    @nki.jit
    def kernel(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        nl.store(out, nl.load(x))
        i, j = nl.mgrid[0:4, 0:8]
        nl.store(out.view(nl.int32)[i, j], nl.zeros((4, 8), dtype=nl.int32), mask=j > i)
        return out

    gradient = jax.grad(lambda x: kernel(x).sum())(X)
    np.testing.assert_array_equal(gradient, np.tri(4, 8))
