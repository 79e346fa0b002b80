"""Loops that run on the device: `fori_loop`, `while_loop`, and `dynamic_range`."""

from collections.abc import Callable, Iterator

from jnki.record import device_loops
from jnki.record.recorder import current
from jnki.record.register import VirtualRegister


def fori_loop(
    lower: VirtualRegister | int,
    upper: VirtualRegister | int,
    body_fun: Callable[[VirtualRegister], None],
    step: int = 1,
) -> None:
    """Calls `body_fun(i)` once, as what the device does for each `i` from `lower` up to `upper`, which is excluded.

    Args:
        lower, upper: integers or registers, read when the loop begins.
        body_fun: gets `i` as a register that it does not write to; it returns nothing.
        step: a positive integer.
    """
    device_loops.fori_loop(current("nl.fori_loop"), lower, upper, body_fun, step)


def while_loop(init: VirtualRegister, body_fun: Callable[[VirtualRegister], VirtualRegister]) -> None:
    """Calls `body_fun(r)` once, as what the device does as long as a register is not 0.

    Args:
        init: the first condition: where it is 0 the body does not run.
        body_fun: gets the condition, and returns the register of the next one.
    """
    device_loops.while_loop(current("nl.while_loop"), init, body_fun)


def dynamic_range(
    start: VirtualRegister | int, stop: VirtualRegister | int | None = None, step: int = 1
) -> Iterator[VirtualRegister]:
    """The index of a `for` statement whose body runs on the device; deprecated in favour of `fori_loop`.

    Args:
        start, stop: integers or registers; with one of them it is `stop`, and counting starts at 0.
        step: a positive integer.
    """
    lower, upper = (0, start) if stop is None else (start, stop)
    recorder = current("nl.dynamic_range")
    return device_loops.counted(recorder, "nl.dynamic_range", lower, upper, step, name="i")
