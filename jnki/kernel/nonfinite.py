"""Where a NaN comes from, under `jax.config.jax_debug_nans` and `jax_debug_infs`."""

from collections.abc import Callable
from typing import Any

import jax

from jnki.kernel.debugger import Debugger
from jnki.program.program import Program


def run_naming_nans(run: Callable[..., Any], program: Program, arrays: Any) -> Any:
    """What `run` gives for these arrays.

    Raises:
        FloatingPointError: JAX's own, of a result with a NaN in it. A note names the kernel, and the first instruction
            that wrote a NaN or an infinity.
    """
    try:
        return run(*arrays)
    except FloatingPointError as error:
        if not any(isinstance(array, jax.core.Tracer) for array in arrays):
            error.add_note(f"in kernel '{program.name}': {_first(program, arrays)}")
        raise


def _first(program: Program, arrays: Any) -> str:
    with jax.debug_nans(False), jax.debug_infs(False):
        step = Debugger(program, arrays, lambda flat: flat).until(nan=True)
    if step is None:
        return "no instruction wrote a NaN or an infinity; an output has elements that nothing was written to"
    at = step.instruction.location
    iterations = ", ".join(f"{name}={number}" for name, number in step.iterations)
    text = f"the first NaN or infinity is written by {step.instruction.name}"
    text += f", in iteration {iterations}" if iterations else ""
    return text + (f"\nat {at.describe()}" if at is not None else "")
