"""What instructions share that keep the largest of what they select in the Vector Engine's accumulator registers."""

from dataclasses import dataclass, replace
from typing import ClassVar

import jax
import jax.numpy as jnp

from jnki.access.access import Access
from jnki.dtypes import float32
from jnki.isa.enums import reduce_cmd as ReduceCmd
from jnki.isa.instruction import Instruction
from jnki.isa.operands import load, store_float32
from jnki.isa.rules import check_compute_tile, check_vector
from jnki.memory import DeviceMemory, Loops
from jnki.target import Target


@dataclass(frozen=True, kw_only=True)
class MaxRegisters(Instruction):
    """An instruction whose results, `[P, N]`, go through the registers, `r[p]`:

        reset:         r[p] = -inf
        reduce:        r[p] = max(r[p], the float32 results in partition p)
        reset_reduce:  r[p] = max(the float32 results in partition p)
        then           reduce_res[p] = cast(r[p]), if there is one

    A masked-off element takes no part; in a partition without any enabled element nothing happens.

    Attributes:
        reduce_op: name of the operator that reduces: maximum.
        reduce_cmd: what happens to the registers.
        reduce_res: a `[P, 1]` tile that takes their values afterwards.
        accumulator: the registers, `[P, 1]` float32; None where nothing reads what this instruction leaves in them.
    """

    writes: ClassVar[tuple[str, ...]] = ("dst", "reduce_res", "accumulator")
    row_results: ClassVar[tuple[str, ...]] = ("reduce_res", "accumulator")
    registers: ClassVar[tuple[str, ...]] = ("accumulator",)

    reduce_op: str = "maximum"
    reduce_cmd: ReduceCmd = ReduceCmd.idle
    reduce_res: Access | None = None
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
        """The command, the operator and the result of the reduction are what the instruction takes."""
        if not isinstance(self.reduce_cmd, ReduceCmd):
            raise self.error(
                f"{self.name}.reduce_cmd",
                "'reduce_cmd' is no command",
                given=repr(self.reduce_cmd),
                allowed=", ".join(f"nisa.reduce_cmd.{command.name}" for command in ReduceCmd),
            )
        if self.reduce_op != "maximum":
            raise self.error(
                f"{self.name}.reduce_op",
                "the results cannot be reduced with this operator",
                given=self.reduce_op,
                allowed="maximum (nl.max, np.max)",
            )
        if self.reduce_res is not None:
            check_compute_tile(self, "reduce_res", self.reduce_res, target)
            check_vector(self, "reduce_res", self.reduce_res, data)
            if not self.reduce_res.dtype.is_float:
                raise self.error(
                    f"{self.name}.reduce_res",
                    "'reduce_res' has the wrong element type",
                    given=str(self.reduce_res.dtype),
                    allowed="a float type",
                )
        if self.accumulator is not None:
            check_vector(self, "accumulator", self.accumulator, data)
            if self.accumulator.dtype != float32:
                raise self.error(
                    f"{self.name}.accumulator",
                    "the accumulator registers hold float32",
                    given=str(self.accumulator.dtype),
                    allowed="float32",
                )
        if self.reduce_cmd is ReduceCmd.reduce and self.accumulator is None:
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
        flat, rows = results.reshape(results.shape[0], -1), None
        if enabled is not None:
            on = enabled.reshape(flat.shape)
            flat, rows = jnp.where(on, flat, -jnp.inf), on.any(axis=1)
        largest = jnp.max(flat, axis=1)
        match self.reduce_cmd:
            case ReduceCmd.reset:
                largest = jnp.full_like(largest, -jnp.inf)
            case ReduceCmd.reduce:
                assert self.accumulator is not None
                largest = jnp.maximum(load(memory, self.accumulator, at).reshape(-1), largest)
        if self.accumulator is not None and self.leaves_registers:
            left = jnp.full_like(largest, jnp.nan) if self.reduce_cmd is ReduceCmd.idle else largest
            after = store_float32(after, self.accumulator, left, at, rows)
        if self.reduce_res is not None:
            after = store_float32(after, self.reduce_res, largest, at, rows)
        return after

    # What the recorder asks for.

    def only_dst(self) -> Instruction:
        return replace(self, reduce_cmd=ReduceCmd.idle, reduce_res=None, accumulator=None)

    def without_registers(self) -> Instruction:
        return replace(self, accumulator=None)
