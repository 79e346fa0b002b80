"""The instruction that a loop on the device begins with: it decides, before each iteration, whether there is one."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from jnki.access.access import Access
from jnki.access.affine import ZERO, Affine
from jnki.isa.instruction import Instruction
from jnki.isa.operands import load
from jnki.isa.registers.rules import check_register
from jnki.memory import NO_LOOPS, DeviceMemory, Fault, Loops
from jnki.memory.sites import NO_SITE, Site, intern
from jnki.source import Location
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

    def too_long(self, runs_on: jax.Array, at: Loops) -> Fault:
        """The fault of a loop that is not over after as many iterations as there are at most.

        Args:
            runs_on: whether there is another one then, as a boolean.
        """
        return too_long(self.name, self.most or 0, runs_on, at, self.unrolled, self.location)

    def execute(self, memory: DeviceMemory, at: Loops = NO_LOOPS) -> DeviceMemory:
        raise TypeError(f"the head of a {self.kind} runs with the loop's body, not by itself")


def too_long(
    loop: str,
    most: int,
    runs_on: jax.Array,
    at: Loops,
    unrolled: tuple[tuple[int, str, int | Affine], ...],
    location: Location | None,
) -> Fault:
    """The fault of a loop that runs on after `most` iterations.

    Args:
        loop: name of its head.
        unrolled: the iterations of unrolled loops around it, as a fault's `Site` has them.
    """
    site = Site(
        instruction=loop,
        operand="",
        tensor="",
        axis=0,
        axis_size=most,
        size=most,
        offset=ZERO,
        index_step=1,
        row_step=0,
        signed=True,
        loops=tuple(symbol for symbol, _ in at.values),
        unrolled=unrolled,
        location=location,
        is_bound=True,
    )
    zero = jnp.int32(0)
    return Fault(
        site=jnp.where(runs_on, jnp.int32(intern(site)), jnp.int32(NO_SITE)),
        row=zero,
        index=jnp.where(runs_on, jnp.int32(most), zero),
        iteration=jnp.where(runs_on, at.iteration(), zero),
    )


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
