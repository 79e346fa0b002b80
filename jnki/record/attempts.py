"""Recording a kernel as often as it takes: each attempt knows of more loops that must be unrolled."""

import logging
import math
from collections.abc import Callable
from typing import Any, TypeVar

from jnki.access.affine import Symbol
from jnki.access.concrete import NeedsConcrete, keeping_signals
from jnki.errors import RuleError, keeping_errors
from jnki.record.recorder import Recorder, recording

# Of a rule that is broken in a loop of more trips, all iterations are told without a look at each.
_TRIPS_TO_SEE = 1024

_LOG = logging.getLogger("jnki.record")

R = TypeVar("R")


def record(
    attempt: Callable[[Recorder], R], make: Callable[[frozenset[Any]], Recorder], put_back: Callable[[], None]
) -> R:
    """What `attempt` returns, run again with one more loop unrolled each time it needs a concrete index.

    A rule that is broken inside a loop which stands for many iterations may hold in each that Python gets to: the
    loops around it are unrolled to see, if they are short.

    Args:
        attempt: runs the kernel.
        make: a recorder that unrolls these loops.
        put_back: undoes what the kernel did to Python, before it runs again.
    """
    unrolled: frozenset[Any] = frozenset()
    broken: RuleError | None = None
    reasons: list[str] = []
    while True:
        recorder = make(unrolled)
        recorder.unrolled_because = tuple(reasons)
        try:
            with recording(recorder), keeping_signals() as recorder.signals, keeping_errors() as recorder.errors:
                result = attempt(recorder)
                recorder.look_for_signals()
                return result
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            # Whatever became of the signal on its way (NumPy replaces it by errors of its own), it was raised.
            symbols = recorder.signals[0].symbols if recorder.signals else recorder.left_early
            cause = recorder.signals[0] if recorder.signals else error
            keys = recorder.keys_of(symbols) - unrolled
            if recorder.signals:
                if not keys:
                    raise RuleError(
                        "loop.index", f"a loop index is used after its loop: {recorder.signals[0]}"
                    ) from None
            elif not isinstance(error, (RuleError, NotImplementedError)):
                raise
            elif broken is not None and getattr(error, "rule", None) == broken.rule:
                raise broken from None
            elif not keys or math.prod(s.trips for s in symbols) > _TRIPS_TO_SEE:
                raise
            elif isinstance(error, RuleError):
                broken = error
        unrolled |= keys
        reasons.append(_reason(symbols, cause))
        _LOG.info("unrolled %s", reasons[-1])
        put_back()


def _reason(symbols: tuple[Symbol, ...], cause: BaseException) -> str:
    names = " and ".join(f"{symbol.name} of {symbol.trips} trips" for symbol in symbols)
    why = cause.reason if isinstance(cause, NeedsConcrete) else f"to see which iterations break a rule: {cause.args[0]}"
    at = getattr(cause, "location", None)
    return f"loop {names}: {why.splitlines()[0]}" + (f", at {at.short()}" if at is not None else "")
