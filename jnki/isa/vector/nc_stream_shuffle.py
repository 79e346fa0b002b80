"""`nki.isa.nc_stream_shuffle`: partitions rearranged within each quadrant, on the Vector Engine."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np

from jnki.access.access import Access
from jnki.access.mask import as_mask
from jnki.access.number import concrete
from jnki.access.ref import Ref, resolve
from jnki.errors import RuleError
from jnki.isa.instruction import Instruction
from jnki.isa.operands import load, store_where
from jnki.isa.rules import check_compute_tile, check_mask
from jnki.memory import NO_LOOPS, DeviceMemory, Loops
from jnki.memory.bits import as_bits
from jnki.source import user_location
from jnki.target import TRN2, Target, takes_target

UNMODIFIED = 255


@dataclass(frozen=True, kw_only=True)
class NcStreamShuffle(Instruction):
    """In each quadrant: `dst[i] = src[shuffle_mask[i]]` for its partitions `i`; 255 leaves a partition as it was.

    Attributes:
        dst, src: `[P, F...]` in SBUF or PSUM, of one type, with equally many elements per partition; they may be one
            tile, which is read before it is written. `mask` is over `dst`.
        shuffle_mask: one entry for each partition of a quadrant.
    """

    name: ClassVar[str] = "nc_stream_shuffle"

    dst: Access
    src: Access
    shuffle_mask: tuple[int, ...]

    @property
    def reads_destination(self) -> bool:
        return not all(self._sources()[1])

    @property
    def is_accumulation(self) -> bool:
        return False

    def check(self, target: Target) -> None:
        for operand, access in (("src", self.src), ("dst", self.dst)):
            check_compute_tile(self, operand, access, target)
        self._check_tiles()
        self._check_shuffle_mask(target)
        for operand, access in (("src", self.src), ("dst", self.dst)):
            self._check_start(operand, access, target)
        check_mask(self, "dst", self.dst)
        super().check(target)

    def _check_tiles(self) -> None:
        if self.src.dtype != self.dst.dtype:
            raise self.error(
                "nc_stream_shuffle.dtype",
                "src and dst have different element types",
                given=f"src {self.src.dtype}, dst {self.dst.dtype}",
                allowed="one element type",
            )
        if math.prod(self.src.shape[1:]) != math.prod(self.dst.shape[1:]):
            raise self.error(
                "nc_stream_shuffle.element_count",
                "dst and src have different numbers of elements per partition",
                given=f"dst {list(self.dst.shape)}, src {list(self.src.shape)}",
                allowed="equally many elements per partition",
            )

    def _check_shuffle_mask(self, target: Target) -> None:
        quadrant = target.partition_quadrant
        legal = all(0 <= m < quadrant or m == UNMODIFIED for m in self.shuffle_mask)
        if len(self.shuffle_mask) != quadrant or not legal:
            raise self.error(
                "nc_stream_shuffle.shuffle_mask",
                "'shuffle_mask' does not give each partition of a quadrant a source in it",
                given=str(list(self.shuffle_mask)),
                allowed=f"{quadrant} numbers from 0 to {quadrant - 1}, or {UNMODIFIED}",
            )
        sources, moves = self._sources()
        beyond = [i for i, (source, on) in enumerate(zip(sources, moves)) if on and source >= self.src.shape[0]]
        if beyond:
            raise self.error(
                "nc_stream_shuffle.source",
                "'shuffle_mask' names a partition that 'src' does not have",
                given=f"partition {sources[beyond[0]]} for partition {beyond[0]} of dst, src {list(self.src.shape)}",
                allowed=f"partitions 0 to {self.src.shape[0] - 1}",
            )

    def _check_start(self, operand: str, access: Access, target: Target) -> None:
        """Tiles start where as many quadrants as they span do: 64 partitions at 0 or 64, more than that at 0."""
        quadrant = target.partition_quadrant
        spanned = -(-max(self.src.shape[0], self.dst.shape[0]) // quadrant)
        step = quadrant * (spanned if spanned <= 2 else target.partition_count // quadrant)
        buffer = access.buffer
        stride = buffer.strides[buffer.partition_axis]
        terms = (access.offset.constant, *(coefficient for _, coefficient in access.offset.terms))
        in_partitions = [term // stride % buffer.shape[buffer.partition_axis] for term in terms]
        if any(start % step for start in in_partitions):
            raise self.error(
                "nc_stream_shuffle.start_partition",
                f"'{operand}' starts at a partition that {spanned} quadrants cannot start at",
                given=str(access),
                allowed=f"multiples of {step}",
            )

    def _sources(self) -> tuple[list[int], list[bool]]:
        """For each partition of `dst` the one of `src` that it copies, and whether it copies one."""
        quadrant = len(self.shuffle_mask) or 1
        entries = [(i, self.shuffle_mask[i % quadrant]) for i in range(self.dst.shape[0])]
        return [i // quadrant * quadrant + m for i, m in entries], [m != UNMODIFIED for _, m in entries]

    def execute(self, memory: DeviceMemory, at: Loops = NO_LOOPS) -> DeviceMemory:
        sources, moves = self._sources()
        rows = np.where(moves, sources, 0).astype(np.int32)
        tile = as_bits(lambda t: jnp.take(t, rows, axis=0, mode="clip"), load(memory, self.src, at))
        enabled = None if all(moves) else jnp.asarray(moves).reshape(-1, *(1,) * (len(self.dst.shape) - 1))
        if self.mask is not None:
            masked = self.mask.evaluate(self.dst.shape, at)
            enabled = masked if enabled is None else masked & enabled
        return store_where(memory, self.dst, tile, at, enabled)


def as_shuffle_mask(given: Any) -> tuple[int, ...]:
    """The entries as numbers; expressions of loop indices have their loops unrolled.

    Raises:
        RuleError: they are no integers.
    """
    entries = [concrete(entry) for entry in given] if isinstance(given, (Sequence, np.ndarray)) else []
    if not entries or not all(isinstance(e, (int, np.integer)) and not isinstance(e, bool) for e in entries):
        raise RuleError(
            "nc_stream_shuffle.shuffle_mask",
            "nc_stream_shuffle: 'shuffle_mask' is no list of integers",
            given=f"{type(given).__name__} {given}"[:120],
            allowed="one integer for each partition of a quadrant",
            at=user_location(),
        )
    return tuple(int(entry) for entry in entries)


@takes_target
def nc_stream_shuffle(
    memory: DeviceMemory,
    *,
    dst: Ref,
    src: Ref,
    shuffle_mask: Sequence[int],
    mask: Any = None,
    target: Target = TRN2,
) -> DeviceMemory:
    """Memory with partitions rearranged within each quadrant: the functional form of `nki.isa.nc_stream_shuffle`.

    Args:
        dst, src: SBUF or PSUM references of one type with equally many elements per partition; they may be one.
        shuffle_mask: for each partition of a quadrant of `dst` the one of `src` that it copies, or 255 for none.
        mask: where false, `dst` stays as it was.

    Raises:
        RuleError: the instruction breaks a rule.
    """
    instruction = NcStreamShuffle(
        dst=resolve(dst, memory.buffer),
        src=resolve(src, memory.buffer),
        shuffle_mask=as_shuffle_mask(shuffle_mask),
        mask=as_mask(mask),
        location=user_location(),
    )
    instruction.check(target)
    return instruction.execute(memory)
