"""The kernels of `tiled_kernels` in the current dialect, and attention in both."""

import numpy as np

import jnki.neuronxcc.nki as legacy
import jnki.neuronxcc.nki.isa as old_isa
import jnki.neuronxcc.nki.language as old
import jnki.nki as nki

nl, nisa = nki.language, nki.isa

P = 128
HEAD = 64
KEYS = 512


def _tile(shape, dtype, buffer=nl.sbuf):
    return nl.ndarray(shape, dtype=dtype, buffer=buffer)


@nki.jit
def softmax(x):
    rows, columns = x.shape
    out = _like(x)
    for start in range(0, rows, P):
        values, total, largest = _tile((P, columns), x.dtype), _tile((P, 1), nl.float32), _tile((P, 1), nl.float32)
        nisa.dma_copy(values, x[start : start + P])
        nisa.tensor_reduce(largest, nl.maximum, values, axis=1, negate=True)
        nisa.activation(values, nl.exp, values, bias=largest)
        nisa.tensor_reduce(total, nl.add, values, axis=1)
        nisa.reciprocal(total, total)
        nisa.tensor_scalar(values, values, nl.multiply, total)
        nisa.dma_copy(out[start : start + P], values)
    return out


@nki.jit
def rms_norm(x, weight):
    rows, columns = x.shape
    out = _like(x)
    scale = _tile((P, columns), weight.dtype)
    nisa.dma_copy(scale, weight.reshape((1, columns)).broadcast(0, P))
    for start in range(0, rows, P):
        values, squares, mean = _tile((P, columns), x.dtype), _tile((P, columns), nl.float32), _tile((P, 1), nl.float32)
        nisa.dma_copy(values, x[start : start + P])
        nisa.tensor_tensor(squares, values, values, nl.multiply)
        nisa.tensor_reduce(mean, nl.add, squares, axis=1)
        nisa.activation(mean, nl.rsqrt, mean, scale=1.0 / columns)
        nisa.tensor_scalar(values, values, nl.multiply, mean)
        nisa.tensor_tensor(values, values, scale, nl.multiply)
        nisa.dma_copy(out[start : start + P], values)
    return out


@nki.jit
def matmul(left_t, right):
    depth, rows = left_t.shape
    columns = right.shape[1]
    out = nl.ndarray((rows, columns), dtype=left_t.dtype, buffer=nl.shared_hbm)
    for m in range(0, rows, 128):
        for n in range(0, columns, 512):
            total = _tile((128, 512), nl.float32, nl.psum)
            for k in range(0, depth, 128):
                stationary, moving = _tile((128, 128), left_t.dtype), _tile((128, 512), right.dtype)
                nisa.dma_copy(stationary, left_t[k : k + 128, m : m + 128])
                nisa.dma_copy(moving, right[k : k + 128, n : n + 512])
                nisa.nc_matmul(total, stationary, moving)
            result = _tile((128, 512), out.dtype)
            nisa.tensor_copy(result, total)
            nisa.dma_copy(out[m : m + 128, n : n + 512], result)
    return out


@nki.jit
def attention(queries_t, keys_t, values):
    """`[d, n], [d, n], [n, d] -> [n, d]`, keys by blocks of 512, with a running maximum and sum."""
    depth, n = queries_t.shape
    out = nl.ndarray((n, depth), dtype=values.dtype, buffer=nl.shared_hbm)
    for start in range(0, n, P):
        query = _tile((depth, P), queries_t.dtype)
        nisa.dma_copy(query, queries_t[:, start : start + P])
        largest, total, result = _tile((P, 1), nl.float32), _tile((P, 1), nl.float32), _tile((P, depth), nl.float32)
        nisa.memset(largest, -1e30)
        nisa.memset(total, 0.0)
        nisa.memset(result, 0.0)
        for key_start in range(0, n, KEYS):
            key = _tile((depth, KEYS), keys_t.dtype)
            nisa.dma_copy(key, keys_t[:, key_start : key_start + KEYS])
            scores = _tile((P, KEYS), nl.float32, nl.psum)
            nisa.nc_matmul(scores, query, key)
            new, old_scale, here = (_tile((P, 1), nl.float32) for _ in range(3))
            nisa.tensor_reduce(new, nl.maximum, scores, axis=1)
            nisa.tensor_tensor(new, new, largest, nl.maximum)
            nisa.tensor_tensor(old_scale, largest, new, nl.subtract)
            nisa.activation(old_scale, nl.exp, old_scale)
            nisa.tensor_copy(largest, new)
            weights = _tile((P, KEYS), nl.float32)
            nisa.tensor_scalar(weights, scores, nl.subtract, new)
            nisa.activation(weights, nl.exp, weights)
            nisa.tensor_reduce(here, nl.add, weights, axis=1)
            nisa.tensor_tensor(total, total, old_scale, nl.multiply)
            nisa.tensor_tensor(total, total, here, nl.add)
            nisa.tensor_scalar(result, result, nl.multiply, old_scale)
            part = _tile((P, depth), nl.float32, nl.psum)
            for block in range(KEYS // P):
                turned, weights_t = _tile((P, P), nl.float32, nl.psum), _tile((P, P), nl.float32)
                nisa.nc_transpose(turned, weights[:, block * P : (block + 1) * P])
                nisa.tensor_copy(weights_t, turned)
                value = _tile((P, depth), values.dtype)
                nisa.dma_copy(value, values[key_start + block * P : key_start + (block + 1) * P])
                nisa.nc_matmul(part, weights_t, value)
            nisa.tensor_tensor(result, result, part, nl.add)
        nisa.reciprocal(total, total)
        nisa.tensor_scalar(result, result, nl.multiply, total)
        nisa.dma_copy(out[start : start + P], result)
    return out


@legacy.jit
def legacy_attention(queries_t, keys_t, values):
    depth, n = queries_t.shape
    out = old.ndarray((n, depth), dtype=values.dtype, buffer=old.shared_hbm)
    for tile in old.affine_range(n // P):
        query = old.load(queries_t[:, old.ds(tile * P, P)])
        largest = old.full((P, 1), -1e30, dtype=old.float32, buffer=old.sbuf)
        total = old.zeros((P, 1), dtype=old.float32, buffer=old.sbuf)
        result = old.zeros((P, depth), dtype=old.float32, buffer=old.sbuf)
        for block in old.sequential_range(n // KEYS):
            key = old.load(keys_t[:, old.ds(block * KEYS, KEYS)])
            scores = old_isa.nc_matmul(query, key)
            new = old.maximum(old_isa.tensor_reduce(np.max, scores, axis=(1,)), largest)
            old_scale = old.exp(old.subtract(largest, new))
            largest[...] = old.copy(new)
            weights = old.exp(old_isa.tensor_scalar(scores, np.subtract, new))
            here = old.sum(weights, axis=(1,), keepdims=True)
            total[...] = old.add(old.multiply(total, old_scale), here)
            result[...] = old_isa.tensor_scalar(result, np.multiply, old_scale)
            part = old.zeros((P, depth), dtype=old.float32, buffer=old.psum)
            for inner in old.affine_range(KEYS // P):
                weights_t = old.copy(old_isa.nc_transpose(weights[:, old.ds(inner * P, P)]))
                value = old.load(values[old.ds(block * KEYS + inner * P, P)])
                part += old_isa.nc_matmul(weights_t, value)
            result[...] = old.add(result, part)
        old.store(out[old.ds(tile * P, P)], old_isa.tensor_scalar(result, np.multiply, old.divide(1.0, total)))
    return out


def _like(x):
    return nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
