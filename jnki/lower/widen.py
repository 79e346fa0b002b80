"""Loops that only accumulate over partitions: all iterations as one, on tiles with more partitions.

    for k in 16:                                    a = x[0 : 16*128]          one tile of 2048 partitions
        a = x[k*128 : (k+1)*128]        becomes     b = y[0 : 16*128]
        b = y[k*128 : (k+1)*128]                    acc += sum over partitions of a * b
        acc += sum over partitions of a * b

A sum over 128 partitions, 16 times, is a sum over 2048 of them. The hardware has no such tile; XLA does, and makes one
contraction of it, forwards and backwards. It takes iterations that continue each other: each operand of iteration
k + 1 starts where that of iteration k ends, on the partition axis, and every instruction but the last kind works
partition by partition.
"""

from dataclasses import replace

from jnki.access.access import Access, Dim
from jnki.access.affine import Symbol
from jnki.access.buffer import Buffer
from jnki.dtypes import float32
from jnki.isa.instruction import Instruction
from jnki.program.program import Loop, Node


def widened(loop: Loop) -> tuple[Instruction, ...] | None:
    """The loop as one pass over wider tiles, or None where its iterations do not continue each other."""
    body = straight(loop.body)
    if body is None or not any(i.sums_partitions for i in body):
        return None
    local = {b.name: b for b in loop.buffers}
    sums = {i.written()[0].buffer.name for i in body if i.sums_partitions}
    if any(b.partition_axis for b in loop.buffers):
        return None
    if not all(_continues(i, loop.symbol, local, sums) for i in body):
        return None
    if any(a.buffer.name in sums for i in body if not i.sums_partitions for a in (*i.reads(), *i.written())):
        return None
    trips = loop.symbol.trips
    return tuple(i.map_accesses(lambda a: _wider(a, loop.symbol, trips, local, sums)) for i in body)


def straight(nodes: tuple[Node, ...]) -> tuple[Instruction, ...] | None:
    """The nodes, where all of them are instructions."""
    instructions = tuple(n for n in nodes if isinstance(n, Instruction))
    return instructions if len(instructions) == len(nodes) else None


def _continues(instruction: Instruction, symbol: Symbol, local: dict[str, Buffer], sums: set[str]) -> bool:
    by_partition = instruction.shared_dims in ("all", "partition")
    if instruction.mask is not None or instruction.has_side_effect or not (instruction.sums_partitions or by_partition):
        return False
    written = instruction.written()
    for access in instruction.operands().values():
        is_sum = instruction.sums_partitions and access in written
        if access.indirect is not None or not access.dims:
            return False
        if is_sum:
            fixed = symbol not in access.offset.symbols and access.buffer.name not in local
            if not fixed or access.dtype != float32:
                return False
        elif access.buffer.name in local:
            rows = access.dims[0]
            if rows.count != access.buffer.shape[0] or rows.step != access.buffer.strides[0] or access.offset.terms:
                return False
        else:
            rows = access.dims[0]
            if access in written or access.offset.coefficient(symbol) != rows.step * rows.count or rows.step == 0:
                return False
    counts = {a.dims[0].count for a in instruction.operands().values() if a.buffer.name not in sums}
    return len(counts) == 1


def _wider(access: Access, symbol: Symbol, trips: int, local: dict[str, Buffer], sums: set[str]) -> Access:
    if access.buffer.name in sums:
        return access
    rows, *rest = access.dims
    buffer = access.buffer
    if buffer.name in local:
        buffer = replace(buffer, shape=(buffer.shape[0] * trips, *buffer.shape[1:]))
    return Access(buffer, access.offset.without(symbol), (Dim(rows.step, rows.count * trips), *rest))
