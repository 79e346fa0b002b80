"""The instruction that a loop on the device begins with: it decides, before each iteration, whether there is one."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from jnki.access.access import Access
from jnki.isa.instruction import Instruction
from jnki.isa.operands import load
from jnki.isa.registers.rules import check_register
from jnki.memory import NO_LOOPS, DeviceMemory, Loops
from jnki.target import Target


@dataclass(frozen=True, kw_only=True)
class LoopHead(Instruction):
    """The head of a loop whose number of iterations is known at run time.

    How far the loop has come is a pytree of int32 and uint32, the *state*, which memory does not hold.

    Attributes:
        most: how many iterations its author says there are at most; None where that is not said. More are a fault.
    """

    # What the loop is called in messages.
    kind: ClassVar[str]
    # Whether the body decides how often it runs, so that a fault in it could make it run for ever.
    is_open_ended: ClassVar[bool] = False

    most: int | None = None

    @property
    def may_fault(self) -> bool:
        return self.most is not None

    def check(self, target: Target) -> None:
        if self.most is not None and not 0 <= self.most < 1 << 31:
            raise self.error(f"{self.kind}.most", "this bounds no loop", given=str(self.most), allowed="0 or more")
        super().check(target)

    @abstractmethod
    def start(self, memory: DeviceMemory) -> Any:
        """The state before the first iteration."""

    @abstractmethod
    def holds(self, memory: DeviceMemory, state: Any) -> jax.Array:
        """Whether there is another iteration, as a boolean."""

    @abstractmethod
    def enter(self, memory: DeviceMemory, state: Any) -> DeviceMemory:
        """Memory as the body finds it."""

    @abstractmethod
    def next(self, state: Any) -> Any:
        """The state after an iteration."""

    @abstractmethod
    def told(self, state: Any) -> jax.Array:
        """What a fault tells of the iteration."""

    def execute(self, memory: DeviceMemory, at: Loops = NO_LOOPS) -> DeviceMemory:
        raise TypeError(f"the head of a {self.kind} runs with the loop's body, not by itself")


def number_in(memory: DeviceMemory, value: Access | int) -> jax.Array:
    """An integer, or what a register holds, as int32."""
    return load(memory, value, NO_LOOPS).reshape(()) if isinstance(value, Access) else jnp.int32(value)


def check_number(head: LoopHead, operand: str, value: Access | int) -> None:
    """The operand is a register, or an integer that one could hold."""
    if isinstance(value, Access):
        check_register(head, operand, value)
    elif not -(1 << 31) <= value < 1 << 31:
        raise head.error(
            f"{head.kind}.{operand}",
            "a loop counts further than its register can",
            given=f"{operand}={value}",
            allowed="a register, or an int32",
        )
