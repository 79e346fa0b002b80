"""The mark of the partition axis in a shape."""

from collections.abc import Sequence
from typing import Any

from jnki.errors import RuleError


class par_dim(int):
    """The size of the partition axis, marked as such in a shape: `(4, nl.par_dim(128), 512)`."""

    def __repr__(self) -> str:
        return f"par_dim({int(self)})"


def marked_axis(shape: Sequence[Any]) -> int | None:
    """The axis that `nl.par_dim` marks in `shape`, if any.

    Raises:
        RuleError: `par_dim`, where it marks several.
    """
    marked = [axis for axis, n in enumerate(shape) if isinstance(n, par_dim)]
    if len(marked) > 1:
        raise RuleError("par_dim", "a tensor has one partition axis", given=str(shape), allowed="one nl.par_dim")
    return marked[0] if marked else None
