"""Collectives whose chunks have lengths that are known at run time: `all_gather_v` and `all_to_all_v`.

Arrays of XLA have fixed shapes, so every chunk travels with as many elements as it could have, and its count beside it.
"""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jax import lax

from jnki.access.access import Access
from jnki.access.affine import ZERO
from jnki.access.buffer import Space
from jnki.access.strided import slice_dim
from jnki.isa.collectives.collective import GroupCollective
from jnki.isa.operands import load, store, store_where
from jnki.isa.rules import check_tile
from jnki.memory import NO_LOOPS, DeviceMemory, Loops
from jnki.memory.bits import as_bits, chosen
from jnki.memory.fault import Fault
from jnki.memory.sites import NO_SITE, Site, intern
from jnki.target import Target

_UINT_MAX = 0xFFFFFFFF


@dataclass(frozen=True, kw_only=True)
class ChunkCollective(GroupCollective):
    """Chunks of `src` go to ranks of the group, and arrive in `dst`, both taken as flat.

    Without displacements the chunk of rank `r` starts at slot `r` of `dst`, which has one slot for each rank. What no
    chunk reaches stays as it was. A chunk that does not fit into its tensor, or its slot, is a fault and moves nothing.

    Attributes:
        dst, src: in HBM, of one type.
        metadata: uint32, `[rows, ranks]` in HBM or `[1, rows, ranks]` in SBUF: counts to send, where each chunk starts
            in `src`, counts received, where each chunk starts in `dst`.
        counts: the row of `metadata` that the counts received are written to, or None.
        displaced: whether the last row of `metadata` says where chunks start in `dst`.
    """

    writes: ClassVar[tuple[str, ...]] = ("dst", "counts")

    dst: Access
    src: Access
    metadata: Access
    counts: Access | None = None
    displaced: bool = False

    @property
    def reads_destination(self) -> bool:
        return True

    @property
    def is_accumulation(self) -> bool:
        return False

    @property
    def may_fault(self) -> bool:
        return True

    def tensors(self) -> dict[str, Access]:
        return {"src": self.src, "dst": self.dst}

    @property
    def slot(self) -> int:
        """How many elements of `dst` one chunk may have."""
        return self.dst.size if self.displaced else self.dst.size // self.groups.size

    # Rules.

    def check(self, target: Target) -> None:
        self.check_memories(target, sbuf=False)
        self.check_types()
        self._check_metadata()
        if not self.displaced and self.dst.size % self.groups.size:
            raise self.error(
                f"{self.name}.shape",
                "dst has no slot of one size for each rank",
                given=f"{self.dst.size} elements for {self.groups.size} ranks",
                allowed=f"a multiple of {self.groups.size}",
            )
        self.check_axis()
        super().check(target)

    def _check_metadata(self) -> None:
        given, ranks = self.metadata, self.groups.size
        in_sbuf = given.buffer.space is Space.SBUF
        shapes: list[tuple[int, ...]] = [(rows, ranks) for rows in ((4,) if self.displaced else (3, 4))]
        if in_sbuf:
            shapes = [(1, *shape) for shape in shapes]
        steps = [dim.step for dim in given.dims[-2:] if dim.count > 1]
        in_order = steps == [step for step, dim in zip((ranks, 1), given.dims[-2:]) if dim.count > 1]
        is_right = given.dtype.name == "uint32" and given.shape in shapes and in_order and given.indirect is None
        if not is_right or given.buffer.space is Space.PSUM:
            raise self.error(
                f"{self.name}.metadata_tensor",
                "the metadata has another form",
                given=f"{list(given.shape)} of {given.dtype} in {given.buffer.space}",
                allowed=f"uint32 without gaps, {' or '.join(str(list(shape)) for shape in shapes)}",
            )
        if in_sbuf:
            check_tile(self, "metadata_tensor", given)

    # Meaning.

    @abstractmethod
    def exchanged(
        self, src: jax.Array, counts: jax.Array, starts: jax.Array, length: int
    ) -> tuple[jax.Array, jax.Array]:
        """The chunks that arrive, `[ranks, length]`, and their counts.

        Args:
            counts, starts: of the chunks to send, all of which fit.
        """

    @abstractmethod
    def sent(self, row: jax.Array) -> jax.Array:
        """Of a row about what is sent, the numbers that count."""

    def execute(self, memory: DeviceMemory, at: Loops = NO_LOOPS) -> DeviceMemory:
        if self.crosses_devices:
            self.axis_size()
        rows = load(memory, self.metadata, at).reshape(-1, self.groups.size)
        counts, starts = self.sent(rows[0]), self.sent(rows[1])
        inside, last = _inside(starts, counts, self.src.size)
        short = counts <= self.slot
        fault = self._fault("src", self.src, self.src.size, inside, last, at)
        fault = fault.or_else(self._fault("dst", self.dst, self.slot, short, counts - 1, at))
        counts = jnp.where(inside & short, counts, 0)
        starts = jnp.where(inside & short, starts, 0).astype(jnp.int32)
        src = load(memory, self.src, at).reshape(-1)
        received, arrived = self.exchanged(src, counts, starts, min(self.src.size, self.slot))
        if self.displaced:
            places = rows[3]
            inside, last = _inside(places, arrived, self.dst.size)
            fault = fault.or_else(self._fault("dst", self.dst, self.dst.size, inside, last, at))
            value, enabled = _placed(received, jnp.where(inside, arrived, 0), places, self.dst.size)
        else:
            value = jnp.pad(received, ((0, 0), (0, self.slot - received.shape[1])))
            enabled = jnp.arange(self.slot, dtype=jnp.uint32) < arrived[:, None]
        memory = memory.with_fault(memory.fault.or_else(fault))
        memory = store_where(memory, self.dst, value, at, enabled.reshape(self.dst.shape))
        return memory if self.counts is None else store(memory, self.counts, arrived.reshape(self.counts.shape), at)

    def chunks(self, src: jax.Array, starts: jax.Array, length: int) -> jax.Array:
        """As many elements from each start, `[chunks, length]`."""
        places = jnp.minimum(starts[:, None] + jnp.arange(length, dtype=jnp.int32), self.src.size - 1)
        return as_bits(lambda x, places: x[places], src, indices=(places,))

    def _fault(self, operand: str, access: Access, size: int, good: jax.Array, last: jax.Array, at: Loops) -> Fault:
        """The first chunk that does not fit; the index is that of its last element."""
        bad = ~good
        occurred, first = jnp.any(bad), jnp.argmax(bad).astype(jnp.int32)
        site = Site(
            instruction=self.name,
            operand=operand,
            tensor=access.buffer.name,
            axis=0,
            axis_size=size,
            size=size,
            offset=ZERO,
            index_step=1,
            row_step=0,
            signed=False,
            loops=tuple(symbol for symbol, _ in at.values),
            unrolled=self.unrolled,
            location=self.location,
        )
        zero = jnp.int32(0)
        return Fault(
            site=jnp.where(occurred, jnp.int32(intern(site)), jnp.int32(NO_SITE)),
            row=jnp.where(occurred, first, zero),
            index=jnp.where(occurred, lax.bitcast_convert_type(last[first], jnp.int32), zero),
            iteration=jnp.where(occurred, at.iteration(), zero),
        )


def _inside(starts: jax.Array, counts: jax.Array, size: int) -> tuple[jax.Array, jax.Array]:
    """Which chunks are in a tensor, and the place of the last element of each, at most the greatest uint32."""
    inside = (counts == 0) | ((counts <= size) & (starts <= size - jnp.minimum(counts, size)))
    end = starts + counts
    return inside, jnp.where(end < starts, jnp.uint32(_UINT_MAX), end - 1)


def _placed(received: jax.Array, counts: jax.Array, starts: jax.Array, size: int) -> tuple[jax.Array, jax.Array]:
    """A flat tensor with each chunk where it starts, and which of its places a chunk reaches; the last one wins."""
    value = jnp.zeros((size,), received.dtype)
    enabled = jnp.zeros((size,), bool)
    place = jnp.arange(size, dtype=jnp.int32)
    for chunk, count, start in zip(received, counts, starts):
        start = jnp.minimum(start, size).astype(jnp.int32)
        here = (place >= start) & (place - start < count.astype(jnp.int32))
        picked = jnp.clip(place - start, 0, chunk.shape[0] - 1)
        value = chosen(here, as_bits(lambda x, i: x[i], chunk, indices=(picked,)), value)
        enabled |= here
    return value, enabled


def row_of_counts(metadata: Access) -> Access:
    """The row of the metadata that counts are written to."""
    return slice_dim(metadata, len(metadata.dims) - 2, 2, 3)


def operands_of(metadata: Access, recv_counts_known: Any, has_rdispls: Any) -> dict[str, Any]:
    """The fields that the flags of a call stand for."""
    is_form = len(metadata.dims) in (2, 3) and metadata.shape[-2] > 2
    counts = row_of_counts(metadata) if is_form and not recv_counts_known else None
    return {"metadata": metadata, "counts": counts, "displaced": bool(has_rdispls)}
