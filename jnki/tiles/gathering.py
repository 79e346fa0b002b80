"""Picking elements of tiles: `nl.gather_flattened`."""

from typing import Any

from jnki.access.access import Access
from jnki.access.mask import as_mask
from jnki.dtypes import element_type
from jnki.isa.gpsimd.gather_flattened import GatherFlattened
from jnki.record.recorder import current
from jnki.source import user_location
from jnki.tiles.compute import made
from jnki.tiles.tensor import Tensor, as_tensor, new_tile


def gather_flattened(data: Tensor, indices: Tensor, *, mask: Any = None, dtype: Any = None) -> Tensor:
    """A new tile of the shape of `indices`: each partition picks elements of `data`, its free axes taken as one.

    Args:
        data: `[P, F...]`, of 2 to 4 axes.
        indices: `[P, I...]` of uint32, of 2 to 4 axes. One that is out of bounds is a fault.
        mask: over `indices`; what to leave unwritten.
        dtype: element type of the result; that of `data` by default.

    Raises:
        RuleError: a rule of docs/isa/gpsimd/gather_flattened.md is broken.
    """
    recorder = current("nl.gather_flattened")
    source = as_tensor(data, "gather_flattened", "data").access
    places = as_tensor(indices, "gather_flattened", "indices").access

    def gather(dst: Access) -> GatherFlattened:
        instruction = GatherFlattened(
            dst=dst, data=source, indices=places, mask=as_mask(mask), location=user_location()
        )
        made(recorder, instruction)
        return instruction

    kind = source.dtype if dtype is None else element_type(dtype)
    return new_tile(recorder, places.shape, kind, gather, dtype_is_explicit=dtype is not None)
