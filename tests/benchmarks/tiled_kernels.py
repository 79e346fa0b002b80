"""Three tiled kernels, each beside hand-written JAX and the same tile loop in bare NumPy.

The NumPy loop is what an interpreter of such kernels cannot beat: it does nothing but the tiles' arithmetic.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np

import jnki.neuronxcc.nki as nki
import jnki.neuronxcc.nki.isa as nisa
import jnki.neuronxcc.nki.language as nl

ROWS = 128


@nki.jit
def softmax(x):
    rows, columns = x.shape
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    for tile in nl.affine_range(math.ceil(rows / ROWS)):
        row = tile * ROWS + nl.arange(ROWS)[:, None]
        column = nl.arange(columns)[None, :]
        inside = row < rows
        values = nl.load(x[row, column], mask=inside)
        shifted = nl.subtract(values, nl.max(values, axis=1, keepdims=True, mask=inside), mask=inside)
        weights = nl.exp(shifted, mask=inside)
        total = nl.sum(weights, axis=1, keepdims=True, mask=inside)
        nl.store(out[row, column], nl.divide(weights, total, mask=inside), mask=inside)
    return out


def softmax_jax(x):
    x32 = x.astype(jnp.float32)
    weights = jnp.exp(x32 - x32.max(axis=-1, keepdims=True))
    return (weights / weights.sum(axis=-1, keepdims=True)).astype(x.dtype)


def softmax_numpy(x):
    out = np.empty_like(x)
    for start in range(0, len(x), ROWS):
        tile = x[start : start + ROWS]
        weights = np.exp(tile - tile.max(axis=1, keepdims=True))
        out[start : start + ROWS] = weights / weights.sum(axis=1, keepdims=True)
    return out


@nki.jit
def rms_norm(x, weight):
    rows, columns = x.shape
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    scale = nl.load(weight.reshape((1, columns)))
    for tile in nl.affine_range(math.ceil(rows / ROWS)):
        row = tile * ROWS + nl.arange(ROWS)[:, None]
        column = nl.arange(columns)[None, :]
        inside = row < rows
        values = nl.load(x[row, column], mask=inside)
        mean = nl.sum(nl.square(values), axis=1, keepdims=True) / columns
        normal = nl.multiply(values, nl.rsqrt(mean))
        nl.store(out[row, column], nl.multiply(normal, scale.broadcast_to((ROWS, columns))), mask=inside)
    return out


def rms_norm_jax(x, weight):
    x32 = x.astype(jnp.float32)
    mean = (x32 * x32).mean(axis=-1, keepdims=True)
    return (x32 * jax.lax.rsqrt(mean) * weight.astype(jnp.float32)).astype(x.dtype)


def rms_norm_numpy(x, weight):
    out = np.empty_like(x)
    for start in range(0, len(x), ROWS):
        tile = x[start : start + ROWS]
        out[start : start + ROWS] = tile / np.sqrt((tile * tile).mean(axis=1, keepdims=True)) * weight
    return out


@nki.jit
def matmul(left_t, right):
    depth, rows = left_t.shape
    columns = right.shape[1]
    out = nl.ndarray((rows, columns), dtype=left_t.dtype, buffer=nl.shared_hbm)
    for m in nl.affine_range(rows // 128):
        for n in nl.affine_range(columns // 512):
            total = nl.zeros((128, 512), dtype=nl.float32, buffer=nl.psum)
            for k in nl.affine_range(depth // 128):
                stationary = nl.load(left_t[nl.ds(k * 128, 128), nl.ds(m * 128, 128)])
                moving = nl.load(right[nl.ds(k * 128, 128), nl.ds(n * 512, 512)])
                total += nisa.nc_matmul(stationary, moving)
            nl.store(out[nl.ds(m * 128, 128), nl.ds(n * 512, 512)], value=nl.copy(total, dtype=out.dtype))
    return out


def matmul_jax(left_t, right):
    product = jax.lax.dot_general(
        left_t, right, (((0,), (0,)), ((), ())), precision="highest", preferred_element_type=jnp.float32
    )
    return product.astype(left_t.dtype)


def matmul_numpy(left_t, right):
    depth, rows = left_t.shape
    out = np.empty((rows, right.shape[1]), left_t.dtype)
    for m in range(0, rows, 128):
        for n in range(0, right.shape[1], 512):
            total = np.zeros((128, 512), np.float32)
            for k in range(0, depth, 128):
                total += left_t[k : k + 128, m : m + 128].T @ right[k : k + 128, n : n + 512]
            out[m : m + 128, n : n + 512] = total
    return out
