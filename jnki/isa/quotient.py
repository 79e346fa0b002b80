"""`x / y`, rounded once."""

from typing import Any

import jax
import jax.numpy as jnp


def quotient(x: Any, y: Any) -> jax.Array:
    """`x / y`, rounded once, as IEEE arithmetic has it.

    XLA multiplies by the reciprocal of a divisor that is one number for many elements, which rounds twice, and what is
    rounded down then can be off by one. That the divisor is such a number does not show here: where `x` is NaN, and
    only there, `x` stands in its place, which changes no result.
    """
    return jnp.divide(x, jnp.where(jnp.isnan(x), x, y))
