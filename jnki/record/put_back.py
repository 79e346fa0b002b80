"""Putting Python objects back to what they held, before a kernel runs again."""

import builtins
import collections
import contextvars
import random
import types
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from jnki.record.contents import has_own_attributes, held_by_cell, is_library, slots_of, stored_in

_NOTHING = object()


def restorers(value: Any) -> Iterator[Callable[[], Any]]:
    """Functions that put an object back to what it holds now; none where it cannot be put back."""
    match value:
        case list() | bytearray():
            yield partial(value.__setitem__, slice(None), value[:])
        case dict():
            if value is not vars(builtins):
                yield partial(_refill_dict, value, value.copy())
        case set() | collections.deque():
            yield partial(_refill, value, value.copy())
        case np.ndarray() if value.flags.writeable:
            yield partial(np.copyto, value, value.copy())
        case types.CellType() if held_by_cell(value):
            yield partial(setattr, value, "cell_contents", value.cell_contents)
        case types.FunctionType():
            for name in stored_in(value.__code__):
                yield partial(_put, value.__globals__, name, value.__globals__.get(name, _NOTHING))
        case type() if type(value) is type and not is_library(value.__module__):
            for name, held in list(vars(value).items()):
                if isinstance(held, (int, float, str, type(None))) and not name.startswith("__"):
                    yield partial(setattr, value, name, held)
        case random.Random():
            yield partial(value.setstate, value.getstate())
        case np.random.RandomState():
            yield partial(value.set_state, value.get_state(legacy=False))
        case np.random.Generator():
            yield partial(setattr, value.bit_generator, "state", value.bit_generator.state)
        case contextvars.ContextVar():
            yield partial(value.set, value.get(None))
    kind: Any = type(value)
    if has_own_attributes(kind) and not isinstance(value, (type, types.FunctionType)):
        if hasattr(value, "__dict__"):
            yield partial(_refill_dict, vars(value), dict(vars(value)))
        for name in slots_of(kind):
            if hasattr(value, name):
                yield partial(object.__setattr__, value, name, getattr(value, name))


def _refill_dict(container: dict[Any, Any], held: dict[Any, Any]) -> None:
    """Entry by entry where the order allows it: a module's globals are in use all the time."""
    keys = list(container)
    if len(keys) >= len(held) and all(a is b for a, b in zip(keys, held)):
        for key in keys[len(held) :]:
            del container[key]
    else:
        container.clear()
    container.update(held)


def _refill(container: Any, held: Any) -> None:
    container.clear()
    (container.extend if isinstance(container, collections.deque) else container.update)(held)


def _put(globals_: dict[str, Any], name: str, value: Any) -> None:
    if value is _NOTHING:
        globals_.pop(name, None)
    else:
        globals_[name] = value
