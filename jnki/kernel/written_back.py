"""Kernels that return nothing: the NumPy arrays that they write among their arguments."""

from typing import Any

import jax
import numpy as np

from jnki.kernel.entries import Entry


def check_writable(entry: Entry, arrays: Any, kernel: str) -> None:
    """What the kernel writes among its NumPy arguments can be written.

    Raises:
        ValueError: an array is read-only.
    """
    for number in entry.updated:
        if number is not None and isinstance(arrays[number], np.ndarray) and not arrays[number].flags.writeable:
            name = entry.program.parameters[number].buffer.name
            raise ValueError(f"kernel {kernel} writes its parameter '{name}', and the array is read-only")


def written_back(entry: Entry, flat: Any, arrays: Any) -> Any:
    """The outputs, with which the NumPy arrays that a kernel without results writes are overwritten."""
    for output, number in zip(flat, entry.updated):
        if number is not None and isinstance(arrays[number], np.ndarray) and not isinstance(output, jax.core.Tracer):
            arrays[number][...] = output
    return flat
