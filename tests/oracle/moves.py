"""Which element goes where: the walk of both operands, the bounds of every row, the mask (C2, C4, C8-C13)."""

import math
from dataclasses import dataclass
from typing import TypedDict

import numpy as np

from .pattern import Pattern

Memory = dict[str, np.ndarray]


@dataclass(frozen=True)
class Operand:
    """One side of a copy: some elements of a buffer.

    With an index buffer it is indirect: dimension 0 of the pattern counts rows, and row `j` starts at
    `offset + index[j] * row_step + j * dims[0].step`; the other dimensions are walked within it.

    Attributes:
        buffer: the buffer's name in memory.
        dtype: its element type, one of `casts.DTYPES`.
        pattern: where its elements are.
        index_buffer: the name of an int32 or uint32 buffer of row indices, or None.
        index_pattern: where the indices are: one per row.
        row_step: how many elements one row index is worth.
        axis_size: row indices from 0 up to but not including this are valid.
    """

    buffer: str
    dtype: str
    pattern: Pattern
    index_buffer: str | None = None
    index_pattern: Pattern | None = None
    row_step: int | None = None
    axis_size: int | None = None


class Fault(TypedDict):
    """The first bad row (C11): where it is, what its index was, and what the axis allows.

    Attributes:
        tensor: the name of the buffer that it leaves.
        row: its position among the rows of the copy.
        index: its row index.
        axis_size: the size of the axis that the index addresses.
        flat_offset: the address at which the row would start, in elements; any Python integer.
        total: the element count of the buffer.
    """

    tensor: str
    row: int
    index: int
    axis_size: int
    flat_offset: int
    total: int


def fault_text(fault: Fault) -> str:
    """The text of the exception that a kernel call raises for `fault` (C11)."""
    return f"index {fault['flat_offset']} is out of bounds for axis 0 with size {fault['total']}"


def plan_moves(
    memory: Memory, dst: Operand, src: Operand, mask: np.ndarray | None, oob: str
) -> tuple[list[tuple[int, int]], Fault | None]:
    """The (destination, source) addresses of every element that moves, in order, and the first fault.

    Raises:
        ValueError: the operands, the mask or the mode are not those of a legal copy.
        IndexError: an element that moves lies outside of its buffer, which no legal pattern does (C4).
    """
    if oob not in ("error", "skip"):
        raise ValueError(f"oob is 'error' or 'skip', not {oob!r}")
    to, frm = list(dst.pattern.walk()), list(src.pattern.walk())
    if len(to) != len(frm):
        raise ValueError(f"dst {dst.pattern.shape} and src {src.pattern.shape} differ in element count")
    moving = switched_on(mask, dst.pattern.shape, src.pattern.shape)
    sides = ((src, frm), (dst, to))
    fault = _resolve_rows(memory, [side for side in sides if side[0].index_buffer is not None], moving)
    moves = [move for move, moves in zip(zip(to, frm), moving) if moves]
    for to_address, from_address in moves:
        check_address(dst.buffer, to_address, memory[dst.buffer].size)
        check_address(src.buffer, from_address, memory[src.buffer].size)
    return moves, (fault if oob == "error" else None)


def switched_on(mask: np.ndarray | None, *shapes: tuple[int, ...]) -> list[bool]:
    """Whether the mask, of one of these shapes, leaves each element on, in row-major order (C13)."""
    if mask is None:
        return [True] * math.prod(shapes[0])
    if mask.dtype != np.bool_ or mask.shape not in shapes:
        raise ValueError(f"a mask is boolean and of the pattern's shape, not {mask.dtype} {mask.shape}")
    return mask.reshape(-1).tolist()


def check_address(buffer: str, address: int, size: int) -> None:
    """Raises IndexError for an address that a Python list would wrap or that lies past the end (C4)."""
    if not 0 <= address < size:
        raise IndexError(f"{buffer}: address {address} is outside of its {size} elements")


def _resolve_rows(memory: Memory, indirect: list[tuple[Operand, list[int]]], moving: list[bool]) -> Fault | None:
    # Edits the addresses of good rows, and switches off the elements of bad ones.
    if not indirect:
        return None
    places = [_index_addresses(memory, op) for op, _ in indirect]
    rows = len(places[0])
    if any(len(place) != rows for place in places):
        raise ValueError(f"two indirect operands need equally many rows, not {[len(p) for p in places]}")
    width = math.prod(indirect[0][0].pattern.shape[1:])
    first = None
    for row in range(rows):
        span = range(row * width, (row + 1) * width)
        if not any(moving[i] for i in span):
            continue
        for (op, at), place in zip(indirect, places):
            index = _read_index(memory, op, place[row])
            if not 0 <= index < op.axis_size:
                for i in span:
                    moving[i] = False
                first = first or _fault(memory, op, row, index)
                break
            for i in span:
                at[i] += index * op.row_step
    return first


def _index_addresses(memory: Memory, op: Operand) -> list[int]:
    if memory[op.index_buffer].dtype not in (np.int32, np.uint32):
        raise ValueError(f"row indices are int32 or uint32, not {memory[op.index_buffer].dtype}")
    if op.index_pattern is None or op.row_step is None or op.axis_size is None or not op.pattern.dims:
        raise ValueError("an indirect operand needs index_pattern, row_step, axis_size and a dimension 0")
    place = list(op.index_pattern.walk())
    if len(place) != op.pattern.shape[0]:
        raise ValueError(f"{len(place)} row indices were given for {op.pattern.shape[0]} rows")
    return place


def _read_index(memory: Memory, op: Operand, address: int) -> int:
    table = memory[op.index_buffer].reshape(-1)
    check_address(op.index_buffer, address, table.size)
    return int(table[address])


def _fault(memory: Memory, op: Operand, row: int, index: int) -> Fault:
    return Fault(
        tensor=op.buffer,
        row=row,
        index=index,
        axis_size=op.axis_size,
        flat_offset=op.pattern.offset + index * op.row_step + row * op.pattern.dims[0][0],
        total=memory[op.buffer].size,
    )
