"""What a Python object holds that may be different later, as a tuple of values.

An object whose class says so with `__carried__` holds what that method returns: handles of tensors do.
"""

import array
import builtins
import collections
import contextvars
import dis
import gc
import itertools
import os
import random
import sys
import sysconfig
import types
import warnings
import weakref
from collections.abc import Iterable, Iterator
from functools import lru_cache, partial
from typing import Any

import numpy as np

_LIBRARIES = frozenset(("numpy", "jax", "jaxlib", "ml_dtypes", "jnki", "neuronxcc", "chex", "torch"))
_LIBRARIES |= sys.stdlib_module_names - {"__main__"}
_INSTALLED = tuple(path + os.sep for name, path in sysconfig.get_paths().items() if name in ("purelib", "platlib"))
_SEQUENCES = (list, tuple, set, frozenset, collections.deque, bytearray)
_EMPTY: tuple[Any, ...] = ([], (), "", b"", range(0), range(1 << 70), set(), collections.deque(), {})
_ITERATORS = frozenset(
    (
        *(type(iter(empty)) for empty in (*_EMPTY, {}.values(), {}.items())),
        *(type(reversed(empty)) for empty in _EMPTY if hasattr(empty, "__reversed__")),
        *(enumerate, zip, map, filter, reversed),
        *(v for v in vars(itertools).values() if isinstance(v, type)),
    )
)
_METHODS = (types.MethodType, types.BuiltinMethodType, types.MethodWrapperType)
_CACHED = type(lru_cache(lambda: None))
_BUILTINS = vars(builtins)
_RANDOM = (random.Random, np.random.RandomState)
_MISSING = object()


class Unseen(Exception):
    """An object stands for itself: it cannot change, or nobody can look into it."""


def contents(value: Any) -> tuple[Any, ...]:
    """What `value` holds.

    Raises:
        Unseen: it stands for itself.
    """
    kind: Any = type(value)
    carried = getattr(kind, "__carried__", None)
    if carried is not None:
        return tuple(carried(value))
    held = _held(value, kind)
    if held is None:
        if not has_own_attributes(kind):
            raise Unseen
        held = ()
    return (*held, *_attributes(value, kind))


def _held(value: Any, kind: Any) -> tuple[Any, ...] | None:
    match value:
        case dict():
            return None if value is _BUILTINS else tuple(itertools.chain.from_iterable(value.items()))
        case types.FunctionType():
            return None if is_library(value.__module__) else _held_by_function(value)
        case types.CellType():
            return held_by_cell(value)
        case type():
            return None if is_library(value.__module__) else _held_by_class(value)
        case np.ndarray():
            if not value.flags.writeable and value.base is None:
                return None
            return (value.shape, value.dtype.str, value.tolist() if value.dtype.hasobject else value.tobytes())
        case types.GeneratorType():
            # What it iterates over stands on the stack of its frame, where only the garbage collector looks.
            return () if value.gi_frame is None else (value.gi_frame.f_lasti, *gc.get_referents(value))
        case partial():
            return value.func, value.args, value.keywords
        case staticmethod() | classmethod():
            return (value.__func__,)
        case property():
            return value.fget, value.fset
        case array.array():
            return value.typecode, value.tobytes()
        case int() | float() | complex() | str() | bytes():  # of a class of the user's
            plain: Any = next(base for base in (int, float, complex, str, bytes) if isinstance(value, base))
            return None if is_library(kind.__module__) else (plain(value),)
        case random.Random():
            return value.getstate()
        case np.random.RandomState():
            return (repr(value.get_state(legacy=False)),)
        case np.random.Generator():
            return (repr(value.bit_generator.state),)
        case types.MappingProxyType():
            return (dict(value),)
        case contextvars.ContextVar():
            return (value.get(None),)
        case weakref.ref():
            return (value(),)
    if isinstance(value, _SEQUENCES):
        return tuple(value)
    if kind is _CACHED:
        return (value.__wrapped__,)
    if isinstance(value, _METHODS):
        owner = value.__self__
        if owner is None or isinstance(owner, types.ModuleType):
            return None
        return owner, value.__name__, getattr(value, "__func__", None)
    return (_reduced(value),) if kind in _ITERATORS else None


def _held_by_function(function: types.FunctionType) -> tuple[Any, ...]:
    used = globals_of(function.__code__, function.__globals__)
    cells, defaults = function.__closure__ or (), (function.__defaults__, function.__kwdefaults__)
    return (function.__code__, *cells, *defaults, *itertools.chain.from_iterable(used))


def held_by_cell(cell: types.CellType) -> tuple[Any, ...]:
    try:
        return (cell.cell_contents,)
    except ValueError:  # nothing was assigned yet
        return ()


def _held_by_class(kind: type) -> tuple[Any, ...]:
    held = ((name, v) for name, v in vars(kind).items() if name not in ("__dict__", "__weakref__", "__doc__"))
    return (*itertools.chain.from_iterable(held), *kind.__bases__)


def _reduced(iterator: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.14 no longer does this for itertools
        try:
            return iterator.__reduce__()[1:]
        except TypeError:
            return id(iterator)


@lru_cache(maxsize=4096)
def has_own_attributes(kind: type) -> bool:
    """Whether instances of `kind` hold what a user put there."""
    return kind is types.SimpleNamespace or not (is_library(kind.__module__) or issubclass(kind, BaseException))


def _attributes(value: Any, kind: Any) -> tuple[Any, ...]:
    if not has_own_attributes(kind):
        return ()
    own = vars(value) if hasattr(value, "__dict__") and not isinstance(value, type) else {}
    return (kind, *itertools.chain.from_iterable(own.items()), *(getattr(value, n, None) for n in slots_of(kind)))


@lru_cache(maxsize=4096)
def slots_of(kind: type) -> tuple[str, ...]:
    named = (vars(base).get("__slots__", ()) for base in kind.__mro__)
    every = itertools.chain.from_iterable((n,) if isinstance(n, str) else n for n in named)
    return tuple(n for n in every if n not in ("__dict__", "__weakref__"))


@lru_cache(maxsize=4096)
def is_library(module: Any) -> bool:
    """Whether a module is Python's or installed: then it carries nothing of a kernel's."""
    top = module.partition(".")[0] if isinstance(module, str) else ""
    if top in _LIBRARIES or top == "":
        return True
    file = getattr(sys.modules.get(top), "__file__", None)
    return file is not None and file.startswith(_INSTALLED)


# Globals.


def globals_of(code: types.CodeType, globals_: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """The globals that a function names, and those attributes of modules that it may read, with their values."""
    names = names_in(code)
    for name in names:
        value = globals_.get(name, _MISSING)
        if isinstance(value, types.ModuleType):
            held = ((f"{name}.{n}", vars(value)[n]) for n in names if n in vars(value))
            yield from _random_state(held, names) if is_library(value.__name__) else held
        elif value is not _MISSING:
            yield name, value


def _random_state(held: Iterable[tuple[str, Any]], names: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    """Of what a library's module holds, functions that draw from a state that all share: `random.random`."""
    for name, value in held:
        if isinstance(getattr(value, "__self__", None), _RANDOM):
            yield name, value.__self__
        elif value is np.random:
            yield from _random_state(((n, vars(value)[n]) for n in names if n in vars(value)), names)


@lru_cache(maxsize=4096)
def names_in(code: types.CodeType) -> tuple[str, ...]:
    """Names of globals and attributes in a function and the functions in it."""
    inner = (names_in(constant) for constant in code.co_consts if isinstance(constant, types.CodeType))
    return tuple(dict.fromkeys((*code.co_names, *itertools.chain.from_iterable(inner))))


@lru_cache(maxsize=4096)
def stored_in(code: types.CodeType) -> tuple[str, ...]:
    """Names of globals that a function, or one in it, assigns."""
    own = (i.argval for i in dis.get_instructions(code) if i.opname in ("STORE_GLOBAL", "DELETE_GLOBAL"))
    inner = (stored_in(constant) for constant in code.co_consts if isinstance(constant, types.CodeType))
    return tuple(dict.fromkeys((*own, *itertools.chain.from_iterable(inner))))
