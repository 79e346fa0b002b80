"""Finding and recording the fault of a row index: what every indirect instruction does alike (clauses C11 and C13)."""

import functools
import math
from dataclasses import dataclass

import jax
import jax.numpy as jnp

from jnki.access.access import Access
from jnki.memory.fault import NO_SITE, Fault, Site, intern
from jnki.memory.loops import Loops
from jnki.source import Location


@dataclass(frozen=True)
class Rows:
    """The rows of one operand of an instruction that is indexed at run time.

    Attributes:
        instruction, operand: names, for the note.
        access: the operand.
        indices: its row indices, `int32[P]` (or `[1]` for a scalar offset).
        valid: which rows are in bounds, `bool[P]`.
        location: the user's line.
    """

    instruction: str
    operand: str
    access: Access
    indices: jax.Array
    valid: jax.Array
    location: Location | None

    def site(self, at: Loops) -> Site:
        access = self.access
        assert access.indirect is not None
        return Site(
            instruction=self.instruction,
            operand=self.operand,
            tensor=access.buffer.name,
            axis=access.indirect.axis,
            axis_size=access.indirect.size,
            size=access.buffer.size,
            offset=access.offset,
            index_step=access.indirect.step,
            row_step=access.dims[0].step if access.dims else 0,
            signed=access.indirect.index.dtype.name == "int32",
            loops=tuple(symbol for symbol, _ in at.values),
            location=self.location,
        )

    def fault(self, enabled: jax.Array | None, shape: tuple[int, ...], at: Loops) -> Fault:
        """The first row in row-major order that is out of bounds and not masked off entirely.

        Args:
            enabled: a mask that broadcasts to `shape`, or None for all.
            shape: as many elements as the operand has, in the same order.
        """
        bad = ~self.valid
        by_row = enabled is not None and math.prod(shape) > 0 and all(n == 1 for n in enabled.shape[1:])
        if enabled is not None and by_row and self.access.shape[:1] == shape[:1]:
            bad &= enabled.reshape(-1)
        elif enabled is not None:
            elements = jnp.broadcast_to(enabled, shape).reshape(self.access.shape)
            bad &= jnp.any(elements.reshape(bad.shape[0], -1), axis=1)
        count = bad.shape[0]
        position = jnp.min(jnp.where(bad, jnp.arange(count, dtype=jnp.int32), count))
        occurred = position < count
        row = jnp.minimum(position, count - 1)
        index = jnp.take(self.indices, row, mode="clip") if self.indices.shape[0] > 1 else self.indices[0]
        zero = jnp.int32(0)
        return Fault(
            site=jnp.where(occurred, jnp.int32(intern(self.site(at))), jnp.int32(NO_SITE)),
            row=jnp.where(occurred, row, zero),
            index=jnp.where(occurred, index, zero),
            iteration=jnp.where(occurred, at.iteration(), zero),
        )


def first_fault(operands: list[Rows], enabled: jax.Array | None, shape: tuple[int, ...], at: Loops) -> Fault:
    """Of the faults of one instruction's operands, the one whose row comes first; of the same row, the earlier operand.

    Args:
        operands: at least one, in the order in which an instruction reads and writes them.
        enabled, shape: as for `Rows.fault`.
    """
    found = [rows.fault(enabled, shape, at) for rows in operands]
    starts = [fault.row * math.prod(rows.access.shape[1:]) for fault, rows in zip(found, operands)]
    fault, start = found[0], starts[0]
    for other, other_start in zip(found[1:], starts[1:]):
        stays = fault.occurred & (~other.occurred | (start <= other_start))
        start = jnp.where(stays, start, other_start)
        fault = jax.tree.map(functools.partial(jnp.where, stays), fault, other)
    return fault
