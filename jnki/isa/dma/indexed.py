"""The rows that the operands of a DMA have at run time: read, judged, and, where one is out of bounds, recorded.

Clause numbers are those of docs/isa/dma/dma_copy.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import jax

from jnki.access.access import Access
from jnki.dtypes import cast, float32
from jnki.isa.instruction import Instruction
from jnki.isa.operands import row_indices
from jnki.memory import DeviceMemory, Loops
from jnki.memory.row_faults import Rows, first_fault
from jnki.memory.rows import per_element, rows_in_bounds
from jnki.memory.scatter import accumulate


@dataclass(frozen=True)
class Indexed:
    """An operand and the rows that it names.

    Attributes:
        operand: the name of the field.
        access: the operand.
        rows: its row indices, `int32[P]` (`[1]` for a scalar offset); None where it is direct.
        valid: which rows are in bounds, `bool[P]`; None where it is direct.
    """

    operand: str
    access: Access
    rows: jax.Array | None
    valid: jax.Array | None


def indexed(memory: DeviceMemory, operand: str, access: Access, at: Loops) -> Indexed:
    """An operand with its row indices read."""
    rows = row_indices(memory, access, at)
    return Indexed(operand, access, rows, None if rows is None else rows_in_bounds(access, rows, at))


def moving(sides: Sequence[Indexed], shape: tuple[int, ...], enabled: jax.Array | None = None) -> jax.Array | None:
    """Which elements move, broadcastable to `shape`: `enabled` holds and all rows are valid (C10); None for all.

    Args:
        shape: that of the destination; the sides have as many elements, in the same order.
    """
    for side in sides:
        if side.valid is not None:
            by_row = per_element(side.valid, side.access, shape)
            enabled = by_row if enabled is None else enabled & by_row
    return enabled


def with_fault(
    memory: DeviceMemory,
    instruction: Instruction,
    sides: Sequence[Indexed],
    enabled: jax.Array | None,
    shape: tuple[int, ...],
    at: Loops,
) -> DeviceMemory:
    """Memory with the fault of the first bad row, if it is the first of all (C11).

    Args:
        sides: in the order in which the instruction reads and writes them.
        enabled, shape: a mask that broadcasts to `shape`, or None for all.
    """
    where = instruction.location, instruction.unrolled
    found = [
        Rows(instruction.name, side.operand, side.access, side.rows, side.valid, *where)
        for side in sides
        if side.rows is not None and side.valid is not None
    ]
    if not found:
        return memory
    return memory.with_fault(memory.fault.or_else(first_fault(found, enabled, shape, at)))


def added(old: jax.Array, dst: Indexed, value: jax.Array, at: Loops, enabled: jax.Array | None) -> jax.Array:
    """The buffer of `dst` with float32 values added to the elements that it names, each rounded once (C16, C17)."""
    kind = dst.access.dtype
    return accumulate(
        old,
        dst.access,
        value,
        at,
        finish=lambda total: cast(total, float32, kind),
        widen=lambda stored: cast(stored, kind, float32),
        rows=dst.rows,
        enabled=enabled,
    )
