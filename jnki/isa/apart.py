"""What keeps two operations apart that XLA would make one of."""

from typing import Any

import jax
import jax.numpy as jnp


@jax.custom_jvp
def apart(value: Any) -> jax.Array:
    """`value` itself, behind a selection, which is gone only where machine code is made.

    Barriers and `lax.reduce_precision` are gone before that. Integers are as they are. Its derivative is 1, also where
    the value is NaN, which the selection replaces.
    """
    if not jnp.issubdtype(value.dtype, jnp.floating):
        return jnp.asarray(value)
    return jnp.where(value == value, value, jnp.copysign(jnp.float32(jnp.nan).astype(value.dtype), value))


apart.defjvp(lambda primals, tangents: (apart(*primals), *tangents))


def product(x: Any, y: Any) -> jax.Array:
    """`x * y`, rounded to its type, as the instruction that writes it does, whatever comes next.

    XLA lets LLVM contract `x * y + z` into one operation that rounds once, also where two instructions of a kernel are
    compiled together.
    """
    return apart(jnp.multiply(x, y))
