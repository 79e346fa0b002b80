"""`nki.isa.tensor_scalar_reduce`: an operator with one number per partition, and the reduction of its results."""

from dataclasses import dataclass
from typing import Any, ClassVar

import jax.numpy as jnp

from jnki.access.access import Access
from jnki.access.mask import as_mask
from jnki.access.ref import Ref
from jnki.dtypes import cast, float32
from jnki.isa.constants import as_number
from jnki.isa.enums import reduce_cmd as ReduceCmd
from jnki.isa.instruction import Instruction, SharedDims
from jnki.isa.operands import load, per_partition, store_float32, tiles, where_enabled
from jnki.isa.operators import OPERATORS, operator
from jnki.isa.rules import check_compute_tile, check_mask, check_number_or_vector, check_operators, check_same_tile
from jnki.isa.vector.registers import VectorRegisters
from jnki.isa.vector.tensor_scalar import TensorScalar
from jnki.memory import NO_LOOPS, DeviceMemory, Loops
from jnki.source import user_location
from jnki.target import TRN2, Target, takes_target


@dataclass(frozen=True, kw_only=True)
class TensorScalarReduce(VectorRegisters):
    """`dst[p, i] = cast(data[p, i] <op0> operand0[p])`, and the reduction of the results along all free axes.

    The reduction is of float32 values, before `dst` rounds them; `VectorRegisters` has the commands. A masked-off
    element takes no part; nothing is reduced in a partition without any enabled element.

    Attributes:
        dst, data: `[P, F...]` in SBUF or PSUM, equally many elements.
        op0: name of an arithmetic operator.
        operand0: a constant, or a `[P, 1]` tile. An operator of one operand takes 0.0, or None.
        reduce_op: add, multiply, maximum or minimum; subtract, which has no neutral element, only by itself.
    """

    name: ClassVar[str] = "tensor_scalar_reduce"
    shared_dims: ClassVar[SharedDims] = "all"
    reduce_operators: ClassVar[tuple[str, ...]] = ("add", "subtract", "multiply", "maximum", "minimum")
    reduce_commands: ClassVar[tuple[ReduceCmd, ...]] = (
        *(ReduceCmd.reset_reduce, ReduceCmd.reduce, ReduceCmd.load_reduce),
    )
    result_is_float: ClassVar[bool] = False

    dst: Access
    data: Access
    op0: str
    operand0: Access | float | None
    reduce_op: str
    reduce_cmd: ReduceCmd = ReduceCmd.reset_reduce

    def check(self, target: Target) -> None:
        for operand, access in (("data", self.data), ("dst", self.dst)):
            check_compute_tile(self, operand, access, target)
        check_same_tile(self, self.dst, self.data)
        first = OPERATORS[self.op0]
        if first.is_bitvec:
            raise self.error(
                "tensor_scalar_reduce.op0",
                "'op0' must be an arithmetic operator",
                given=self.op0,
                allowed=", ".join(name for name, o in OPERATORS.items() if not o.is_bitvec),
            )
        check_operators(self, target, op0=self.op0)
        check_number_or_vector(self, "operand0", self.operand0, first, self.data, target)
        self.check_reduction(self.data, target)
        if self.reduce_op == "subtract" and (
            self.accumulator is not None or self.reduce_cmd is not ReduceCmd.reset_reduce
        ):
            raise self.error(
                "tensor_scalar_reduce.reduce_op",
                "the accumulator registers do not reduce with this operator",
                given="subtract",
                allowed=", ".join(op for op in self.reduce_operators if op != "subtract"),
            )
        check_mask(self, "dst", self.dst)
        super().check(target)

    def execute(self, memory: DeviceMemory, at: Loops = NO_LOOPS) -> DeviceMemory:
        if self.dst.size == 0:
            return memory
        shape = self.dst.shape
        enabled = None if self.mask is None else jnp.broadcast_to(self.mask.evaluate(shape, at), shape)
        first = OPERATORS[self.op0]
        value = cast(load(memory, self.data, at), self.data.dtype, float32).reshape(shape)
        value = where_enabled(value, self.mask, shape, at)
        if first.arity == 1:
            value = first.function(value)
        else:
            number = per_partition(memory, self.operand0, float32, len(shape), at)
            value = first.function(value, where_enabled(number, self.mask, shape, at))
        after = store_float32(memory, self.dst, value, at, enabled)
        return self.reduced(memory, after, value, at, enabled)

    def only_dst(self) -> Instruction:
        return TensorScalar(
            dst=self.dst,
            data=self.data,
            op0=self.op0,
            operand0=self.operand0,
            mask=self.mask,
            location=self.location,
        )


@takes_target
def tensor_scalar_reduce(
    memory: DeviceMemory,
    *,
    dst: Ref,
    data: Ref,
    op0: Any,
    operand0: Ref | float | None,
    reduce_op: Any,
    reduce_res: Ref | None = None,
    reduce_cmd: ReduceCmd = ReduceCmd.reset_reduce,
    reduce_init: Ref | float | None = None,
    reduce_res_negate: bool = False,
    accumulator: Ref | None = None,
    mask: Any = None,
    target: Target = TRN2,
) -> DeviceMemory:
    """Memory with an operator applied to a tile, and reduced: the functional form of `nki.isa.tensor_scalar_reduce`.

    Args:
        dst, data: SBUF or PSUM references with equal partitions and elements per partition.
        op0: an arithmetic operator, by name or as a NumPy function.
        operand0: a number, or a `[P, 1]` reference; None beside an operator of one operand.
        reduce_op: add, subtract, multiply, maximum or minimum.
        reduce_res, reduce_cmd, reduce_init, reduce_res_negate: as in a kernel.
        accumulator: the registers of the partitions of `data`, `[P, 1]` float32; needed by the command that reads them.
        mask: where false, `dst` stays as it was, and an element takes no part in the reduction.

    Raises:
        RuleError: the instruction breaks a rule.
    """
    numbers = {
        name: value if value is None or isinstance(value, Ref) else as_number("tensor_scalar_reduce", value)
        for name, value in (("operand0", operand0), ("reduce_init", reduce_init))
    }
    instruction = TensorScalarReduce(
        op0=operator(op0, "tensor_scalar_reduce", "op0", by_name=True).name,
        reduce_op=operator(reduce_op, "tensor_scalar_reduce", "reduce_op", by_name=True).name,
        reduce_cmd=reduce_cmd,
        reduce_res_negate=reduce_res_negate,
        mask=as_mask(mask),
        location=user_location(),
        **tiles(memory, dst=dst, data=data, reduce_res=reduce_res, accumulator=accumulator, **numbers),
    )
    instruction.check(target)
    return instruction.execute(memory)
