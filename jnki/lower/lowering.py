"""From a `Program` to a pure function of arrays."""

from collections.abc import Callable
from typing import Any

import jax
from jax import lax

from jnki.lower.across import axes_of, of_all_ranks
from jnki.lower.explicit_mesh import REPLICATED, on_automatic_axes, sharding_of
from jnki.lower.plan import Form
from jnki.lower.run import run_block
from jnki.memory import NO_LOOPS, DeviceMemory, Fault
from jnki.memory.gather import read
from jnki.program.program import Program

Lowered = Callable[..., tuple[tuple[jax.Array, ...], Fault]]


def lower_program(
    program: Program, form: Form | None = None, run: Callable[[DeviceMemory], DeviceMemory] | None = None
) -> Lowered:
    """A pure function from the arrays of the program's parameters to its outputs and its fault record.

    Args:
        form: asks for one form of every loop that could have either (all forms give the same result).
        run: what runs the body, in another way than as one computation.

    Returns:
        A function that can be jitted, vmapped, differentiated, scanned and sharded. Its fault is a record of no
        fault where the program cannot fault.
    """

    parameters = [p.buffer for p in program.parameters]
    axes = axes_of(program.body)
    updated = [parameters.index(a.buffer) if a.buffer in parameters and a.is_whole else None for a in program.outputs]

    def compute(*arrays: jax.Array) -> tuple[tuple[jax.Array, ...], Fault]:
        memory = DeviceMemory({}, Fault()).replacing(dict(zip(parameters, map(_strongly_typed, arrays))))
        memory = run_block(program.body, memory, NO_LOOPS, form) if run is None else run(memory)
        outputs = tuple(read(memory.get(a.buffer), a, NO_LOOPS) for a in program.outputs)
        return outputs, of_all_ranks(memory.fault, axes) if program.may_fault else memory.fault

    def function(*arrays: jax.Array) -> tuple[tuple[jax.Array, ...], Fault]:
        shardings = tuple(REPLICATED if n is None else sharding_of(arrays[n]) for n in updated)
        return on_automatic_axes(compute, arrays, (shardings, REPLICATED))

    function.__name__ = function.__qualname__ = program.name
    return function


def _strongly_typed(array: Any) -> Any:
    """The array without JAX's mark that its type may give way: a tensor has the type that it has."""
    return lax.convert_element_type(array, array.dtype)
