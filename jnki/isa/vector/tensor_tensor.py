"""`nki.isa.tensor_tensor`: an operator on two tiles, element by element, on the Vector or GpSimd Engine."""

from dataclasses import dataclass
from typing import Any, ClassVar

from jnki.access.access import Access
from jnki.access.buffer import Space
from jnki.access.mask import as_mask
from jnki.access.ref import Ref, resolve
from jnki.dtypes import cast, float32
from jnki.isa.bitvec import as_bits_of, on_bits
from jnki.isa.enums import engine as Engine
from jnki.isa.instruction import Instruction, SharedDims
from jnki.isa.operands import load, store, where_enabled
from jnki.isa.operators import OPERATORS, Operator
from jnki.isa.operators import operator as operator_of
from jnki.isa.rules import check_bitvec, check_compute_tile, check_engine, check_mask, check_operators
from jnki.isa.two_tiles import check_equal_elements, check_not_both_in_psum
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
        check_equal_elements(
            self,
            {"data1": self.data1, "data2": self.data2, "dst": self.dst},
            instead_of_partitions="; t.broadcast_to(shape) repeats a partition",
            instead_of_free="; nisa.tensor_scalar broadcasts [P, 1]",
        )
        check_operators(self, target, op=self.op)
        if self.operator.arity != 2:
            raise self.error(
                "tensor_tensor.op", "the operator takes one operand", given=self.op, allowed="a binary operator"
            )
        check_bitvec(self, self.operator, self.dst, self.data1, self.data2)
        check_engine(self, self.engine, (Engine.vector, Engine.gpsimd))
        self._check_psum()
        check_mask(self, "dst", self.dst)
        super().check(target)

    def _check_psum(self) -> None:
        check_not_both_in_psum(self, "data1", "data2")
        spaces = [a.buffer.space for a in (self.data1, self.data2, self.dst)]
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
        if self.operator.is_bitvec:
            bits, kind = on_bits(self.operator, a, self.data1.dtype, b, self.data2.dtype)
            return store(memory, self.dst, as_bits_of(bits, kind, self.dst.dtype), at, self.mask)
        if self.on_integers:
            value, kind = self.operator.function(a, b), self.data1.dtype
        else:
            numbers = (cast(x, access.dtype, float32) for x, access in ((a, self.data1), (b, self.data2)))
            value, kind = self.operator.function(*numbers), float32
        return store(memory, self.dst, cast(value, kind, self.dst.dtype), at, self.mask)


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
