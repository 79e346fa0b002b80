"""`nki.isa.tensor_scalar_cumulative`: an operator with one number per partition, and its running reduction."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from jnki.access.access import Access
from jnki.access.ref import Ref
from jnki.dtypes import cast, float32
from jnki.isa.constants import as_number
from jnki.isa.enums import reduce_cmd as ReduceCmd
from jnki.isa.instruction import Instruction, SharedDims
from jnki.isa.operands import load, per_partition, store_float32, tiles
from jnki.isa.operators import OPERATORS, operator
from jnki.isa.recurrence import in_order
from jnki.isa.rules import (
    check_compute_tile,
    check_float32,
    check_no_mask,
    check_number_or_vector,
    check_operators,
    check_same_tile,
    check_type,
)
from jnki.isa.vector.registers import check_accumulator, check_command
from jnki.isa.vector.tensor_copy import TensorCopy
from jnki.memory import NO_LOOPS, DeviceMemory, Loops
from jnki.source import user_location
from jnki.target import TRN2, Target, takes_target

RUNNING_OPERATORS = ("add", "subtract", "multiply", "maximum", "minimum")
COMMANDS = (ReduceCmd.reset_reduce, ReduceCmd.reduce, ReduceCmd.load_reduce)
TYPES = ("bfloat16", "float16", "float32", "float8_e4m3", "float8_e5m2", "uint8", "uint16", "int8", "int16")


@dataclass(frozen=True)
class _Fold:
    """One step: what an element has come to, joined to the state."""

    op: str

    def __call__(self, x: jax.Array, state: jax.Array, _: None) -> jax.Array:
        return OPERATORS[self.op].function(x, state)


@dataclass(frozen=True, kw_only=True)
class TensorScalarCumulative(Instruction):
    """`r[p] = (src[p, i] <op0> imm0[p]) <op1> r[p]; dst[p, i] = cast(r[p])`, for `i` in row-major order.

    `r`, the Vector Engine's accumulator registers, are float32, whatever the type of `dst` is. With `reset_reduce` they
    start from the neutral element of `op1` (0 for subtract), with `load_reduce` from `imm1`, with `reduce` from
    what they hold.

    Attributes:
        dst, src: `[P, F...]` in SBUF or PSUM, equally many elements, not of 32-bit integers.
        op0: name of an arithmetic operator.
        op1: add, subtract, multiply, maximum or minimum.
        imm0: a number, or a `[P, 1]` tile of float32. An operator of one operand takes 0.0, or None.
        imm1: such a number or tile, with `load_reduce` only.
        reduce_cmd: reset_reduce, reduce or load_reduce.
        accumulator: the registers, `[P, 1]` float32; None where nothing reads what this instruction leaves in them.
    """

    name: ClassVar[str] = "tensor_scalar_cumulative"
    writes: ClassVar[tuple[str, ...]] = ("dst", "accumulator")
    registers: ClassVar[tuple[str, ...]] = ("accumulator",)
    shared_dims: ClassVar[SharedDims] = "partition"

    dst: Access
    src: Access
    op0: str
    op1: str
    imm0: Access | float | None
    imm1: Access | float | None = None
    reduce_cmd: ReduceCmd = ReduceCmd.reset_reduce
    accumulator: Access | None = None

    def reads(self) -> tuple[Access, ...]:
        found = super().reads()
        if self.accumulator is not None and self.reduce_cmd is ReduceCmd.reduce:
            found = (*found, self.accumulator)
        return found

    def redirected(self, dst: Access) -> Instruction:  # type: ignore[override]
        """A copy: to go on a second time would give other numbers."""
        return TensorCopy(dst=dst, src=self.dst, location=self.location)

    def without_registers(self) -> Instruction:
        return replace(self, accumulator=None)

    def check(self, target: Target) -> None:
        for operand, access in (("src", self.src), ("dst", self.dst)):
            check_compute_tile(self, operand, access, target)
            check_type(self, operand, access, TYPES)
        check_same_tile(self, self.dst, self.src)
        first = OPERATORS[self.op0]
        if first.is_bitvec:
            raise self.error(
                "tensor_scalar_cumulative.op0",
                "'op0' must be an arithmetic operator",
                given=self.op0,
                allowed=", ".join(name for name, o in OPERATORS.items() if not o.is_bitvec),
            )
        if self.op1 not in RUNNING_OPERATORS:
            raise self.error(
                "tensor_scalar_cumulative.op1",
                "the results cannot be reduced with this operator",
                given=self.op1,
                allowed=", ".join(RUNNING_OPERATORS),
            )
        check_operators(self, target, op0=self.op0)
        check_number_or_vector(self, "imm0", self.imm0, first, self.src, target)
        check_command(self, self.reduce_cmd, COMMANDS)
        loads = self.reduce_cmd is ReduceCmd.load_reduce
        if loads != (self.imm1 is not None):
            raise self.error(
                "tensor_scalar_cumulative.imm1",
                "the command needs 'imm1'" if loads else "the command makes no use of 'imm1'",
                given=f"imm1={self.imm1}, reduce_cmd={self.reduce_cmd.name}",
                allowed="imm1 with reduce_cmd load_reduce, and only with it",
            )
        for argument, value in (("imm0", self.imm0), ("imm1", self.imm1)):
            check_float32(self, argument, value, self.src, target)
        check_accumulator(self, self.accumulator, self.reduce_cmd, self.src)
        check_no_mask(self)
        super().check(target)

    def execute(self, memory: DeviceMemory, at: Loops = NO_LOOPS) -> DeviceMemory:
        if self.dst.size == 0:
            return memory
        partitions, first = self.dst.shape[0], OPERATORS[self.op0]
        x = cast(load(memory, self.src, at), self.src.dtype, float32).reshape(partitions, -1)
        if first.arity == 1:
            x = first.function(x)
        else:
            x = first.function(x, per_partition(memory, self.imm0, float32, 2, at))
        start = jnp.broadcast_to(self._start(memory, at), partitions)
        states = in_order(_Fold(self.op1), x.T, None, start)
        after = store_float32(memory, self.dst, states.T, at, None)
        if self.accumulator is not None:
            after = store_float32(after, self.accumulator, states[-1], at, None)
        return after

    def _start(self, memory: DeviceMemory, at: Loops) -> jax.Array:
        if self.reduce_cmd is ReduceCmd.reduce:
            assert self.accumulator is not None
            return load(memory, self.accumulator, at).reshape(-1)
        if self.reduce_cmd is ReduceCmd.load_reduce:
            return per_partition(memory, self.imm1, float32, 1, at)
        return jnp.float32(OPERATORS[self.op1].identity)


@takes_target
def tensor_scalar_cumulative(
    memory: DeviceMemory,
    *,
    dst: Ref,
    src: Ref,
    op0: Any,
    op1: Any,
    imm0: Ref | float | None,
    imm1: Ref | float | None = None,
    reduce_cmd: ReduceCmd = ReduceCmd.reset_reduce,
    accumulator: Ref | None = None,
    target: Target = TRN2,
) -> DeviceMemory:
    """Memory with the running reduction of a tile: the functional form of `nki.isa.tensor_scalar_cumulative`.

    Args:
        dst, src: SBUF or PSUM references with equal partitions and elements per partition.
        op0: an arithmetic operator, by name or as a NumPy function.
        op1: add, subtract, multiply, maximum or minimum.
        imm0: a number, or a `[P, 1]` reference of float32; None beside an operator of one operand.
        imm1: such a number or reference: what the registers are loaded with.
        reduce_cmd: reset_reduce, reduce or load_reduce.
        accumulator: the registers of the partitions of `src`, `[P, 1]` float32; needed by the command that reads them.

    Raises:
        RuleError: the instruction breaks a rule.
    """
    numbers = {
        name: value if value is None or isinstance(value, Ref) else as_number("tensor_scalar_cumulative", value)
        for name, value in (("imm0", imm0), ("imm1", imm1))
    }
    found = tiles(memory, data=src, dst=dst, accumulator=accumulator, **numbers)
    instruction = TensorScalarCumulative(
        src=found.pop("data"),
        op0=operator(op0, "tensor_scalar_cumulative", "op0", by_name=True).name,
        op1=operator(op1, "tensor_scalar_cumulative", "op1", by_name=True).name,
        reduce_cmd=reduce_cmd,
        location=user_location(),
        **found,
    )
    instruction.check(target)
    return instruction.execute(memory)
