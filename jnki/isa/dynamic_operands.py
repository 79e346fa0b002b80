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
from jnki.access.affine import ZERO, Affine, Symbol
from jnki.access.coordinates import coordinates
from jnki.errors import not_modelled
from jnki.isa.operands import row_indices
from jnki.memory import DeviceMemory, Loops
from jnki.memory.bits import chosen
from jnki.memory.row_faults import Rows, first_fault
from jnki.memory.rows import rows_in_bounds

Execute = Callable[[Any, DeviceMemory, Loops], DeviceMemory]


def run_with_offsets(instruction: Any, execute: Execute, memory: DeviceMemory, at: Loops) -> DeviceMemory:
    """Memory after `instruction`, at least one operand of which is indirect.

    Args:
        execute: what runs an instruction of this class whose operands are direct.
    """
    if instruction.mask is not None:
        raise not_modelled(f"a mask on '{instruction.name}' with a dynamic offset")
    moved = {name: access for name, access in instruction.operands().items() if access.indirect is not None}
    found, direct = [], {}
    inside: Any = True
    for name, access in moved.items():
        offset = row_indices(memory, access, at)
        assert offset is not None
        valid = rows_in_bounds(access, offset, at)
        all_valid = jnp.all(valid)
        found.append(Rows(instruction.name, name, access, offset, valid, instruction.location, instruction.unrolled))
        symbol = _symbol(access, f"offset of {name}")
        # At index 0 all of the pattern is inside: a fault reads something, and nobody sees it.
        at = at.at_offset(symbol, jnp.where(all_valid, offset[0], 0))
        direct[name] = _started(access, symbol)
        inside = inside & all_valid
    first = next(iter(moved.values()))
    fault = first_fault(found, None, first.shape, at)
    changes: dict[str, Any] = direct
    done = execute(replace(instruction, **changes), memory, at)
    arrays = {a.buffer: _chosen(inside, memory, done, a) for a in instruction.written()}
    return done.replacing(arrays).with_fault(memory.fault.or_else(fault.or_else(done.fault)))


def _symbol(access: Access, name: str) -> Symbol:
    """A symbol for the offset: it counts as many places as there are, so that the pattern is known to stay inside."""
    indirect = access.indirect
    assert indirect is not None
    trips = indirect.size
    if indirect.walks_axis:
        index = coordinates(access)[indirect.axis]
        start = replace(index, start=ZERO if index.start.terms else index.start)
        # Where loop indices move the start, each iteration has other valid offsets, and nothing is known.
        trips = trips if index.start.terms else max(1, trips - max(0, start.bounds(access.shape)[1]))
    return Symbol(name, trips)


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
