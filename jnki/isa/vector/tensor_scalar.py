"""`nki.isa.tensor_scalar`: up to two operators with scalars or vectors, on the Vector, Scalar or GpSimd Engine."""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import jax

from jnki.access.access import Access
from jnki.access.mask import as_mask
from jnki.access.ref import Ref
from jnki.dtypes import ElementType, cast, float32
from jnki.isa.bitvec import as_bits_of, immediate, on_bits
from jnki.isa.constants import as_number
from jnki.isa.enums import engine as Engine
from jnki.isa.instruction import Instruction, SharedDims
from jnki.isa.operands import as_columns, load, per_partition, store, tiles, where_enabled
from jnki.isa.operators import OPERATORS, operator
from jnki.isa.rules import (
    check_bitvec,
    check_compute_tile,
    check_engine,
    check_immediate,
    check_mask,
    check_number_or_vector,
    check_operators,
)
from jnki.memory import NO_LOOPS, DeviceMemory, Loops
from jnki.source import user_location
from jnki.target import TRN2, Target, takes_target

Operand = Access | float | int | bool | None


@dataclass(frozen=True, kw_only=True)
class TensorScalar(Instruction):
    """`dst[i] = cast((data[i] <op0> operand0) <op1> operand1)`, each operand one number per partition.

    Attributes:
        dst, data: `[P, F...]` in SBUF or PSUM.
        op0, op1: names of operators, both bitvec or both arithmetic; op1 may be None.
        operand0, operand1: a constant, or a `[P, 1]` tile. An operator of one operand takes 0.0, or None.
        reverse0, reverse1: whether the operand stands on the left.
        engine: vector, scalar (NeuronCore-v3 and newer) or gpsimd (rsqrt only).
    """

    name: ClassVar[str] = "tensor_scalar"
    shared_dims: ClassVar[SharedDims] = "all"

    dst: Access
    data: Access
    op0: str
    operand0: Operand
    reverse0: bool = False
    op1: str | None = None
    operand1: Operand = None
    reverse1: bool = False
    engine: Engine = Engine.unknown

    @property
    def steps(self) -> tuple[tuple[str, Operand, bool, str], ...]:
        """Operator, operand, reversal and the operand's argument name, in order."""
        first = (self.op0, self.operand0, self.reverse0, "operand0")
        if self.op1 is None:
            return (first,)
        return (first, (self.op1, self.operand1, self.reverse1, "operand1"))

    @property
    def is_accumulation(self) -> bool:
        return self.op1 is None and self.dst == self.data and self.op0 in ("add", "multiply", "maximum", "minimum")

    def check(self, target: Target) -> None:
        check_compute_tile(self, "data", self.data, target)
        check_compute_tile(self, "dst", self.dst, target)
        if self.dst.shape[0] != self.data.shape[0]:
            raise self.error(
                "err_num_partition_mismatch",
                "dst and data span different numbers of partitions",
                given=f"data {list(self.data.shape)}, dst {list(self.dst.shape)}",
                allowed="the same size of axis 0",
            )
        if math.prod(self.dst.shape) != math.prod(self.data.shape):
            raise self.error(
                "tensor_scalar.element_count",
                "dst and data have different numbers of elements",
                given=f"data {list(self.data.shape)}, dst {list(self.dst.shape)}",
                allowed="equally many elements per partition",
            )
        check_operators(self, target, op0=self.op0, op1=self.op1)
        self._check_operands(target)
        self._check_engine(target)
        check_mask(self, "dst", self.dst)
        super().check(target)

    def _check_operands(self, target: Target) -> None:
        if self.op1 is None and self.operand1 is not None:
            raise self.error("tensor_scalar.operand1", "operand1 without op1", given=str(self.operand1), allowed="None")
        for op, operand, _, argument in self.steps:
            check_bitvec(self, OPERATORS[op], self.data, self.dst)
            check_number_or_vector(self, argument, operand, OPERATORS[op], self.data, target)
        if len({OPERATORS[op].is_bitvec for op, *_ in self.steps}) != 1:
            raise self.error(
                "tensor_scalar.op1",
                "op0 and op1 must both be bitvec or both arithmetic",
                given=f"{self.op0}, {self.op1}",
                allowed="two operators of one kind",
            )
        for op, operand, _, argument in self.steps:
            check_immediate(self, argument, operand, OPERATORS[op], self.data)

    def _check_engine(self, target: Target) -> None:
        check_engine(self, self.engine, (Engine.vector, Engine.scalar, Engine.gpsimd))
        pair = (self.op0, self.op1)
        if self.engine is Engine.gpsimd and self.op0 != "rsqrt":
            raise self.error(
                "tensor_scalar.engine", "GpSimd runs only rsqrt here", given=str(pair), allowed="op0=nl.rsqrt"
            )
        if self.engine is Engine.scalar:
            legal = (("multiply", "add"), ("multiply", None), ("add", None))
            if target.neuron_core_version < 3 or pair not in legal:
                raise self.error(
                    "tensor_scalar.engine",
                    "the Scalar Engine cannot run these operators",
                    given=f"{pair} on {target.name}",
                    allowed="multiply then add, multiply, or add, on NeuronCore-v3 or newer",
                )

    def execute(self, memory: DeviceMemory, at: Loops = NO_LOOPS) -> DeviceMemory:
        value, kind = load(memory, self.data, at).reshape(self.dst.shape), self.data.dtype
        is_bitvec = OPERATORS[self.op0].is_bitvec
        if not is_bitvec:
            value, kind = cast(value, kind, float32), float32
        for op, operand, reverse, _ in self.steps:
            operator = OPERATORS[op]
            value = where_enabled(value, self.mask, self.dst.shape, at)
            if operator.arity == 1:
                value = operator.function(value)
                continue
            other, other_kind = self._other(memory, operand, kind, at)
            other = where_enabled(other, self.mask, self.dst.shape, at)
            left, right = (value, kind), (other, other_kind)
            if reverse:
                left, right = right, left
            if is_bitvec:
                value, kind = on_bits(operator, *left, *right)
            else:
                value = operator.function(left[0], right[0])
        result = as_bits_of(value, kind, self.dst.dtype) if is_bitvec else cast(value, kind, self.dst.dtype)
        return store(memory, self.dst, result, at, self.mask)

    def _other(
        self, memory: DeviceMemory, operand: Operand, kind: ElementType, at: Loops
    ) -> tuple[jax.Array, ElementType]:
        """The operand beside a value of type `kind`: bits of its own type for a bitvec operator, else float32."""
        if kind == float32:
            return per_partition(memory, operand, float32, len(self.dst.shape), at), float32
        if isinstance(operand, Access):
            return as_columns(load(memory, operand, at), len(self.dst.shape)), operand.dtype
        bits = immediate(operand, kind)
        assert bits is not None
        return bits, kind


@takes_target
def tensor_scalar(
    memory: DeviceMemory,
    *,
    dst: Ref,
    data: Ref,
    op0: Any,
    operand0: Ref | float | None,
    reverse0: bool = False,
    op1: Any = None,
    operand1: Ref | float | None = None,
    reverse1: bool = False,
    engine: Engine = Engine.unknown,
    mask: Any = None,
    target: Target = TRN2,
) -> DeviceMemory:
    """Memory with one or two operators applied to a tile: the functional form of `nki.isa.tensor_scalar`.

    Args:
        dst, data: SBUF or PSUM references with equal partitions and elements per partition.
        op0, op1: operators, by name or as NumPy functions.
        operand0, operand1: numbers, or `[P, 1]` references; None beside an operator of one operand.
        reverse0, reverse1: whether the operand stands on the left.
        engine: vector, scalar, gpsimd or unknown.
        mask: where false, `dst` stays as it was.

    Raises:
        RuleError: the instruction breaks a rule.
    """
    numbers = [v if v is None or isinstance(v, Ref) else as_number("tensor_scalar", v) for v in (operand0, operand1)]
    instruction = TensorScalar(
        op0=operator(op0, "tensor_scalar", "op0", by_name=True).name,
        reverse0=reverse0,
        op1=None if op1 is None else operator(op1, "tensor_scalar", "op1", by_name=True).name,
        reverse1=reverse1,
        engine=engine,
        mask=as_mask(mask),
        location=user_location(),
        **tiles(memory, dst=dst, data=data, operand0=numbers[0], operand1=numbers[1]),
    )
    instruction.check(target)
    return instruction.execute(memory)
