"""The cores of a launch while a kernel is recorded for one after the other: what is each one's, and what is shared."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from jnki.access.buffer import Buffer
from jnki.dtypes import ElementType
from jnki.errors import RuleError
from jnki.program.program import Node
from jnki.source import Location, user_location


@dataclass(frozen=True)
class _Shared:
    """A tensor in shared HBM, and where core 0 has made it."""

    buffer: Buffer
    place: Any
    location: Location | None


@dataclass(eq=False)
class Cores:
    """What each core does, and the tensors that they share, which all of them make in the same order.

    Attributes:
        bodies: what each core does, by its number.
    """

    bodies: list[list[Node]] = field(default_factory=list)
    _shared: list[_Shared] = field(default_factory=list)
    _made: int = 0

    @property
    def mark(self) -> str:
        """What the names of the tensors of the core that is recorded now end in."""
        return f"@{len(self.bodies) - 1}" if self.bodies else ""

    def start(self) -> list[Node]:
        """The next core starts: where its instructions go."""
        self.bodies.append([])
        self._made = 0
        return self.bodies[-1]

    def finish(self) -> None:
        """The core that is recorded now has come to its end.

        Raises:
            RuleError: `spmd.shared_tensors`, where it has made fewer shared tensors than core 0.
        """
        if self._made < len(self._shared):
            left = self._shared[self._made]
            raise _mismatch(
                _told(0, left.buffer.shape, left.buffer.dtype, left.location), "core 1 does not", left.location
            )

    def share(self, shape: tuple[int, ...], dtype: ElementType, place: Any, make: Callable[[], Buffer]) -> Buffer:
        """The shared tensor that this core makes now: the first one of each core is one tensor, and so on.

        Args:
            place: the place in the source that makes it.
            make: makes it, for core 0.

        Raises:
            RuleError: `spmd.shared_tensors`, where core 0 has made another one then, or none.
        """
        location, at = user_location(), self._made
        self._made += 1
        if len(self.bodies) == 1:
            self._shared.append(_Shared(make(), place, location))
            return self._shared[-1].buffer
        here = _told(1, shape, dtype, location)
        if at >= len(self._shared):
            raise _mismatch("core 0 does not", here, location)
        known = self._shared[at]
        buffer = known.buffer
        if (buffer.shape, buffer.dtype, known.place) != (shape, dtype, place):
            raise _mismatch(_told(0, buffer.shape, buffer.dtype, known.location), here, location)
        return buffer

    @property
    def shared(self) -> list[Buffer]:
        """The tensors that the cores share."""
        return [one.buffer for one in self._shared]


def _told(core: int, shape: tuple[int, ...], dtype: ElementType, location: Location | None) -> str:
    line = f" ({location.short()})" if location is not None else ""
    return f"core {core} makes {list(shape)} {dtype}{line}"


def _mismatch(one: str, other: str, location: Location | None) -> RuleError:
    return RuleError(
        "spmd.shared_tensors",
        "the cores do not make the same tensors in nl.shared_hbm",
        given=f"{one}; {other}",
        allowed="the same ones, at the same lines, in the same order, on both cores; nl.private_hbm is each core's own",
        at=location,
    )
