"""`nki.collectives.collective_permute`: each source sends its tensor to one target."""

from dataclasses import dataclass
from typing import Any, ClassVar

import jax.numpy as jnp

from jnki.access.access import Access
from jnki.access.ref import Ref
from jnki.isa.collectives.collective import Collective
from jnki.isa.collectives.exchange import permuted
from jnki.isa.collectives.functional import collective
from jnki.isa.operands import load, store, store_where
from jnki.memory import NO_LOOPS, DeviceMemory, Loops
from jnki.target import TRN2, Target, takes_target

Pairs = tuple[tuple[int, int], ...]


@dataclass(frozen=True, kw_only=True)
class CollectivePermute(Collective):
    """On the target of a pair, `dst` is `src` of its source; on a rank that is no target, it stays as it was.

    Attributes:
        dst, src: in HBM, of one shape and type.
        pairs: `(source, target)`; no rank is a source twice, or a target twice.
    """

    name: ClassVar[str] = "collective_permute"

    dst: Access
    src: Access
    pairs: Pairs

    @property
    def all_ranks(self) -> tuple[int, ...]:
        return tuple(sorted({rank for pair in self.pairs for rank in pair}))

    @property
    def crosses_devices(self) -> bool:
        return self.pairs != ((0, 0),)

    @property
    def reads_destination(self) -> bool:
        return self.crosses_devices

    @property
    def is_accumulation(self) -> bool:
        return False

    def check(self, target: Target) -> None:
        self.check_memories(target, sbuf=False)
        self.check_types()
        self.check_shape("dst", self.dst, self.src.shape, "src has")
        self._check_pairs()
        self.check_axis()
        super().check(target)

    def _check_pairs(self) -> None:
        sources, targets = ([pair[end] for pair in self.pairs] for end in (0, 1))
        if not self.pairs or len(set(sources)) < len(sources) or len(set(targets)) < len(targets):
            raise self.error(
                "collective_permute.source_target_pairs",
                "a rank sends once, and receives once",
                given=str(list(self.pairs)),
                allowed="at least one pair (source, target), each rank once on each side",
            )

    def check_ranks(self, size: int) -> None:
        if self.all_ranks[-1] >= size:
            raise self.ranks_error(size, "or fewer of them")

    def execute(self, memory: DeviceMemory, at: Loops = NO_LOOPS) -> DeviceMemory:
        value = load(memory, self.src, at)
        if not self.crosses_devices:
            return store(memory, self.dst, value, at)
        size, targets = self.axis_size(), {target for _, target in self.pairs}
        value = permuted(value, self.pairs, size, self.axes)
        if len(targets) == size:
            return store(memory, self.dst, value, at)
        receives = self.own(tuple(rank in targets for rank in range(size)))
        return store_where(memory, self.dst, value, at, jnp.broadcast_to(receives, self.dst.shape))


@takes_target
def collective_permute(
    memory: DeviceMemory, *, dst: Ref, src: Ref, pairs: Any, axis: Any = (), target: Target = TRN2
) -> DeviceMemory:
    """Memory with what the source of a pair sends: the functional form of `nki.collectives.collective_permute`.

    Args:
        dst, src: HBM references of one shape and type.
        pairs: `(source, target)`.
        axis: the name of the mesh axis that ranks are counted along, or a sequence of names.

    Raises:
        RuleError: the instruction breaks a rule.
    """
    return collective(CollectivePermute, memory, target, axis, dst=dst, src=src, pairs=tuple(map(tuple, pairs)))
