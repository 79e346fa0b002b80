"""DMAs that hardware is slow at: those of short runs, and those that go through memory across its rows.

A DMA moves contiguous runs of bytes, each at a fixed cost. Below 256 bytes that cost dominates, 2 KiB is the least that
is recommended, and 4 KiB reaches full bandwidth (nki-dma-bandwidth-guide.rst); what is told here is runs below 512. A
run ends where either side has a gap, and on chip at the end of a partition.
"""

from collections.abc import Iterator

from jnki.access.access import Access
from jnki.access.buffer import Space
from jnki.analysis.finding import Finding, Severity
from jnki.isa.dma.dma_compute import DmaCompute
from jnki.isa.dma.dma_copy import DmaCopy
from jnki.isa.instruction import Instruction
from jnki.program.program import Program, instructions
from jnki.target import Target

SHORT_RUN_BYTES = 512


def check_runs(program: Program) -> Iterator[Finding]:
    """Advises of DMAs that move fewer than 512 bytes at a time, or that transpose element by element."""
    for instruction in instructions(program.body):
        if isinstance(instruction, (DmaCopy, DmaCompute)):
            across = [a for a in instruction.operands().values() if _goes_across(a)]
            if across:
                yield _transposing(instruction, across[0])
                continue
            runs = {name: run_length(a) * a.dtype.size_bytes for name, a in instruction.operands().items()}
            total_bytes = instruction.dst.size * instruction.dst.dtype.size_bytes
            if min(runs.values()) < min(SHORT_RUN_BYTES, total_bytes):
                yield _short(instruction, runs, program.target)


def run_length(access: Access) -> int:
    """How many elements follow each other without a gap, on chip within one partition."""
    buffer = access.buffer
    edge = buffer.strides[buffer.partition_axis] if buffer.space.on_chip else None
    length = 1
    for dim in reversed(access.dims):
        if dim.count == 1:
            continue
        if dim.step != length or (edge is not None and dim.step >= edge):
            break
        length *= dim.count
    return length


def _goes_across(access: Access) -> bool:
    """Whether neighbours in memory are not neighbours in the walk, which goes from row to row of memory."""
    if access.buffer.space is not Space.HBM:
        return False
    walked = [dim.step for dim in access.dims if dim.count > 1]
    return len(walked) > 1 and walked[-1] > 1 and 1 in walked[:-1]


def _short(instruction: Instruction, runs: dict[str, int], target: Target) -> Finding:
    each = ", ".join(f"{size} of {name}" for name, size in runs.items())
    return Finding(
        "dma.short_runs",
        Severity.ADVICE,
        f"{instruction.name} moves few bytes at a time",
        given=f"contiguous bytes: {each}",
        allowed=f"{target.dma_recommended_bytes_per_partition} or more at a time: wider tiles, neighbours in memory "
        "along the free axis",
        location=instruction.location,
    )


def _transposing(instruction: Instruction, access: Access) -> Finding:
    return Finding(
        "dma.transposing",
        Severity.ADVICE,
        f"{instruction.name} walks '{access.buffer.name}' across its rows: each element is moved on its own",
        given=str(access),
        allowed="dma_transpose; or a copy along the rows and nc_transpose on chip",
        location=instruction.location,
    )
