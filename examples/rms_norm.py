"""RMSNorm with a weight: the mean square of each row on the Scalar Engine, the scaling on the Vector Engine.

Run with: python -m jnki examples/rms_norm.py
"""

import math

import jax
import jax.numpy as jnp
import neuronxcc.nki as nki
import neuronxcc.nki.isa as nisa
import neuronxcc.nki.language as nl
import numpy as np

EPSILON = 1e-6


@nki.jit
def rms_norm(x, weight):
    rows, columns = x.shape
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    column = nl.arange(columns)[None, :]
    scale = nl.load(weight.reshape((1, columns))[nl.arange(1)[:, None], column])
    for tile in nl.affine_range(math.ceil(rows / 128)):
        row = tile * 128 + nl.arange(128)[:, None]
        inside = row < rows
        values = nl.load(x[row, column], mask=inside)
        square_sum = nl.ndarray((128, 1), dtype=nl.float32, buffer=nl.sbuf)
        nisa.activation_reduce(nl.square, values, reduce_op=nl.add, reduce_res=square_sum[...], mask=inside)
        mean = nisa.tensor_scalar(square_sum, nl.multiply, 1 / columns, op1=nl.add, operand1=EPSILON, mask=inside)
        normal = nisa.tensor_scalar(values, nl.multiply, nl.rsqrt(mean, mask=inside), mask=inside)
        nl.store(out[row, column], nl.multiply(normal, scale.broadcast_to((128, columns)), mask=inside), mask=inside)
    return out


def by_hand(x, weight):
    return x * jax.lax.rsqrt(jnp.mean(x * x, axis=1, keepdims=True) + EPSILON) * weight


random = np.random.default_rng(0)
x = jnp.asarray(random.standard_normal((200, 64)), jnp.float32)
weight = jnp.asarray(random.standard_normal(64), jnp.float32)
np.testing.assert_allclose(rms_norm(x, weight), by_hand(x, weight), rtol=1e-4, atol=1e-5)

loss = lambda norm: lambda x, weight: (norm(x, weight) ** 3).sum()  # noqa: E731
for ours, theirs in zip(jax.grad(loss(rms_norm), (0, 1))(x, weight), jax.grad(loss(by_hand), (0, 1))(x, weight)):
    np.testing.assert_allclose(ours, theirs, rtol=1e-2, atol=1e-2)
print("rms_norm: ok")
