"""Array arguments of a kernel that runs step by step: they have values, and memory starts with these."""

from collections.abc import Callable, Iterable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jnki.access.buffer import Buffer
from jnki.errors import RuleError
from jnki.stepping.kinds import Key

# Parameters of a kernel, and the array of each.
Held = Iterable[tuple[Buffer, Any]]


def memory_of(arrays: Held, refusal: Callable[[str], RuleError]) -> dict[Key, Any]:
    """What memory holds at the start: the array arguments, as JAX arrays of their own on one device.

    Args:
        refusal: makes the error, of what was given.

    Raises:
        RuleError: an array has no value, or what is computed from them would have none.
    """
    arrays = tuple(arrays)
    for buffer, array in arrays:
        if isinstance(array, jax.core.Tracer):
            raise refusal(f"'{buffer.name}' as {type(array).__name__} {array.aval.str_short()}")
        if not isinstance(array, jax.Array) and not hasattr(array, "__array__"):
            raise refusal(f"'{buffer.name}' as {type(array).__name__}, which has no values")
    # Under `jax.jit` all that is computed is traced, whatever it is computed from.
    if isinstance(jnp.zeros(()), jax.core.Tracer):
        raise refusal("a call inside of jax.jit or another transformation that traces")
    return {(b.space, b.name): jnp.array(_on_one_device(array), b.dtype.storage) for b, array in arrays}


def _on_one_device(array: Any) -> Any:
    is_spread = isinstance(array, jax.Array) and len(array.sharding.device_set) > 1
    return np.asarray(array) if is_spread else array
