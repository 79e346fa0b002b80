"""A loop over tiles with a ragged edge, differentiated, and its hand-written backward kernel checked against that.

Run with: python -m jnki examples/embedding_gradient.py
"""

import jax
import jax.numpy as jnp
import neuronxcc.nki as nki
import neuronxcc.nki.isa as nisa
import neuronxcc.nki.language as nl
import numpy as np
from neuronxcc.nki.typing import mutable_tensor


@nki.jit
def embed(table, ids):
    """Row `ids[n]` of the table for each token n, 128 tokens at a time."""
    tokens, columns = ids.shape[0], table.shape[1]
    out = nl.ndarray((tokens, columns), dtype=table.dtype, buffer=nl.shared_hbm)
    i_p = nl.arange(128)[:, None]
    i_f = nl.arange(columns)[None, :]
    for i in nl.affine_range((tokens + 127) // 128):
        token = i * 128 + i_p
        inside = token < tokens
        index = nl.load(ids[token, 0], mask=inside)
        nisa.dma_copy(dst=out[token, i_f], src=table[index[i_p, 0], i_f], mask=inside)
    return out


@nki.jit
def embed_backward(out_grad, ids, table_grad: mutable_tensor):
    """`table_grad` with each token's gradient added to its row: tokens that share a row all count."""
    tokens, columns = out_grad.shape
    i_p = nl.arange(128)[:, None]
    i_f = nl.arange(columns)[None, :]
    for i in nl.sequential_range((tokens + 127) // 128):
        token = i * 128 + i_p
        inside = token < tokens
        index = nl.load(ids[token, 0], mask=inside)
        tile = nl.load(out_grad[token, i_f], mask=inside)
        nisa.dma_copy(dst=table_grad[index[i_p, 0], i_f], src=tile, dst_rmw_op=np.add, mask=inside)
    return table_grad


def main():
    keys = jax.random.split(jax.random.key(0), 3)
    table = jax.random.normal(keys[0], (50, 64))
    ids = jax.random.randint(keys[1], (300, 1), 0, 50)
    weights = jax.random.normal(keys[2], (300, 64))

    print(embed.trace(table, ids))
    np.testing.assert_array_equal(embed(table, ids), table[ids[:, 0]])

    # The kernel is a JAX function: its derivative comes for free, under jit as well.
    by_jax = jax.jit(jax.grad(lambda t: jnp.sum(weights * embed(t, ids))))(table)
    by_hand = embed_backward(weights, ids, jnp.zeros_like(table))
    np.testing.assert_allclose(by_hand, by_jax, rtol=1e-5, atol=1e-5)

    # And the backward kernel is a JAX function too: the derivative of a scatter-add is the gather we began with.
    again = jax.grad(lambda g: jnp.sum(table * embed_backward(g, ids, jnp.zeros_like(table))))(weights)
    np.testing.assert_array_equal(again, embed(table, ids))
    print("embedding_gradient: ok")


if __name__ == "__main__":
    main()
