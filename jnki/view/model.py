"""What the page shows of a program, as plain data. The page draws it, and decides nothing."""

import itertools
import linecache
from collections.abc import Iterator
from typing import Any

from jnki.access.access import Access
from jnki.access.affine import Affine, Symbol
from jnki.access.buffer import Buffer
from jnki.analysis.check import check
from jnki.analysis.occupancy import Occupancy, occupancy
from jnki.costs.report import report
from jnki.costs.transfers import Transfer
from jnki.isa.instruction import Instruction
from jnki.program.program import Loop, Node, Program, instructions

# Lines of source around those that instructions stand in.
_AROUND = 3


def model(program: Program) -> dict[str, Any]:
    """A program as the page has it."""
    costs = report(program)
    return {
        "kernel": program.name,
        "target": program.target.name,
        "lines": list(_lines(program.body, 0, (), itertools.count())),
        "tensors": {buffer.name: _tensor(buffer, program) for buffer in _buffers(program)},
        "source": _source(program),
        "memories": [_memory(one) for one in occupancy(program)],
        "transfers": [_transfer(t) for t in sorted(costs.transfers, key=lambda t: -(t.total_bytes or t.moved_bytes))],
        "terms": [str(term) for term in costs.terms],
        "findings": [{"severity": str(f.severity), "text": str(f), **_place(f.location)} for f in check(program)],
    }


def _lines(
    nodes: tuple[Node, ...], depth: int, loops: tuple[Symbol, ...], positions: Iterator[int]
) -> Iterator[dict[str, Any]]:
    """The lines of the listing, loops in front of their bodies; those of instructions are counted, as lifetimes are."""
    for node in nodes:
        if isinstance(node, Instruction):
            yield {
                "depth": depth,
                "text": node.listing(),
                **_place(node.location),
                "loops": [{"name": symbol.name, "trips": symbol.trips} for symbol in loops],
                "accesses": list(_accesses(node)),
                "masked": node.mask is not None,
                "position": next(positions),
            }
            continue
        is_loop = isinstance(node, Loop)
        yield {
            "depth": depth,
            "text": f"for {node.symbol} in {node.symbol.trips}:"
            if isinstance(node, Loop)
            else f"{node.head.listing()}:",
            **_place(node.location),
            "loops": [],
            "accesses": [],
            "masked": False,
            "position": None if is_loop else next(positions),
        }
        # How often a loop on the device runs is known at run time: its index is no index of an access.
        inner = (*loops, node.symbol) if is_loop else loops
        yield from _lines(node.body, depth + 1, inner, positions)


def _accesses(instruction: Instruction) -> Iterator[dict[str, Any]]:
    for name, operand in instruction.operands().items():
        for number, access in enumerate(operand.accesses()):
            yield {
                "operand": name if number == 0 else f"{name}'s index",
                "tensor": access.buffer.name,
                "writes": name in instruction.writes and number == 0,
                "offset": _affine(access.offset),
                "dims": [[dim.step, dim.count] for dim in access.dims],
                "indirect": None if access.indirect is None else _indirect(access),
            }


def _indirect(access: Access) -> dict[str, Any]:
    assert access.indirect is not None
    return {"step": access.indirect.step, "index": access.indirect.index.buffer.name}


def _affine(value: Affine) -> dict[str, Any]:
    return {"constant": value.constant, "terms": {symbol.name: k for symbol, k in value.terms}}


def _buffers(program: Program) -> Iterator[Buffer]:
    """Every tensor once, as it is first seen."""
    seen: set[str] = set()
    for instruction in instructions(program.body):
        for operand in instruction.operands().values():
            for access in operand.accesses():
                if access.buffer.name not in seen:
                    seen.add(access.buffer.name)
                    yield access.buffer


def _tensor(buffer: Buffer, program: Program) -> dict[str, Any]:
    """A tensor as a plane: on chip a partition is a row, in HBM the last axis is."""
    axis = buffer.partition_axis
    columns = buffer.strides[axis] if buffer.space.on_chip else buffer.shape[-1] if buffer.shape else 1
    parameters = {p.buffer.name for p in program.parameters}
    outputs = {a.buffer.name for a in program.outputs}
    role = "in" if buffer.name in parameters else "out" if buffer.name in outputs else ""
    return {
        "space": str(buffer.space),
        "shape": list(buffer.shape),
        "dtype": str(buffer.dtype),
        "columns": max(columns, 1),
        "rows": max(buffer.size // max(columns, 1), 1),
        "role": role,
    }


def _source(program: Program) -> dict[str, dict[int, str]]:
    """The lines of the user's files that instructions stand in, and those around them."""
    wanted: dict[str, set[int]] = {}
    for instruction in instructions(program.body):
        if (at := instruction.location) is not None:
            wanted.setdefault(at.file, set()).update(range(max(1, at.line - _AROUND), at.line + _AROUND + 1))
    found: dict[str, dict[int, str]] = {}
    for file, numbers in wanted.items():
        lines = {number: linecache.getline(file, number).rstrip("\n") for number in sorted(numbers)}
        end = len(linecache.getlines(file))
        found[file] = {number: text for number, text in lines.items() if number <= end}
    return found


def _memory(one: Occupancy) -> dict[str, Any]:
    return {
        "space": str(one.space),
        "core": one.core,
        "limit": one.limit_bytes,
        "used": list(one.used_bytes),
        "peak": one.peak,
        "lifetimes": [[life.buffer.name, life.first, life.last, life.size_bytes] for life in one.lifetimes],
    }


def _transfer(move: Transfer) -> dict[str, Any]:
    return {
        **_place(move.location),
        "bytes": move.moved_bytes if move.times is None else move.total_bytes,
        "times": move.times,
        "most": move.is_most,
        "descriptors": move.descriptors,
        "run": min(move.source_run_bytes, move.destination_run_bytes),
        "what": f"{', '.join(move.sources)} \u2192 {move.destination}",
        "dge": "" if move.dge is None else f"{move.dge[0]}: {move.dge[1]}",
    }


def _place(at: Any) -> dict[str, Any]:
    return {"file": None, "line": None} if at is None else {"file": at.file, "line": at.line}
