"""A layer norm with `bn_stats`, and a selective scan (the inner part of Mamba), beside JAX and NumPy loops."""

import math

import jax
import jax.numpy as jnp
import numpy as np

import jnki.neuronxcc.nki as nki
import jnki.neuronxcc.nki.isa as nisa
import jnki.neuronxcc.nki.language as nl

ROWS, PIECE = 128, 512
EPSILON = 1e-5


@nki.jit
def layer_norm(x, weight, bias):
    """`[R, C]`, row by row; a row in pieces of 512."""
    rows, columns = x.shape
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    scale, shift = nl.load(weight.reshape((1, columns))), nl.load(bias.reshape((1, columns)))
    pieces = math.ceil(columns / PIECE)
    piece = min(PIECE, columns)
    for tile in nl.affine_range(math.ceil(rows / ROWS)):
        row, column = tile * ROWS + nl.arange(ROWS)[:, None], nl.arange(columns)[None, :]
        values = nl.load(x[row, column], mask=row < rows)
        stats = nl.ndarray((ROWS, pieces, 6), dtype=nl.float32)
        for k in nl.affine_range(pieces):
            place = k * piece + nl.arange(piece)[None, :]
            part = values[nl.arange(ROWS)[:, None], place]
            stats[:, k, :] = nisa.bn_stats(part, mask=place < columns, dtype=nl.float32)
        moments = nisa.bn_aggr(stats)
        inverse = nl.rsqrt(moments[:, 1] + EPSILON)
        normal = nisa.tensor_scalar(values, nl.subtract, moments[:, 0], op1=nl.multiply, operand1=inverse)
        result = normal * scale.broadcast_to((ROWS, columns)) + shift.broadcast_to((ROWS, columns))
        nl.store(out[row, column], result, mask=row < rows)
    return out


def layer_norm_jax(x, weight, bias):
    x32 = x.astype(jnp.float32)
    distance = x32 - x32.mean(axis=-1, keepdims=True)
    variance = (distance * distance).mean(axis=-1, keepdims=True)
    return (distance * jax.lax.rsqrt(variance + EPSILON) * weight + bias).astype(x.dtype)


def layer_norm_numpy(x, weight, bias):
    out = np.empty_like(x)
    for start in range(0, len(x), ROWS):
        tile = x[start : start + ROWS]
        distance = tile - tile.mean(axis=1, keepdims=True)
        variance = (distance * distance).mean(axis=1, keepdims=True)
        out[start : start + ROWS] = distance / np.sqrt(variance + np.float32(EPSILON)) * weight + bias
    return out


@nki.jit
def selective_scan(delta, u, a, b, c):
    """`delta`, `u`: `[channels, time]`; `a`: `[channels, states]`; `b`, `c`: `[states, time]`.

    Each state decays by `sigmoid(delta * a)` and takes up `delta * u * b`; the result is the sum of states times `c`.
    """
    channels, time = delta.shape
    states = a.shape[1]
    out = nl.ndarray(delta.shape, dtype=delta.dtype, buffer=nl.shared_hbm)
    for tile in nl.affine_range(channels // ROWS):
        rows = nl.ds(tile * ROWS, ROWS)
        steps, inputs, total = nl.load(delta[rows]), nl.load(u[rows]), nl.zeros((ROWS, time), dtype=nl.float32)
        for k in nl.affine_range(states):
            decay = nisa.activation(nl.sigmoid, steps, scale=nl.load(a[rows, nl.ds(k, 1)], dtype=nl.float32))
            uptake = nl.multiply(nl.multiply(steps, inputs), nl.load(b[nl.ds(k, 1)]).broadcast_to((ROWS, time)))
            state = nisa.tensor_tensor_scan(decay, uptake, 0, op0=nl.multiply, op1=nl.add)
            total += nl.multiply(state, nl.load(c[nl.ds(k, 1)]).broadcast_to((ROWS, time)))
        nl.store(out[rows], nl.copy(total, dtype=out.dtype))
    return out


def selective_scan_jax(delta, u, a, b, c):
    """All states of all channels at once, step by step in time; no array of `[channels, states, time]` is made."""

    def step(state, x):
        delta, u, b, c = (v.astype(jnp.float32) for v in x)
        state = jax.nn.sigmoid(delta[:, None] * a) * state + (delta * u)[:, None] * b
        return state, state @ c

    start = jnp.zeros(a.shape, jnp.float32)
    return jax.lax.scan(step, start, (delta.T, u.T, b.T, c.T))[1].T.astype(delta.dtype)


def selective_scan_numpy(delta, u, a, b, c):
    out = np.empty_like(delta)
    for start in range(0, len(delta), ROWS):
        rows = slice(start, start + ROWS)
        steps, total = delta[rows], np.zeros((ROWS, delta.shape[1]), np.float32)
        for k in range(a.shape[1]):
            decay, uptake = 1 / (1 + np.exp(-steps * a[rows, k : k + 1])), steps * u[rows] * b[k]
            state = np.empty_like(uptake)
            held = np.zeros(ROWS, np.float32)
            for i in range(delta.shape[1]):
                held = decay[:, i] * held + uptake[:, i]
                state[:, i] = held
            total += state * c[k]
        out[rows] = total
    return out
