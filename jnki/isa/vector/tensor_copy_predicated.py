"""`nki.isa.tensor_copy_predicated`: a copy of the elements that a predicate tile picks, on the Vector Engine."""

from dataclasses import dataclass
from typing import Any, ClassVar

import jax.numpy as jnp

from jnki.access.access import Access
from jnki.access.buffer import Space
from jnki.access.mask import as_mask
from jnki.access.ref import Ref, resolve
from jnki.isa.constants import as_number, constant
from jnki.isa.instruction import Instruction, SharedDims
from jnki.isa.operands import load, store_where
from jnki.isa.rules import check_compute_tile, check_mask, check_same_tile
from jnki.memory import NO_LOOPS, DeviceMemory, Loops
from jnki.source import user_location
from jnki.target import TRN2, Target, takes_target

# A comparison on the host or on chip gives bool, which is a byte of 0 or 1.
PREDICATE_TYPES = ("uint8", "uint16", "uint32", "bool")


@dataclass(frozen=True, kw_only=True)
class TensorCopyPredicated(Instruction):
    """`dst[i] = src[i]` where `predicate[i]` is not zero (where it is, if `reverse_pred`); the rest stays.

    Attributes:
        dst, predicate: `[P, F...]` in SBUF or PSUM, equally many elements.
        src: such a tile, of the type of `dst`, or a number. Not both `src` and `predicate` are in PSUM.
        reverse_pred: whether elements move where the predicate is zero.
    """

    name: ClassVar[str] = "tensor_copy_predicated"
    shared_dims: ClassVar[SharedDims] = "all"

    dst: Access
    src: Access | float
    predicate: Access
    reverse_pred: bool = False

    @property
    def reads_destination(self) -> bool:
        return True

    @property
    def is_accumulation(self) -> bool:
        return False

    def check(self, target: Target) -> None:
        for operand, access in self.operands().items():
            check_compute_tile(self, operand, access, target)
            check_same_tile(self, self.dst, access)
        if self.predicate.dtype.name not in PREDICATE_TYPES:
            raise self.error(
                "tensor_copy_predicated.predicate",
                "'predicate' has the wrong element type",
                given=str(self.predicate.dtype),
                allowed=", ".join(PREDICATE_TYPES),
            )
        if isinstance(self.src, Access):
            if self.src.dtype != self.dst.dtype:
                raise self.error(
                    "tensor_copy_predicated.dtype",
                    "src and dst have different element types",
                    given=f"src {self.src.dtype}, dst {self.dst.dtype}",
                    allowed="one element type",
                )
            if self.src.buffer.space is self.predicate.buffer.space is Space.PSUM:
                raise self.error(
                    "tensor_copy_predicated.psum",
                    "src and predicate are both in PSUM",
                    given=f"src {self.src.buffer}, predicate {self.predicate.buffer}",
                    allowed="at most one of them",
                )
        check_mask(self, "dst", self.dst)
        super().check(target)

    def execute(self, memory: DeviceMemory, at: Loops = NO_LOOPS) -> DeviceMemory:
        shape = self.dst.shape
        moves = (load(memory, self.predicate, at) != 0).reshape(shape) != self.reverse_pred
        if self.mask is not None:
            moves &= self.mask.evaluate(shape, at)
        if isinstance(self.src, Access):
            value = load(memory, self.src, at).reshape(shape)
        else:
            value = jnp.broadcast_to(constant(self.src, self.dst.dtype), shape)
        return store_where(memory, self.dst, value, at, moves)


@takes_target
def tensor_copy_predicated(
    memory: DeviceMemory,
    *,
    dst: Ref,
    src: Ref | float,
    predicate: Ref,
    reverse_pred: bool = False,
    mask: Any = None,
    target: Target = TRN2,
) -> DeviceMemory:
    """Memory with the elements that a predicate picks copied: the functional form of `nki.isa.tensor_copy_predicated`.

    Args:
        dst, predicate: SBUF or PSUM references with equal partitions and elements per partition.
        src: such a reference, of the type of `dst`, or a number.
        reverse_pred: whether elements move where the predicate is zero, rather than where it is not.
        mask: where false, `dst` stays as it was.

    Raises:
        RuleError: the instruction breaks a rule.
    """
    instruction = TensorCopyPredicated(
        dst=resolve(dst, memory.buffer),
        src=resolve(src, memory.buffer) if isinstance(src, Ref) else as_number("tensor_copy_predicated", src),
        predicate=resolve(predicate, memory.buffer),
        reverse_pred=bool(reverse_pred),
        mask=as_mask(mask),
        location=user_location(),
    )
    instruction.check(target)
    return instruction.execute(memory)
