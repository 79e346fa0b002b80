"""The report of a program: which descriptor generation each DMA gets, and why (C24)."""

from jnki.isa.dma.dma_copy import DmaCopy
from jnki.program.program import Program, instructions


def dma_report(program: Program) -> str:
    """One line per DMA in program order: the user's line, the copy, and its DGE mode with the reason."""
    lines = [f"DMAs of kernel {program.name} on {program.target.name}"]
    for instruction in instructions(program.body):
        if isinstance(instruction, DmaCopy):
            mode, reason = instruction.chosen_dge(program.target)
            where = instruction.location.short() if instruction.location else "?"
            copy = f"{instruction.src.buffer.name} -> {instruction.dst.buffer.name}"
            lines.append(f"  {where}  {copy}: {mode.name}, {reason}")
    return "\n".join(lines) if len(lines) > 1 else f"kernel {program.name} has no DMA"


Program.report = dma_report
