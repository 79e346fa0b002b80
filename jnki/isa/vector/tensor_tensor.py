"""`nki.isa.tensor_tensor`: an operator on two tiles, element by element, on the Vector or GpSimd Engine."""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import jax

from jnki.access.access import Access
from jnki.access.buffer import Space
from jnki.access.mask import as_mask
from jnki.access.ref import Ref, resolve
from jnki.dtypes import ElementType, cast, float32
from jnki.isa.enums import engine as Engine
from jnki.isa.instruction import Instruction, SharedDims
from jnki.isa.operands import load, store, where_enabled
from jnki.isa.operators import OPERATORS, Operator
from jnki.isa.operators import operator as operator_of
from jnki.isa.promotion import promote
from jnki.isa.rules import check_bitvec, check_compute_tile, check_engine, check_mask
from jnki.memory import NO_LOOPS, DeviceMemory, Loops
from jnki.source import user_location
from jnki.target import TRN2, Target, takes_target

# GpSimd computes these exactly on 32-bit integers, where the Vector Engine goes through float32.
_INTEGER_OPERATORS = frozenset({"add", "subtract", "multiply"})


@dataclass(frozen=True, kw_only=True)
class TensorTensor(Instruction):
    """`dst[i] = cast(data1[i] <op> data2[i])`.

    Attributes:
        dst, data1, data2: `[P, F...]` in SBUF or PSUM, with equal partitions and elements per partition; the two
            inputs are not both in PSUM.
        op: name of a binary operator.
        engine: vector or gpsimd.
    """

    name: ClassVar[str] = "tensor_tensor"
    shared_dims: ClassVar[SharedDims] = "all"

    dst: Access
    data1: Access
    data2: Access
    op: str
    engine: Engine = Engine.unknown

    @property
    def operator(self) -> Operator:
        return OPERATORS[self.op]

    @property
    def on_integers(self) -> bool:
        """Whether GpSimd computes on 32-bit integers: exact, and wrapping."""
        return (
            self.op in _INTEGER_OPERATORS
            and self.engine in (Engine.unknown, Engine.gpsimd)
            and self.data1.dtype == self.data2.dtype
            and self.data1.dtype.name in ("int32", "uint32")
        )

    @property
    def is_accumulation(self) -> bool:
        if self.op == "subtract":
            return self.dst == self.data1
        return OPERATORS[self.op].reduction is not None and self.dst in (self.data1, self.data2)

    def check(self, target: Target) -> None:
        for operand, access in (("data1", self.data1), ("data2", self.data2), ("dst", self.dst)):
            check_compute_tile(self, operand, access, target)
        self._check_shapes()
        if self.operator.arity != 2:
            raise self.error(
                "tensor_tensor.op", "the operator takes one operand", given=self.op, allowed="a binary operator"
            )
        check_bitvec(self, self.operator, self.dst, self.data1, self.data2)
        check_engine(self, self.engine, (Engine.vector, Engine.gpsimd))
        self._check_psum()
        check_mask(self, "dst", self.dst)
        super().check(target)

    def _check_shapes(self) -> None:
        if len({self.dst.shape[0], self.data1.shape[0], self.data2.shape[0]}) != 1:
            raise self.error(
                "err_num_partition_mismatch",
                "the operands span different numbers of partitions",
                given=f"data1 {list(self.data1.shape)}, data2 {list(self.data2.shape)}, dst {list(self.dst.shape)}",
                allowed="the same size of axis 0; t.broadcast_to(shape) repeats a partition",
            )
        if len({math.prod(a.shape[1:]) for a in (self.dst, self.data1, self.data2)}) != 1:
            raise self.error(
                "tensor_tensor.element_count",
                "the operands have different numbers of elements per partition",
                given=f"data1 {list(self.data1.shape)}, data2 {list(self.data2.shape)}, dst {list(self.dst.shape)}",
                allowed="equally many elements per partition; nisa.tensor_scalar broadcasts [P, 1]",
            )

    def _check_psum(self) -> None:
        spaces = [a.buffer.space for a in (self.data1, self.data2, self.dst)]
        if spaces[0] is spaces[1] is Space.PSUM:
            raise self.error(
                "err_unsupported_memory",
                "data1 and data2 cannot both be in PSUM",
                given=f"{self.data1.buffer}, {self.data2.buffer}",
                allowed="at most one of the two in psum",
            )
        needs_gpsimd = self.op == "power" or self.engine is Engine.gpsimd
        if needs_gpsimd and Space.PSUM in spaces:
            raise self.error(
                "err_unsupported_memory",
                "the GpSimd Engine, which runs this, cannot access PSUM",
                given=", ".join(str(a.buffer) for a in (self.data1, self.data2, self.dst)),
                allowed="sbuf",
            )

    def execute(self, memory: DeviceMemory, at: Loops = NO_LOOPS) -> DeviceMemory:
        a, b = load(memory, self.data1, at), load(memory, self.data2, at)
        a, b = (where_enabled(x.reshape(self.dst.shape), self.mask, self.dst.shape, at) for x in (a, b))
        if self.on_integers:
            value, kind = self.operator.function(a, b), self.data1.dtype
        else:
            value, kind = combine(self.operator, a, self.data1.dtype, b, self.data2.dtype)
        return store(memory, self.dst, cast(value, kind, self.dst.dtype), at, self.mask)


def combine(
    op: Operator, a: jax.Array, a_type: ElementType, b: Any, b_type: ElementType
) -> tuple[jax.Array, ElementType]:
    """`a <op> b` and the type that it is in: float32, or the common integer type for a bitvec operator."""
    if op.is_bitvec:
        common = promote(a_type, b_type)
        return op.function(a.astype(common.storage), b.astype(common.storage)), common
    return op.function(cast(a, a_type, float32), cast(b, b_type, float32)), float32


@takes_target
def tensor_tensor(
    memory: DeviceMemory,
    *,
    dst: Ref,
    data1: Ref,
    data2: Ref,
    op: Any,
    engine: Engine = Engine.unknown,
    mask: Any = None,
    target: Target = TRN2,
) -> DeviceMemory:
    """Memory with an operator applied to two tiles: the functional form of `nki.isa.tensor_tensor`.

    Args:
        dst, data1, data2: SBUF or PSUM references with equal partitions and elements per partition.
        op: a binary operator, by its name or as a NumPy function.
        engine: vector, gpsimd or unknown.
        mask: where false, `dst` stays as it was.

    Raises:
        RuleError: the instruction breaks a rule.
    """
    instruction = TensorTensor(
        dst=resolve(dst, memory.buffer),
        data1=resolve(data1, memory.buffer),
        data2=resolve(data2, memory.buffer),
        op=operator_of(op, "tensor_tensor", by_name=True).name,
        engine=engine,
        mask=as_mask(mask),
        location=user_location(),
    )
    instruction.check(target)
    return instruction.execute(memory)
