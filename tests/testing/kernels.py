"""Small kernels, right and wrong, and their references."""

import jax.numpy as jnp
import numpy as np

import jnki.neuronxcc.nki as nki
import jnki.neuronxcc.nki.isa as nisa
import jnki.neuronxcc.nki.language as nl


@nki.jit
def gather(table, rows):
    out = nl.ndarray((rows.shape[0], table.shape[1]), dtype=table.dtype, buffer=nl.shared_hbm)
    index = nl.load(rows)
    i_p = nl.arange(rows.shape[0])[:, None]
    i_f = nl.arange(table.shape[1])[None, :]
    nisa.dma_copy(dst=out, src=table[index[i_p, 0], i_f])
    return out


@nki.jit
def double(x):
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    nl.store(out, nl.multiply(nl.load(x), 2.0))
    return out


def gathered(table, rows):
    """The reference of `gather`, for NumPy and JAX."""
    return table[rows[:, 0]]


def off_where_large(x):
    """`2 * x`, but for the element behind `x[1, 2]` where that is large."""
    doubled = 2 * x
    return jnp.where(x[1, 2] > 1.5, doubled.at[0, 1].add(jnp.asarray(1, x.dtype)), doubled)


def doubled(x):
    return np.float32(2) * x
