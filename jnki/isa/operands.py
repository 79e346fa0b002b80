"""Reading and writing operands: what instructions share."""

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp

from jnki.access.access import Access, Dim
from jnki.access.mask import Mask
from jnki.access.ref import Ref, resolve
from jnki.dtypes import ElementType, cast, float32
from jnki.isa.constants import constant
from jnki.memory import DeviceMemory, Loops
from jnki.memory.gather import read
from jnki.memory.scatter import write
from jnki.memory.update import update


def load(memory: DeviceMemory, access: Access, at: Loops) -> jax.Array:
    """The tile that a direct (not indirect) operand names."""
    return read(memory.get(access.buffer), access, at)


def store(memory: DeviceMemory, access: Access, value: jax.Array, at: Loops, mask: Mask | None = None) -> DeviceMemory:
    """Memory with `value` at a direct operand, where `mask` holds; the rest stays as it was."""
    enabled = None if mask is None else mask.evaluate(access.shape, at)
    value = jnp.broadcast_to(value, access.shape)
    new = write(memory.get(access.buffer), access, value, at, enabled=enabled)
    return update(memory, access, new, at, enabled=enabled)


def store_where(
    memory: DeviceMemory, access: Access, value: jax.Array, at: Loops, enabled: jax.Array | None
) -> DeviceMemory:
    """Memory with `value` at a direct operand, where `enabled`, which broadcasts to it, has true."""
    mask = None if enabled is None else jnp.broadcast_to(enabled, access.shape)
    new = write(memory.get(access.buffer), access, value.reshape(access.shape), at, enabled=mask)
    return update(memory, access, new, at, enabled=mask)


def store_float32(
    memory: DeviceMemory, access: Access, value: jax.Array, at: Loops, enabled: jax.Array | None
) -> DeviceMemory:
    """Memory with float32 values cast to the type of a direct operand, where `enabled` has true."""
    value = cast(value, float32, access.dtype).reshape(access.shape)
    mask = None if enabled is None else enabled.reshape(access.shape)
    new = write(memory.get(access.buffer), access, value, at, enabled=mask)
    return update(memory, access, new, at, enabled=mask)


def where_enabled(value: jax.Array, mask: Mask | None, shape: tuple[int, ...], at: Loops) -> jax.Array:
    """`value`, which broadcasts to `shape`, with 1 where the mask is off: a place where every operator is smooth.

    What a masked-off element is computed from may be NaN, or a pole; a slope that is not finite there must not meet its
    zero cotangent, which would spread NaN to whatever else the operands came from.
    """
    return value if mask is None else jnp.where(mask.evaluate(shape, at), value, jnp.ones((), value.dtype))


def as_column(access: Access, rank: int) -> Access:
    """A vector operand with trailing axes of size 1 up to `rank`, so that it shares all axes with a tile."""
    missing = max(0, rank - len(access.dims))
    dims = (*access.dims, *(Dim(0, 1) for _ in range(missing)))
    bounds = tuple(replace(b, steps=(*b.steps, *(0,) * missing)) for b in access.unchecked)
    return Access(access.buffer, access.offset, dims, access.indirect, bounds, access.blocks)


def tiles(memory: DeviceMemory, *, data: Ref, **others: Any) -> dict[str, Any]:
    """References as accesses, each with trailing axes of size 1 up to the rank of `data`; all else as it is."""
    tile = resolve(data, memory.buffer)
    rank = len(tile.dims)
    found = {n: as_column(resolve(r, memory.buffer), rank) if isinstance(r, Ref) else r for n, r in others.items()}
    return {"data": tile, **found}


def row_indices(memory: DeviceMemory, access: Access, at: Loops) -> jax.Array | None:
    """The run-time row indices of an indirect operand as int32 bits `[P]` (`[1]` for a scalar offset), or None."""
    if access.indirect is None:
        return None
    tile: Any = load(memory, access.indirect.index, at)
    if access.indirect.columns > 1:
        tile = tile.reshape(-1, access.indirect.columns).T
    tile = tile.reshape(-1)
    if access.indirect.is_vector:
        tile = tile[: access.shape[0]]
    rows = jax.lax.bitcast_convert_type(tile, jnp.int32) if tile.dtype == jnp.uint32 else tile
    # XLA's CPU compiler can fail on a fusion of two dynamic slices, of the indices and of the data, in a batched loop.
    return jax.lax.optimization_barrier(rows) if at.values else rows


def per_partition(memory: DeviceMemory, operand: Any, kind: ElementType, rank: int, at: Loops) -> jax.Array:
    """A constant or a `[P, 1]` tile as an array of type `kind` that broadcasts against `[P, F...]` of that rank."""
    if isinstance(operand, Access):
        return as_columns(cast(load(memory, operand, at), operand.dtype, kind), rank)
    return jnp.asarray(constant(operand, kind))


def as_columns(tile: jax.Array, rank: int) -> jax.Array:
    """A `[P, 1]` tile with trailing axes of size 1 up to `rank`."""
    return tile.reshape(-1, *(1,) * (rank - 1))
