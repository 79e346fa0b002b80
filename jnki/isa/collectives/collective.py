"""What all collectives are: an exchange between the devices along an axis of a mesh, and the rules they share."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jnki.access.access import Access
from jnki.access.buffer import Space
from jnki.errors import RuleError
from jnki.isa.collectives.groups import Groups
from jnki.isa.instruction import Instruction
from jnki.isa.rules import check_partitions, check_tile
from jnki.target import Target


@dataclass(frozen=True, kw_only=True)
class Collective(Instruction):
    """An instruction that devices run together.

    Attributes:
        axes: the axes of the mesh along which ranks are counted, row by row where there are several; empty for a
            kernel that runs on one device, where only groups of one rank mean something.
    """

    axes: tuple[str, ...] = ()

    @property
    def is_alone(self) -> bool:
        """Whether it is the same whichever rank runs it, and however many there are."""
        return not self.crosses_devices

    @property
    @abstractmethod
    def all_ranks(self) -> tuple[int, ...]:
        """The ranks that take part."""

    # Rules.

    def check_axis(self) -> None:
        """Something says where the other ranks are.

        Raises:
            RuleError: `collectives.axis`.
        """
        if self.crosses_devices and not self.axes:
            raise self.error(
                "collectives.axis",
                "ranks are devices along an axis of a mesh, and nothing says which axis",
                given=f"ranks {list(self.all_ranks)}",
                allowed="kernel.over('x') inside jax.shard_map, or groups of one rank",
            )

    def check_memories(self, target: Target, *, sbuf: bool) -> None:
        """All operands are in HBM, or all in SBUF where that is allowed; none moves at run time.

        Raises:
            RuleError: `err_unsupported_memory`, `collectives.mixed_memories`, `collectives.indirect`.
        """
        allowed = (Space.HBM, Space.SBUF) if sbuf else (Space.HBM,)
        for name, access in self.tensors().items():
            if access.buffer.space not in allowed:
                raise self.error(
                    "err_unsupported_memory",
                    f"'{name}' is in the wrong memory",
                    given=str(access.buffer),
                    allowed=" | ".join(map(str, allowed)),
                )
            if access.indirect is not None:
                raise self.error(
                    "collectives.indirect",
                    f"'{name}' has an index that is known only at run time",
                    given=str(access),
                    allowed="static indices; nisa.dma_copy gathers and scatters",
                )
            if access.buffer.space is Space.SBUF:
                check_tile(self, name, access)
                check_partitions(self, name, access, target)
        if len({access.buffer.space for access in self.tensors().values()}) > 1:
            raise self.error(
                "collectives.mixed_memories",
                "the tensors are in different memories",
                given=", ".join(f"{name} in {a.buffer.space}" for name, a in self.tensors().items()),
                allowed="all in hbm, or all in sbuf" if sbuf else "all in hbm",
            )

    def tensors(self) -> dict[str, Access]:
        """The operands that the rules about memories and types speak of."""
        return self.operands()

    def check_types(self) -> None:
        """All tensors have one element type.

        Raises:
            RuleError: `<name>.dtype`.
        """
        if len({access.dtype for access in self.tensors().values()}) > 1:
            raise self.error(
                f"{self.name}.dtype",
                "the tensors have different element types",
                given=", ".join(f"{name} of {access.dtype}" for name, access in self.tensors().items()),
                allowed="one type for all: a collective casts nothing",
            )

    def check_shape(self, name: str, access: Access, shape: tuple[int, ...], why: str) -> None:
        """An operand has the shape that the others ask for.

        Raises:
            RuleError: `<name>.shape`.
        """
        if access.shape != shape:
            raise self.error(
                f"{self.name}.shape",
                f"'{name}' does not have the shape that {why}",
                given=", ".join(f"{n} {list(a.shape)}" for n, a in self.tensors().items()),
                allowed=f"{name} {list(shape)}",
            )

    # Meaning.

    def axis_size(self) -> int:
        """How many ranks there are; asked for while the devices run it.

        Raises:
            RuleError: `collectives.axis`, outside of the mesh; `collectives.ranks`, on a mesh of other ranks.
        """
        try:
            size = lax.axis_size(self.axes)
        except NameError:
            raise self.error(
                "collectives.axis",
                f"there is no axis {self.axis_text()} here",
                given="a call outside of jax.shard_map over that axis",
                allowed=f"jax.shard_map(kernel.over({self.axis_text()}), mesh=..., in_specs=..., out_specs=...)",
            ) from None
        self.check_ranks(int(size))
        return int(size)

    def check_ranks(self, size: int) -> None:
        """The groups speak of the ranks that there are.

        Raises:
            RuleError: `collectives.ranks`.
        """
        if self.all_ranks != tuple(range(size)):
            raise self.ranks_error(size, "every rank in one group")

    def ranks_error(self, size: int, allowed: str) -> RuleError:
        return self.error(
            "collectives.ranks",
            f"the ranks are not those of axis {self.axis_text()}, which has {size}",
            given=f"ranks {list(self.all_ranks)}",
            allowed=f"ranks 0 to {size - 1}, {allowed}",
        )

    def axis_text(self) -> str:
        return ", ".join(map(repr, self.axes))

    def own(self, numbers: tuple[Any, ...]) -> jax.Array:
        """Of numbers by rank, that of the device that runs this."""
        return jnp.asarray(numbers)[lax.axis_index(self.axes)]


@dataclass(frozen=True, kw_only=True)
class GroupCollective(Collective):
    """A collective within replica groups.

    Attributes:
        groups: which ranks exchange with each other.
    """

    groups: Groups

    @property
    def all_ranks(self) -> tuple[int, ...]:
        return self.groups.all_ranks

    @property
    def crosses_devices(self) -> bool:
        return not self.groups.is_alone

    def check_divides(self, name: str, access: Access, dim: int) -> None:
        """A dim has a part for each rank.

        Raises:
            RuleError: `<name>.shape`.
        """
        if access.shape[dim] % self.groups.size:
            raise self.error(
                f"{self.name}.shape",
                f"dim {dim} of '{name}' cannot be divided among the ranks of a group",
                given=f"{list(access.shape)} among {self.groups.size}",
                allowed=f"a multiple of {self.groups.size}",
            )

    def check_dim(self, dim: int, *, sbuf: tuple[int, ...]) -> None:
        """The dim along which chunks lie is one that the memory allows.

        Raises:
            RuleError: `<name>.collective_dim`, `<name>.sbuf_rank`.
        """
        spaces = {access.buffer.space for access in self.tensors().values()}
        allowed = sbuf if Space.SBUF in spaces else (0,)
        if isinstance(dim, bool) or dim not in allowed:
            raise self.error(
                f"{self.name}.collective_dim",
                "chunks cannot lie along such a dim",
                given=f"collective_dim={dim!r} in {' and '.join(sorted(map(str, spaces)))}",
                allowed=" or ".join(map(str, allowed)),
            )
        if Space.SBUF in spaces and any(len(access.shape) != 2 for access in self.tensors().values()):
            raise self.error(
                f"{self.name}.sbuf_rank",
                "in SBUF the tensors have a partition dim and one free dim",
                given=", ".join(f"{name} {list(access.shape)}" for name, access in self.tensors().items()),
                allowed="[P, F]",
            )

    def scaled(self, shape: tuple[int, ...], dim: int) -> tuple[int, ...]:
        """`shape` with a dim as long as the chunks of all ranks of a group."""
        return (*shape[:dim], shape[dim] * self.groups.size, *shape[dim + 1 :])
