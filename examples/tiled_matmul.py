"""A matmul in tiles: accumulation over K in PSUM, operand tiles kept in tensors with a block axis.

Run with: python -m jnki examples/tiled_matmul.py
"""

import jax
import jax.numpy as jnp
import neuronxcc.nki as nki
import neuronxcc.nki.isa as nisa
import neuronxcc.nki.language as nl
import numpy as np


@nki.jit
def matmul(left_t, right):
    depth, rows = left_t.shape
    columns = right.shape[1]
    k_size, m_size, n_size = nl.tile_size.pmax, nl.tile_size.gemm_stationary_fmax, nl.tile_size.gemm_moving_fmax
    out = nl.ndarray((rows, columns), dtype=left_t.dtype, buffer=nl.shared_hbm)
    for m in nl.affine_range(rows // m_size):
        # All tiles of this block of rows are loaded once; the first axis counts tiles, the second is the partition.
        left_tiles = nl.ndarray((depth // k_size, nl.par_dim(k_size), m_size), dtype=left_t.dtype, buffer=nl.sbuf)
        for k in nl.affine_range(depth // k_size):
            left_tiles[k] = nl.load(left_t[nl.ds(k * k_size, k_size), nl.ds(m * m_size, m_size)])
        for n in nl.affine_range(columns // n_size):
            total = nl.zeros((m_size, n_size), dtype=nl.float32, buffer=nl.psum)
            for k in nl.affine_range(depth // k_size):
                right_tile = nl.load(right[nl.ds(k * k_size, k_size), nl.ds(n * n_size, n_size)])
                total += nisa.nc_matmul(left_tiles[k], right_tile)
            result = nl.copy(total, dtype=out.dtype)
            nl.store(out[nl.ds(m * m_size, m_size), nl.ds(n * n_size, n_size)], value=result)
    return out


random = np.random.default_rng(0)
left_t = jnp.asarray(random.standard_normal((256, 256)), jnp.float32)
right = jnp.asarray(random.standard_normal((256, 1024)), jnp.float32)
np.testing.assert_allclose(matmul(left_t, right), left_t.T @ right, rtol=1e-3, atol=1e-3)

ours = jax.grad(lambda a, b: (matmul(a, b) ** 2).sum(), (0, 1))(left_t, right)
theirs = jax.grad(lambda a, b: ((a.T @ b) ** 2).sum(), (0, 1))(left_t, right)
for mine, other in zip(ours, theirs):
    np.testing.assert_allclose(mine, other, rtol=1e-3, atol=0.1)
print("tiled_matmul: ok")
