"""Which elements of a tensor nothing has written to, for people who look at it."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from jnki.access.access import Access
from jnki.access.byte_map import places_in
from jnki.dtypes import ElementType, unwritten
from jnki.isa.instruction import Instruction
from jnki.memory import NO_LOOPS


def unwritten_elements(access: Access, values: np.ndarray, writers: Iterable[Instruction]) -> np.ndarray:
    """One boolean for each element of a direct access: whether it holds the mark of memory that was never written.

    A NaN that an instruction has computed is not one: where an instruction surely writes, nothing is unwritten. Of one
    whose places depend on values, only the mark tells.

    Args:
        values: of the access.
        writers: the instructions that write to its tensor.
    """
    marked = _is_mark(values, access.dtype)
    if not marked.any():
        return marked
    written = np.zeros(access.buffer.size_bytes, bool)
    for instruction in writers:
        if instruction.keeps_some or any(operand.indirect is not None for operand in instruction.operands().values()):
            continue
        for operand in instruction.written():
            if operand.buffer.name == access.buffer.name:
                _mark_written(written, operand, instruction)
    return marked & ~places_in(written, access).all(axis=-1)


def _mark_written(written: np.ndarray, operand: Access, instruction: Instruction) -> None:
    if operand.unchecked:
        return
    mask: Any = True
    if instruction.mask is not None:
        if not instruction.mask.fits(operand.shape):
            return
        mask = np.asarray(instruction.mask.evaluate(operand.shape, NO_LOOPS))[..., None]
    places = places_in(written, operand)
    places[...] = places | mask


def _is_mark(values: np.ndarray, dtype: ElementType) -> np.ndarray:
    if dtype.is_float:
        return np.isnan(values.astype(np.float32))
    return np.asarray(values == np.asarray(unwritten(dtype)))
