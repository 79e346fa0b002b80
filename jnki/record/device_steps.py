"""Loops on the device in a kernel that runs step by step: their bodies run once for each iteration.

What Python finds there is what it left in the iteration before; a recording looks whether that differs, and refuses.
"""

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import jax.numpy as jnp

from jnki.access.access import Access
from jnki.access.affine import Symbol
from jnki.errors import RuleError
from jnki.isa.registers.loop_head import too_long
from jnki.memory import NO_LOOPS
from jnki.record.recorder import Recorder
from jnki.source import Location

T = TypeVar("T")


def counted_step_by_step(
    recorder: Recorder,
    lower: Access | int,
    upper: Access | int,
    step: int,
    index: Callable[[int], T],
    name: str,
    location: Location | None,
) -> Iterator[T]:
    """What each iteration of a counted loop is given: `index` of its number."""
    low, high = (b if isinstance(b, int) else recorder.number(b) for b in (lower, upper))
    is_known = isinstance(lower, int) and isinstance(upper, int)
    for number, value in enumerate(range(low, high, step)):
        if not is_known and _ends(recorder, "fori_loop", number, location):
            return
        with recorder.iteration_on_device(name, number, location):
            yield index(value)


def while_step_by_step(
    recorder: Recorder, condition: Access, given: Callable[[Symbol], Any], location: Location | None
) -> Iterator[Any]:
    """What each iteration is given, as long as a register is not 0 and there is no fault.

    Raises:
        RuleError: `while_loop.condition`, where nothing in an iteration writes to the register.
    """
    number = 0
    while recorder.number(condition) != 0 and not recorder.has_failed:
        if _ends(recorder, "while_loop", number, location):
            return
        before = recorder.writer_of(condition.buffer)
        with recorder.iteration_on_device("while", number, location):
            yield given(Symbol("while", 1))
        if recorder.writer_of(condition.buffer) is before:
            raise never_ends(condition, location)
        number += 1


def _ends(recorder: Recorder, loop: str, number: int, location: Location | None) -> bool:
    """Whether a loop has run as often as it may; that it would run on is a fault."""
    most = recorder.max_trips
    if most is None or number < most:
        return False
    recorder.failed(too_long(loop, most, jnp.bool_(True), NO_LOOPS, recorder.iterations, location))
    return True


def never_ends(condition: Access, location: Location | None) -> RuleError:
    """The error of a while loop that could not end."""
    return RuleError(
        "while_loop.condition",
        "nothing in the body of a while loop changes its condition: it would never end",
        given=f"register '{condition.buffer.name}' is not written",
        allowed="nisa.register_load or nisa.register_move to it in the body",
        at=location,
    )
