"""DMAs whose result hangs on an order that hardware does not promise (clauses C17 to C20).

dst[rows] = src        of rows that repeat, the last wins here (C18); added up, they are summed in order (C17)
x[1:9] = x[0:8]        all reads come before all writes here (C19)
"""

from collections.abc import Iterator

from jnki.access.access import Access
from jnki.access.affine import Symbol
from jnki.analysis.finding import Finding, Severity
from jnki.analysis.meeting import meeting
from jnki.analysis.verdict import Use, Verdict
from jnki.isa.dma.dma_compute import DmaCompute
from jnki.isa.dma.dma_copy import DmaCopy
from jnki.isa.dma.dma_transpose import DmaTranspose
from jnki.isa.gpsimd.iota import Iota
from jnki.isa.instruction import Instruction
from jnki.program.program import Program, instructions, with_loops

# The question that `meeting` answers, of two iterations of a loop, asked of the two sides of a copy.
_SIDE = Symbol("side", 2)


def check_repeats(program: Program) -> Iterator[Finding]:
    """Advises of rows that may be written twice, and warns of copies that write where they read."""
    counted = _counted(program)
    for instruction, loops in with_loops(program.body):
        if not isinstance(instruction, (DmaCopy, DmaCompute, DmaTranspose)):
            continue
        rows = instruction.dst.indirect
        if rows is not None and rows.is_vector and rows.index.buffer.name not in counted:
            yield _may_repeat(instruction, rows.index)
        for name, access in instruction.operands().items():
            if name not in instruction.writes and access.buffer.name == instruction.dst.buffer.name:
                yield from _overlap(instruction, access, frozenset(loop.symbol for loop in loops))


def _counted(program: Program) -> set[str]:
    """Index tiles that nothing but one `iota` writes, no two elements alike."""
    writers: dict[str, list[Instruction]] = {}
    for instruction in instructions(program.body):
        for access in instruction.written():
            writers.setdefault(access.buffer.name, []).append(instruction)
    return {name for name, (first, *others) in writers.items() if not others and _tells_apart(first)}


def _tells_apart(instruction: Instruction) -> bool:
    if not isinstance(instruction, Iota) or instruction.mask is not None or not instruction.dst.is_whole:
        return False
    steps = sorted((abs(step), n) for step, n in zip(instruction.expr.steps, instruction.expr.shape) if n > 1)
    reach = 0
    for step, count in steps:
        if step <= reach:
            return False
        reach += step * (count - 1)
    return True


def _may_repeat(instruction: Instruction, index: Access) -> Finding:
    is_added = instruction.reads_destination
    return Finding(
        "dma.repeated_rows_added" if is_added else "dma.repeated_rows",
        Severity.ADVICE,
        f"{instruction.name} writes rows that '{index.buffer.name}' names, and it may name one twice",
        given="they are summed in order here, and rounded once" if is_added else "the last one wins here",
        allowed="rows that differ; kernel.with_findings(...) counts those of given arguments that do not",
        location=instruction.location,
    )


def _overlap(instruction: Instruction, src: Access, around: frozenset[Symbol]) -> Iterator[Finding]:
    (dst,) = instruction.written()
    if src == dst and not isinstance(instruction, DmaTranspose):
        return  # each element comes from its own place
    met = meeting(_SIDE, Use(instruction, dst, True, False), Use(instruction, src, False, False), around)
    if met.verdict is Verdict.DISJOINT:
        return
    is_certain = met.verdict is Verdict.CLASH
    where = f" at {list(met.location)}" if met.location is not None else ""
    yield Finding(
        "dma.overlap",
        Severity.WARNING if is_certain else Severity.ADVICE,
        f"{instruction.name} {'writes' if is_certain else 'may write'} tensor '{dst.buffer.name}' where it reads it",
        given=f"{dst} and {src} {'meet' if is_certain else 'may meet'}{where}",
        allowed="places apart, or a copy in between: here, all reads come before all writes",
        location=instruction.location,
    )
