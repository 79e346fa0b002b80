"""Causal attention of one head: queries and keys in tiles, softmax online, so that no row of scores is ever whole.

For each tile of queries the kernel keeps the running maximum, the running sum of weights and the unscaled output, and
corrects all three when a new tile of keys brings a larger maximum. Tiles of keys beyond the diagonal are skipped by a
mask on loop indices alone.

Run with: python -m jnki examples/causal_attention.py
"""

import jax
import jax.numpy as jnp
import neuronxcc.nki as nki
import neuronxcc.nki.isa as nisa
import neuronxcc.nki.language as nl
import numpy as np

TILE = 128
LOWEST = -30000.0


@nki.jit
def causal_attention(query_t, key_t, value):
    """query_t, key_t: [D, S]; value: [S, D]; gives [S, D]."""
    depth, length = query_t.shape
    out = nl.ndarray(value.shape, dtype=value.dtype, buffer=nl.shared_hbm)
    scale = depth**-0.5
    for q in nl.affine_range(length // TILE):
        queries = nl.load(query_t[:, nl.ds(q * TILE, TILE)])
        largest = nl.full((TILE, 1), LOWEST, dtype=nl.float32)
        total = nl.zeros((TILE, 1), dtype=nl.float32)
        result = nl.zeros((TILE, depth), dtype=nl.float32)
        for k in nl.sequential_range(length // TILE):
            seen = k <= q
            keys = nl.load(key_t[:, nl.ds(k * TILE, TILE)])
            values = nl.load(value[nl.ds(k * TILE, TILE), :])
            scores = nl.multiply(nisa.nc_matmul(queries, keys), scale)
            i, j = nl.mgrid[0:TILE, 0:TILE]
            scores = nisa.affine_select(q * TILE + i >= k * TILE + j, scores, LOWEST)
            bigger = nl.maximum(largest, nl.max(scores, axis=1, keepdims=True))
            weights = nl.exp(scores - bigger)
            correction = nl.exp(largest - bigger)
            part = nisa.nc_matmul(nl.copy(nisa.nc_transpose(weights)), values)
            total[...] = nl.add(total * correction, nl.sum(weights, axis=1, keepdims=True), mask=seen)
            result[...] = nl.add(result * correction, nl.copy(part), mask=seen)
            largest[...] = nl.copy(bigger, mask=seen)
        nl.store(out[nl.ds(q * TILE, TILE), :], value=result / total)
    return out


def by_hand(query_t, key_t, value):
    scores = query_t.T @ key_t / query_t.shape[0] ** 0.5
    return jax.nn.softmax(jnp.where(jnp.tri(len(value), dtype=bool), scores, -jnp.inf)) @ value


random = np.random.default_rng(0)
query_t, key_t = (jnp.asarray(random.standard_normal((64, 384)), jnp.float32) for _ in range(2))
value = jnp.asarray(random.standard_normal((384, 64)), jnp.float32)
np.testing.assert_allclose(
    causal_attention(query_t, key_t, value), by_hand(query_t, key_t, value), rtol=1e-3, atol=1e-4
)

ours = jax.grad(lambda *a: (causal_attention(*a) ** 2).sum(), (0, 1, 2))(query_t, key_t, value)
theirs = jax.grad(lambda *a: (by_hand(*a) ** 2).sum(), (0, 1, 2))(query_t, key_t, value)
for mine, other in zip(ours, theirs):
    np.testing.assert_allclose(mine, other, rtol=1e-2, atol=1e-3)
print("causal_attention: ok")
