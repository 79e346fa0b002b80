"""What the tests of this dialect share: a kernel around a body, and a tensor outside of any program."""

import numpy as np

from jnki.access.access import Access
from jnki.access.buffer import Buffer, Space
from jnki.dtypes import element_type
from jnki.nki.language.tensor import NkiTensor
from jnki.record.blocks import Scope


def tensor(shape, dtype="float32", space=Space.HBM, name="t"):
    """A tensor to take views of; no kernel is recorded."""
    return NkiTensor(Access.whole(Buffer(name, space, tuple(shape), element_type(dtype))), Scope([], []))


def addresses(view):
    """The place in the storage of each element of a view, in elements."""
    places = np.full(view.shape, view.offset)
    for axis, step in enumerate(view.strides):
        shape = [1] * view.ndim
        shape[axis] = -1
        places = places + step * np.arange(view.shape[axis]).reshape(shape)
    return places
