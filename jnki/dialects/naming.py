"""Functions that also name an operator: `nl.exp(tile)` records, `nisa.activation(op=nl.exp)` only asks for the name."""

from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


def named(op: str) -> Callable[[F], F]:
    """Marks a function as the name of the operator `op` of `nki.isa`."""

    def mark(function: F) -> F:
        function.__dict__["nki_op"] = op
        return function

    return mark


def public(function: F, name: str, summary: str) -> F:
    """`function` as a public one: with its name, and its summary in front of its docstring."""
    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"{summary}\n{function.__doc__ or ''}"
    return function
