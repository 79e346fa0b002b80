"""Operands that start as far on as a register, or one element of SBUF, says: what every instruction does with them.

An instruction is written for operands whose places are known. One with a scalar offset is run as the same instruction
on a direct operand that starts at a symbol, and the symbol has the value of the offset:

    tensor_copy(src=x(0 + 64*at(reg): ...))     is     tensor_copy(src=x(64*s: ...)) with s = reg

Where an offset leaves its axis, that is a fault, and the instruction does nothing at all. Reads and writes are then
slices that move, as those of a loop index are.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp

from jnki.access.access import Access, Indirect
from jnki.access.affine import Affine, Symbol
from jnki.access.coordinates import coordinates
from jnki.errors import not_modelled
from jnki.isa.operands import row_indices
from jnki.memory import DeviceMemory, Loops
from jnki.memory.bits import chosen
from jnki.memory.fault import Fault
from jnki.memory.row_faults import Rows
from jnki.memory.rows import rows_in_bounds
from jnki.memory.sites import NO_SITE, intern

Execute = Callable[[Any, DeviceMemory, Loops], DeviceMemory]


def run_with_offsets(instruction: Any, execute: Execute, memory: DeviceMemory, at: Loops) -> DeviceMemory:
    """Memory after `instruction`, at least one operand of which is indirect.

    Args:
        execute: what runs an instruction of this class whose operands are direct.
    """
    if instruction.mask is not None:
        raise not_modelled(f"a mask on '{instruction.name}' with a dynamic offset")
    moved = {name: access for name, access in instruction.operands().items() if access.indirect is not None}
    direct: dict[str, Any] = {}
    faults: list[Fault] = []
    inside: Any = True
    here = at
    for name, access in moved.items():
        offset = _offset(memory, access, at)
        symbol, trips_are_known = _symbol(access, f"offset of {name}")
        if trips_are_known:
            valid = (offset >= 0) & (offset < symbol.trips)
        else:
            valid = jnp.all(rows_in_bounds(access, offset[None], at))
        faults.append(_fault(instruction, name, access, offset, valid, at))
        inside = inside & valid
        # At index 0 all of the pattern is inside: a fault reads something, and nobody sees it.
        here = here.at_offset(symbol, jnp.where(valid, offset, 0))
        direct[name] = _started(access, symbol)
    done = execute(replace(instruction, **direct), memory, here)
    arrays = {a.buffer: _chosen(inside, memory, done, a) for a in instruction.written()}
    fault = memory.fault
    for found in (*faults, done.fault):
        fault = fault.or_else(found)
    return done.replacing(arrays).with_fault(fault)


def _offset(memory: DeviceMemory, access: Access, at: Loops) -> jax.Array:
    rows = row_indices(memory, access, at)
    assert rows is not None
    return rows[0]


def _fault(instruction: Any, name: str, access: Access, offset: jax.Array, valid: jax.Array, at: Loops) -> Fault:
    """The fault of an offset that is out of bounds: the same for all rows, and told of the first."""
    rows = Rows(instruction.name, name, access, offset, valid, instruction.location, instruction.unrolled)
    site, zero = intern(rows.site(at)), jnp.int32(0)
    return Fault(
        site=jnp.where(valid, jnp.int32(NO_SITE), jnp.int32(site)),
        row=zero,
        index=jnp.where(valid, zero, offset),
        iteration=jnp.where(valid, zero, at.iteration()),
    )


def _symbol(access: Access, name: str) -> tuple[Symbol, bool]:
    """A symbol for the offset, which counts the places from which the pattern stays on its axis; whether it does so.

    Where loop indices move the start, or the pattern carries from one axis into the next, each iteration has others,
    and the symbol counts all of the axis.
    """
    indirect = access.indirect
    assert indirect is not None
    if not indirect.walks_axis:
        return Symbol(name, indirect.size), True
    bounds = [index.bounds(access.shape) for index in coordinates(access)]
    carries = any(low < 0 or high >= size for (low, high), size in zip(bounds, access.buffer.shape))
    if carries or coordinates(access)[indirect.axis].start.terms:
        return Symbol(name, indirect.size), False
    return Symbol(name, indirect.size - bounds[indirect.axis][1]), True


def _started(access: Access, symbol: Symbol) -> Access:
    indirect: Indirect | None = access.indirect
    assert indirect is not None
    offset = access.offset + Affine.of(symbol) * indirect.step
    return Access(access.buffer, offset, access.dims, None, access.unchecked, access.blocks)


def _chosen(inside: Any, before: DeviceMemory, after: DeviceMemory, access: Access) -> jax.Array:
    """What a written buffer holds in the end: what it held before, where an offset was out of bounds."""
    new = after.as_held(access.buffer)
    old = before.as_held(access.buffer).reshape(new.shape)
    return chosen(inside, new, old)
