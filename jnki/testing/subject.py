"""What is tested, in one form: a function from arguments to outputs and a fault record."""

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax

from jnki.kernel.kernel import Kernel
from jnki.kernel.with_fault import WithFault
from jnki.memory import Fault
from jnki.program.program import DeviceLoop, Loop, Node, Program
from jnki.source import Location


@dataclass(frozen=True)
class Subject:
    """A kernel or a JAX function.

    Attributes:
        name: for messages.
        location: where it is defined.
        parameters: names of its positional parameters.
        run: from the arguments to (outputs, fault).
        kernel: the kernel, where it is one.
    """

    name: str
    location: Location | None
    parameters: tuple[str, ...]
    run: Callable[..., tuple[Any, Fault]]
    kernel: Kernel | None

    def program(self, *args: Any) -> Program | None:
        return None if self.kernel is None else self.kernel.trace(*args)

    def describe(self) -> str:
        return self.name if self.location is None else f"{self.name} at {self.location.describe()}"


def subject_of(what: Any) -> Subject:
    """`what` as a subject: a kernel, `kernel[grid]`, `kernel.with_fault`, or a function of JAX's.

    A function that returns a pair of outputs and a `Fault` reports its faults in this way.

    Raises:
        TypeError: it cannot be called.
    """
    if isinstance(what, WithFault):
        what = what.kernel
    if isinstance(what, Kernel):
        name = what.__name__ + (f"[{', '.join(map(str, what.grid))}]" if what.grid else "")
        return Subject(name, _definition(what.function), _parameters(what), what.with_fault, what)
    if not callable(what):
        raise TypeError(f"{what!r:.80} is neither a kernel nor a function")
    name = getattr(what, "__name__", type(what).__name__)
    return Subject(name, _definition(what), _parameters(what), _with_fault(what), None)


def _with_fault(function: Callable[..., Any]) -> Callable[..., tuple[Any, Fault]]:
    def run(*args: Any) -> tuple[Any, Fault]:
        result = function(*args)
        if isinstance(result, tuple) and len(result) == 2 and isinstance(result[1], Fault):
            return result
        return result, Fault()

    return run


def _parameters(what: Any) -> tuple[str, ...]:
    try:
        signature = inspect.signature(what)
    except (TypeError, ValueError):
        return ()
    return tuple(p.name for p in signature.parameters.values() if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL))


def _definition(function: Any) -> Location | None:
    code = getattr(inspect.unwrap(function), "__code__", None)
    if code is None:
        return None
    try:
        lines, first = inspect.getsourcelines(code)
    except (OSError, TypeError):
        return Location(code.co_filename, code.co_firstlineno, code.co_name)
    skipped = next((n for n, line in enumerate(lines) if line.lstrip().startswith(("def ", "async def "))), 0)
    return Location(code.co_filename, first + skipped, code.co_name)


def bytes_held(nodes: tuple[Node, ...]) -> int:
    """Bytes of the buffers that loops make, each once."""
    total = 0
    for node in nodes:
        if isinstance(node, (Loop, DeviceLoop)):
            total += sum(math.prod(b.shape) * b.dtype.size_bytes for b in node.buffers) + bytes_held(node.body)
    return total


def bytes_of(tree: Any) -> int:
    return sum(math.prod(leaf.shape) * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))
