"""Which places in PSUM have been written to since their tensor was made: the first matmul there overwrites."""

from collections.abc import Iterable

import numpy as np

from jnki.access.access import Access
from jnki.access.buffer import Space
from jnki.errors import not_modelled


class FirstWrites:
    """What has been written in PSUM so far, while each instruction stands for itself and not for iterations."""

    def __init__(self) -> None:
        self._written: dict[str, np.ndarray] = {}

    def note(self, accesses: Iterable[Access]) -> None:
        """These places are written to."""
        for access in accesses:
            if access.buffer.space is Space.PSUM:
                self._places(access)[...] = True

    def adds(self, access: Access) -> bool:
        """Whether a matmul into these places adds: something has written to them.

        Raises:
            NotImplementedError: to some of them only.
        """
        written = self._places(access)
        if not written.any():
            return False
        if not written.all():
            raise not_modelled(f"a matmul without accumulate= into places of '{access.buffer.name}' written in part")
        return True

    def _places(self, access: Access) -> np.ndarray:
        """One boolean for each element of an access, as a view of those of its buffer."""
        buffer = access.buffer
        size_bytes = buffer.dtype.size_bytes
        if buffer.name not in self._written:
            self._written[buffer.name] = np.zeros(buffer.size_bytes, bool)
        flat = self._written[buffer.name]
        shape = (*access.shape, size_bytes)
        strides = (*(dim.step * size_bytes for dim in access.dims), 1)
        start = access.offset.constant * size_bytes
        return np.lib.stride_tricks.as_strided(flat[start:], shape, strides)
