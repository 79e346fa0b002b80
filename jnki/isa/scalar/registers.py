"""What instructions share that reduce their results in the Scalar Engine's accumulator registers.

The engine has one float32 register per partition. They belong to the engine and not to an instruction, so they are an
operand like any other here: a buffer that one activation leaves behind and the next one finds.
"""

from dataclasses import dataclass, replace
from typing import ClassVar

import jax
import jax.numpy as jnp

from jnki.access.access import Access
from jnki.dtypes import float32
from jnki.isa.enums import reduce_cmd as ReduceCmd
from jnki.isa.instruction import Instruction
from jnki.isa.operands import load, store_float32
from jnki.isa.operators import OPERATORS
from jnki.isa.rules import check_compute_tile, check_vector
from jnki.memory import DeviceMemory, Loops
from jnki.target import Target

REDUCE_COMMANDS = (ReduceCmd.idle, ReduceCmd.reset, ReduceCmd.reduce, ReduceCmd.reset_reduce)
REDUCE_OPERATORS = ("add", "multiply", "maximum", "minimum")


@dataclass(frozen=True, kw_only=True)
class ScalarRegisters(Instruction):
    """An instruction whose results, `[P, N]`, may go through the registers, `r[p]`, and then `reduce_res`:

        idle:          r[p] stays
        reset:         r[p] = start
        reduce:        r[p] = reduce_op(r[p], reduce_op of the float32 results in partition p)
        reset_reduce:  r[p] = reduce_op of the float32 results in partition p
        then           reduce_res[p] = cast(r[p]), if there is one

    where `start` is 0, or the neutral element of a `reduce_op` that is no sum. A masked-off element takes no part; in a
    partition without any enabled element nothing happens.

    Attributes:
        reduce_op: name of the operator that reduces along the free axes.
        reduce_cmd: what happens to the registers.
        reduce_res: a `[P, 1]` tile that takes their values afterwards.
        accumulator: the registers, `[P, 1]` float32; None where nothing reads what this instruction leaves in them.
    """

    writes: ClassVar[tuple[str, ...]] = ("dst", "reduce_res", "accumulator")
    row_results: ClassVar[tuple[str, ...]] = ("reduce_res", "accumulator")
    registers: ClassVar[tuple[str, ...]] = ("accumulator",)
    # Whether `reset` takes an operator, whose neutral element it leaves.
    reset_takes_operator: ClassVar[bool] = False

    reduce_op: str | None = None
    reduce_cmd: ReduceCmd = ReduceCmd.idle
    reduce_res: Access | None = None
    accumulator: Access | None = None

    def reduce_operators(self, target: Target) -> tuple[str, ...]:
        """The operators that reduce on `target`."""
        return ("add",) if target.neuron_core_version == 2 else REDUCE_OPERATORS

    @property
    def reads_registers(self) -> bool:
        """Whether the old values of the registers matter."""
        kept = self.reduce_cmd is ReduceCmd.idle and self.reduce_res is not None
        return kept or self.reduce_cmd is ReduceCmd.reduce

    def reads(self) -> tuple[Access, ...]:
        found = super().reads()
        if self.accumulator is not None and self.reads_registers:
            found = (*found, self.accumulator)
        return found

    def written(self) -> tuple[Access, ...]:
        registers = None if self.reduce_cmd is ReduceCmd.idle else self.accumulator
        return tuple(access for access in (self.operands()["dst"], self.reduce_res, registers) if access is not None)

    def check_reduction(self, data: Access, target: Target) -> None:
        """Command, operator and result of the reduction are what the instruction takes."""
        if not isinstance(self.reduce_cmd, ReduceCmd) or self.reduce_cmd not in REDUCE_COMMANDS:
            raise self.error(
                f"{self.name}.reduce_cmd",
                "'reduce_cmd' is no command",
                given=self.reduce_cmd.name if isinstance(self.reduce_cmd, ReduceCmd) else repr(self.reduce_cmd),
                allowed=", ".join(f"nisa.reduce_cmd.{command.name}" for command in REDUCE_COMMANDS),
            )
        reduces = self.reduce_cmd in (ReduceCmd.reduce, ReduceCmd.reset_reduce)
        may_be_given = reduces or (self.reset_takes_operator and self.reduce_cmd is ReduceCmd.reset)
        if (reduces and self.reduce_op is None) or (self.reduce_op is not None and not may_be_given):
            raise self.error(
                f"{self.name}.reduce_op",
                "the command needs 'reduce_op'" if reduces else "the command makes no use of 'reduce_op'",
                given=f"reduce_op={self.reduce_op}, reduce_cmd={self.reduce_cmd.name}",
                allowed="reduce_op with reduce_cmd reduce or reset_reduce, and only with these",
            )
        legal = self.reduce_operators(target)
        if self.reduce_op is not None and self.reduce_op not in legal:
            raise self.error(
                f"{self.name}.reduce_op",
                "the Scalar Engine does not reduce with this operator",
                given=f"{self.reduce_op} on {target.name}",
                allowed=", ".join(legal),
            )
        if self.reduce_res is not None:
            check_compute_tile(self, "reduce_res", self.reduce_res, target)
            check_vector(self, "reduce_res", self.reduce_res, data)
        if self.accumulator is not None:
            check_vector(self, "accumulator", self.accumulator, data)
            if self.accumulator.dtype != float32:
                raise self.error(
                    f"{self.name}.accumulator",
                    "the accumulator registers hold float32",
                    given=str(self.accumulator.dtype),
                    allowed="float32",
                )
        if self.reads_registers and self.accumulator is None:
            raise self.error(
                f"{self.name}.accumulator",
                "the command reads the accumulator registers, and there are none",
                given=f"reduce_cmd={self.reduce_cmd.name}",
                allowed="a [P, 1] float32 buffer as accumulator",
            )

    def reduced(
        self, memory: DeviceMemory, after: DeviceMemory, results: jax.Array, at: Loops, enabled: jax.Array | None
    ) -> DeviceMemory:
        """`after`, with registers and `reduce_res` as `results` leave them.

        Args:
            memory: before the instruction.
            after: memory with `dst` written.
            results: float32, of the shape of `dst`.
            enabled: which of them take part.
        """
        if self.reduce_res is None and self.accumulator is None:
            return after
        rows = None if enabled is None else by_partition(enabled).any(axis=1)
        registers = self._accumulated(memory, by_partition(results), at, enabled)
        if self.accumulator is not None and self.reduce_cmd is not ReduceCmd.idle:
            after = store_float32(after, self.accumulator, registers, at, rows)
        if self.reduce_res is not None:
            after = store_float32(after, self.reduce_res, registers, at, rows)
        return after

    def reduction(self, value: jax.Array) -> jax.Array:
        """Each row of `[P, N]` reduced by `reduce_op`."""
        reduce = OPERATORS[self.reduce_op or "add"].reduction
        assert reduce is not None
        return reduce(value, axis=(1,))

    def _accumulated(self, memory: DeviceMemory, value: jax.Array, at: Loops, enabled: jax.Array | None) -> jax.Array:
        """The registers after the instruction, `float32[P]`; `value` is `[P, N]`."""
        operator = OPERATORS[self.reduce_op or "add"]
        start = jnp.float32(operator.identity)
        reduced = jnp.full(value.shape[:1], start)
        if self.reduce_cmd in (ReduceCmd.reduce, ReduceCmd.reset_reduce):
            if enabled is not None:
                value = jnp.where(by_partition(enabled), value, start)
            reduced = self.reduction(value)
        if not self.reads_registers:
            return reduced
        assert self.accumulator is not None
        old = load(memory, self.accumulator, at).reshape(-1)
        return operator.function(old, reduced)

    def without_registers(self) -> Instruction:
        return replace(self, accumulator=None)


def by_partition(tile: jax.Array) -> jax.Array:
    """`[P, N]` from `[P, F...]`."""
    return tile.reshape(tile.shape[0], -1)
