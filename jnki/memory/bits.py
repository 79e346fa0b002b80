"""Updates of narrow floats as bits.

XLA's CPU compiler takes the whole destination of a bfloat16 or float8 update through float32: it is slow, and NaN
payloads of elements that nobody touched change. Moving the bits as integers avoids both; the derivative of a move is
the same move of the tangents, so it is given by hand.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

# int16, not uint16: XLA's CPU compiler vectorises moves of the signed type only.
_BITS = {1: np.dtype(np.int8), 2: np.dtype(np.int16)}


def as_bits(
    move: Callable[..., jax.Array],
    *arrays: jax.Array,
    indices: tuple[Any, ...] = (),
    of_tangents: Callable[..., jax.Array] | None = None,
) -> jax.Array:
    """`move(*arrays, *indices)`, bit for bit.

    Args:
        move: linear in its arrays: it only puts elements in places.
        arrays: all of one element type, and so is the result.
        indices: further integer or boolean arguments, which carry no derivative.
        of_tangents: the same move in a form that is cheaper to transpose, if there is one.
    """
    dtype = arrays[0].dtype
    narrow = needs_bits(dtype)
    if not narrow and (of_tangents is None or not jnp.issubdtype(dtype, jnp.floating)):
        return move(*arrays, *indices)
    count = len(arrays)
    bits: Any = _BITS[dtype.itemsize] if narrow else dtype
    move_tangents = of_tangents or move

    @jax.custom_jvp
    def moved(*args: Any) -> jax.Array:
        whole = [lax.bitcast_convert_type(a, bits) for a in args[:count]]
        return lax.bitcast_convert_type(move(*whole, *args[count:]), dtype)

    @moved.defjvp
    def _moved_jvp(primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[jax.Array, jax.Array]:
        return moved(*primals), move_tangents(*tangents[:count], *primals[count:])

    return moved(*arrays, *indices)


def needs_bits(dtype: Any) -> bool:
    """Whether XLA would convert such elements while moving them."""
    return jnp.issubdtype(dtype, jnp.floating) and np.dtype(dtype).itemsize < 4 and dtype != jnp.float16
