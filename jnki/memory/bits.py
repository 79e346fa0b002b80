"""Updates of narrow floats as bits.

XLA's CPU compiler takes the whole destination of a bfloat16 or float8 update through float32: it is slow, and NaN
payloads of elements that nobody touched change. Moving the bits as integers avoids both; the derivative of a move is
the same move of the tangents, so it is given by hand.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

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


def chosen(condition: jax.Array, on_true: jax.Array, on_false: jax.Array) -> jax.Array:
    """`jnp.where` of two arrays of one type, bit for bit."""
    on_false = jnp.broadcast_to(on_false, on_true.shape)
    return as_bits(lambda a, b, c: jnp.where(c, a, b), on_true, on_false, indices=(condition,))


def needs_bits(dtype: Any) -> bool:
    """Whether XLA would convert such elements while moving them."""
    return jnp.issubdtype(dtype, jnp.floating) and np.dtype(dtype).itemsize < 4 and dtype != jnp.float16


class Twins(NamedTuple):
    """An array on its way through a loop: its bits, and zeros that its derivative travels with.

    JAX's loops stack and slice what they carry, and XLA's CPU compiler does that to narrow floats by way of float32,
    in which NaN payloads change. Nothing reads the zeros: without a derivative the compiler drops them.
    """

    bits: jax.Array
    carrier: jax.Array


def to_twins(array: jax.Array) -> Any:
    """The array for its way through a loop; anything but a narrow float goes as it is."""
    return Twins(*_split(array)) if needs_bits(array.dtype) else array


def from_twins(arrived: Any) -> jax.Array:
    """The array that `to_twins` sent."""
    return _joined(*arrived) if isinstance(arrived, Twins) else arrived


@jax.custom_jvp
def _split(array: jax.Array) -> tuple[jax.Array, jax.Array]:
    kind: Any = _BITS[array.dtype.itemsize]
    bits = lax.bitcast_convert_type(array, kind)
    return bits, jnp.zeros_like(array)


@_split.defjvp
def _split_jvp(primals: tuple[Any], tangents: tuple[Any]) -> Any:
    bits, carrier = _split(*primals)
    return (bits, carrier), (np.zeros(bits.shape, jax.dtypes.float0), tangents[0])


@jax.custom_jvp
def _joined(bits: jax.Array, carrier: jax.Array) -> jax.Array:
    return lax.bitcast_convert_type(bits, carrier.dtype)


@_joined.defjvp
def _joined_jvp(primals: tuple[Any, Any], tangents: tuple[Any, Any]) -> Any:
    return _joined(*primals), tangents[1]
