"""Putting what was written through an access back into memory."""

import jax
import jax.numpy as jnp

from jnki.access.access import Access
from jnki.memory.device_memory import DeviceMemory
from jnki.memory.loops import Loops
from jnki.memory.scatter import write


def update(
    memory: DeviceMemory,
    access: Access,
    new: jax.Array,
    at: Loops,
    rows: jax.Array | None = None,
    enabled: jax.Array | None = None,
) -> DeviceMemory:
    """Memory with `new` as the buffer of `access`, where it differs from the old one in what `access` names at most.

    Floats that the access has under another type keep their derivative where it does not write. Which these are is
    found by the same write on marks, not by comparing values: equal bits overwrite too.

    Args:
        new: the buffer, in its shape and storage type.
        rows, enabled: as the write had them.
    """
    buffer = access.buffer
    if not memory.views_floats(buffer):
        return memory.set(buffer, new)
    marks = jnp.zeros(buffer.shape, jnp.int8)
    return memory.set(buffer, new, write(marks, access, jnp.ones(access.shape, jnp.int8), at, rows, enabled))
