"""A kernel run step by step for somebody who looks: what `kernel.debug` gives."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

from jnki.errors import RuleError
from jnki.kernel.concrete import memory_of
from jnki.memory import NO_LOOPS, DeviceMemory, Fault
from jnki.memory.gather import read
from jnki.program.program import Program
from jnki.stepping.walk import Step, walk


class Debugger(Iterator[Step]):
    """The steps of one call, each run when it is asked for.

        session = kernel.debug(x)
        step = session.until(nan=True)
        print(step, step.memory.sbuf["tile"])
        session.run()

    Attributes:
        program: what runs; print it for the names.
        last: the step that ran last, None before the first one.
    """

    def __init__(self, program: Program, arrays: Any, outputs: Callable[[Any], Any]):
        """
        Args:
            arrays: those of the program's parameters.
            outputs: from the flat outputs to what the kernel returns.

        Raises:
            RuleError: `debug.traced`, where the arrays have no values.
        """
        self.program = program
        self.last: Step | None = None
        self._outputs = outputs
        held = ((parameter.buffer, array) for parameter, array in zip(program.parameters, arrays))
        self._start = memory_of(held, self._not_concrete)
        self._steps = walk(program, self._start)

    def __iter__(self) -> "Debugger":
        return self

    def __next__(self) -> Step:
        self.last = next(self._steps)
        return self.last

    def until(
        self,
        *,
        name: str | None = None,
        line: int | str | None = None,
        nan: bool = False,
        differs_from: Mapping[str, Any] | None = None,
        rtol: float = 0.0,
        atol: float = 0.0,
    ) -> Step | None:
        """The next step of which any of these is true, which has run; None where the end comes first.

        Args:
            name: of the instruction, as in the listing.
            line: of the user's source, a number or `"file.py:12"`.
            nan: it has written a NaN or an infinity.
            differs_from: by name of a tensor, what it should hold once it is written whole: the step writes to such a
                tensor, and then an element is neither that nor unwritten.
            rtol, atol: how much an element may differ, as in `np.isclose`; NaN is equal to NaN.

        Raises:
            ValueError: nothing is asked for.
        """
        if name is None and line is None and not nan and differs_from is None:
            raise ValueError("until() needs name=, line=, nan=True or differs_from=")
        for step in self:
            where = step.instruction.location
            if name is not None and step.instruction.name == name:
                return step
            if line is not None and where is not None and line in (where.line, where.short()):
                return step
            if nan and any(_has_nonfinite(values) for values in step.written().values()):
                return step
            if differs_from is not None and self._differs(step, differs_from, rtol, atol):
                return step
        return None

    def run(self) -> Any:
        """Runs to the end: what the kernel returns."""
        for _ in self:
            pass
        memory = self.last.memory if self.last is not None else DeviceMemory(self._start, Fault())
        return self._outputs([read(memory.get(a.buffer), a, NO_LOOPS) for a in self.program.outputs])

    def _not_concrete(self, given: str) -> RuleError:
        return RuleError(
            "debug.traced",
            f"kernel '{self.program.name}' runs step by step, on arrays that have values",
            given=given,
            allowed="a call outside of jax.jit, vmap and grad",
        )

    @staticmethod
    def _differs(step: Step, wanted: Mapping[str, Any], rtol: float, atol: float) -> bool:
        written = step.written()
        for name, values in written.items():
            access = step.placed.operands()[name]
            if access.buffer.name not in wanted:
                continue
            right = np.asarray(wanted[access.buffer.name])
            if access.indirect is None and not access.unchecked:
                right = np.asarray(read(jnp.asarray(right).reshape(access.buffer.shape), access, NO_LOOPS))
            here, there = np.asarray(values, np.float64), np.asarray(right, np.float64).reshape(values.shape)
            if not np.isclose(here, there, rtol=rtol, atol=atol, equal_nan=True).all():
                return True
        return False


def _has_nonfinite(values: np.ndarray) -> bool:
    return bool(jnp.issubdtype(values.dtype, jnp.floating)) and not bool(np.isfinite(values.astype(np.float32)).all())
