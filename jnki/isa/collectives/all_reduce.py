"""`nki.collectives.all_reduce`: what all ranks of a group have, combined, on each of them."""

from dataclasses import dataclass
from typing import Any, ClassVar

from jnki.access.access import Access
from jnki.access.ref import Ref
from jnki.isa.collectives.collective import GroupCollective
from jnki.isa.collectives.exchange import all_reduced
from jnki.isa.collectives.functional import collective
from jnki.isa.collectives.operator import check_operator, operator_name
from jnki.isa.operands import load, store
from jnki.memory import NO_LOOPS, DeviceMemory, Loops
from jnki.target import TRN2, Target, takes_target


@dataclass(frozen=True, kw_only=True)
class AllReduce(GroupCollective):
    """`dst[i] = src[i] of the first rank <op> ... <op> src[i] of the last one`.

    Attributes:
        dst, src: of one shape and type, both in HBM or both in SBUF.
        op: add, minimum or maximum.
    """

    name: ClassVar[str] = "all_reduce"

    dst: Access
    src: Access
    op: str

    def check(self, target: Target) -> None:
        self.check_memories(target, sbuf=True)
        self.check_types()
        self.check_shape("dst", self.dst, self.src.shape, "src has")
        check_operator(self, self.op, self.src.dtype)
        self.check_axis()
        super().check(target)

    def execute(self, memory: DeviceMemory, at: Loops = NO_LOOPS) -> DeviceMemory:
        value = load(memory, self.src, at)
        if self.crosses_devices:
            self.axis_size()
            value = all_reduced(value, self.src.dtype, self.op, self.groups, self.axes)
        return store(memory, self.dst, value, at)


@takes_target
def all_reduce(
    memory: DeviceMemory, *, dst: Ref, src: Ref, groups: Any, op: Any, axis: Any = (), target: Target = TRN2
) -> DeviceMemory:
    """Memory with what the ranks of each group have, combined: the functional form of `nki.collectives.all_reduce`.

    Args:
        dst, src: references of one shape and type, in HBM or SBUF.
        groups: lists of ranks.
        op: add, minimum or maximum, by its name or as a NumPy function.
        axis: the name of the mesh axis that ranks are counted along, or a sequence of names.

    Raises:
        RuleError: the instruction breaks a rule.
    """
    op = operator_name(op, "all_reduce")
    return collective(AllReduce, memory, target, axis, groups, dst=dst, src=src, op=op)
