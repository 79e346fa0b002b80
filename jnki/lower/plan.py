"""The one rule by which the form of a loop is chosen.

    what the body does with a buffer from outside      how it travels
    ---------------------------------------------      ----------------------------------------
    only reads it                                      closed over
    stays in its own slab each iteration               slabs in, slabs out
    overwrites all of it before reading                made anew each iteration; the last one stays
    anything else                                      carried from iteration to iteration

A loop that carries nothing is a batch: all iterations at once, by `jax.vmap`. Otherwise, or where all iterations
together would need too much memory, or exchange something with other devices, it is a `lax.scan`. docs/lowering.md has
the measurements behind this.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from jnki.access.access import Access
from jnki.access.buffer import Buffer
from jnki.lower.slabs import Slab, accesses_in, in_slabs, overwrites, slab_of, writes_in_part
from jnki.program.program import DeviceLoop, Loop, Node, instructions, made_in

# All iterations of a batch hold their tiles at the same time.
BATCH_LIMIT_BYTES = 1 << 31


class Form(enum.Enum):
    """What a loop becomes."""

    BATCH = "vmap"
    SCAN = "scan"


@dataclass(frozen=True)
class Plan:
    """How one loop is lowered.

    Attributes:
        form: batch or scan.
        body: the body, its accesses moved into slabs.
        slabs_in: divided buffers whose old values the body needs.
        slabs_out: divided buffers that the body writes.
        carried: buffers carried from iteration to iteration.
        remade: buffers that each iteration overwrites whole.
        may_fault: whether the body can fault.
    """

    form: Form
    body: tuple[Node, ...]
    slabs_in: tuple[Slab, ...]
    slabs_out: tuple[Slab, ...]
    carried: tuple[Buffer, ...]
    remade: tuple[Buffer, ...]
    may_fault: bool


def plan(loop: Loop, form: Form | None = None, floats: Mapping[str, Any] = MappingProxyType({})) -> Plan:
    """How to lower `loop`.

    Args:
        form: asks for a form where both are possible (a batch cannot carry).
        floats: the storage types of the buffers, by name, that memory holds as floats.
    """
    accesses: dict[str, list[Access]] = {}
    for access in accesses_in(loop.body):
        accesses.setdefault(access.buffer.name, []).append(access)
    for name in made_in(loop):
        accesses.pop(name, None)
    written = {a.buffer.name for i in instructions(loop.body) for a in i.written()}

    slabs: dict[Buffer, Slab] = {}
    shared: list[Buffer] = []
    for found in accesses.values():
        # Of a tensor and its views the one that has a derivative travels; to it the others are bits.
        buffer = travelling(found, floats)
        views_floats = floats.get(buffer.name, buffer.dtype.storage) != buffer.dtype.storage
        slab = slab_of(buffer, found, loop.symbol)
        # Floats that the body only sees as bits are carried as floats: what it leaves alone keeps its derivative.
        if slab is not None and not (views_floats and buffer.name in written):
            slabs[buffer] = slab
        elif buffer.name in written:
            shared.append(buffer)
    body = in_slabs(loop.body, slabs, loop.symbol)
    slabs_out = tuple(s for b, s in slabs.items() if b.name in written)
    slabs_in = tuple(s for s in slabs.values() if s not in slabs_out or not overwrites(body, s.part))
    remade = tuple(b for b in shared if overwrites(body, b))
    carried = tuple(b for b in shared if b not in remade)
    may_fault = any(i.may_fault for i in instructions(body))
    # Batched, such a slab is a reshaped buffer that XLA updates in place while it still reads what the buffer held.
    in_part = any(s in slabs_out and writes_in_part(body, s.part) for s in slabs_in)
    return Plan(
        form=Form.SCAN if in_part else _form(loop, body, carried, remade, form),
        body=body,
        slabs_in=slabs_in,
        slabs_out=slabs_out,
        carried=carried,
        remade=remade,
        may_fault=may_fault,
    )


def travelling(found: list[Access], floats: Mapping[str, Any]) -> Buffer:
    """Of a tensor and its views the one as which memory holds it, or else one of floats."""
    held = (a.buffer for a in found if a.dtype.storage == floats.get(a.buffer.name))
    return next(held, next((a.buffer for a in found if a.dtype.is_float), found[0].buffer))


def _form(
    loop: Loop, body: tuple[Node, ...], carried: tuple[Buffer, ...], remade: tuple[Buffer, ...], asked: Form | None
) -> Form:
    if carried or any(i.has_side_effect or i.crosses_devices for i in instructions(body)):
        return Form.SCAN
    if asked is not None:
        return asked
    if _moves_elsewhere(loop, body):
        return Form.SCAN
    in_one_iteration = _local_bytes(loop) + sum(b.size_bytes for b in remade)
    return Form.BATCH if loop.symbol.trips * in_one_iteration <= BATCH_LIMIT_BYTES else Form.SCAN


def _moves_elsewhere(loop: Loop, body: tuple[Node, ...]) -> bool:
    """Whether an address outside of all slabs depends on the index: batched, its slice would become a gather."""
    return any(loop.symbol in access.offset.symbols for access in accesses_in(body))


def _local_bytes(loop: Loop | DeviceLoop) -> int:
    # A loop on the device holds the tensors of one iteration at a time.
    inner = sum(n.symbol.trips * _local_bytes(n) for n in loop.body if isinstance(n, Loop))
    inner += sum(_local_bytes(n) for n in loop.body if isinstance(n, DeviceLoop))
    return sum(b.size_bytes for b in loop.buffers) + inner
