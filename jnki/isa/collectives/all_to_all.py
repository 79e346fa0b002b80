"""`nki.collectives.all_to_all`: each rank of a group sends a chunk to each of them."""

from dataclasses import dataclass
from typing import Any, ClassVar

from jnki.access.access import Access
from jnki.access.ref import Ref
from jnki.isa.collectives.collective import GroupCollective
from jnki.isa.collectives.exchange import transposed
from jnki.isa.collectives.functional import collective
from jnki.isa.operands import load, store
from jnki.memory import NO_LOOPS, DeviceMemory, Loops
from jnki.target import TRN2, Target, takes_target


@dataclass(frozen=True, kw_only=True)
class AllToAll(GroupCollective):
    """On rank `j` of the group's list, chunk `i` of `dst` is chunk `j` of `src` of rank `i`.

    Attributes:
        dst, src: in HBM, of one shape and type; `dim` is a multiple of the size of a group.
        dim: along which chunks lie: 0.
    """

    name: ClassVar[str] = "all_to_all"

    dst: Access
    src: Access
    dim: int = 0

    def check(self, target: Target) -> None:
        self.check_memories(target, sbuf=False)
        self.check_types()
        self.check_dim(self.dim, sbuf=())
        self.check_shape("dst", self.dst, self.src.shape, "src has")
        self.check_divides("src", self.src, self.dim)
        self.check_axis()
        super().check(target)

    def execute(self, memory: DeviceMemory, at: Loops = NO_LOOPS) -> DeviceMemory:
        value = load(memory, self.src, at)
        if self.crosses_devices:
            self.axis_size()
            value = transposed(value, self.groups, self.axes)
        return store(memory, self.dst, value, at)


@takes_target
def all_to_all(
    memory: DeviceMemory, *, dst: Ref, src: Ref, groups: Any, dim: int = 0, axis: Any = (), target: Target = TRN2
) -> DeviceMemory:
    """Memory with a chunk from each rank: the functional form of `nki.collectives.all_to_all`.

    Args:
        dst, src: HBM references of one shape and type.
        groups: lists of ranks.
        dim: along which chunks lie.
        axis: the name of the mesh axis that ranks are counted along, or a sequence of names.

    Raises:
        RuleError: the instruction breaks a rule.
    """
    return collective(AllToAll, memory, target, axis, groups, dst=dst, src=src, dim=dim)
