"""The report of a program: what its DMAs move, what its engines do, and how long all of it takes at least."""

from collections import Counter
from dataclasses import dataclass

from jnki.costs.counted import with_times
from jnki.costs.cycles import ENGINES, Basis, clock_ghz, cost
from jnki.costs.transfers import Transfer, transfers
from jnki.program.program import Program
from jnki.target import Target

_SHOWN = 20


@dataclass(frozen=True)
class Term:
    """One lower bound of the time of a kernel.

    Attributes:
        name: what takes that long.
        ns: how long, at least; None where nothing is published.
        basis: where the number comes from.
        source: the numbers it is made of.
    """

    name: str
    ns: float | None
    basis: Basis
    source: str

    def __str__(self) -> str:
        time = "unknown" if self.ns is None else f"{self.ns:,.0f} ns"
        return f"{self.name:<22} {time:>16}  {self.basis.value}: {self.source}"


@dataclass(frozen=True)
class Report:
    """What a kernel costs at least, for one set of shapes.

    Attributes:
        kernel, target: names.
        transfers: its DMAs, in the order of the program.
        tensors: by `memory:name`, bytes that DMAs read there and write there.
        terms: lower bounds; the kernel takes at least as long as the longest one.
    """

    kernel: str
    target: str
    transfers: tuple[Transfer, ...]
    tensors: tuple[tuple[str, int, int], ...]
    terms: tuple[Term, ...]

    @property
    def bound_ns(self) -> float:
        """The longest term: what runs side by side may overlap, and nothing is shorter than its longest part."""
        return max((term.ns for term in self.terms if term.ns is not None), default=0.0)

    @property
    def bound_by(self) -> str:
        """The name of the longest term."""
        return max((term for term in self.terms if term.ns is not None), key=lambda term: term.ns or 0).name

    def __str__(self) -> str:
        lines = [f"kernel {self.kernel} on {self.target}: a lower bound of its time, and no prediction"]
        lines += [f"  {term}" for term in self.terms]
        lines.append(f"  at least {self.bound_ns:,.0f} ns, by {self.bound_by}")
        if self.transfers:
            lines += ["", f"  {'bytes':>12} {'times':>6} {'descriptors':>11} {'run':>7}  DMA"]
            by_size = sorted(self.transfers, key=lambda t: -(t.total_bytes or t.moved_bytes))
            lines += [f"  {_row(transfer)}" for transfer in by_size[:_SHOWN]]
            if len(by_size) > _SHOWN:
                lines.append(f"  and {len(by_size) - _SHOWN} smaller ones")
            lines += ["", f"  {'read':>12} {'written':>12}  tensor"]
            lines += [f"  {read:>12,} {written:>12,}  {name}" for name, read, written in self.tensors]
        return "\n".join(lines)


def report(program: Program) -> Report:
    """What a program costs at least. What runs an unknown number of times counts as if it did not run."""
    moves = transfers(program)
    read: Counter[str] = Counter()
    written: Counter[str] = Counter()
    for move in moves:
        written[move.destination] += move.written_bytes * (move.times or 0)
        for source, size_bytes in move.reads:
            read[source] += size_bytes * (move.times or 0)
    names = sorted(read | written, key=lambda name: -(read[name] + written[name]))
    return Report(
        program.name,
        program.target.name,
        moves,
        tuple((name, read[name], written[name]) for name in names),
        (*_dma_terms(moves, program.target), *_engine_terms(program)),
    )


def _dma_terms(moves: tuple[Transfer, ...], target: Target) -> list[Term]:
    certain = [move for move in moves if not move.is_most]
    moved = sum(move.total_bytes for move in certain)
    in_hbm = sum(move.hbm_bytes * (move.times or 0) for move in certain)
    each, number = target.dma_engine_theoretical_bandwidth_bytes_per_ns, target.dma_engine_count
    hbm = target.device_hbm_bandwidth_bytes_per_ns
    terms = [
        Term("DMA engines", moved / (number * each), Basis.DERIVED, f"{moved:,} bytes at {number} x {each} B/ns"),
        Term("HBM", in_hbm / hbm, Basis.DERIVED, f"{in_hbm:,} bytes at {hbm} B/ns of the whole device"),
    ]
    by_mode: Counter[str] = Counter()
    for move in moves:
        if move.dge is not None:
            by_mode[move.dge[0]] += move.times or 0
    if by_mode["hwdge"]:
        terms.append(_hwdge(by_mode["hwdge"], target))
    if software := by_mode["swdge"]:
        source = f"{software:,} DMAs; their cost is not published"
        terms.append(Term("software descriptors", None, Basis.UNKNOWN, source))
    return terms


def _hwdge(number: int, target: Target) -> Term:
    each, units = target.hwdge_instruction_ns, target.hwdge_count
    if each is None or units is None:
        return Term("hardware descriptors", None, Basis.UNKNOWN, f"{number:,} DMAs; not published for {target.name}")
    source = f"{number:,} DMAs of about {each} ns on {units} units"
    return Term("hardware descriptors", number * each / units, Basis.DOCUMENTED, source)


def _engine_terms(program: Program) -> list[Term]:
    cycles: dict[str, float] = dict.fromkeys(ENGINES, 0.0)
    number: Counter[str] = Counter()
    unknown: Counter[str] = Counter()
    derived: set[str] = set()
    for instruction, times in with_times(program.body):
        found = cost(instruction, program.target)
        if found is None:
            continue
        number[found.engine] += times or 0
        if found.cycles is None or instruction.mask is not None:
            unknown[found.engine] += times or 0
            continue
        cycles[found.engine] += found.cycles * (times or 0)
        if found.basis is Basis.DERIVED:
            derived.add(found.engine)
    terms = []
    for engine in ENGINES:
        if number[engine]:
            ghz = clock_ghz(engine, program.target)
            source = f"{cycles[engine]:,.0f} cycles at {ghz} GHz, {number[engine]:,} instructions"
            if unknown[engine]:
                source += f", {unknown[engine]:,} of them unknown or masked"
            basis = Basis.DERIVED if engine in derived else Basis.DOCUMENTED
            terms.append(Term(f"{engine} engine", cycles[engine] / ghz, basis, source))
    return terms


def _row(move: Transfer) -> str:
    line = f"  {move.location.short()}" if move.location is not None else ""
    times = "?" if move.times is None else f"{move.times:,}"
    pieces = "-" if move.descriptors is None else f"{move.descriptors:,}"
    run = min(move.source_run_bytes, move.destination_run_bytes)
    size = move.total_bytes if move.times is not None else move.moved_bytes
    least = "<=" if move.is_most else ""
    dge = f", {move.dge[0]}: {move.dge[1]}" if move.dge is not None else ""
    what = f"{', '.join(move.sources)} -> {move.destination}{dge}"
    return f"{least + f'{size:,}':>12} {times:>6} {pieces:>11} {run:>7}{line}  {what}"
