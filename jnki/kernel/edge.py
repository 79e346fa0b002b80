"""Where a fault goes when a kernel returns.

how the kernel is called                       what a fault does
--------------------------------------------   -------------------------------------------------------
with concrete arrays, also under plain grad    FaultError, an IndexError
kernel.with_fault(...), anywhere               returned beside the outputs
under jit, vmap, scan, ... ("poison")          float outputs and all gradients through them turn NaN;
                                               where an output is of integers, a host callback raises;
                                               checkify and chexify see a failed check
the same, with on_fault("nan")                 float outputs and all gradients turn NaN, and nothing else; with an
                                               output of integers a RuleError
the same, with on_fault("callback")            a host callback raises: JAX wraps the IndexError in an error of its own
"""

import contextlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.experimental import checkify

from jnki.errors import RuleError
from jnki.kernel.fault_policy import FaultPolicy
from jnki.lower.explicit_mesh import on_automatic_axes
from jnki.memory import Fault, FaultError

# Under vmap, cond and while_loop run what a case did not take, and throw it away: nothing here can tell.
UNTAKEN = (
    "if this case does not take the branch (or the iteration) that calls the kernel: under vmap all of them run; give "
    "it row indices in bounds there, or use kernel.with_fault(...)"
)


def report(
    outputs: tuple[jax.Array, ...], fault: Fault, policy: FaultPolicy, kernel: str, max_trips: int | None = None
) -> tuple[jax.Array, ...]:
    """The outputs, with the fault made visible in the way that `policy` says.

    Args:
        max_trips: the bound of the kernel's loops, if one is stated: that a loop goes on after it is a fault too.

    Raises:
        RuleError: "nan" was asked for, and an output is of integers.
    """
    has_integers = not all(jnp.issubdtype(o.dtype, jnp.floating) for o in outputs)
    if policy is FaultPolicy.NAN:
        if has_integers:
            raise RuleError(
                "fault.policy",
                f"kernel '{kernel}' has an output of integers, which cannot say that a row index was out of bounds",
                given='the policy "nan"',
                allowed='kernel.with_fault, or the policies "poison" and "callback"',
            )
    else:
        _check(fault, kernel, max_trips)
    if policy is FaultPolicy.CALLBACK:
        _call_back(fault)
        return outputs
    if has_integers:
        _call_back(fault)
    return tuple(poisoned(o, fault.occurred) for o in outputs)


def _call_back(fault: Fault) -> None:
    """The host raises where there is a fault.

    It is an effect, which no compiler drops, and it has no result: on several devices the answer of a callback is
    broadcast, and where it raises instead, the others would wait for ever.
    """

    fields = tuple(lax.stop_gradient(field) for field in jax.tree.leaves(fault))
    on_automatic_axes(lambda *fields: _ask(*fields), fields, ())


@jax.custom_batching.custom_vmap
def _ask(*fields: jax.Array) -> tuple[()]:
    fault = Fault(*fields)
    # A callback takes the host a millisecond: it is made only where there is something to say.
    lax.cond(jnp.any(fault.occurred), lambda: jax.debug.callback(_raise, fault), lambda: None)
    return ()


@_ask.def_vmap
def _ask_once(size: int, batched: list[bool], *fields: jax.Array) -> tuple[tuple[()], tuple[()]]:
    """One call for all cases, which JAX would make one by one."""
    whole = (f if b else jnp.broadcast_to(f, (size, *f.shape)) for f, b in zip(fields, batched))
    return _ask(*whole), ()


def _check(fault: Fault, kernel: str, max_trips: int | None) -> None:
    text = f"a row index is out of bounds in kernel '{kernel}': row {{row}} has index {{index}}"
    if max_trips is not None:
        text += f"; or a loop runs more than {max_trips} times"

    def check(occurred: jax.Array, row: jax.Array, index: jax.Array) -> tuple[()]:
        checkify.debug_check(~occurred, text, row=row, index=index)
        return ()

    # A batch of checks is sorted, which JAX refuses along an explicit axis of a mesh; and the first one is looked at,
    # which an empty batch does not have.
    with contextlib.suppress(IndexError):
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
    """Raises what a plain call does, with the notes in the text: JAX quotes the text alone."""
    try:
        fault.raise_if_any()
    except FaultError as error:
        notes = [*error.__notes__, UNTAKEN] if np.ndim(fault.site) else error.__notes__
        attributes = {name: value for name, value in vars(error).items() if name != "__notes__"}
        raise FaultError("\n".join([str(error), *notes]), **attributes) from None
