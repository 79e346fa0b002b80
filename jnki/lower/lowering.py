"""From a `Program` to a pure function of arrays."""

from collections.abc import Callable

import jax

from jnki.lower.plan import Form
from jnki.lower.run import run_block
from jnki.memory import NO_LOOPS, DeviceMemory, Fault
from jnki.memory.gather import read
from jnki.program.program import Program

Lowered = Callable[..., tuple[tuple[jax.Array, ...], Fault]]


def lower_program(program: Program, form: Form | None = None) -> Lowered:
    """A pure function from the arrays of the program's parameters to its outputs and its fault record.

    Args:
        form: asks for one form of every loop that could have either (all forms give the same result).

    Returns:
        A function that can be jitted, vmapped, differentiated, scanned and sharded. Its fault is a record of no
        fault where the program cannot fault.
    """

    def function(*arrays: jax.Array) -> tuple[tuple[jax.Array, ...], Fault]:
        memory = DeviceMemory({}, Fault()).replacing({p.buffer: a for p, a in zip(program.parameters, arrays)})
        memory = run_block(program.body, memory, NO_LOOPS, form)
        outputs = tuple(read(memory.get(a.buffer), a, NO_LOOPS) for a in program.outputs)
        return outputs, memory.fault

    function.__name__ = function.__qualname__ = program.name
    return function
