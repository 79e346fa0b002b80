"""Which elements an access names, worked out one at a time."""

import itertools
from collections.abc import Mapping

import numpy as np

from jnki.access.access import Access
from jnki.access.affine import Symbol
from jnki.access.buffer import Buffer, Space
from jnki.dtypes import float32, int32


def buffer(*shape: int, name: str = "t", space: Space = Space.HBM, partition_axis: int = 0) -> Buffer:
    """A float32 buffer."""
    return Buffer(name, space, shape, float32, partition_axis)


def index_tile(*shape: int, space: Space = Space.SBUF, dtype: object = int32) -> Access:
    """A whole buffer of row indices."""
    return Access.whole(Buffer("i", space, shape, dtype))  # type: ignore[arg-type]


def walked(access: Access, values: Mapping[Symbol, int] | None = None) -> np.ndarray:
    """The flat address of every element of `access`, in its shape, as exact Python integers."""
    start = access.offset.evaluate((values or {}).__getitem__)
    addresses = np.empty(access.shape, object)
    for place in itertools.product(*(range(n) for n in access.shape)):
        addresses[place] = start + sum(dim.step * p for dim, p in zip(access.dims, place))
    return addresses


def addresses(*shape: int) -> np.ndarray:
    """The flat addresses of a whole buffer of `shape`: index it as NumPy does to see what should be walked."""
    return np.arange(int(np.prod(shape, dtype=int))).reshape(shape)
