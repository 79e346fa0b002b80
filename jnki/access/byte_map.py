"""A map of the bytes of a buffer, one boolean for each: which of them an access names."""

import numpy as np

from jnki.access.access import Access


def is_known(access: Access) -> bool:
    """Whether its places are known, and inside of its buffer: only such an access may be looked up in a map."""
    return access.indirect is None and not access.unchecked and access.offset.is_constant


def places_in(flat: np.ndarray, access: Access) -> np.ndarray:
    """The booleans of the bytes of each element, `[*access.shape, bytes]`, as a view of the map of its buffer."""
    size = access.dtype.size_bytes
    start = access.offset.constant * size
    strides = (*(dim.step * size for dim in access.dims), 1)
    return np.lib.stride_tricks.as_strided(flat[start:], (*access.shape, size), strides)
