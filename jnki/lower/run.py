"""Running a program's blocks and loops on a memory: the fold at the heart of lowering."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jnki.access.access import Access, Dim
from jnki.access.affine import Affine
from jnki.access.buffer import Buffer
from jnki.isa.registers.loop_head import LoopHead
from jnki.lower.across import own_ranks
from jnki.lower.device_loops import run_device_loop
from jnki.lower.first_product import with_first_products
from jnki.lower.known_registers import with_known_registers
from jnki.lower.manual_axes import varying_axes, varying_over
from jnki.lower.plan import Form, Plan, plan
from jnki.lower.ragged import at_iteration, split_edges
from jnki.lower.slabs import Slab
from jnki.lower.trim import trimmed
from jnki.lower.widen import widened
from jnki.memory import NO_LOOPS, DeviceMemory, Fault, Loops
from jnki.memory.bits import from_twins, to_twins
from jnki.memory.scatter import write
from jnki.program.program import DeviceLoop, Loop, Node, instructions


def run_block(nodes: tuple[Node, ...], memory: DeviceMemory, at: Loops, form: Form | None = None) -> DeviceMemory:
    """Memory after the instructions and loops of a block.

    Args:
        form: asks for one form of every loop that could have either; for tests.
    """
    for node in with_first_products(nodes) if form is None else nodes:
        match node:
            case Loop():
                memory = _run_loop(with_known_registers(node), memory, at, form)
            case DeviceLoop():
                memory = run_device_loop(node, memory, at, lambda body, inner, here: run_block(body, inner, here, form))
            case _:
                scope = f"{node.name}@{node.location.short()}" if node.location else node.name
                with jax.named_scope(scope):
                    memory = trimmed(node).execute(memory, at)
    return memory


def _run_loop(loop: Loop, memory: DeviceMemory, at: Loops, form: Form | None) -> DeviceMemory:
    if loop.symbol.trips == 0:
        return memory
    wide = widened(loop) if form is None else None
    if wide is not None:
        return run_block(wide, memory, at).without(frozenset(loop.buffers))
    for piece in split_edges(loop):
        match piece:
            case Loop():
                memory = _run_planned(piece, plan(piece, form, memory.float_types()), memory, at, form)
            case int():
                memory = _run_single(loop, piece, memory, at, form)
    return memory


def _run_single(loop: Loop, number: int, memory: DeviceMemory, at: Loops, form: Form | None) -> DeviceMemory:
    """One iteration; its number is told to those who report faults."""
    body = at_iteration(loop, number)
    return run_block(body, memory, at.inside(loop.symbol, number), form).without(frozenset(loop.buffers))


def _run_planned(loop: Loop, how: Plan, memory: DeviceMemory, at: Loops, form: Form | None) -> DeviceMemory:
    """One step takes (carry, index and slabs) to (carry, slabs); vmap or scan repeats it."""
    # A loop in it that a fault ends must know of one that was before.
    may_hang = any(isinstance(i, LoopHead) and i.is_open_ended for i in instructions(how.body))
    outer = memory if may_hang else memory.with_fault(Fault())

    def step(
        carried: tuple[Any, ...], index: Any, parts: tuple[jax.Array, ...], before: Fault | None = None
    ) -> tuple[Any, Any, Any, Fault]:
        inner = outer if before is None or not may_hang else outer.with_fault(before)
        inner = inner.without(frozenset(loop.buffers) | {s.buffer for s in how.slabs_out} | set(how.remade))
        inner = inner.replacing({s.part: part for s, part in zip(how.slabs_in, parts)})
        inner = inner.replacing(dict(zip(how.carried, carried)))
        inner = run_block(how.body, inner, at.inside(loop.symbol, index), form)
        return (
            tuple(inner.as_held(b) for b in how.carried),
            tuple(inner.get(s.part) for s in how.slabs_out),
            tuple(inner.get(b) for b in how.remade),
            inner.fault,
        )

    slabs = tuple(_slabs_of(outer.get(s.buffer), s) for s in how.slabs_in)
    runner = _batch if how.form is Form.BATCH else _scan
    carried, parts, remade, fault = runner(loop, how, outer, step, slabs)
    updates: dict[Buffer, jax.Array] = dict(zip((*how.carried, *how.remade), (*carried, *remade)))
    for slab, part in zip(how.slabs_out, parts):
        updates[slab.buffer] = _assembled(memory, slab, part)
    for buffer, array in updates.items():
        memory = memory.set(buffer, array)
    return memory.with_fault(memory.fault.or_else(fault)) if how.may_fault else memory


def _batch(loop: Loop, how: Plan, outer: DeviceMemory, step: Any, slabs: tuple[jax.Array, ...]) -> Any:
    axes_in = tuple(s.axis for s in how.slabs_in)
    axes_out = tuple(s.axis for s in how.slabs_out)
    everything = jax.vmap(
        lambda index, parts: step((), index, parts)[1:], in_axes=(0, axes_in), out_axes=(axes_out, 0, 0)
    )
    parts, remade, faults = everything(jnp.arange(loop.symbol.trips, dtype=jnp.int32), slabs)
    last = tuple(lax.index_in_dim(array, loop.symbol.trips - 1, keepdims=False) for array in remade)
    return (), parts, last, faults.first()


def _scan(loop: Loop, how: Plan, outer: DeviceMemory, step: Any, slabs: tuple[jax.Array, ...]) -> Any:
    def body(carry: Any, xs: Any) -> Any:
        carried, _, fault = carry
        index, first = xs
        carried, parts, remade, found = step(_arrived(carried), index, _arrived(first), fault)
        after = (_sent(carried), _sent(remade), fault.or_else(found) if how.may_fault else fault)
        return varying_over(axes, after), _sent(parts)

    carried = tuple(outer.as_held(b) for b in how.carried)
    remade = tuple(outer.get(b) for b in how.remade)
    first = tuple(_with_axis(to_twins(array), s.axis, 0) for array, s in zip(slabs, how.slabs_in))
    axes = varying_axes(outer, slabs, own_ranks(how.body))
    before = varying_over(axes, (_sent(carried), _sent(remade), outer.fault))
    (carried, remade, fault), parts = lax.scan(body, before, (jnp.arange(loop.symbol.trips, dtype=jnp.int32), first))
    parts = tuple(_with_axis(arrays, 0, s.axis) for arrays, s in zip(parts, how.slabs_out))
    return _arrived(carried), _arrived(parts), _arrived(remade), fault


def _sent(arrays: tuple[jax.Array, ...]) -> tuple[Any, ...]:
    return tuple(map(to_twins, arrays))


def _arrived(arrays: tuple[Any, ...]) -> tuple[jax.Array, ...]:
    return tuple(map(from_twins, arrays))


def _with_axis(arrays: Any, source: int, destination: int) -> Any:
    return jax.tree.map(lambda array: jnp.moveaxis(array, source, destination), arrays)


def _slabs_of(array: jax.Array, slab: Slab) -> jax.Array:
    """The divided axis as two: `[..., trips, size, ...]`."""
    start = slab.first * slab.size
    stop = start + slab.trips * slab.size
    if stop - start != array.shape[slab.axis]:
        array = lax.slice_in_dim(array, start, stop, axis=slab.axis)
    shape = array.shape
    return array.reshape(*shape[: slab.axis], slab.trips, slab.size, *shape[slab.axis + 1 :])


def _assembled(memory: DeviceMemory, slab: Slab, parts: jax.Array) -> jax.Array:
    """The buffer with the slabs of all iterations in place."""
    buffer = slab.buffer
    shape = list(buffer.shape)
    shape[slab.axis] = slab.trips * slab.size
    region = Access(
        buffer,
        Affine(slab.first * slab.size * buffer.strides[slab.axis]),
        tuple(map(Dim, buffer.strides, shape)),
    )
    return write(memory.get(buffer), region, parts.reshape(shape), NO_LOOPS)
