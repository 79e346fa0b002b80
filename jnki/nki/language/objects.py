"""`NKIObject`: what kernels derive their own classes from.

A class without `__init__` gets one, with `@dataclass` or without: a parameter for each variable of the class, annotated
or not, in their order; `__post_init__` follows. Where `@dataclass` sees all of them, its own initializer stands.

Source: class support in the language guide of NKI's current documentation.
"""

import dataclasses
import types
from typing import Any, ClassVar, get_origin

_NO_FIELDS = (types.FunctionType, types.MethodType, classmethod, staticmethod, property, type)


class NKIObject:
    """A base of configuration objects; `NKIObject(a=1)` itself has the attributes that it is given."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # `@dataclass` does not see variables without an annotation; an initializer that is there it leaves alone.
        if "__init__" not in vars(cls) and set(_variables(cls)) - set(_annotations(cls)):
            cls.__init__ = NKIObject.__init__  # type: ignore[method-assign]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kind = type(self)
        fields = _fields(kind)
        if len(args) > len(fields):
            raise TypeError(f"{kind.__name__}() takes at most {len(fields)} positional arguments, got {len(args)}")
        given = dict(zip(fields, args))
        if twice := given.keys() & kwargs.keys():
            raise TypeError(f"{kind.__name__}() got multiple values for argument '{sorted(twice)[0]}'")
        if fields and (unknown := kwargs.keys() - fields.keys()):
            raise TypeError(f"{kind.__name__}() got an unexpected keyword argument '{sorted(unknown)[0]}'")
        given |= kwargs
        for name, default in fields.items():
            setattr(self, name, given[name] if name in given else _value(default))
        for name, value in given.items():
            setattr(self, name, value)
        self.__post_init__()

    def __post_init__(self) -> None:
        """Runs after an initializer that was not written out."""


def _fields(kind: type) -> dict[str, Any]:
    """The names of the initializer's parameters, and what the class has for each: None where it has nothing."""
    found: dict[str, Any] = {}
    for base in reversed(kind.__mro__):
        if not issubclass(base, NKIObject) or base is NKIObject:
            continue
        variables, waiting = _variables(base), list(_variables(base))
        for name in _annotations(base):
            while name in waiting:
                first = waiting.pop(0)
                found[first] = variables[first]
            found.setdefault(name, None)
        found |= {name: variables[name] for name in waiting}
    return found


def _annotations(kind: type) -> list[str]:
    annotated = vars(kind).get("__annotations__", {})
    return [name for name, hint in annotated.items() if not _is_class_variable(hint)]


def _is_class_variable(hint: Any) -> bool:
    return get_origin(hint) is ClassVar or hint is ClassVar or (isinstance(hint, str) and "ClassVar" in hint)


def _variables(kind: type) -> dict[str, Any]:
    """The variables of a class that an instance may set: no methods, and nothing that the class keeps to itself."""
    annotated = vars(kind).get("__annotations__", {})
    return {
        name: value
        for name, value in vars(kind).items()
        if not (name.startswith("__") or isinstance(value, _NO_FIELDS) or hasattr(type(value), "__get__"))
        and not _is_class_variable(annotated.get(name))
    }


def _value(default: Any) -> Any:
    if isinstance(default, dataclasses.Field):
        if default.default_factory is not dataclasses.MISSING:
            return default.default_factory()
        return None if default.default is dataclasses.MISSING else default.default
    return default
