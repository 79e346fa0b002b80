"""`NKIObject`: what kernels derive their own classes from.

A class without `__init__` gets one, with `@dataclass` or without: a parameter for each variable of the class, annotated
or not, in their order; None where neither the call nor the class has a value. `__post_init__` follows.

Source: class support in the language guide of NKI's current documentation.
"""

import dataclasses
import types
from typing import Any, ClassVar, get_origin

_METHODS = (types.FunctionType, classmethod, staticmethod, property, type)


class NKIObject:
    """A base of configuration objects; `NKIObject(a=1)` itself has the attributes that it is given.

    As an argument of a kernel one is a copy of itself: its arrays are tensors there, and everything else is static.
    """

    __taken_apart__: ClassVar[bool] = True
    __nki_fields__: ClassVar[dict[str, Any]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # Read now: `@dataclass` takes defaults out of the class. An initializer that is there it leaves alone.
        around: dict[str, Any] = {}
        for base in reversed(cls.__mro__[1:]):
            around |= vars(base).get("__nki_fields__", {})
        cls.__nki_fields__ = around | _fields(cls)
        if "__init__" not in vars(cls) and not _is_for_dataclass_only(cls):
            cls.__init__ = NKIObject.__init__  # type: ignore[method-assign]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        name, fields = type(self).__name__, type(self).__nki_fields__
        if len(args) > len(fields):
            raise TypeError(f"{name}() takes at most {len(fields)} positional arguments, got {len(args)}")
        given = dict(zip(fields, args))
        if twice := [key for key in kwargs if key in given]:
            raise TypeError(f"{name}() got multiple values for argument '{twice[0]}'")
        if fields and (unknown := [key for key in kwargs if key not in fields]):
            raise TypeError(f"{name}() got an unexpected keyword argument '{unknown[0]}'")
        given |= kwargs
        for key in (*fields, *(key for key in given if key not in fields)):
            value = given[key] if key in given else _default(fields[key])
            # Whether or not the class lets anybody change it later (`@dataclass(frozen=True)`).
            object.__setattr__(self, key, value)
        self.__post_init__()

    def __post_init__(self) -> None:
        """Runs after an initializer that was not written out."""


def _fields(kind: type) -> dict[str, Any]:
    """The variables of a class, in order, that an instance has for itself, and what the class has for each."""
    annotated = {name: hint for name, hint in vars(kind).get("__annotations__", {}).items() if not _is_shared(hint)}
    shared = vars(kind).get("__annotations__", {}).keys() - annotated.keys()
    values = {
        name: value
        for name, value in vars(kind).items()
        if name in annotated
        or not (name.startswith("__") or name in shared or isinstance(value, _METHODS) or hasattr(value, "__get__"))
    }
    found: dict[str, Any] = {}
    waiting = list(values)
    for name in annotated:
        while name in waiting:
            first = waiting.pop(0)
            found[first] = values[first]
        found.setdefault(name, None)
    return found | {name: values[name] for name in waiting}


def _is_shared(hint: Any) -> bool:
    return hint is ClassVar or get_origin(hint) is ClassVar or (isinstance(hint, str) and "ClassVar" in hint)


def _is_for_dataclass_only(kind: type) -> bool:
    """Whether only the initializer of `@dataclass` knows what to do: with `InitVar`, `KW_ONLY`, `init=False`."""
    hints = vars(kind).get("__annotations__", {}).values()
    return any(
        isinstance(hint, dataclasses.InitVar)
        or hint is dataclasses.KW_ONLY
        or (isinstance(hint, str) and ("InitVar" in hint or "KW_ONLY" in hint))
        for hint in hints
    ) or any(isinstance(value, dataclasses.Field) and not value.init for value in vars(kind).values())


def _default(value: Any) -> Any:
    if not isinstance(value, dataclasses.Field):
        return value
    if value.default_factory is not dataclasses.MISSING:
        return value.default_factory()
    return None if value.default is dataclasses.MISSING else value.default
