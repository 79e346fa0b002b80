"""Masks that leave a box: the instruction becomes a smaller one without a mask."""

from dataclasses import replace
from typing import Any

from jnki.access.access import Access
from jnki.isa.instruction import Instruction

Box = tuple[tuple[int, int], ...]


def trimmed(instruction: Instruction) -> Instruction:
    """The same instruction on just the elements that its mask enables, where these form a box.

    Operands share the dims that the instruction says they share; a dim of size 1 beside a longer one repeats.
    """
    mask, shared = instruction.mask, instruction.shared_dims
    accesses = instruction.operands()
    if mask is None or not accesses or shared == "none" or any(a.indirect for a in accesses.values()):
        return instruction
    shape = max((a.shape for a in accesses.values()), key=len)
    shape = tuple(max(a.shape[d] for a in accesses.values() if len(a.shape) > d) for d in range(len(shape)))
    if len(mask.shape) > len(shape):
        return instruction
    box = mask.box(shape)
    if box is None:
        return instruction
    if shared == "partition":
        if any(ends != (0, n) for ends, n in zip(box[1:], shape[1:])):
            return instruction
        box = box[:1]
    elif any(len(a.shape) != len(shape) for a in accesses.values()):
        return instruction
    if any(not _fits(access, shape[: len(box)]) for access in accesses.values()):
        return instruction
    whole = [a for name, a in accesses.items() if name in instruction.writes and name not in instruction.row_results]
    if any(access.shape[: len(box)] != shape[: len(box)] for access in whole):
        return instruction
    changes: dict[str, Any] = {name: access.restricted(_own(access, box)) for name, access in accesses.items()}
    return replace(instruction, mask=None, **changes)


def _fits(access: Access, shape: tuple[int, ...]) -> bool:
    return all(n in (1, m) for n, m in zip(access.shape, shape))


def _own(access: Access, box: Box) -> Box:
    """The box on the dims of one operand."""
    ends = [(0, 1) if n == 1 and low < high else (low, high) for n, (low, high) in zip(access.shape, box)]
    return (*ends, *((0, n) for n in access.shape[len(ends) :]))
