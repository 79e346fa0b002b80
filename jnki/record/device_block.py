"""From a recorded body to a loop on the device: what `fori_loop` and the two sorts of `while` have in common."""

from collections.abc import Callable, Generator
from typing import Any

import numpy as np

from jnki.access.access import Access
from jnki.access.affine import Symbol
from jnki.isa.registers.loop_head import LoopHead
from jnki.isa.registers.while_loop import WhileLoop
from jnki.program.program import DeviceLoop, instructions
from jnki.record.blocks import Scope
from jnki.record.device_steps import never_ends, while_step_by_step
from jnki.record.recorder import Recorder, source_key
from jnki.source import Location, user_location

# How often a loop runs that runs who knows how often: no operand depends on its symbol.
MANY = np.iinfo(np.int32).max


def while_block(
    recorder: Recorder, condition: Access, given: Callable[[Symbol], Any], body: Any = None
) -> Generator[Any, None, None]:
    """Records what is done while a register is not 0: gives `given` to each pass over the body.

    Args:
        body: the function that is the loop's body, if it is one.
    """
    location = user_location()
    if recorder.steps:
        yield from while_step_by_step(recorder, condition, given, location)
        return
    symbol, scope = yield from recorder.on_device(MANY, given, source_key(), location, body)
    head = WhileLoop(condition=condition, **settings(recorder, location))
    append(recorder, symbol, head, scope, location)


def append(recorder: Recorder, symbol: Symbol, head: LoopHead, scope: Scope, location: Location | None) -> None:
    """Puts the loop behind what is recorded.

    Raises:
        RuleError: a rule of its head is broken; `while_loop.condition`, where nothing could end it.
    """
    head.check(recorder.target)
    loop = DeviceLoop(symbol, head, tuple(scope.nodes), tuple(scope.buffers), location)
    if isinstance(head, WhileLoop) and not _changes(loop, head.condition):
        raise never_ends(head.condition, location)
    recorder.scope.nodes.append(loop)


def _changes(loop: DeviceLoop, register: Access) -> bool:
    return any(register in node.written() for node in instructions(loop.body))


def settings(recorder: Recorder, location: Location | None) -> dict[str, Any]:
    """What the heads of all loops have in common."""
    return {"most": recorder.max_trips, "location": location, "unrolled": recorder.iterations}
