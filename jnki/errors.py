"""Exceptions that jnki raises while a kernel is recorded or an instruction is built.

Every broken rule is one `RuleError`: it carries the rule's documented name, what was given, what is allowed,
and the user's source line. Run-time faults are not here: they are data (`jnki.memory.Fault`) until the edge of
a call, where they become a `jnki.FaultError`, which is an `IndexError`.
"""

import inspect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any

from jnki.source import Location, user_location

_KEPT: ContextVar[list[Exception] | None] = ContextVar("jnki_errors", default=None)
_KIND: ContextVar["type[RuleError] | None"] = ContextVar("jnki_error_kind", default=None)


@contextmanager
def keeping_errors() -> Iterator[list[Exception]]:
    """Inside, each error about a kernel is in the list, in order, whether or not the kernel swallows it."""
    kept: list[Exception] = []
    token = _KEPT.set(kept)
    try:
        yield kept
    finally:
        _KEPT.reset(token)


def forget(error: Exception) -> None:
    """Says of an error that jnki itself has dealt with it."""
    kept = _KEPT.get()
    if kept is not None and error in kept:
        kept.remove(error)


def _keep(error: Exception) -> None:
    kept = _KEPT.get()
    if kept is not None:
        kept.append(error)


class RuleError(ValueError):
    """A kernel breaks a rule of NKI's documentation.

    Attributes:
        rule: the documented name, such as `err_unsupported_memory`, or `dma_copy.element_count`.
        message: what is wrong, in words.
        given: what the kernel passed, in words.
        allowed: what the rule accepts, in words.
        location: the user's file and line, or None outside of any user code.
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> "RuleError":
        kind = _KIND.get()
        return super().__new__(kind if kind is not None and cls is RuleError else cls, *args)

    def __init__(self, rule: str, message: str, *, given: str = "", allowed: str = "", at: Location | None = None):
        self.rule = rule
        self.message = message
        self.given = given
        self.allowed = allowed
        self.location = at or user_location()
        lines = [f"{rule}: {message}"]
        if given:
            lines.append(f"  given:   {given}")
        if allowed:
            lines.append(f"  allowed: {allowed}")
        if self.location is not None:
            lines.append(f"  at {self.location.describe()}")
        super().__init__("\n".join(lines))
        _keep(self)

    def __reduce__(self) -> tuple[Any, ...]:
        """Copied and pickled as it stands: its text and its place were settled where it was raised."""
        return _restored, (type(self), self.args, vars(self))


@contextmanager
def raising(kind: type[RuleError]) -> Iterator[None]:
    """Inside, every `RuleError` is one of `kind`, a subclass: what a dialect promises its users to raise."""
    token = _KIND.set(kind)
    try:
        yield
    finally:
        _KIND.reset(token)


def _restored(kind: type[RuleError], args: tuple[Any, ...], state: dict[str, Any]) -> RuleError:
    error = kind.__new__(kind, *args)
    error.args = args
    vars(error).update(state)
    return error


class OutsideKernelError(RuleError):
    """An NKI function is called while no kernel is being recorded."""

    def __init__(self, function: str):
        super().__init__(
            "err_nki_api_outside_of_nki_kernel",
            f"{function} is called outside of a kernel",
            allowed="a call inside a function decorated with nki.jit, while it is recorded",
        )


def not_modelled(what: str) -> NotImplementedError:
    """The exception for something documented that jnki does not model yet: it names itself."""
    at = user_location()
    error = NotImplementedError(f"jnki does not model {what} yet" + (f"\n  at {at.describe()}" if at else ""))
    _keep(error)
    return error


def misfit(
    signature: inspect.Signature,
    spelled: str,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    hints: Mapping[str, str] = MappingProxyType({}),
) -> str | None:
    """What is wrong with the arguments of a call, with the user's line; None where they fit the signature.

    Args:
        hints: of arguments that there are none of, what stands for them.
    """
    try:
        signature.bind(*args, **kwargs)
        return None
    except TypeError:
        pass
    parameters = signature.parameters.values()
    kinds = {p.kind for p in parameters}
    by_place = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    by_name = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY]
    takes = f"it takes {', '.join((*by_place, *by_name)) or 'no argument by name'}"
    any_name = inspect.Parameter.VAR_KEYWORD in kinds
    unexpected = [name for name in kwargs if not any_name and name not in (*by_place, *by_name)]
    required = [name for name in (*by_place, *by_name) if signature.parameters[name].default is inspect.Parameter.empty]
    missing = [name for name in required if name not in kwargs and name not in by_place[: len(args)]]
    if len(args) > len(by_place) and inspect.Parameter.VAR_POSITIONAL not in kinds:
        text = f"{spelled}() takes {len(by_place)} positional arguments but {len(args)} were given"
        if named := [name for name in by_name if name not in kwargs][: len(args) - len(by_place)]:
            each = ", ".join((*("..." for _ in by_place), *(f"{name}=..." for name in named)))
            text += f"; {' and '.join(f'{name}=' for name in named)} {'are' if named[1:] else 'is'} given by name: "
            text += f"{spelled}({each})"
    elif unexpected:
        text = f"{spelled}() got an unexpected keyword argument '{unexpected[0]}'; {takes}"
        if unexpected[0] in hints:
            text += f"; {hints[unexpected[0]]}"
    elif missing:
        text = f"{spelled}() is called without '{missing[0]}'; {takes}"
    else:
        text = f"{spelled}() got multiple values for one argument; {takes}"
    at = user_location()
    return text + (f"\n  at {at.describe()}" if at is not None else "")
