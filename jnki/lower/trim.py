"""Masks that leave a box: the instruction becomes a smaller one without a mask."""

from dataclasses import replace
from typing import Any

from jnki.isa.instruction import Instruction


def trimmed(instruction: Instruction) -> Instruction:
    """The same instruction on just the elements that its mask enables, where these form a box.

    Only for instructions whose operands all have the shape that the mask speaks of: they work element by element.
    """
    mask = instruction.mask
    accesses = tuple(instruction.operands().values())
    if mask is None or not accesses or not instruction.is_elementwise:
        return instruction
    shape = accesses[0].shape
    if any(a.shape != shape or a.indirect is not None for a in accesses) or len(mask.shape) > len(shape):
        return instruction
    box = mask.box(shape)
    if box is None:
        return instruction
    changes: dict[str, Any] = {name: access.restricted(box) for name, access in instruction.operands().items()}
    return replace(instruction, mask=None, **changes)
