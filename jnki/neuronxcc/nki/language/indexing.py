"""Index tensors and slices: `nl.arange`, `nl.mgrid`, `nl.ds`."""

from typing import Any

from jnki.access.basic import DynamicSlice
from jnki.access.index import Index
from jnki.access.index import arange as index_range
from jnki.access.mesh_grid import mgrid as mgrid


def arange(*args: int) -> Index:
    """The integers `[0, stop)` or `[start, stop)` as a rank-1 index; give it axes with `[:, None]`."""
    return index_range(*args)


def ds(start: Any, size: int) -> DynamicSlice:
    """The slice of `size` elements from `start`, which may depend on a loop index."""
    return DynamicSlice(start, size)
