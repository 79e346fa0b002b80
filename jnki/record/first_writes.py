"""Which places in PSUM have been written to since their tensor was made: the first matmul there overwrites."""

from collections.abc import Iterable

import numpy as np

from jnki.access.access import Access
from jnki.access.buffer import Space
from jnki.errors import not_modelled


class FirstWrites:
    """What has been written in PSUM so far, while each instruction stands for itself and not for iterations.

    Most tensors are written whole: only the others have a map of their bytes.
    """

    def __init__(self) -> None:
        self._whole: set[str] = set()
        self._part: dict[str, np.ndarray] = {}

    def forget(self, name: str) -> None:
        """A tensor of this name is made, and nothing has written to it."""
        self._whole.discard(name)
        self._part.pop(name, None)

    def note(self, accesses: Iterable[Access]) -> None:
        """These places are written to."""
        for access in accesses:
            if access.buffer.space is not Space.PSUM or access.buffer.name in self._whole:
                continue
            if access.is_whole:
                self._whole.add(access.buffer.name)
            else:
                self._places(access)[...] = True

    def adds(self, access: Access) -> bool:
        """Whether a matmul into these places adds: something has written to them.

        Raises:
            NotImplementedError: to some of them only.
        """
        name = access.buffer.name
        if name in self._whole:
            return True
        if name not in self._part:
            return False
        written = self._places(access)
        if not written.any():
            return False
        if not written.all():
            raise not_modelled(f"a matmul without accumulate= into places of '{name}' written in part")
        return True

    def _places(self, access: Access) -> np.ndarray:
        """One boolean for each byte of an access, as a view of those of its buffer."""
        buffer = access.buffer
        size_bytes = buffer.dtype.size_bytes
        if buffer.name not in self._part:
            self._part[buffer.name] = np.zeros(buffer.size_bytes, bool)
        flat = self._part[buffer.name]
        shape = (*access.shape, size_bytes)
        strides = (*(dim.step * size_bytes for dim in access.dims), 1)
        start = access.offset.constant * size_bytes
        return np.lib.stride_tricks.as_strided(flat[start:], shape, strides)
