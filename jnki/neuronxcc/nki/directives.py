"""What a kernel tells the vendor's scheduler and allocator. None of it changes a value, or anything here."""

import operator
from dataclasses import dataclass
from typing import Any, Self

from jnki.errors import RuleError


@dataclass(frozen=True)
class Directive:
    """A wish about a loop (`directives=`) or about the block of a `with` statement."""

    name: str

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: Any) -> None:
        return None


def allocation_scope() -> Directive:
    """Tensors that are allocated automatically in this block share memory with others outside of it."""
    return Directive("allocation_scope")


def multi_buffer(factor: int = 2) -> Directive:
    """Each tensor in the loop gets `factor` physical tiles, so that as many iterations overlap.

    Raises:
        RuleError: `factor` is no positive number.
    """
    if isinstance(factor, bool) or not hasattr(factor, "__index__") or operator.index(factor) < 1:
        raise RuleError(
            "compiler.multi_buffer", "a loop has one buffer or more", given=f"factor={factor!r}", allowed="1 or more"
        )
    return Directive(f"multi_buffer({factor})")


def no_reorder() -> Directive:
    """Operations in the loop stay in the order in which they are written: iterations may depend on each other."""
    return Directive("no_reorder")
