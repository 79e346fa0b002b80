"""`nki.collectives.all_gather_v`: each rank of a group sends one chunk of any length to all of them."""

from dataclasses import dataclass
from typing import Any, ClassVar

import jax

from jnki.access.ref import Ref, resolve
from jnki.isa.collectives.chunks import ChunkCollective, operands_of
from jnki.isa.collectives.exchange import gathered
from jnki.isa.collectives.functional import collective
from jnki.memory import DeviceMemory
from jnki.target import TRN2, Target, takes_target


@dataclass(frozen=True, kw_only=True)
class AllGatherV(ChunkCollective):
    """Column 0 of the metadata speaks of the chunk to send; column `j` of its row 2 of the one from rank `j`."""

    name: ClassVar[str] = "all_gather_v"

    def check(self, target: Target) -> None:
        if self.displaced:
            raise self.error(
                "all_gather_v.has_rdispls",
                "chunks cannot be placed one by one",
                given="has_rdispls=True",
                allowed="has_rdispls=False: the chunk of rank r starts at slot r",
            )
        super().check(target)

    def sent(self, row: jax.Array) -> jax.Array:
        return row[:1]

    def exchanged(
        self, src: jax.Array, counts: jax.Array, starts: jax.Array, length: int
    ) -> tuple[jax.Array, jax.Array]:
        chunks = self.chunks(src, starts, length)
        if not self.crosses_devices:
            return chunks, counts
        return gathered(chunks, self.groups, self.axes), gathered(counts, self.groups, self.axes)


@takes_target
def all_gather_v(
    memory: DeviceMemory,
    *,
    dst: Ref,
    src: Ref,
    metadata: Ref,
    groups: Any,
    recv_counts_known: bool = False,
    axis: Any = (),
    target: Target = TRN2,
) -> DeviceMemory:
    """Memory with a chunk of any length of each rank: the functional form of `nki.collectives.all_gather_v`.

    Args:
        dst, src: HBM references of one type, taken as flat.
        metadata: a reference to uint32 in HBM `[rows, ranks]` or SBUF `[1, rows, ranks]`.
        groups: lists of ranks.
        recv_counts_known: whether row 2 of the metadata stays as it is.
        axis: the name of the mesh axis that ranks are counted along, or a sequence of names.

    Raises:
        RuleError: the instruction breaks a rule.
    """
    fields = operands_of(resolve(metadata, memory.buffer), recv_counts_known, False)
    return collective(AllGatherV, memory, target, axis, groups, dst=dst, src=src, **fields)
