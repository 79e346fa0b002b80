"""The same bytes under another element type (`tensor.view`)."""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax


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


def _numeric(array: jax.Array) -> jax.Array:
    return array.astype(jnp.uint8) if array.dtype == jnp.bool_ else array
