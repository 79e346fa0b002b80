"""`nki.collectives.rank_id`: the number of the device that asks, and whose data a ring brings it."""

from dataclasses import dataclass
from typing import Any, ClassVar

import jax.numpy as jnp
from jax import lax

from jnki.access.access import Access
from jnki.access.ref import Ref
from jnki.isa.collectives.collective import Collective
from jnki.isa.collectives.functional import collective
from jnki.isa.collectives.groups import Groups, groups_of
from jnki.isa.operands import store
from jnki.memory import NO_LOOPS, DeviceMemory, Loops
from jnki.target import TRN2, Target, takes_target


@dataclass(frozen=True, kw_only=True)
class RankId(Collective):
    """`dst` is the rank of this device; in a ring, the rank whose data it has after some steps.

    It asks nobody, so devices need not run it together.

    Attributes:
        dst: one element of int32 or uint32.
        ring: None for the rank of the device itself, or the groups whose rings data goes around in.
        steps: how often each rank has sent what it had to the next one.
    """

    name: ClassVar[str] = "rank_id"

    dst: Access
    ring: Groups | None = None
    steps: int = 0

    @property
    def is_alone(self) -> bool:
        return not self.axes

    @property
    def all_ranks(self) -> tuple[int, ...]:
        return (0,) if self.ring is None else self.ring.all_ranks

    def check(self, target: Target) -> None:
        if self.dst.size != 1 or self.dst.dtype.name not in ("int32", "uint32"):
            raise self.error(
                "rank_id.dst",
                "a rank is one integer",
                given=f"{list(self.dst.shape)} of {self.dst.dtype}",
                allowed="one element of int32 or uint32",
            )
        if isinstance(self.steps, bool) or not isinstance(self.steps, int) or self.steps < 0:
            raise self.error(
                "rank_id.iteration_id",
                "a ring has made some number of steps",
                given=repr(self.steps),
                allowed="0, 1, ...",
            )
        if not self.axes and (self.ring is None or self.ring.all_ranks != (0,)):
            raise self.error(
                "collectives.axis",
                "ranks are devices along an axis of a mesh, and nothing says which axis",
                given="a kernel that runs on one device",
                allowed="kernel.over('x') inside jax.shard_map",
            )
        super().check(target)

    def check_ranks(self, size: int) -> None:
        if self.ring is not None:
            super().check_ranks(size)

    def execute(self, memory: DeviceMemory, at: Loops = NO_LOOPS) -> DeviceMemory:
        if not self.axes:
            rank: Any = jnp.int32(0)
        else:
            self.axis_size()
            rank = lax.axis_index(self.axes) if self.ring is None else self.own(_after(self.ring, self.steps))
        return store(memory, self.dst, jnp.asarray(rank, self.dst.dtype.storage), at)


def _after(ring: Groups, steps: int) -> tuple[int, ...]:
    """For each rank, whose data it has after so many steps."""
    found = {rank: group[(at - steps) % ring.size] for group in ring.ranks for at, rank in enumerate(group)}
    return tuple(found[rank] for rank in ring.all_ranks)


@takes_target
def rank_id(
    memory: DeviceMemory, *, dst: Ref, ring: Any = None, steps: int = 0, axis: Any = (), target: Target = TRN2
) -> DeviceMemory:
    """Memory with the rank of this device: the functional form of `nki.collectives.rank_id`.

    Args:
        dst: a reference to one element of int32 or uint32.
        ring, steps: lists of ranks, and how often each has sent to the next one: then it is the rank whose data this
            device has (`nki.collectives.collective_permute_implicit_current_processing_rank_id`).
        axis: the name of the mesh axis that ranks are counted along, or a sequence of names.

    Raises:
        RuleError: the instruction breaks a rule.
    """
    from_lists = None if ring is None else groups_of(ring, "rank_id")
    return collective(RankId, memory, target, axis, dst=dst, ring=from_lists, steps=steps)
