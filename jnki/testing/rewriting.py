"""Recordings rewritten: the same kernel with one thing wrong, other contents of unwritten memory, or another order."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from jnki.access.access import Access, Dim
from jnki.access.affine import Affine
from jnki.access.buffer import Buffer, Space
from jnki.dtypes import bool_
from jnki.isa.dma.dma_copy import DmaCopy
from jnki.isa.enums import oob_mode
from jnki.isa.instruction import Instruction
from jnki.isa.vector.memset import Memset
from jnki.lower.lowering import lower_program
from jnki.memory import Fault
from jnki.program.program import DeviceLoop, Loop, LoopKind, Node, Program
from jnki.record.merge import merged

_LOOPS = (Loop, DeviceLoop)

Run = Callable[..., tuple[Any, Fault]]


def runner(program: Program) -> Run:
    """From the arguments of the kernel to its outputs, flat, and its fault."""
    lowered = lower_program(program)

    def run(*args: Any) -> tuple[Any, Fault]:
        arrays = [leaf for leaf in jax.tree.leaves(args) if hasattr(leaf, "dtype") and np.ndim(leaf)]
        if len(arrays) != len(program.parameters):
            raise NotImplementedError("jnki does not rewrite recordings of kernels with array defaults yet")
        return lowered(*arrays)

    return run


def with_body(program: Program, body: tuple[Node, ...]) -> Program:
    return dataclasses.replace(program, body=body)


def changed(nodes: tuple[Node, ...], change: Callable[[Instruction], Instruction]) -> tuple[Node, ...]:
    """The nodes with each instruction replaced, in loops too."""
    return tuple(
        dataclasses.replace(n, body=changed(n.body, change)) if isinstance(n, _LOOPS) else change(n) for n in nodes
    )


def locations(nodes: tuple[Node, ...], which: Callable[[Instruction], bool]) -> list[Instruction]:
    found: list[Instruction] = []
    for node in nodes:
        if isinstance(node, _LOOPS):
            found += locations(node.body, which)
        elif which(node):
            found.append(node)
    return found


# Mutants.


def is_indirect(node: Instruction) -> bool:
    return any(a.indirect is not None for a in node.operands().values())


def index_off_by_one(node: Instruction) -> Instruction:
    """Each row that is named is the next one."""
    changes: dict[str, Any] = {}
    for name, access in node.operands().items():
        if access.indirect is not None:
            changes[name] = dataclasses.replace(access, offset=access.offset + access.indirect.step)
    return dataclasses.replace(node, **changes) if changes else node


def flipped_oob(node: Instruction) -> Instruction:
    if not isinstance(node, DmaCopy) or not node.is_indirect or node.add:
        return node
    other = oob_mode.skip if node.oob_mode is oob_mode.error else oob_mode.error
    return dataclasses.replace(node, oob_mode=other)


def written_instead(node: Instruction) -> Instruction:
    """An accumulation that overwrites."""
    return dataclasses.replace(node, add=False) if isinstance(node, DmaCopy) and node.add else node


def scatters(node: Instruction) -> bool:
    return isinstance(node, DmaCopy) and node.dst.indirect is not None and not node.add and node.mask is None


def first_wins(node: Instruction) -> Instruction:
    """A scatter whose rows are written from the last to the first."""
    if not isinstance(node, DmaCopy) or not scatters(node):
        return node
    return dataclasses.replace(node, dst=_backwards(node.dst), src=_backwards(node.src))


def _backwards(access: Access) -> Access:
    first, *rest = access.dims
    indirect = access.indirect
    if indirect is not None:
        indirect = dataclasses.replace(indirect, index=_backwards(indirect.index))
    offset = access.offset + first.step * (first.count - 1)
    return dataclasses.replace(access, offset=offset, dims=(Dim(-first.step, first.count), *rest), indirect=indirect)


def without_last_write(program: Program) -> tuple[Program, Instruction] | None:
    """The program whose last write to an output is left out: in a loop, that of the last iteration."""
    outputs = {a.buffer.name for a in program.outputs}

    def cut(nodes: tuple[Node, ...]) -> tuple[tuple[Node, ...], Instruction] | None:
        for place in range(len(nodes) - 1, -1, -1):
            node = nodes[place]
            if isinstance(node, Loop):
                inner = locations(node.body, lambda n: any(a.buffer.name in outputs for a in n.written()))
                if inner and node.symbol.trips > 1:
                    shorter = dataclasses.replace(node.symbol, trips=node.symbol.trips - 1)
                    body = tuple(_substituted(n, node.symbol, Affine.of(shorter)) for n in node.body)
                    loop = dataclasses.replace(node, symbol=shorter, body=body)
                    return (*nodes[:place], loop, *nodes[place + 1 :]), inner[-1]
                if inner and (found := cut(node.body)) is not None:
                    return (*nodes[:place], dataclasses.replace(node, body=found[0]), *nodes[place + 1 :]), found[1]
            elif isinstance(node, DeviceLoop):
                # How often it runs nobody knows: none of its iterations makes that write.
                if (found := cut(node.body)) is not None:
                    return (*nodes[:place], dataclasses.replace(node, body=found[0]), *nodes[place + 1 :]), found[1]
            elif any(a.buffer.name in outputs for a in node.written()):
                return (*nodes[:place], *nodes[place + 1 :]), node
        return None

    found = cut(program.body)
    return None if found is None else (with_body(program, found[0]), found[1])


def _substituted(node: Node, symbol: Any, value: Affine) -> Node:
    if isinstance(node, _LOOPS):
        return dataclasses.replace(node, body=tuple(_substituted(n, symbol, value) for n in node.body))
    return node.substitute(symbol, value)


# Unwritten memory.


def buffers_of(program: Program) -> list[Buffer]:
    """All buffers that the kernel makes."""

    def inside(nodes: tuple[Node, ...]) -> list[Buffer]:
        return [b for n in nodes if isinstance(n, _LOOPS) for b in (*n.buffers, *inside(n.body))]

    return [*program.buffers, *inside(program.body)]


def filled(program: Program, names: set[str]) -> Program:
    """The program in which these buffers hold another pattern before anything is written: 3, zero bits or False."""

    def sets(buffers: tuple[Buffer, ...]) -> list[Node]:
        return [Memset(dst=Access.whole(b), value=_pattern(b)) for b in buffers if b.name in names and _is_tensor(b)]

    def inside(nodes: tuple[Node, ...]) -> tuple[Node, ...]:
        return tuple(
            dataclasses.replace(n, body=(*sets(n.buffers), *inside(n.body))) if isinstance(n, _LOOPS) else n
            for n in nodes
        )

    return with_body(program, (*sets(program.buffers), *inside(program.body)))


def _is_tensor(buffer: Buffer) -> bool:
    """Whether it has elements; a register is read only where something was written to it."""
    return buffer.size > 0 and buffer.space is not Space.REGISTER


def _pattern(buffer: Buffer) -> float | int | bool:
    if buffer.dtype == bool_:
        return False
    return 3.0 if buffer.dtype.is_float else 0


# Orders.


def parallel_loops(nodes: tuple[Node, ...]) -> list[Loop]:
    """Loops whose iterations may run in any order."""
    found: list[Loop] = []
    for node in nodes:
        if isinstance(node, Loop):
            if node.kind in (LoopKind.AFFINE, LoopKind.GRID) and node.symbol.trips > 1:
                found.append(node)
            found += parallel_loops(node.body)
        elif isinstance(node, DeviceLoop):
            found += parallel_loops(node.body)
    return found


def other_core_first(program: Program) -> Program:
    """The program of two cores in which core 1 comes first wherever they do not wait for each other."""
    before, *cores = program.cores
    return with_body(program, (*before, *merged(tuple(reversed(cores)), program.target, in_step=False)))


def reversed_loops(nodes: tuple[Node, ...], which: set[str]) -> tuple[Node, ...]:
    """The nodes with the iterations of the loops of these names from the last to the first."""
    made: list[Node] = []
    for node in nodes:
        if isinstance(node, Loop):
            body = reversed_loops(node.body, which)
            if node.symbol.name in which:
                back = Affine.of(node.symbol.trips - 1) - Affine.of(node.symbol)
                body = tuple(_substituted(n, node.symbol, back) for n in body)
            made.append(dataclasses.replace(node, body=body))
        elif isinstance(node, DeviceLoop):
            made.append(dataclasses.replace(node, body=reversed_loops(node.body, which)))
        else:
            made.append(node)
    return tuple(made)
