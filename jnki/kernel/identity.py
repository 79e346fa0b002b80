"""What tells two static arguments apart: everything that Python itself can tell apart.

Equality does not: `True == 1 == 1.0`, `0.0 == -0.0`, a NaN differs from itself, and a class may say what it likes in
`__eq__` and `__hash__`. So a value's key is made of its type and its state, and no method of the value is asked:

    numbers, strings                 type and bits
    tuples, dicts, sets, partials    type and keys of the parts, in their order
    functions, classes, modules      the very object
    objects that compare by ==       type and state: a frozen dataclass made anew is the same argument
    objects that compare by `is`     the very object, and its state: one that was changed is another argument
    kernels                          what their `__carried__` names: the function, grid, target and policy
"""

import collections
import enum
import functools
import hashlib
import struct
import types
from collections.abc import Hashable, Iterator
from typing import Any

import jax
import numpy as np

MAX_PARTS = 10_000
"""How many values one static argument may hold: every call reads all of them."""

_PLAIN = frozenset((int, bool, str, bytes, types.NoneType, types.EllipsisType))
_SEQUENCES = (tuple, list, set, frozenset, collections.deque)
_BY_IDENTITY = (type, enum.Enum, types.ModuleType, types.FunctionType, types.BuiltinFunctionType, np.ufunc, jax.Array)
_float_bits = struct.Struct("d").pack


class Same:
    """Equal where it holds the very same object."""

    __slots__ = ("value",)

    def __init__(self, value: object):
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and self.value is other.value

    def __hash__(self) -> int:
        return id(self.value)


def number_key(value: Any) -> Hashable | None:
    """The key of a plain number, string or None, made quickly; None for anything else."""
    kind = type(value)
    if kind in _PLAIN:
        return kind, value
    if kind is float:
        return kind, _float_bits(value)
    return None


def identity_key(value: Any) -> Hashable:
    """A key that is equal for two values only where Python cannot tell them apart.

    Raises:
        TypeError: the value holds more than `MAX_PARTS` others, or nests too deeply.
    """
    try:
        return _Reader().key(value)
    except RecursionError:
        raise TypeError("it nests too deeply to tell it apart from others") from None


class _Reader:
    """Reads one value: counts what it holds, and knows what it is inside of."""

    def __init__(self) -> None:
        self._count = 0
        self._open: dict[int, int] = {}

    def key(self, value: Any) -> Hashable:
        quick = number_key(value)
        if quick is not None:
            return quick
        self._count += 1
        if self._count > MAX_PARTS:
            raise TypeError(f"it holds more than {MAX_PARTS} values, and every call has to read them all")
        if isinstance(value, _BY_IDENTITY):
            return Same(value)
        carried = getattr(type(value), "__carried__", None)
        if carried is not None:
            return Same(type(value)), self._keys(carried(value))
        if id(value) in self._open:
            return Same(Same), self._open[id(value)]
        self._open[id(value)] = len(self._open)
        try:
            return (Same(type(value)), *self._parts(value), *self._attributes(value))
        finally:
            del self._open[id(value)]

    def _keys(self, values: Any) -> tuple[Hashable, ...]:
        parts = list(values)
        return len(parts), *map(self.key, parts)

    def _parts(self, value: Any) -> Iterator[Hashable]:
        """Keys of what the value is apart from its attributes, by the built-in type that it extends."""
        match value:
            case np.generic():
                yield str(value.dtype)
                yield value.tobytes() if value.dtype != object else Same(value)
            case np.ndarray():
                yield from self._array(value)
            case int():
                yield int.__add__(value, 0)
            case float():
                yield _float_bits(value)
            case complex():
                yield struct.pack("dd", value.real, value.imag)
            case str():
                yield str.__getitem__(value, slice(None))
            case bytes():
                yield bytes.__getitem__(value, slice(None))
            case functools.partial():
                yield self.key(value.func)
                yield self._keys(value.args)
                yield self.key(value.keywords)
            case types.MethodType():
                yield self.key(value.__func__)
                yield self.key(value.__self__)
            case _ if isinstance(value, _SEQUENCES):
                base: Any = next(base for base in type(value).__mro__ if base in _SEQUENCES)
                yield self._keys(base.__iter__(value))
            case dict():
                yield self._keys(part for item in dict.items(value) for part in item)
            case _:
                yield from self._object(value)

    def _array(self, value: np.ndarray) -> Iterator[Hashable]:
        yield value.shape
        yield str(value.dtype)
        if value.dtype.hasobject:
            yield self._keys(value.ravel().tolist())
        else:
            yield hashlib.blake2b(np.ascontiguousarray(value).tobytes()).digest()

    def _object(self, value: Any) -> Iterator[Hashable]:
        kind = type(value)
        if kind.__eq__ is object.__eq__:
            yield Same(value)
        elif not hasattr(value, "__dict__") and not any("__slots__" in vars(base) for base in kind.__mro__):
            # Written in C: what it would be pickled as is the state that it shows.
            try:
                function, arguments, *state = value.__reduce_ex__(4)
            except Exception:
                yield Same(value)
            else:
                yield self._keys((function, arguments, *(s if isinstance(s, (tuple, dict)) else None for s in state)))
                if any(s is not None and not isinstance(s, (tuple, dict)) for s in state):
                    yield Same(value)

    def _attributes(self, value: Any) -> Iterator[Hashable]:
        try:
            attributes = dict(object.__getattribute__(value, "__dict__"))
        except (AttributeError, TypeError):
            attributes = {}
        for base in type(value).__mro__:
            for name, member in vars(base).items():
                if isinstance(member, types.MemberDescriptorType) and "__slots__" in vars(base):
                    try:
                        attributes[f"{base.__qualname__}.{name}"] = member.__get__(value)
                    except AttributeError:
                        attributes[f"{base.__qualname__}.{name}"] = Same
        if attributes:
            yield self._keys(part for item in attributes.items() for part in item)
