"""The same bytes under another element type (`tensor.view`)."""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jnki.memory.bits import as_bits


def reinterpret(array: jax.Array, shape: tuple[int, ...], dtype: np.dtype) -> jax.Array:
    """`array` itself where shape and type agree already; else its bytes, row-major, as `shape` of `dtype`.

    The sizes in bytes must be equal. Gradients pass between equal types only: bits have no derivative.
    """
    if array.dtype == dtype:
        return array if array.shape == shape else array.reshape(shape)
    old, new = np.dtype(array.dtype).itemsize, np.dtype(dtype).itemsize
    flat = _numeric(array).reshape(-1)
    if new > old:
        flat = flat.reshape(-1, new // old)
    as_bool = dtype == np.dtype(bool)
    flat = lax.bitcast_convert_type(flat, jnp.uint8 if as_bool else dtype)
    if as_bool:
        flat = flat != 0
    assert math.prod(flat.shape) == math.prod(shape), "a view keeps the number of bytes"
    return flat.reshape(shape)


def put_back(old: jax.Array, new: jax.Array, written: jax.Array) -> jax.Array:
    """`new`, the bytes of `old` under another type after a write, in the type of `old` again.

    The elements of `old` of which no byte was written keep their derivative; the others have none.

    Args:
        written: integers of the shape of `new`, not zero where it was written, with whatever value.
    """
    old_size, new_size = np.dtype(old.dtype).itemsize, np.dtype(new.dtype).itemsize
    marks = written.reshape(-1) != 0
    if new_size < old_size:
        marks = marks.reshape(-1, old_size // new_size).any(axis=1)
    elif new_size > old_size:
        marks = jnp.repeat(marks, new_size // old_size)
    return as_bits(_select, reinterpret(new, old.shape, old.dtype), old, indices=(marks.reshape(old.shape),))


def _select(new: jax.Array, old: jax.Array, written: jax.Array) -> jax.Array:
    return jnp.where(written, new, old)


def _numeric(array: jax.Array) -> jax.Array:
    return array.astype(jnp.uint8) if array.dtype == jnp.bool_ else array
