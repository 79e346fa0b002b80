"""Loops that run on the device: `nl.fori_loop`, `nl.dynamic_range`, `nl.while_loop`, `while register:`.

Their bodies are recorded once and never unrolled. Registers and tensors from outside carry state from one iteration to
the next, Python's variables do not: what differs there is refused (docs/recording.md).
"""

import operator
from collections.abc import Callable, Generator, Iterator
from typing import Any

from jnki.access.access import Access
from jnki.access.affine import Affine, Symbol
from jnki.access.index import IndexValue
from jnki.errors import RuleError
from jnki.isa.registers.counted_loop import CountedLoop
from jnki.isa.registers.register_move import RegisterMove
from jnki.program.program import Loop, LoopKind
from jnki.record.device_block import MANY, append, settings, while_block
from jnki.record.device_steps import counted_step_by_step
from jnki.record.recorder import Recorder, source_key
from jnki.record.register import VirtualRegister, new_register
from jnki.source import Location, user_location

Bound = VirtualRegister | int


def fori_loop(recorder: Recorder, lower: Bound, upper: Bound, body: Callable[[Any], Any], step: Any = 1) -> None:
    """Records `body(i)` as what is done for each `i` in `range(lower, upper, step)`.

    Args:
        lower, upper: integers, or registers, which are read when the loop begins.
        body: gets the index as a register that nothing else may write to, and returns nothing.
        step: a positive integer.

    Raises:
        TypeError: an argument is of another type.
        RuleError: `fori_loop.body`, `fori_loop.step`, and what `Blocks.on_device` refuses.
    """
    for index in counted(recorder, "fori_loop", lower, upper, step, name="i", body=body):
        if (given := body(index)) is not None:
            raise RuleError(
                "fori_loop.body",
                "the body of a fori_loop returns something",
                given=f"{type(given).__name__} {given!r}"[:80],
                allowed="None: results go to tensors from outside of the loop",
            )


def counted(
    recorder: Recorder, function: str, lower: Any, upper: Any, step: Any, *, name: str, body: Any = None
) -> Iterator[VirtualRegister]:
    """The index of a counted loop, a register: `for index in counted(...)` records the statement's body.

    Args:
        function: what the user calls it.
        lower, upper, step: as for `fori_loop`.
        name: of the index, in listings.
        body: the function that is the loop's body, if it is one.
    """
    low, high = _bound(function, "lower", lower), _bound(function, "upper", upper)
    pace = _step(function, step)
    location = user_location()
    if recorder.steps:

        def numbered(value: int) -> VirtualRegister:
            return _index(recorder, name, value, location)

        yield from counted_step_by_step(recorder, low, high, pace, numbered, name, location)
        return
    if isinstance(low, int) and isinstance(high, int):
        yield from _known(recorder, range(low, high, pace), name, location, body)
        return

    def index(_: Symbol) -> VirtualRegister:
        register = new_register(recorder, name, frozen=True)
        recorder.written.add(register.name)
        return register

    symbol, scope = yield from recorder.on_device(MANY, index, source_key(), location, body)
    dst = Access.whole(scope.buffers[0])
    head = CountedLoop(dst=dst, lower=low, upper=high, step=pace, **settings(recorder, location))
    append(recorder, symbol, head, scope, location)


def _known(
    recorder: Recorder, values: range, name: str, location: Location | None, body: Any
) -> Generator[VirtualRegister, None, None]:
    """A loop between integers is as any other, and puts its index into a register."""
    if not values:
        return

    def index(symbol: Symbol) -> VirtualRegister:
        value = IndexValue(Affine(values.start, ((symbol, values.step),)), (), ())
        return _index(recorder, name, value, location)

    symbol, scope = yield from recorder.on_device(len(values), index, source_key(), location, body)
    loop = Loop(symbol, LoopKind.DEVICE, tuple(scope.nodes), tuple(scope.buffers), location)
    recorder.scope.nodes.append(loop)


def _index(recorder: Recorder, name: str, value: IndexValue | int, location: Location | None) -> VirtualRegister:
    """The index of a loop, a register that gets its value here."""
    register = new_register(recorder, name, frozen=True)
    recorder.emit(RegisterMove(dst=Access.whole(recorder.scope.buffers[-1]), src=value, location=location))
    return register


def while_loop(recorder: Recorder, init: Any, body: Callable[[Any], Any]) -> None:
    """Records `body(r)` as what is done as long as a register is not 0: first `init`, then what the body returns.

    Args:
        init: a register, which stays as it is.
        body: gets a register that holds the condition, and returns the register of the next one.

    Raises:
        TypeError: `init`, or what the body returns, is no register.
        RuleError: `while_loop.condition`, and what `Blocks.on_device` refuses.
    """
    if not isinstance(init, VirtualRegister):
        raise TypeError(f"nl.while_loop: init must be a register, from nisa.register_alloc, got {type(init).__name__}")
    condition = new_register(recorder, "r")
    _move(recorder, condition.destination, init.access)

    def given(_: Symbol) -> VirtualRegister:
        return VirtualRegister(condition.access, recorder.scope, recorder)

    for register in while_block(recorder, condition.access, given, body):
        following = body(register)
        if not isinstance(following, VirtualRegister):
            raise TypeError(
                "nl.while_loop: the body must return the register that holds the next condition, got "
                f"{type(following).__name__}"
            )
        if following.access != condition.access:
            _move(recorder, condition.destination, following.access)


def _move(recorder: Recorder, dst: Access, src: Access) -> None:
    move = RegisterMove(dst=dst, src=src, location=user_location())
    move.check(recorder.target)
    recorder.emit(move)


def _bound(function: str, argument: str, value: Any) -> Access | int:
    if isinstance(value, VirtualRegister):
        return value.access
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(
            f"{function}: {argument} must be an integer or a register, got {type(value).__name__}"
        ) from None
    if not -(1 << 31) <= number < 1 << 31:
        raise RuleError(
            "loop.int32_index",
            f"a {function} counts further than its register can",
            given=f"{argument}={number}",
            allowed="integers of int32",
        )
    return number


def _step(function: str, step: Any) -> int:
    """The step, which must be known.

    Raises:
        RuleError: it is a register, or not positive.
    """
    is_known = not isinstance(step, (VirtualRegister, bool)) and hasattr(type(step), "__index__")
    if not is_known or not 0 < operator.index(step) < 1 << 31:
        raise RuleError(
            "fori_loop.step",
            f"the step of a {function} must be known, and positive",
            given=f"step={step!r}"[:80],
            allowed="a positive integer",
        )
    return operator.index(step)
