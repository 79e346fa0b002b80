"""Exceptions that jnki raises while a kernel is recorded or an instruction is built.

Every broken rule is one `RuleError`: it carries the rule's documented name, what was given, what is allowed,
and the user's source line. Run-time faults are not here: they are data (`jnki.memory.Fault`) until the edge of
a call, where they become a plain `IndexError`.
"""

from typing import Any

from jnki.source import Location, user_location


class RuleError(ValueError):
    """A kernel breaks a rule of NKI's documentation.

    Attributes:
        rule: the documented name, such as `err_unsupported_memory`, or `dma_copy.element_count`.
        given: what the kernel passed, in words.
        allowed: what the rule accepts, in words.
        location: the user's file and line, or None outside of any user code.
    """

    def __init__(self, rule: str, message: str, *, given: str = "", allowed: str = "", at: Location | None = None):
        self.rule = rule
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

    def __reduce__(self) -> tuple[Any, ...]:
        """Copied and pickled as it stands: its text and its place were settled where it was raised."""
        return _restored, (type(self), self.args, vars(self))


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
    return NotImplementedError(f"jnki does not model {what} yet" + (f"\n  at {at.describe()}" if at else ""))
