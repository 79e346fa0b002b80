"""`nki.isa.tensor_scalar_reduce`: an operator with one number per partition, and the reduction of its results."""

from dataclasses import dataclass
from typing import Any, ClassVar

import jax.numpy as jnp

from jnki.access.access import Access
from jnki.access.mask import as_mask
from jnki.access.ref import Ref
from jnki.dtypes import cast, float32
from jnki.isa.constants import as_number
from jnki.isa.instruction import Instruction, SharedDims
from jnki.isa.operands import load, per_partition, store_float32, tiles, where_enabled
from jnki.isa.operators import OPERATORS, operator
from jnki.isa.rules import check_compute_tile, check_mask, check_number_or_vector, check_same_tile, check_vector
from jnki.isa.vector.tensor_scalar import TensorScalar
from jnki.memory import NO_LOOPS, DeviceMemory, Loops
from jnki.source import user_location
from jnki.target import TRN2, Target, takes_target

REDUCE_OPERATORS = ("add", "subtract", "multiply", "maximum", "minimum")


@dataclass(frozen=True, kw_only=True)
class TensorScalarReduce(Instruction):
    """`dst[p, i] = cast(data[p, i] <op0> operand0[p])` and `reduce_res[p] = cast(reduce_op over i)`.

    The reduction is of the float32 results, before `dst` rounds them, along all free axes. A masked-off element takes
    no part; `reduce_res` stays as it was in a partition without any enabled element.

    Attributes:
        dst, data: `[P, F...]` in SBUF or PSUM, equally many elements.
        op0: name of an arithmetic operator.
        operand0: a constant, or a `[P, 1]` tile. An operator of one operand takes 0.0.
        reduce_op: name of the operator that reduces.
        reduce_res: a `[P, 1]` tile.
    """

    name: ClassVar[str] = "tensor_scalar_reduce"
    writes: ClassVar[tuple[str, ...]] = ("dst", "reduce_res")
    row_results: ClassVar[tuple[str, ...]] = ("reduce_res",)
    shared_dims: ClassVar[SharedDims] = "all"

    dst: Access
    data: Access
    op0: str
    operand0: Access | float
    reduce_op: str
    reduce_res: Access

    def check(self, target: Target) -> None:
        for operand, access in (("data", self.data), ("dst", self.dst), ("reduce_res", self.reduce_res)):
            check_compute_tile(self, operand, access, target)
        check_same_tile(self, self.dst, self.data)
        check_vector(self, "reduce_res", self.reduce_res, self.data)
        first = OPERATORS[self.op0]
        if first.is_bitvec:
            raise self.error(
                "tensor_scalar_reduce.op0",
                "'op0' must be an arithmetic operator",
                given=self.op0,
                allowed=", ".join(name for name, o in OPERATORS.items() if not o.is_bitvec),
            )
        check_number_or_vector(self, "operand0", self.operand0, first, self.data, target)
        if self.reduce_op not in REDUCE_OPERATORS:
            raise self.error(
                "tensor_scalar_reduce.reduce_op",
                "the results cannot be reduced with this operator",
                given=self.reduce_op,
                allowed=", ".join(REDUCE_OPERATORS),
            )
        check_mask(self, "dst", self.dst)
        super().check(target)

    def execute(self, memory: DeviceMemory, at: Loops = NO_LOOPS) -> DeviceMemory:
        if self.dst.size == 0:
            return memory
        shape, partitions = self.dst.shape, self.dst.shape[0]
        enabled = None if self.mask is None else jnp.broadcast_to(self.mask.evaluate(shape, at), shape)
        first, second = OPERATORS[self.op0], OPERATORS[self.reduce_op]
        value = cast(load(memory, self.data, at), self.data.dtype, float32).reshape(shape)
        value = where_enabled(value, self.mask, shape, at)
        if first.arity == 1:
            value = first.function(value)
        else:
            number = per_partition(memory, self.operand0, float32, len(shape), at)
            value = first.function(value, where_enabled(number, self.mask, shape, at))
        after = store_float32(memory, self.dst, value, at, enabled)
        rows, flat = None, value.reshape(partitions, -1)
        assert second.reduction is not None
        if enabled is None:
            reduced = second.reduction(flat, axis=(1,))
        else:
            on = enabled.reshape(partitions, -1)
            rows, flat = on.any(axis=1), jnp.where(on, flat, jnp.float32(second.identity))
            masked = second.masked_reduction
            reduced = second.reduction(flat, axis=(1,)) if masked is None else masked(flat, on, axis=(1,))
        return store_float32(after, self.reduce_res, reduced, at, rows)

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
    operand0: Ref | float,
    reduce_op: Any,
    reduce_res: Ref,
    mask: Any = None,
    target: Target = TRN2,
) -> DeviceMemory:
    """Memory with an operator applied to a tile, and reduced: the functional form of `nki.isa.tensor_scalar_reduce`.

    Args:
        dst, data: SBUF or PSUM references with equal partitions and elements per partition.
        op0: an arithmetic operator, by name or as a NumPy function.
        operand0: a number, or a `[P, 1]` reference.
        reduce_op: add, subtract, multiply, maximum or minimum.
        reduce_res: a `[P, 1]` reference.
        mask: where false, `dst` stays as it was, and an element takes no part in the reduction.

    Raises:
        RuleError: the instruction breaks a rule.
    """
    number = operand0 if isinstance(operand0, Ref) else as_number("tensor_scalar_reduce", operand0)
    instruction = TensorScalarReduce(
        op0=operator(op0, "tensor_scalar_reduce", "op0", by_name=True).name,
        reduce_op=operator(reduce_op, "tensor_scalar_reduce", "reduce_op", by_name=True).name,
        mask=as_mask(mask),
        location=user_location(),
        **tiles(memory, dst=dst, data=data, operand0=number, reduce_res=reduce_res),
    )
    instruction.check(target)
    return instruction.execute(memory)
