"""Taking out of a finished recording what turned out to be of no use."""

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from jnki.program.program import DeviceLoop, Loop, Node, instructions


def pruned(
    blocks: tuple[tuple[Node, ...], ...], superseded: Collection[int], read_outside: set[str]
) -> tuple[tuple[tuple[Node, ...], ...], set[str]]:
    """The blocks without superseded instructions whose tile nobody else uses, and without unread registers.

    Args:
        superseded: numbers (`id`) of instructions that were recorded again with another destination.
        read_outside: names of buffers that are read afterwards.

    Returns:
        The blocks, and the names of the buffers that they no longer have.
    """
    nodes = tuple(node for block in blocks for node in block)
    used, dead = set(read_outside), set[str]()
    for node in instructions(nodes):
        if id(node) in superseded:
            dead.update(a.buffer.name for a in node.written())
            used.update(a.buffer.name for a in node.reads())
        else:
            used.update(a.buffer.name for operand in node.operands().values() for a in operand.accesses())
    dead -= used
    idle = _unread_registers(nodes)
    return tuple(_pruned(block, superseded, dead, idle) for block in blocks), dead | idle


def _unread_registers(nodes: Any) -> set[str]:
    """Names of registers that instructions leave something in and none reads."""
    held, read = set[str](), set[str]()
    for node in instructions(nodes):
        held.update(a.buffer.name for operand, a in node.operands().items() if operand in node.registers)
        read.update(a.buffer.name for a in node.reads())
    return held - read


def _pruned(nodes: tuple[Node, ...], superseded: Collection[int], dead: set[str], idle: set[str]) -> tuple[Node, ...]:
    kept: list[Node] = []
    for node in nodes:
        if isinstance(node, (Loop, DeviceLoop)):
            buffers = tuple(b for b in node.buffers if b.name not in dead | idle)
            kept.append(replace(node, body=_pruned(node.body, superseded, dead, idle), buffers=buffers))
        elif not (id(node) in superseded and all(a.buffer.name in dead for a in node.written())):
            unused = any(a.buffer.name in idle for a in node.written())
            kept.append(node.without_registers() if unused else node)
    return tuple(kept)
