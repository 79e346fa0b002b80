"""Kernels that write their parameters: the NumPy arrays among their arguments that are overwritten."""

from collections.abc import Mapping
from typing import Any

import jax

from jnki.kernel.entries import Entry


def check_writable(entry: Entry, updates: Mapping[int, int], arrays: Any, kernel: str) -> None:
    """The NumPy arrays that are to be overwritten can be.

    Args:
        updates: from outputs to arguments, by number.

    Raises:
        ValueError: an array is read-only.
    """
    for number in updates.values():
        if not arrays[number].flags.writeable:
            name = entry.program.parameters[number].buffer.name
            raise ValueError(f"kernel {kernel} writes its parameter '{name}', and the array is read-only")


def written_back(updates: Mapping[int, int], flat: Any, arrays: Any) -> Any:
    """The outputs, after NumPy arrays among the arguments are overwritten with some of them."""
    for output, number in updates.items():
        if not isinstance(flat[output], jax.core.Tracer):
            arrays[number][...] = flat[output]
    return flat
