"""The head of `nki.language.while_loop` and of `while register:`: there is an iteration while a register is not 0."""

from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from jnki.access.access import Access
from jnki.isa.registers.loop_head import LoopHead, number_in
from jnki.isa.registers.rules import check_register
from jnki.memory import DeviceMemory
from jnki.target import Target


@dataclass(frozen=True, kw_only=True)
class WhileLoop(LoopHead):
    """`while condition != 0`.

    It also ends where a fault is recorded: what a faulty transfer should have brought may be what ends the loop.

    Attributes:
        condition: a register, looked at before each iteration.
    """

    name: ClassVar[str] = "while_loop"
    kind: ClassVar[str] = "while_loop"
    writes: ClassVar[tuple[str, ...]] = ()
    is_open_ended: ClassVar[bool] = True

    condition: Access

    def check(self, target: Target) -> None:
        check_register(self, "condition", self.condition)
        super().check(target)

    def start(self, memory: DeviceMemory) -> Any:
        return jnp.int32(0)

    def holds(self, memory: DeviceMemory, state: Any) -> jax.Array:
        return jnp.asarray((number_in(memory, self.condition) != 0) & ~memory.fault.occurred)

    def enter(self, memory: DeviceMemory, state: Any) -> DeviceMemory:
        return memory

    def next(self, state: Any) -> Any:
        return state + jnp.int32(1)

    def told(self, state: Any) -> jax.Array:
        return jnp.asarray(state)

    def listing(self) -> str:
        return f"while {self.condition}"
