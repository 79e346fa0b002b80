"""`nki.isa.scalar_tensor_tensor`: an operator with a number per partition, then one with a tile."""

from dataclasses import dataclass
from typing import Any, ClassVar

import jax

from jnki.access.access import Access
from jnki.access.mask import as_mask
from jnki.access.ref import Ref
from jnki.dtypes import ElementType, cast, float32
from jnki.isa.bitvec import as_bits_of, immediate, on_bits
from jnki.isa.constants import as_number
from jnki.isa.instruction import Instruction, SharedDims
from jnki.isa.operands import as_columns, load, per_partition, store, tiles, where_enabled
from jnki.isa.operators import OPERATORS, operator
from jnki.isa.rules import (
    check_bitvec,
    check_compute_tile,
    check_immediate,
    check_mask,
    check_number_or_vector,
    check_operators,
)
from jnki.isa.two_tiles import check_equal_elements, check_not_both_in_psum
from jnki.memory import NO_LOOPS, DeviceMemory, Loops
from jnki.source import user_location
from jnki.target import TRN2, Target, takes_target

Value = tuple[jax.Array, ElementType]


@dataclass(frozen=True, kw_only=True)
class ScalarTensorTensor(Instruction):
    """`dst[i] = cast((data[i] <op0> operand0) <op1> operand1[i])`, `operand0` one number per partition.

    Attributes:
        dst, data, operand1: `[P, F...]` in SBUF or PSUM, with equal partitions and elements per partition; `data` and
            `operand1` are not both in PSUM.
        op0, op1: names of operators, both bitvec or both arithmetic; op1 takes two operands.
        operand0: a constant, or a `[P, 1]` tile. An operator of one operand takes 0.0.
        reverse0, reverse1: whether the operand stands on the left.
    """

    name: ClassVar[str] = "scalar_tensor_tensor"
    shared_dims: ClassVar[SharedDims] = "all"

    dst: Access
    data: Access
    op0: str
    operand0: Access | float
    op1: str
    operand1: Access
    reverse0: bool = False
    reverse1: bool = False

    def check(self, target: Target) -> None:
        for operand, access in (("data", self.data), ("operand1", self.operand1), ("dst", self.dst)):
            check_compute_tile(self, operand, access, target)
        check_equal_elements(self, {"data": self.data, "operand1": self.operand1, "dst": self.dst})
        check_not_both_in_psum(self, "data", "operand1")
        first, second = OPERATORS[self.op0], OPERATORS[self.op1]
        if second.arity != 2:
            raise self.error(
                "scalar_tensor_tensor.op1",
                "the operator takes one operand",
                given=self.op1,
                allowed="a binary operator",
            )
        if first.is_bitvec != second.is_bitvec:
            raise self.error(
                "scalar_tensor_tensor.op1",
                "op0 and op1 must both be bitvec or both arithmetic",
                given=f"{self.op0}, {self.op1}",
                allowed="two operators of one kind",
            )
        check_bitvec(self, first, self.data, self.dst)
        check_bitvec(self, second, self.operand1, self.dst)
        check_number_or_vector(self, "operand0", self.operand0, first, self.data, target)
        check_immediate(self, "operand0", self.operand0, first, self.data)
        check_operators(self, target, op0=self.op0, op1=self.op1)
        check_mask(self, "dst", self.dst)
        super().check(target)

    def execute(self, memory: DeviceMemory, at: Loops = NO_LOOPS) -> DeviceMemory:
        is_bitvec = OPERATORS[self.op0].is_bitvec
        data, other = (self._read(memory, access, is_bitvec, at) for access in (self.data, self.operand1))
        inner = self._first(memory, data, is_bitvec, at)
        value, kind = _applied(self.op1, *((other, inner) if self.reverse1 else (inner, other)), is_bitvec)
        result = as_bits_of(value, kind, self.dst.dtype) if is_bitvec else cast(value, kind, self.dst.dtype)
        return store(memory, self.dst, result, at, self.mask)

    def _first(self, memory: DeviceMemory, data: Value, is_bitvec: bool, at: Loops) -> Value:
        """`data <op0> operand0`."""
        rank = len(self.dst.shape)
        if OPERATORS[self.op0].arity == 1:
            return OPERATORS[self.op0].function(data[0]), data[1]
        if not is_bitvec:
            number = per_partition(memory, self.operand0, float32, rank, at), float32
        elif isinstance(self.operand0, Access):
            number = as_columns(load(memory, self.operand0, at), rank), self.operand0.dtype
        else:
            bits = immediate(self.operand0, self.data.dtype)
            assert bits is not None
            number = bits, self.data.dtype
        number = where_enabled(number[0], self.mask, self.dst.shape, at), number[1]
        return _applied(self.op0, *((number, data) if self.reverse0 else (data, number)), is_bitvec)

    def _read(self, memory: DeviceMemory, access: Access, is_bitvec: bool, at: Loops) -> Value:
        value, kind = load(memory, access, at).reshape(self.dst.shape), access.dtype
        if not is_bitvec:
            value, kind = cast(value, kind, float32), float32
        return where_enabled(value, self.mask, self.dst.shape, at), kind


def _applied(op: str, left: Value, right: Value, is_bitvec: bool) -> Value:
    if is_bitvec:
        return on_bits(OPERATORS[op], *left, *right)
    return OPERATORS[op].function(left[0], right[0]), float32


@takes_target
def scalar_tensor_tensor(
    memory: DeviceMemory,
    *,
    dst: Ref,
    data: Ref,
    op0: Any,
    operand0: Ref | float,
    op1: Any,
    operand1: Ref,
    reverse0: bool = False,
    reverse1: bool = False,
    mask: Any = None,
    target: Target = TRN2,
) -> DeviceMemory:
    """Memory with two operators applied to a tile: the functional form of `nki.isa.scalar_tensor_tensor`.

    Args:
        dst, data, operand1: SBUF or PSUM references with equal partitions and elements per partition.
        op0, op1: operators, by name or as NumPy functions.
        operand0: a number, or a `[P, 1]` reference.
        reverse0, reverse1: whether the operand stands on the left.
        mask: where false, `dst` stays as it was.

    Raises:
        RuleError: the instruction breaks a rule.
    """
    number = operand0 if isinstance(operand0, Ref) else as_number("scalar_tensor_tensor", operand0)
    instruction = ScalarTensorTensor(
        op0=operator(op0, "scalar_tensor_tensor", "op0", by_name=True).name,
        op1=operator(op1, "scalar_tensor_tensor", "op1", by_name=True).name,
        reverse0=reverse0,
        reverse1=reverse1,
        mask=as_mask(mask),
        location=user_location(),
        **tiles(memory, dst=dst, data=data, operand0=number, operand1=operand1),
    )
    instruction.check(target)
    return instruction.execute(memory)
