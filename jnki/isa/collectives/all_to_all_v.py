"""`nki.collectives.all_to_all_v`: each rank of a group sends a chunk to each of them, of any length."""

from dataclasses import dataclass
from typing import Any, ClassVar

import jax

from jnki.access.ref import Ref, resolve
from jnki.isa.collectives.chunks import ChunkCollective, operands_of
from jnki.isa.collectives.exchange import transposed
from jnki.isa.collectives.functional import collective
from jnki.memory import DeviceMemory
from jnki.target import TRN2, Target, takes_target


@dataclass(frozen=True, kw_only=True)
class AllToAllV(ChunkCollective):
    """Column `j` of the metadata speaks of rank `j` of the group's list: the chunk for it, and the one from it."""

    name: ClassVar[str] = "all_to_all_v"

    def sent(self, row: jax.Array) -> jax.Array:
        return row

    def exchanged(
        self, src: jax.Array, counts: jax.Array, starts: jax.Array, length: int
    ) -> tuple[jax.Array, jax.Array]:
        chunks = self.chunks(src, starts, length)
        if not self.crosses_devices:
            return chunks, counts
        return transposed(chunks, self.groups, self.axes), transposed(counts, self.groups, self.axes)


@takes_target
def all_to_all_v(
    memory: DeviceMemory,
    *,
    dst: Ref,
    src: Ref,
    metadata: Ref,
    groups: Any,
    recv_counts_known: bool = False,
    has_rdispls: bool = False,
    axis: Any = (),
    target: Target = TRN2,
) -> DeviceMemory:
    """Memory with a chunk of any length from each rank: the functional form of `nki.collectives.all_to_all_v`.

    Args:
        dst, src: HBM references of one type, taken as flat.
        metadata: a reference to uint32 in HBM `[rows, ranks]` or SBUF `[1, rows, ranks]`.
        groups: lists of ranks.
        recv_counts_known: whether row 2 of the metadata stays as it is.
        has_rdispls: whether row 3 says where chunks start in `dst`.
        axis: the name of the mesh axis that ranks are counted along, or a sequence of names.

    Raises:
        RuleError: the instruction breaks a rule.
    """
    fields = operands_of(resolve(metadata, memory.buffer), recv_counts_known, has_rdispls)
    return collective(AllToAllV, memory, target, axis, groups, dst=dst, src=src, **fields)
