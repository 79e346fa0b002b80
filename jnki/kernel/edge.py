"""Where a fault goes when a kernel returns.

how the kernel is called                       what a fault does
--------------------------------------------   -------------------------------------------------------
with concrete arrays, also under plain grad    IndexError
kernel.with_fault(...), anywhere               returned beside the outputs
under jit, vmap, scan, ... ("poison")          float outputs and all gradients through them turn NaN;
                                               checkify and chexify see a failed check
the same, with on_fault("callback")            a host callback raises: JAX wraps the IndexError in an error of its own
"""

import enum
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.experimental import checkify

from jnki.lower.explicit_mesh import on_automatic_axes
from jnki.memory import Fault
from jnki.source import warn


class FaultPolicy(enum.Enum):
    """What a fault does to a plain call inside somebody's transformation, where nothing can be raised."""

    POISON = "poison"
    CALLBACK = "callback"


class UnreportedFaultWarning(UserWarning):
    """A kernel that can fault has only integer outputs, and these cannot turn NaN."""


def report(outputs: tuple[jax.Array, ...], fault: Fault, policy: FaultPolicy, kernel: str) -> tuple[jax.Array, ...]:
    """The outputs, with the fault made visible in the way that `policy` says.

    Warns:
        UnreportedFaultWarning: under `POISON`, where no output can carry the news.
    """
    _check(fault, kernel)
    if policy is FaultPolicy.CALLBACK:
        jax.debug.callback(_raise, fault)
        return outputs
    if not any(jnp.issubdtype(o.dtype, jnp.floating) for o in outputs):
        warn(
            f"kernel '{kernel}' can fault, and its integer outputs cannot turn NaN: inside a transformation use "
            "kernel.with_fault(...), kernel.on_fault('callback') or checkify",
            UnreportedFaultWarning,
        )
    return tuple(poisoned(o, fault.occurred) for o in outputs)


def _check(fault: Fault, kernel: str) -> None:
    text = f"a row index is out of bounds in kernel '{kernel}': row {{row}} has index {{index}}"

    def check(occurred: jax.Array, row: jax.Array, index: jax.Array) -> tuple[()]:
        checkify.debug_check(~occurred, text, row=row, index=index)
        return ()

    # A batch of checks is sorted, which JAX refuses along an explicit axis of a mesh.
    on_automatic_axes(check, (fault.occurred, fault.row, fault.index), ())


@jax.custom_jvp
def poisoned(value: jax.Array, fault: jax.Array) -> jax.Array:
    """`value`, bit for bit, or NaN everywhere where `fault` is true; integers stay as they are.

    The tangent turns NaN with it, and without a fault it passes unchanged: neither `where` nor a product does both.
    """
    if not jnp.issubdtype(value.dtype, jnp.floating):
        return value
    bits: Any = np.dtype(f"int{8 * value.dtype.itemsize}")
    nan = lax.bitcast_convert_type(jnp.full((), jnp.nan, value.dtype), bits)
    chosen = jnp.where(fault, nan, lax.bitcast_convert_type(value, bits))
    return lax.bitcast_convert_type(chosen, value.dtype)


@poisoned.defjvp
def _poisoned_jvp(primals: tuple[Any, Any], tangents: tuple[Any, Any]) -> tuple[Any, Any]:
    value, fault = primals
    out = poisoned(value, fault)
    if not jnp.issubdtype(value.dtype, jnp.floating):
        return out, tangents[0]
    factor = jnp.where(fault, jnp.full((), jnp.nan, value.dtype), jnp.ones((), value.dtype))
    return out, tangents[0] * factor


def _raise(fault: Fault) -> None:
    fault.raise_if_any()
