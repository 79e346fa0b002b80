"""Finding and recording the fault of a row index: what every indirect instruction does alike (clauses C11 and C13)."""

import functools
import math
from dataclasses import dataclass

import jax
import jax.numpy as jnp

from jnki.access.access import Access
from jnki.access.affine import Affine
from jnki.memory.fault import Fault
from jnki.memory.loops import Loops
from jnki.memory.sites import NO_SITE, Site, intern
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
        unrolled: the iterations of unrolled loops around the instruction, as `Site` has them.
    """

    instruction: str
    operand: str
    access: Access
    indices: jax.Array
    valid: jax.Array
    location: Location | None
    unrolled: tuple[tuple[int, str, int | Affine], ...] = ()

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
            unrolled=self.unrolled,
            location=self.location,
        )

    def fault(self, enabled: jax.Array | None, shape: tuple[int, ...], at: Loops) -> tuple[Fault, jax.Array]:
        """The fault of the first bad row that a mask leaves on, and the element that finds it, in row-major order.

        Args:
            enabled: a mask that broadcasts to `shape`, or None for all.
            shape: as many elements as the operand has, in the same order.
        """
        bad, size = ~self.valid, math.prod(self.access.shape[1:])
        count = bad.shape[0]
        row_start = size * jnp.arange(count, dtype=jnp.int32)
        by_row = enabled is not None and math.prod(shape) > 0 and all(n == 1 for n in enabled.shape[1:])
        if enabled is not None and by_row and self.access.shape[:1] == shape[:1]:
            bad &= enabled.reshape(-1)
        elif enabled is not None:
            elements = jnp.broadcast_to(enabled, shape).reshape(count, size)
            bad &= jnp.any(elements, axis=1)
            row_start += jnp.argmax(elements, axis=1).astype(jnp.int32)
        occurred = jnp.any(bad)
        row = jnp.argmax(bad).astype(jnp.int32)
        index = jnp.take(self.indices, row, mode="clip") if self.indices.shape[0] > 1 else self.indices[0]
        zero = jnp.int32(0)
        fault = Fault(
            site=jnp.where(occurred, jnp.int32(intern(self.site(at))), jnp.int32(NO_SITE)),
            row=jnp.where(occurred, row, zero),
            index=jnp.where(occurred, index, zero),
            iteration=jnp.where(occurred, at.iteration(), zero),
        )
        return fault, row_start[row] if count > 1 else row_start[0]


def first_fault(operands: list[Rows], enabled: jax.Array | None, shape: tuple[int, ...], at: Loops) -> Fault:
    """The first fault of one instruction, in the order in which elements move: the first element that is in a bad row.

    Where that element is in a bad row of several operands, it is the fault of the earlier one.

    Args:
        operands: at least one, in the order in which an instruction reads and writes them.
        enabled, shape: as for `Rows.fault`.
    """
    (fault, element), *others = [rows.fault(enabled, shape, at) for rows in operands]
    for other, other_element in others:
        stays = fault.occurred & (~other.occurred | (element <= other_element))
        element = jnp.where(stays, element, other_element)
        fault = jax.tree.map(functools.partial(jnp.where, stays), fault, other)
    return fault
