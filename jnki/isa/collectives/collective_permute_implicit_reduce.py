"""`nki.collectives.collective_permute_implicit_reduce`: each rank of a ring sends a combination to the next one."""

from dataclasses import dataclass
from typing import Any, ClassVar

import jax.numpy as jnp

from jnki.access.access import Access
from jnki.access.ref import Ref
from jnki.isa.collectives.collective import GroupCollective
from jnki.isa.collectives.exchange import combined, permuted
from jnki.isa.collectives.functional import collective
from jnki.isa.collectives.operator import check_operator, operator_name
from jnki.isa.operands import load, store
from jnki.memory import NO_LOOPS, DeviceMemory, Loops
from jnki.target import TRN2, Target, takes_target


@dataclass(frozen=True, kw_only=True)
class CollectivePermuteImplicitReduce(GroupCollective):
    """`dst` is `src0 <op> src1` of the rank before this one in the group's list; before the first one is the last.

    Attributes:
        dst, src0, src1: of one shape and type, all in HBM or all in SBUF.
        op: add, minimum or maximum.
        channel: by which way it goes: no value depends on it.
    """

    name: ClassVar[str] = "collective_permute_implicit_reduce"

    dst: Access
    src0: Access
    src1: Access
    op: str
    channel: int = 0

    def check(self, target: Target) -> None:
        self.check_memories(target, sbuf=True)
        self.check_types()
        self.check_shape("src1", self.src1, self.src0.shape, "src0 has")
        self.check_shape("dst", self.dst, self.src0.shape, "src0 has")
        check_operator(self, self.op, self.src0.dtype)
        self.check_axis()
        super().check(target)

    def execute(self, memory: DeviceMemory, at: Loops = NO_LOOPS) -> DeviceMemory:
        both = jnp.stack([load(memory, self.src0, at), load(memory, self.src1, at)])
        value = combined(both, self.src0.dtype, self.op)
        if self.crosses_devices:
            value = permuted(value, self.groups.ring, self.axis_size(), self.axes)
        return store(memory, self.dst, value, at)


@takes_target
def collective_permute_implicit_reduce(
    memory: DeviceMemory,
    *,
    dst: Ref,
    src0: Ref,
    src1: Ref,
    groups: Any,
    op: Any,
    axis: Any = (),
    target: Target = TRN2,
) -> DeviceMemory:
    """Memory with what the rank before has combined.

    The functional form of `nki.collectives.collective_permute_implicit_reduce`.

    Args:
        dst, src0, src1: references of one shape and type, in HBM or SBUF.
        groups: lists of ranks, each a ring.
        op: add, minimum or maximum, by its name or as a NumPy function.
        axis: the name of the mesh axis that ranks are counted along, or a sequence of names.

    Raises:
        RuleError: the instruction breaks a rule.
    """
    op = operator_name(op, "collective_permute_implicit_reduce")
    kind = CollectivePermuteImplicitReduce
    return collective(kind, memory, target, axis, groups, dst=dst, src0=src0, src1=src1, op=op)
