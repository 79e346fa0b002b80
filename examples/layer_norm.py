"""LayerNorm over rows, batched with jax.vmap over a stack of inputs.

Run with: python -m jnki examples/layer_norm.py
"""

import jax
import jax.numpy as jnp
import neuronxcc.nki as nki
import neuronxcc.nki.language as nl
import numpy as np


@nki.jit
def layer_norm(x, gain, shift, epsilon=1e-5):
    rows, columns = x.shape
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    gain_row = nl.load(gain.reshape((1, columns)))
    shift_row = nl.load(shift.reshape((1, columns)))
    for tile in nl.affine_range(rows // 64):
        values = nl.load(x[tile * 64 : (tile + 1) * 64])
        centred = values - nl.mean(values, axis=1, keepdims=True)
        variance = nl.mean(nl.square(centred), axis=1, keepdims=True)
        normal = centred * nl.rsqrt(variance + epsilon)
        scaled = nl.add(nl.multiply(normal, gain_row), shift_row)
        nl.store(out[tile * 64 : (tile + 1) * 64], value=scaled)
    return out


def by_hand(x, gain, shift):
    centred = x - x.mean(axis=1, keepdims=True)
    return centred / jnp.sqrt((centred**2).mean(axis=1, keepdims=True) + 1e-5) * gain + shift


random = np.random.default_rng(0)
stack = jnp.asarray(random.standard_normal((5, 128, 48)), jnp.float32)
gain, shift = (jnp.asarray(random.standard_normal(48), jnp.float32) for _ in range(2))
batched = jax.vmap(layer_norm, in_axes=(0, None, None))(stack, gain, shift)
np.testing.assert_allclose(
    batched, jax.vmap(by_hand, in_axes=(0, None, None))(stack, gain, shift), rtol=1e-3, atol=1e-4
)
print("layer_norm: ok")
