"""Row softmax in tiles of 128 rows, with a ragged last tile: forwards, and its gradient beside that of JAX.

Run with: python -m jnki examples/softmax.py
"""

import math

import jax
import jax.numpy as jnp
import neuronxcc.nki as nki
import neuronxcc.nki.language as nl
import numpy as np


@nki.jit
def softmax(x):
    rows, columns = x.shape
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    for tile in nl.affine_range(math.ceil(rows / nl.tile_size.pmax)):
        row = tile * nl.tile_size.pmax + nl.arange(nl.tile_size.pmax)[:, None]
        column = nl.arange(columns)[None, :]
        inside = row < rows
        values = nl.load(x[row, column], mask=inside)
        largest = nl.max(values, axis=1, keepdims=True, mask=inside)
        weights = nl.exp(nl.subtract(values, largest, mask=inside), mask=inside)
        total = nl.sum(weights, axis=1, keepdims=True, mask=inside)
        nl.store(out[row, column], value=nl.divide(weights, total, mask=inside), mask=inside)
    return out


x = jnp.asarray(np.random.default_rng(0).standard_normal((300, 96)), jnp.float32)
np.testing.assert_allclose(softmax(x), jax.nn.softmax(x), rtol=1e-5)

weight = jnp.arange(96.0)
ours = jax.grad(lambda x: (softmax(x) * weight).sum())(x)
theirs = jax.grad(lambda x: (jax.nn.softmax(x) * weight).sum())(x)
np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-4)
print("softmax: ok")
