"""`nki.collectives.collective_permute_implicit`: each rank of a ring sends to the next one."""

from dataclasses import dataclass
from typing import Any, ClassVar

from jnki.access.access import Access
from jnki.access.ref import Ref
from jnki.isa.collectives.collective import GroupCollective
from jnki.isa.collectives.exchange import permuted
from jnki.isa.collectives.functional import collective
from jnki.isa.operands import load, store
from jnki.memory import NO_LOOPS, DeviceMemory, Loops
from jnki.target import TRN2, Target, takes_target


@dataclass(frozen=True, kw_only=True)
class CollectivePermuteImplicit(GroupCollective):
    """`dst` is `src` of the rank before this one in the group's list; before the first one is the last.

    Attributes:
        dst, src: of one shape and type, both in HBM or both in SBUF.
        channel: by which way it goes: no value depends on it.
    """

    name: ClassVar[str] = "collective_permute_implicit"

    dst: Access
    src: Access
    channel: int = 0

    def check(self, target: Target) -> None:
        self.check_memories(target, sbuf=True)
        self.check_types()
        self.check_shape("dst", self.dst, self.src.shape, "src has")
        self.check_axis()
        super().check(target)

    def execute(self, memory: DeviceMemory, at: Loops = NO_LOOPS) -> DeviceMemory:
        value = load(memory, self.src, at)
        if self.crosses_devices:
            value = permuted(value, self.groups.ring, self.axis_size(), self.axes)
        return store(memory, self.dst, value, at)


@takes_target
def collective_permute_implicit(
    memory: DeviceMemory, *, dst: Ref, src: Ref, groups: Any, axis: Any = (), target: Target = TRN2
) -> DeviceMemory:
    """Memory with what the rank before has: the functional form of `nki.collectives.collective_permute_implicit`.

    Args:
        dst, src: references of one shape and type, in HBM or SBUF.
        groups: lists of ranks, each a ring.
        axis: the name of the mesh axis that ranks are counted along, or a sequence of names.

    Raises:
        RuleError: the instruction breaks a rule.
    """
    return collective(CollectivePermuteImplicit, memory, target, axis, groups, dst=dst, src=src)
