"""What instructions share that reduce their results in the Vector Engine's accumulator registers.

The engine has one float32 register per partition. They belong to the engine and not to an instruction, so they are an
operand like any other here: a buffer that one instruction leaves behind and the next one finds.
"""

from dataclasses import dataclass, replace
from typing import ClassVar

import jax
import jax.numpy as jnp

from jnki.access.access import Access
from jnki.dtypes import float32
from jnki.isa.enums import reduce_cmd as ReduceCmd
from jnki.isa.instruction import Instruction
from jnki.isa.operands import load, per_partition, store_float32
from jnki.isa.operators import OPERATORS
from jnki.isa.rules import check_compute_tile, check_float32, check_vector
from jnki.memory import DeviceMemory, Loops
from jnki.target import Target


def check_command(instruction: Instruction, given: ReduceCmd, allowed: tuple[ReduceCmd, ...]) -> None:
    """The command is one that the instruction takes."""
    if not isinstance(given, ReduceCmd) or given not in allowed:
        raise instruction.error(
            f"{instruction.name}.reduce_cmd",
            "'reduce_cmd' is no command",
            given=given.name if isinstance(given, ReduceCmd) else repr(given),
            allowed=", ".join(f"nisa.reduce_cmd.{command.name}" for command in allowed),
        )


def check_accumulator(
    instruction: Instruction, accumulator: Access | None, command: ReduceCmd, data: Access, reads: bool | None = None
) -> None:
    """The registers, if any, are a float32 vector beside `data`; a command that reads them has some.

    Args:
        reads: whether it reads them; by default `reduce` does.
    """
    if accumulator is not None:
        check_vector(instruction, "accumulator", accumulator, data)
        if accumulator.dtype != float32:
            raise instruction.error(
                f"{instruction.name}.accumulator",
                "the accumulator registers hold float32",
                given=str(accumulator.dtype),
                allowed="float32",
            )
    if (command is ReduceCmd.reduce if reads is None else reads) and accumulator is None:
        raise instruction.error(
            f"{instruction.name}.accumulator",
            "the command reads the accumulator registers, and there are none",
            given=f"reduce_cmd={command.name}",
            allowed="a [P, 1] float32 buffer as accumulator",
        )


@dataclass(frozen=True, kw_only=True)
class VectorRegisters(Instruction):
    """An instruction whose results, `[P, N]`, go through the registers, `r[p]`:

        reset:         r[p] = start
        reduce:        r[p] = reduce_op(r[p], reduce_op of the float32 results in partition p)
        reset_reduce:  r[p] = reduce_op of the float32 results in partition p
        load_reduce:   r[p] = reduce_op(reduce_init[p], reduce_op of the float32 results in partition p)
        then           reduce_res[p] = cast(r[p]), if there is one, or its negative

    where `start` is the neutral element of `reduce_op`. A masked-off element takes no part; in a partition without any
    enabled element nothing happens.

    Attributes:
        reduce_op: name of the operator that reduces.
        reduce_cmd: what happens to the registers.
        reduce_init: what they are loaded with: a number, or a `[P, 1]` tile of float32.
        reduce_res: a `[P, 1]` tile that takes their values afterwards.
        reduce_res_negate: whether it takes them with the opposite sign; the registers keep theirs.
        accumulator: the registers, `[P, 1]` float32; None where nothing reads what this instruction leaves in them.
    """

    writes: ClassVar[tuple[str, ...]] = ("dst", "reduce_res", "accumulator")
    row_results: ClassVar[tuple[str, ...]] = ("reduce_res", "accumulator")
    registers: ClassVar[tuple[str, ...]] = ("accumulator",)
    # What a subclass takes.
    reduce_operators: ClassVar[tuple[str, ...]] = ("maximum",)
    reduce_commands: ClassVar[tuple[ReduceCmd, ...]] = (
        *(ReduceCmd.idle, ReduceCmd.reset, ReduceCmd.reduce, ReduceCmd.reset_reduce),
    )
    result_is_float: ClassVar[bool] = True

    reduce_op: str = "maximum"
    reduce_cmd: ReduceCmd = ReduceCmd.idle
    reduce_init: Access | float | None = None
    reduce_res: Access | None = None
    reduce_res_negate: bool = False
    accumulator: Access | None = None

    def reads(self) -> tuple[Access, ...]:
        found = super().reads()
        if self.accumulator is not None and self.reduce_cmd is ReduceCmd.reduce:
            found = (*found, self.accumulator)
        return found

    @property
    def leaves_registers(self) -> bool:
        """Whether the registers change. An idle instruction that changes them leaves NaN: nobody should read that."""
        return self.reduce_cmd is not ReduceCmd.idle

    def written(self) -> tuple[Access, ...]:
        left = self.accumulator if self.leaves_registers else None
        return tuple(access for access in (self.operands()["dst"], self.reduce_res, left) if access is not None)

    def check_reduction(self, data: Access, target: Target) -> None:
        """Command, operator, start and result of the reduction are what the instruction takes."""
        check_command(self, self.reduce_cmd, self.reduce_commands)
        if self.reduce_op not in self.reduce_operators:
            raise self.error(
                f"{self.name}.reduce_op",
                "the results cannot be reduced with this operator",
                given=self.reduce_op,
                allowed=", ".join(self.reduce_operators)
                if self.reduce_operators != ("maximum",)
                else "maximum (nl.max, np.max)",
            )
        self._check_start(data, target)
        if self.reduce_res is not None:
            check_compute_tile(self, "reduce_res", self.reduce_res, target)
            check_vector(self, "reduce_res", self.reduce_res, data)
            if self.result_is_float and not self.reduce_res.dtype.is_float:
                raise self.error(
                    f"{self.name}.reduce_res",
                    "'reduce_res' has the wrong element type",
                    given=str(self.reduce_res.dtype),
                    allowed="a float type",
                )
        elif self.reduce_res_negate:
            raise self.error(
                f"{self.name}.reduce_res_negate",
                "there is no result to negate",
                given="reduce_res=None",
                allowed="reduce_res_negate=False, or a tile of [P, 1] as reduce_res",
            )
        check_accumulator(self, self.accumulator, self.reduce_cmd, data)

    def _check_start(self, data: Access, target: Target) -> None:
        loads = self.reduce_cmd is ReduceCmd.load_reduce
        if loads != (self.reduce_init is not None):
            raise self.error(
                f"{self.name}.reduce_init",
                "the command needs 'reduce_init'" if loads else "the command makes no use of 'reduce_init'",
                given=f"reduce_init={self.reduce_init}, reduce_cmd={self.reduce_cmd.name}",
                allowed="reduce_init with reduce_cmd load_reduce, and only with it",
            )
        check_float32(self, "reduce_init", self.reduce_init, data, target)

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
        flat, rows = results.reshape(results.shape[0], -1), None
        on = None if enabled is None else enabled.reshape(flat.shape)
        if on is not None:
            rows = on.any(axis=1)
        value = self._accumulated(memory, flat, at, on)
        if self.accumulator is not None and self.leaves_registers:
            left = jnp.full_like(value, jnp.nan) if self.reduce_cmd is ReduceCmd.idle else value
            after = store_float32(after, self.accumulator, left, at, rows)
        if self.reduce_res is not None:
            after = store_float32(after, self.reduce_res, -value if self.reduce_res_negate else value, at, rows)
        return after

    def _accumulated(self, memory: DeviceMemory, flat: jax.Array, at: Loops, on: jax.Array | None) -> jax.Array:
        """The registers after the instruction, `float32[P]`."""
        operator = OPERATORS[self.reduce_op]
        start = jnp.float32(operator.identity)
        if self.reduce_cmd is ReduceCmd.reset:
            return jnp.full(flat.shape[:1], start)
        assert operator.reduction is not None
        if on is None:
            value = operator.reduction(flat, axis=(1,))
        else:
            flat, masked = jnp.where(on, flat, start), operator.masked_reduction
            value = operator.reduction(flat, axis=(1,)) if masked is None else masked(flat, on, axis=(1,))
        if self.reduce_cmd is ReduceCmd.reduce:
            assert self.accumulator is not None
            return operator.function(load(memory, self.accumulator, at).reshape(-1), value)
        if self.reduce_cmd is ReduceCmd.load_reduce:
            return operator.function(per_partition(memory, self.reduce_init, float32, 1, at), value)
        return value

    # What the recorder asks for.

    def only_dst(self) -> Instruction:
        return replace(self, reduce_cmd=ReduceCmd.idle, reduce_init=None, reduce_res=None, accumulator=None)

    def without_registers(self) -> Instruction:
        return replace(self, accumulator=None)
