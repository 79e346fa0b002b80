"""Registers whose value is known: in a loop on the device between integers, the index is as good as any loop's.

    for i0 in 4:                                          for i0 in 4:
      i = register_move(src=128*i0)              is
      t = dma_copy(src=x(0 + 512*at(i): ...))               t = dma_copy(src=x(65536*i0: ...))

Then iterations have slabs, batches and derivatives as in any other loop (`plan.py`). Where the index can leave the axis
the register stays, and so does the fault.
"""

from dataclasses import replace
from functools import lru_cache

from jnki.access.access import Access
from jnki.access.affine import Affine
from jnki.access.coordinates import coordinates
from jnki.access.index import IndexValue
from jnki.isa.registers.register_move import RegisterMove
from jnki.lower.slabs import accesses_in
from jnki.program.program import DeviceLoop, Loop, LoopKind, Node, instructions


@lru_cache(maxsize=1024)
def with_known_registers(loop: Loop) -> Loop:
    """The loop with its index in place of the register that holds it, wherever it may take it."""
    if loop.kind is not LoopKind.DEVICE:
        return loop
    first, *rest = loop.body
    if not isinstance(first, RegisterMove) or not isinstance(first.src, IndexValue):
        return loop
    register, value = first.dst, first.src.base
    if any(a.buffer == register.buffer for i in instructions(tuple(rest)) for a in i.written()):
        return loop
    body = tuple(_known(node, register, value) for node in rest)
    if any(access.buffer == register.buffer for access in accesses_in(body)):
        return replace(loop, body=(first, *body))
    return replace(loop, body=body, buffers=tuple(b for b in loop.buffers if b != register.buffer))


def _known(node: Node, register: Access, value: Affine) -> Node:
    def direct(access: Access) -> Access:
        indirect = access.indirect
        if indirect is None or indirect.index != register or not _stays_inside(access, value):
            return access
        return replace(access, offset=access.offset + value * indirect.step, indirect=None)

    if isinstance(node, (Loop, DeviceLoop)):
        return replace(node, body=tuple(_known(inner, register, value) for inner in node.body))
    return node.map_accesses(direct)


def _stays_inside(access: Access, value: Affine) -> bool:
    """Whether all elements stay on the axis for each value of the index, and so none is a fault or is skipped."""
    indirect = access.indirect
    assert indirect is not None
    low, high = value.bounds()
    if indirect.walks_axis:
        # Where the pattern carries from one axis into the next, who knows.
        if any(min(i.bounds(access.shape)) < 0 for i in coordinates(access)):
            return False
        for axis, (index, size) in enumerate(zip(coordinates(access), access.buffer.shape)):
            if axis != indirect.axis and index.bounds(access.shape)[1] >= size:
                return False
        own = coordinates(access)[indirect.axis].bounds(access.shape)
        low, high = low + min(0, own[0]), high + max(0, own[1])
    return low >= 0 and high < indirect.size and not access.unchecked
