"""Which places in PSUM have been written to since their tensor was made: the first matmul there overwrites."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from jnki.access.access import Access
from jnki.access.buffer import Space
from jnki.access.byte_map import is_known, places_in
from jnki.errors import not_modelled


@dataclass
class _Part:
    """What was written to a tensor that no instruction has written whole: a map of its bytes, and what it lacks yet."""

    written: np.ndarray
    later: list[Access] = field(default_factory=list)


class FirstWrites:
    """What has been written in PSUM so far, while each instruction stands for itself and not for iterations.

    Most tensors are written whole: only the others have a map, and only where somebody asks is it drawn.
    """

    def __init__(self) -> None:
        self._whole: set[str] = set()
        self._part: dict[str, _Part] = {}

    def forget(self, name: str) -> None:
        """A tensor of this name is made, and nothing has written to it."""
        self._whole.discard(name)
        self._part.pop(name, None)

    def note(self, accesses: Iterable[Access]) -> None:
        """These places are written to."""
        for access in accesses:
            buffer = access.buffer
            if buffer.space is not Space.PSUM or buffer.name in self._whole:
                continue
            if access.is_whole:
                self._whole.add(buffer.name)
            else:
                part = self._part.setdefault(buffer.name, _Part(np.zeros(0, bool)))
                part.later.append(access)

    def adds(self, access: Access) -> bool:
        """Whether a matmul into these places adds: something has written to them.

        Raises:
            NotImplementedError: to some of them only, or nobody knows to which.
        """
        name = access.buffer.name
        if name in self._whole:
            return True
        part = self._part.get(name)
        if part is None:
            return False
        if not all(map(is_known, (access, *part.later))):
            raise not_modelled(f"a matmul without accumulate= into '{name}', whose places are known at run time only")
        if not part.written.size:
            part.written = np.zeros(access.buffer.size_bytes, bool)
        for earlier in part.later:
            places_in(part.written, earlier)[...] = True
        part.later.clear()
        written = places_in(part.written, access)
        if not written.any():
            return False
        if not written.all():
            raise not_modelled(f"a matmul without accumulate= into places of '{name}' written in part")
        return True
