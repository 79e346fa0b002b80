"""Index tensors and slices: `nl.arange`, `nl.mgrid`, `nl.ds`, and the grids of a matmul."""

from typing import Any

from jnki.access.basic import DynamicSlice
from jnki.access.index import Index
from jnki.access.index import arange as index_range
from jnki.access.mesh_grid import Grid
from jnki.access.mesh_grid import mgrid as mgrid
from jnki.neuronxcc.nki.language.tile_size import tile_size


def arange(*args: int) -> Index:
    """The integers `[0, stop)` or `[start, stop)` as a rank-1 index; give it axes with `[:, None]`."""
    return index_range(*args)


def ds(start: Any, size: int) -> DynamicSlice:
    """The slice of `size` elements from `start`, which may depend on a loop index."""
    return DynamicSlice(start, size)


def gemm_grid() -> Grid:
    """The mesh grid over the largest result, and the largest moving operand, of a matmul: `[128, 512]`."""
    return mgrid[0 : tile_size.pmax, 0 : tile_size.gemm_moving_fmax]


def gemm_stationary_grid() -> Grid:
    """The mesh grid over the largest stationary operand of a matmul: `[128, 128]`."""
    return mgrid[0 : tile_size.pmax, 0 : tile_size.gemm_stationary_fmax]
