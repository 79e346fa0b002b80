"""`nki.collectives.all_gather`: the tensors of all ranks of a group behind each other, on each of them."""

from dataclasses import dataclass
from typing import Any, ClassVar

from jnki.access.access import Access
from jnki.access.ref import Ref
from jnki.isa.collectives.collective import GroupCollective
from jnki.isa.collectives.exchange import gathered
from jnki.isa.collectives.functional import collective
from jnki.isa.operands import load, store
from jnki.memory import NO_LOOPS, DeviceMemory, Loops
from jnki.target import TRN2, Target, takes_target


@dataclass(frozen=True, kw_only=True)
class AllGather(GroupCollective):
    """Chunk `j` of `dst`, along `dim`, is `src` of rank `j` of the group's list.

    Attributes:
        dst, src: of one type, both in HBM or both in SBUF, there `[P, F]`; `dst` is longer along `dim`, once for each
            rank of a group.
        dim: 0; in SBUF also 1.
    """

    name: ClassVar[str] = "all_gather"

    dst: Access
    src: Access
    dim: int = 0

    def check(self, target: Target) -> None:
        self.check_memories(target, sbuf=True)
        self.check_types()
        self.check_dim(self.dim, sbuf=(0, 1))
        self.check_shape("dst", self.dst, self.scaled(self.src.shape, self.dim), "the chunks of all ranks make up")
        self.check_axis()
        super().check(target)

    def execute(self, memory: DeviceMemory, at: Loops = NO_LOOPS) -> DeviceMemory:
        value = load(memory, self.src, at)
        if self.crosses_devices:
            self.axis_size()
            value = gathered(value, self.groups, self.axes, self.dim)
        return store(memory, self.dst, value, at)


@takes_target
def all_gather(
    memory: DeviceMemory, *, dst: Ref, src: Ref, groups: Any, dim: int = 0, axis: Any = (), target: Target = TRN2
) -> DeviceMemory:
    """Memory with the tensors of all ranks behind each other: the functional form of `nki.collectives.all_gather`.

    Args:
        dst, src: references of one type, in HBM or SBUF.
        groups: lists of ranks.
        dim: along which chunks lie.
        axis: the name of the mesh axis that ranks are counted along, or a sequence of names.

    Raises:
        RuleError: the instruction breaks a rule.
    """
    return collective(AllGather, memory, target, axis, groups, dst=dst, src=src, dim=dim)
