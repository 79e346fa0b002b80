"""`nki.isa.tensor_partition_reduce`: a reduction across partitions, on the GpSimd Engine."""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np

from jnki.access.access import Access
from jnki.access.mask import Mask, as_mask
from jnki.access.ref import Ref, resolve
from jnki.dtypes import cast, float32
from jnki.isa.bitvec import as_bits_of
from jnki.isa.instruction import Instruction
from jnki.isa.operands import load
from jnki.isa.operators import OPERATORS, operator
from jnki.isa.reduced_mask import of_result
from jnki.isa.rules import check_bitvec, check_mask, check_on_chip, check_partitions
from jnki.memory import NO_LOOPS, DeviceMemory, Loops
from jnki.memory.scatter import write
from jnki.memory.update import update
from jnki.source import user_location
from jnki.target import TRN2, Target, takes_target

_OPERATORS = ("add", "maximum", "bitwise_or", "bitwise_and")


@dataclass(frozen=True, kw_only=True)
class TensorPartitionReduce(Instruction):
    """`dst[0, i] = cast(reduce(op, data[:, i]))`.

    A masked-off element takes no part; a result without any enabled element is not written.

    Attributes:
        dst: `[1, F...]` in SBUF.
        data: `[P, F...]` in SBUF.
        op: add, maximum, bitwise_or or bitwise_and.
    """

    name: ClassVar[str] = "tensor_partition_reduce"

    dst: Access
    data: Access
    op: str

    @property
    def result_mask(self) -> Mask | None:
        return of_result(self.mask, self.data.shape, (0,), self.dst.shape)

    def check(self, target: Target) -> None:
        for operand, access in (("data", self.data), ("dst", self.dst)):
            check_on_chip(self, operand, access, psum=False)
            check_partitions(self, operand, access, target)
        if self.op not in _OPERATORS:
            raise self.error(
                "tensor_partition_reduce.op",
                "the GpSimd Engine does not reduce partitions with this operator",
                given=self.op,
                allowed=", ".join(_OPERATORS),
            )
        check_bitvec(self, OPERATORS[self.op], self.data, self.dst)
        if self.dst.shape[0] != 1 or self.dst.size != math.prod(self.data.shape[1:]):
            raise self.error(
                "tensor_partition_reduce.shape",
                "dst is not one partition with as many elements as data has in each",
                given=f"data {list(self.data.shape)}, dst {list(self.dst.shape)}",
                allowed=str([1, *self.data.shape[1:]]),
            )
        check_mask(self, "data", self.data)
        super().check(target)

    def execute(self, memory: DeviceMemory, at: Loops = NO_LOOPS) -> DeviceMemory:
        operator = OPERATORS[self.op]
        value, kind = load(memory, self.data, at), self.data.dtype
        if not operator.is_bitvec:
            value, kind = cast(value, kind, float32), float32
        value = value.reshape(self.data.shape[0], -1).T
        enabled = None
        if self.mask is not None:
            on = jnp.broadcast_to(self.mask.evaluate(self.data.shape, at), self.data.shape).reshape(value.T.shape).T
            value = jnp.where(on, value, np.asarray(operator.identity).astype(value.dtype))
            enabled = on.any(axis=1).reshape(self.dst.shape)
        assert operator.reduction is not None
        result = operator.reduction(value, axis=(1,))
        bits = as_bits_of(result, kind, self.dst.dtype) if operator.is_bitvec else cast(result, kind, self.dst.dtype)
        result = bits.reshape(self.dst.shape)
        new = write(memory.get(self.dst.buffer), self.dst, result, at, enabled=enabled)
        return update(memory, self.dst, new, at, enabled=enabled)


@takes_target
def tensor_partition_reduce(
    memory: DeviceMemory, *, dst: Ref, op: Any, data: Ref, mask: Any = None, target: Target = TRN2
) -> DeviceMemory:
    """Memory with a tile reduced across its partitions: the functional form of `nki.isa.tensor_partition_reduce`.

    Args:
        dst: an SBUF reference `[1, F...]`.
        op: add, maximum, bitwise_or or bitwise_and, by name or as a NumPy function.
        data: an SBUF reference `[P, F...]`.
        mask: over `data`; where false, an element takes no part.

    Raises:
        RuleError: the instruction breaks a rule.
    """
    instruction = TensorPartitionReduce(
        dst=resolve(dst, memory.buffer),
        data=resolve(data, memory.buffer),
        op=operator(op, "tensor_partition_reduce", by_name=True).name,
        mask=as_mask(mask),
        location=user_location(),
    )
    instruction.check(target)
    return instruction.execute(memory)
