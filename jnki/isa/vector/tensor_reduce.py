"""`nki.isa.tensor_reduce`: a reduction along free axes, on the Vector Engine."""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np

from jnki.access.access import Access
from jnki.access.mask import Mask, as_mask
from jnki.access.ref import Ref, resolve
from jnki.dtypes import cast, float32
from jnki.isa.apart import apart
from jnki.isa.bitvec import as_bits_of
from jnki.isa.instruction import Instruction, SharedDims
from jnki.isa.operands import load
from jnki.isa.operators import OPERATORS, operator
from jnki.isa.reduced_mask import of_result
from jnki.isa.rules import check_bitvec, check_compute_tile, check_mask
from jnki.memory import NO_LOOPS, DeviceMemory, Loops
from jnki.memory.scatter import write
from jnki.memory.update import update
from jnki.source import user_location
from jnki.target import TRN2, Target, takes_target


@dataclass(frozen=True, kw_only=True)
class TensorReduce(Instruction):
    """`dst[p, ...] = cast(± reduce(op, data[p, ...]))` along the last `axes` free axes.

    A masked-off element takes no part; a result without any enabled element is not written.

    Attributes:
        dst: `[P, ...]` in SBUF or PSUM, one element per reduction.
        data: `[P, F...]` in SBUF or PSUM.
        op: name of an operator that reduces.
        axes: how many trailing axes are reduced, 1 to 4.
        negate: whether the result is multiplied by -1 (arithmetic operators only).
    """

    name: ClassVar[str] = "tensor_reduce"
    shared_dims: ClassVar[SharedDims] = "partition"

    dst: Access
    data: Access
    op: str
    axes: int = 1
    negate: bool = False

    @property
    def result_mask(self) -> Mask | None:
        rank = len(self.data.shape)
        return of_result(self.mask, self.data.shape, range(rank - self.axes, rank), self.dst.shape)

    def check(self, target: Target) -> None:
        check_compute_tile(self, "data", self.data, target)
        check_compute_tile(self, "dst", self.dst, target)
        operator = OPERATORS[self.op]
        if operator.reduction is None:
            legal = [name for name, o in OPERATORS.items() if o.reduction is not None]
            raise self.error(
                "tensor_reduce.op", "the operator does not reduce", given=self.op, allowed=", ".join(legal)
            )
        check_bitvec(self, operator, self.data, self.dst)
        if self.negate and operator.is_bitvec:
            raise self.error(
                "tensor_reduce.negate",
                "bits have no sign",
                given=f"negate with {self.op}",
                allowed="arithmetic operators",
            )
        kept = self.data.shape[: len(self.data.shape) - self.axes]
        if self.dst.shape[0] != self.data.shape[0] or math.prod(self.dst.shape) != math.prod(kept):
            raise self.error(
                "tensor_reduce.shape",
                "dst does not have one element per reduction",
                given=f"data {list(self.data.shape)}, {self.axes} axes reduced, dst {list(self.dst.shape)}",
                allowed=f"{math.prod(kept)} elements in {self.data.shape[0]} partitions",
            )
        check_mask(self, "data", self.data)
        super().check(target)

    def execute(self, memory: DeviceMemory, at: Loops = NO_LOOPS) -> DeviceMemory:
        operator = OPERATORS[self.op]
        value, kind = load(memory, self.data, at), self.data.dtype
        if not operator.is_bitvec:
            value, kind = cast(value, kind, float32), float32
        axis = tuple(range(value.ndim - self.axes, value.ndim))
        enabled = mask = None
        if self.mask is not None:
            mask = self.mask.evaluate(self.data.shape, at)
            value = jnp.where(mask, value, np.asarray(operator.identity).astype(value.dtype))
            enabled = jnp.any(mask, axis=axis).reshape(self.dst.shape)
        assert operator.reduction is not None
        if mask is not None and operator.masked_reduction is not None:
            result = operator.masked_reduction(value, mask, axis=axis)
        else:
            result = operator.reduction(value, axis=axis)
        # XLA would repeat the few results along the rows, in memory, where an instruction that follows needs them so.
        result = apart(result)
        if operator.is_bitvec:
            result = as_bits_of(result, kind, self.dst.dtype)
        else:
            result = cast(-result if self.negate else result, kind, self.dst.dtype)
        result = result.reshape(self.dst.shape)
        new = write(memory.get(self.dst.buffer), self.dst, result, at, enabled=enabled)
        return update(memory, self.dst, new, at, enabled=enabled)


@takes_target
def tensor_reduce(
    memory: DeviceMemory,
    *,
    dst: Ref,
    op: Any,
    data: Ref,
    axes: int = 1,
    negate: bool = False,
    mask: Any = None,
    target: Target = TRN2,
) -> DeviceMemory:
    """Memory with a tile reduced along its last axes: the functional form of `nki.isa.tensor_reduce`.

    Args:
        dst: an SBUF or PSUM reference with one element per reduction.
        op: an operator that reduces, by its name or as a NumPy function.
        data: an SBUF or PSUM reference.
        axes: how many trailing axes are reduced, 1 to 4.
        negate: whether the result is multiplied by -1.
        mask: over `data`; where false, an element takes no part.

    Raises:
        RuleError: the instruction breaks a rule.
    """
    instruction = TensorReduce(
        dst=resolve(dst, memory.buffer),
        data=resolve(data, memory.buffer),
        op=operator(op, "tensor_reduce", by_name=True).name,
        axes=axes,
        negate=negate,
        mask=as_mask(mask),
        location=user_location(),
    )
    instruction.check(target)
    return instruction.execute(memory)
