"""`nki.collectives.reduce_scatter`: what all ranks of a group have, combined, a chunk of it on each of them."""

from dataclasses import dataclass
from typing import Any, ClassVar

from jnki.access.access import Access
from jnki.access.ref import Ref
from jnki.isa.collectives.collective import GroupCollective
from jnki.isa.collectives.exchange import scattered
from jnki.isa.collectives.functional import collective
from jnki.isa.collectives.operator import check_operator, operator_name
from jnki.isa.operands import load, store
from jnki.memory import NO_LOOPS, DeviceMemory, Loops
from jnki.target import TRN2, Target, takes_target


@dataclass(frozen=True, kw_only=True)
class ReduceScatter(GroupCollective):
    """On rank `j` of the group's list, `dst` is chunk `j`, along `dim`, of what `all_reduce` gives.

    Attributes:
        dst, src: of one type, both in HBM or both in SBUF, there `[P, F]`; `src` is longer along `dim`, once for each
            rank of a group.
        op: add, minimum or maximum.
        dim: 0.
    """

    name: ClassVar[str] = "reduce_scatter"

    dst: Access
    src: Access
    op: str
    dim: int = 0

    def check(self, target: Target) -> None:
        self.check_memories(target, sbuf=True)
        self.check_types()
        self.check_dim(self.dim, sbuf=(0,))
        self.check_divides("src", self.src, self.dim)
        part = (self.src.shape[0] // self.groups.size, *self.src.shape[1:])
        self.check_shape("dst", self.dst, part, "one chunk of src has")
        check_operator(self, self.op, self.src.dtype)
        self.check_axis()
        super().check(target)

    def execute(self, memory: DeviceMemory, at: Loops = NO_LOOPS) -> DeviceMemory:
        value = load(memory, self.src, at)
        if self.crosses_devices:
            self.axis_size()
            value = scattered(value, self.src.dtype, self.op, self.groups, self.axes)
        return store(memory, self.dst, value, at)


@takes_target
def reduce_scatter(
    memory: DeviceMemory,
    *,
    dst: Ref,
    src: Ref,
    groups: Any,
    op: Any,
    dim: int = 0,
    axis: Any = (),
    target: Target = TRN2,
) -> DeviceMemory:
    """Memory with a chunk of what the ranks have, combined: the functional form of `nki.collectives.reduce_scatter`.

    Args:
        dst, src: references of one type, in HBM or SBUF.
        groups: lists of ranks.
        op: add, minimum or maximum, by its name or as a NumPy function.
        dim: along which chunks lie.
        axis: the name of the mesh axis that ranks are counted along, or a sequence of names.

    Raises:
        RuleError: the instruction breaks a rule.
    """
    op = operator_name(op, "reduce_scatter")
    return collective(ReduceScatter, memory, target, axis, groups, dst=dst, src=src, op=op, dim=dim)
