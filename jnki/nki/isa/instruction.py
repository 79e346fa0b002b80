"""What every function of `nki.isa` does around its own instruction: checks it, records it, and hands back its name."""

from typing import Any

from jnki.access.access import Access
from jnki.isa.instruction import Instruction
from jnki.record.recorder import current
from jnki.tiles.tensor import as_tensor


class NkiInstruction:
    """An instruction that was recorded. It has no value: `depends_on` says what has to come before it."""

    def __init__(self, handle: Any):
        self._handle = handle

    def depends_on(self, *producers: "NkiInstruction") -> "NkiInstruction":
        """Says that these instructions come first, and returns this one: `c.depends_on(b).depends_on(a)`.

        It is about when engines run, never about values: here instructions run in the order in which they are written.

        Raises:
            TypeError: one is no instruction.
        """
        for producer in producers:
            if not isinstance(producer, NkiInstruction):
                raise TypeError(f"depends_on takes instructions that nki.isa has returned, got {producer!r}")
        return self

    def __repr__(self) -> str:
        return f"<instruction {self._handle}>"


def recorded(instruction: Instruction, name: str | None) -> NkiInstruction:
    """The instruction, checked and recorded.

    Args:
        name: the user's, which a schedule refers to.
    """
    recorder = current(f"nisa.{instruction.name}")
    instruction.check(recorder.target)
    return emitted(instruction, name)


def emitted(instruction: Instruction, name: str | None) -> NkiInstruction:
    """The instruction, which is checked already, recorded."""
    recorder = current(f"nisa.{instruction.name}")
    recorder.emit(instruction)
    if name is not None:
        recorder.labels.add(str(name))
    return NkiInstruction(instruction)


def operand(tensor: Any, function: str, argument: str) -> Access:
    """The access pattern of an operand, which must be a tensor of the kernel, and inside its storage.

    Raises:
        RuleError: `<function>.<argument>`; `ap.bounds`.
    """
    return as_tensor(tensor, function, argument).access
