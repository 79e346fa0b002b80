"""Loops whose number of iterations is known at run time.

    without a stated bound    `lax.while_loop`: runs as often as it has to, and has derivatives forwards only
    with one, n               `lax.scan` of n steps, of which those that there are change something

Buffers from outside that the body writes are carried, all others closed over. Under `jax.vmap` the loop runs as long as
its longest case, and a case that is done stays as it is, its fault record too.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jnki.access.buffer import Buffer
from jnki.lower.across import own_ranks
from jnki.lower.manual_axes import varying_axes, varying_over
from jnki.lower.needs_bound import needs_bound
from jnki.lower.plan import travelling
from jnki.lower.slabs import accesses_in
from jnki.memory import DeviceMemory, Fault, Loops
from jnki.memory.bits import chosen, from_twins, to_twins
from jnki.program.program import DeviceLoop, Node, instructions, made_in

RunBlock = Callable[[tuple[Node, ...], DeviceMemory, Loops], DeviceMemory]


def run_device_loop(loop: DeviceLoop, memory: DeviceMemory, at: Loops, run_block: RunBlock) -> DeviceMemory:
    """Memory after the loop."""
    carried, read = _outside(loop, memory)
    may_fault = any(i.may_fault for i in instructions((loop,)))
    outer = memory.without(loop.buffers)
    head = loop.head

    def holds(arrays: Any, state: Any, fault: Fault, around: DeviceMemory) -> jax.Array:
        return head.holds(around.replacing(dict(zip(carried, arrays))).with_fault(fault), state)

    def step(arrays: Any, state: Any, fault: Fault, around: DeviceMemory) -> Any:
        inner = head.enter(around.replacing(dict(zip(carried, arrays))).with_fault(fault), state)
        inner = run_block(loop.body, inner, at.inside(loop.symbol, head.told(state)))
        return tuple(inner.as_held(b) for b in carried), head.next(state), inner.fault if may_fault else fault

    start = tuple(outer.as_held(b) for b in carried), head.start(memory), memory.fault
    if head.most is None:
        arrays, fault = _while(loop, outer, holds, step, start)
    else:
        arrays, fault = _at_most(loop, outer, read, holds, step, start, at)
    for buffer, array in zip(carried, arrays):
        memory = memory.set(buffer, array)
    return memory.with_fault(fault) if may_fault else memory


def _outside(loop: DeviceLoop, memory: DeviceMemory) -> tuple[list[Buffer], list[Buffer]]:
    """The buffers from outside that the body writes, and those that it only reads."""
    accesses: dict[str, Any] = {}
    for access in accesses_in((loop,)):
        accesses.setdefault(access.buffer.name, []).append(access)
    for name in made_in(loop):
        accesses.pop(name, None)
    written = {a.buffer.name for i in instructions((loop,)) for a in i.written()}
    floats = memory.float_types()
    carried = [travelling(found, floats) for name, found in accesses.items() if name in written]
    return carried, [travelling(found, floats) for name, found in accesses.items() if name not in written]


def _while(loop: DeviceLoop, outer: DeviceMemory, holds: Any, step: Any, start: Any) -> Any:
    axes = varying_axes(outer, own_ranks((loop,)))

    def body(carry: Any) -> Any:
        arrays, state, fault = carry
        arrays, state, fault = step(_arrived(arrays), state, fault, outer)
        return varying_over(axes, (_sent(arrays), state, fault))

    def condition(carry: Any) -> Any:
        arrays, state, fault = carry
        return holds(_arrived(arrays), state, fault, outer)

    arrays, state, fault = start
    arrays, _, fault = lax.while_loop(condition, body, varying_over(axes, (_sent(arrays), state, fault)))
    kind, location = loop.head.kind, loop.location
    ends = (needs_bound(a, kind, location) if jnp.issubdtype(a.dtype, jnp.floating) else a for a in _arrived(arrays))
    return tuple(ends), fault


def _at_most(
    loop: DeviceLoop, outer: DeviceMemory, read: list[Buffer], holds: Any, step: Any, start: Any, at: Loops
) -> Any:
    axes = varying_axes(outer, own_ranks((loop,)))

    def body(carry: Any, _: Any) -> Any:
        sent, state, fault = carry
        runs = holds(_arrived(sent), state, fault, outer)

        def another() -> Any:
            around = outer.replacing({b: _only_if(runs, outer.as_held(b)) for b in read if b in outer})
            after, later, found = step(tuple(_only_if(runs, a) for a in _arrived(sent)), state, fault, around)
            return varying_over(axes, (_sent(after), later, found))

        # In a batch both branches are taken, and a selection is made.
        return lax.cond(runs, another, lambda: carry), None

    head = loop.head
    arrays, state, fault = start
    before = varying_over(axes, (_sent(arrays), state, fault))
    (sent, state, fault), _ = lax.scan(body, before, length=head.most)
    arrays = _arrived(sent)
    runs_on = holds(arrays, state, fault, outer)
    return arrays, fault.or_else(head.too_long(runs_on, at))


def _only_if(runs: jax.Array, array: jax.Array) -> jax.Array:
    """`array`, whose derivative is that of a step that `runs`: where it does not, what it computes means nothing."""
    if not jnp.issubdtype(array.dtype, jnp.floating):
        return array
    return chosen(runs, array, lax.stop_gradient(array))


def _sent(arrays: tuple[jax.Array, ...]) -> tuple[Any, ...]:
    return tuple(map(to_twins, arrays))


def _arrived(arrays: tuple[Any, ...]) -> tuple[jax.Array, ...]:
    return tuple(map(from_twins, arrays))
