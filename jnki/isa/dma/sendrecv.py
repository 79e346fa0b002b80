"""`nki.isa.sendrecv`: two cores send each other a tile, both ways at once."""

import math
from dataclasses import dataclass
from typing import ClassVar

from jnki.access.access import Access
from jnki.access.ref import Ref, resolve
from jnki.isa.gpsimd.core_barrier import check_version
from jnki.isa.instruction import Instruction
from jnki.isa.operands import load, store
from jnki.isa.rules import check_on_chip, check_partitions
from jnki.memory import NO_LOOPS, DeviceMemory, Loops
from jnki.source import user_location
from jnki.target import TRN2, Target, takes_target

# What the DMA of the GpSimd Engine moves in each partition: 1024 bytes of 32-bit types, and so on.
GPSIMD_ELEMENTS_PER_PARTITION = 256


@dataclass(frozen=True, kw_only=True)
class SendRecv(Instruction):
    """`dst = other_src; other_dst = src`, bit for bit; both are read before either is written.

    One core records its own side. What the other one records becomes the second half, where their recordings are put
    together (`jnki.record.merge`).

    Attributes:
        dst, src: `[P, F...]` of one type and shape, in the SBUF of one core (of core 0, once both halves are here).
        pipe_id: the first one of a core meets the first one of the other that has the same number, and so on.
        gpsimd_dma: whether the GpSimd Engine's own DMA moves it, which takes 256 elements of a partition at most.
        other_dst, other_src: the same, in the SBUF of the other core.
    """

    name: ClassVar[str] = "sendrecv"
    takes_opaque: ClassVar[bool] = True
    writes: ClassVar[tuple[str, ...]] = ("dst", "other_dst")

    dst: Access
    src: Access
    pipe_id: int
    gpsimd_dma: bool = False
    other_dst: Access | None = None
    other_src: Access | None = None

    def check(self, target: Target) -> None:
        check_version(self, target)
        for operand, access in self.operands().items():
            check_on_chip(self, operand, access, psum=False)
            check_partitions(self, operand, access, target)
            self._check_alike(operand, access)
        if self.gpsimd_dma and math.prod(self.src.shape[1:]) > GPSIMD_ELEMENTS_PER_PARTITION:
            size = self.src.dtype.size_bytes
            raise self.error(
                "sendrecv.gpsimd_size",
                "the DMA of the GpSimd Engine does not move so much",
                given=f"{math.prod(self.src.shape[1:]) * size} bytes in each partition of 'src', {self.src.dtype}",
                allowed=f"at most {GPSIMD_ELEMENTS_PER_PARTITION * size} bytes, or dma_engine.dma",
            )
        super().check(target)

    def _check_alike(self, operand: str, access: Access) -> None:
        if (access.shape, access.dtype) != (self.src.shape, self.src.dtype):
            raise self.error(
                "sendrecv.shape" if access.shape != self.src.shape else "sendrecv.dtype",
                f"'{operand}' must have the shape and the type of 'src'",
                given=f"{operand} {list(access.shape)} {access.dtype}, src {list(self.src.shape)} {self.src.dtype}",
                allowed="equal shapes and types",
            )

    def execute(self, memory: DeviceMemory, at: Loops = NO_LOOPS) -> DeviceMemory:
        # A finished program has both halves; one of them alone has no meaning.
        assert self.other_dst is not None and self.other_src is not None
        sent, received = load(memory, self.src, at), load(memory, self.other_src, at)
        return store(store(memory, self.dst, received, at), self.other_dst, sent, at)


@takes_target
def sendrecv(
    memory: DeviceMemory,
    *,
    dst: Ref,
    src: Ref,
    other_dst: Ref,
    other_src: Ref,
    gpsimd_dma: bool = False,
    target: Target = TRN2,
) -> DeviceMemory:
    """Memory after two cores have sent each other a tile: the functional form of `nki.isa.sendrecv`.

    One memory holds the tiles of both cores.

    Args:
        dst, src: SBUF references, one core's.
        other_dst, other_src: the other core's; all four have one shape and one type.
        gpsimd_dma: whether the GpSimd Engine's own DMA moves them.

    Raises:
        RuleError: the instruction breaks a rule.
    """
    to, frm, other_to, other_frm = (resolve(ref, memory.buffer) for ref in (dst, src, other_dst, other_src))
    instruction = SendRecv(
        dst=to,
        src=frm,
        other_dst=other_to,
        other_src=other_frm,
        pipe_id=0,
        gpsimd_dma=gpsimd_dma,
        location=user_location(),
    )
    instruction.check(target)
    return instruction.execute(memory)
