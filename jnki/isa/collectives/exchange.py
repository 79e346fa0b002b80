"""Moving and combining arrays between devices, bit for bit where nothing is computed.

Sums are in float32, or exact and wrapping for integers. Maxima and minima compare as IEEE 754-2019 does: a NaN wins,
and -0 is below +0; XLA's own reductions do neither on every backend.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jnki.dtypes import ElementType, cast, float32
from jnki.isa.collectives.groups import Groups
from jnki.memory.bits import as_bits

Axes = tuple[str, ...]

OPERATORS = ("add", "minimum", "maximum")


# Moves.


def gathered(x: jax.Array, groups: Groups, axes: Axes, dim: int = 0) -> jax.Array:
    """The arrays of all ranks of the group, one behind the other along `dim`."""
    inside = groups.axis_index_groups()
    return as_bits(lambda x: lax.all_gather(x, axes, axis_index_groups=inside, axis=dim, tiled=True), x)


def transposed(x: jax.Array, groups: Groups, axes: Axes) -> jax.Array:
    """Chunk `j` of dim 0 goes to rank `j` of the group, and becomes its chunk of the number of the sender."""
    inside = groups.axis_index_groups()
    return as_bits(lambda x: lax.all_to_all(x, axes, 0, 0, axis_index_groups=inside, tiled=True), x)


def permuted(x: jax.Array, pairs: Sequence[tuple[int, int]], size: int, axes: Axes) -> jax.Array:
    """The array of the rank that sends to this one; of any rank where none does."""
    sources, targets = [s for s, _ in pairs], [t for _, t in pairs]
    rest = zip(
        (rank for rank in range(size) if rank not in sources), (rank for rank in range(size) if rank not in targets)
    )
    whole = [*pairs, *rest]
    return as_bits(lambda x: lax.ppermute(x, axes, whole), x)


# Reductions.


def all_reduced(x: jax.Array, kind: ElementType, op: str, groups: Groups, axes: Axes) -> jax.Array:
    """What the ranks of the group have, combined.

    Where all ranks are one group, the order of a sum is XLA's; in several groups it is that of the group's list.
    """
    numbers, finish = _numbers(x, kind)
    if len(groups.ranks) > 1:
        stack = gathered(numbers[None], groups, axes)
        return finish(folded(stack, op))
    if op == "add":
        return finish(lax.psum(numbers, axes))
    return finish(_extreme(numbers, op, partial(_REDUCED[op], axis_name=axes), partial(lax.psum, axis_name=axes)))


def scattered(x: jax.Array, kind: ElementType, op: str, groups: Groups, axes: Axes) -> jax.Array:
    """What the ranks of the group have, combined; each keeps its chunk of dim 0."""
    numbers, finish = _numbers(x, kind)
    if op == "add":
        inside = groups.axis_index_groups()
        summed = lax.psum_scatter(numbers, axes, scatter_dimension=0, axis_index_groups=inside, tiled=True)
        return finish(summed)
    chunks = transposed(numbers, groups, axes)
    return finish(folded(chunks.reshape(groups.size, -1, *x.shape[1:]), op))


def combined(stack: jax.Array, kind: ElementType, op: str) -> jax.Array:
    """The arrays of a stack on one device, combined."""
    numbers, finish = _numbers(stack, kind)
    return finish(folded(numbers, op))


def folded(stack: jax.Array, op: str) -> jax.Array:
    """The arrays of a stack combined, the first one first."""
    if op == "add":
        total = stack[0]
        for other in stack[1:]:
            total = total + other
        return total
    return _extreme(stack, op, partial(_FOLDED[op], axis=0), partial(jnp.sum, axis=0))


_REDUCED: dict[str, Callable[..., Any]] = {"maximum": lax.pmax, "minimum": lax.pmin}
_FOLDED: dict[str, Callable[..., Any]] = {"maximum": jnp.max, "minimum": jnp.min}


def _numbers(x: jax.Array, kind: ElementType) -> tuple[jax.Array, Callable[[jax.Array], jax.Array]]:
    """The elements in a type to combine them in, and the way back: a float rounds once, an integer wraps."""
    if kind.is_float:
        return cast(x, kind, float32), lambda value: cast(value, float32, kind)
    wide: Any = jnp.uint32 if jnp.issubdtype(x.dtype, jnp.unsignedinteger) else jnp.int32
    return x.astype(wide), lambda value: value.astype(x.dtype)


def _extreme(x: jax.Array, op: str, over: Callable[..., Any], total: Callable[..., Any]) -> jax.Array:
    """The greatest or least; places that are equal share the derivative, as they do within one device.

    Args:
        over: the reduction of integers, along whatever axis.
        total: the sum along the same axis.
    """
    if not jnp.issubdtype(x.dtype, jnp.floating):
        return over(x)

    @jax.custom_jvp
    def extreme(x: jax.Array) -> jax.Array:
        return _from_keys(over(_keys(x, op)))

    @extreme.defjvp
    def _jvp(primals: tuple[Any], tangents: tuple[Any]) -> tuple[jax.Array, jax.Array]:
        (x,), (tangent,) = primals, tangents
        best = over(_keys(x, op))
        is_best = _keys(x, op) == best
        shares = total(is_best.astype(x.dtype))
        return _from_keys(best), total(jnp.where(is_best, tangent, 0)) / shares

    return extreme(x)


def _keys(x: jax.Array, op: str) -> jax.Array:
    """Integers in the order of the numbers, every NaN beyond all of them."""
    nan = jnp.float32(np.nan) if op == "maximum" else -jnp.float32(np.nan)
    bits = lax.bitcast_convert_type(jnp.where(jnp.isnan(x), nan, x), jnp.int32)
    return bits ^ ((bits >> 31) & 0x7FFFFFFF)


def _from_keys(keys: jax.Array) -> jax.Array:
    x = lax.bitcast_convert_type(keys ^ ((keys >> 31) & 0x7FFFFFFF), jnp.float32)
    return jnp.where(jnp.isnan(x), jnp.float32(np.nan), x)
