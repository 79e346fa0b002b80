"""Reading and writing operands: what instructions share."""

from typing import Any

import jax
import jax.numpy as jnp

from jnki.access.access import Access
from jnki.access.mask import Mask
from jnki.memory import DeviceMemory, Loops
from jnki.memory.gather import read
from jnki.memory.scatter import write


def load(memory: DeviceMemory, access: Access, at: Loops) -> jax.Array:
    """The tile that a direct (not indirect) operand names."""
    return read(memory.get(access.buffer), access, at)


def store(memory: DeviceMemory, access: Access, value: jax.Array, at: Loops, mask: Mask | None = None) -> DeviceMemory:
    """Memory with `value` at a direct operand, where `mask` holds; the rest stays as it was."""
    enabled = None if mask is None else mask.evaluate(access.shape, at)
    value = jnp.broadcast_to(value, access.shape)
    return memory.set(access.buffer, write(memory.get(access.buffer), access, value, at, enabled=enabled))


def row_indices(memory: DeviceMemory, access: Access, at: Loops) -> jax.Array | None:
    """The run-time row indices of an indirect operand as int32 bits `[P]` (`[1]` for a scalar offset), or None."""
    if access.indirect is None:
        return None
    tile: Any = load(memory, access.indirect.index, at).reshape(-1)
    return jax.lax.bitcast_convert_type(tile, jnp.int32) if tile.dtype == jnp.uint32 else tile
