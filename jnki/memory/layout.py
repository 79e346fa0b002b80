"""How an access walks the axes of its buffer: the static half of lowering a move.

An access is a *block* where each of its dims walks one axis and the dims on an axis nest without overlap. Such a move
is a window of the buffer, unfolded and transposed; anything else moves element by element.

    axis of 12:   . . a . . b . . c . . d      one dim:   [3,4] from 2
                  |-------- extent 10 ------|

    axis of 12:   a b . . c d . . e f . .      two dims:  [4,3] [1,2]
"""

from dataclasses import dataclass, replace
from functools import lru_cache

from jnki.access.access import Access
from jnki.access.affine import Affine
from jnki.access.coordinates import coordinates, inside, split


@dataclass(frozen=True, slots=True)
class Level:
    """One dim of the access on its axis. `step` is positive; a negative one is a flip after the read."""

    dim: int
    step: int
    count: int


@dataclass(frozen=True, slots=True)
class AxisWalk:
    """The window of one axis: it starts at `start`, is `extent` long, and is walked by `levels`, slowest first.

    The first walked element stands `lead` places into the window.
    """

    start: Affine
    levels: tuple[Level, ...]
    extent: int
    lead: int = 0

    @property
    def is_dense(self) -> bool:
        """Whether every position of the window is walked."""
        walked = 1
        for level in self.levels:
            walked *= level.count
        return walked == self.extent

    def in_whole_steps(self, size: int) -> "AxisWalk | None":
        """The same walk, if it has gaps in a window of whole steps of its slowest level.

        Where such a window would leave the axis of `size` places it is moved back, or, without room for that, None.

            axis of 12:   . . a . . b . . c . . d      one dim:   [3,4] from 2
                          |-----|-----|-----|---|      in whole steps: from 0, lead 2
        """
        if self.is_dense:
            return self
        extent = self.levels[0].step * self.levels[0].count
        first, last = self.start.bounds()
        lead = max(0, last + extent - size)
        if lead > min(first, extent - self.extent):
            return None
        return AxisWalk(self.start + -lead, self.levels, extent, lead)

    @property
    def is_in_whole_steps(self) -> bool:
        """Whether the window is as long as the steps of its slowest level."""
        return bool(self.levels) and self.extent == self.levels[0].step * self.levels[0].count


@dataclass(frozen=True)
class Block:
    """A window per axis, and what turns its elements into the tile.

    Attributes:
        axes: one walk per axis of the buffer.
        flipped: dims that are walked backwards.
        broadcast: dims that stay in place (step 0), each with a count above 1.
    """

    axes: tuple[AxisWalk, ...]
    flipped: tuple[int, ...]
    broadcast: tuple[int, ...]

    @property
    def window_shape(self) -> tuple[int, ...]:
        return tuple(axis.extent for axis in self.axes)

    @property
    def order(self) -> tuple[int, ...]:
        """The dims in the order in which the buffer's axes hold them."""
        return tuple(level.dim for axis in self.axes for level in axis.levels)

    @property
    def is_dense(self) -> bool:
        return all(axis.is_dense for axis in self.axes)

    def in_whole_steps(self, shape: tuple[int, ...]) -> "Block | None":
        """The same block in windows that divide into steps (see `AxisWalk`), or None where one does not fit."""
        axes = [axis.in_whole_steps(size) for axis, size in zip(self.axes, shape)]
        fitting = tuple(axis for axis in axes if axis is not None)
        return replace(self, axes=fitting) if len(fitting) == len(axes) else None

    def covers(self, shape: tuple[int, ...]) -> bool:
        """Whether the window is the whole buffer."""
        return self.window_shape == shape


@lru_cache(maxsize=65536)
def block_of(access: Access) -> Block | None:
    """The block that `access` is, its dynamic offset and its row dim left aside; None where it is none."""
    if access.indirect is None and not inside(access):
        return None
    return _block(access, range(len(access.dims)))


@lru_cache(maxsize=65536)
def row_block_of(access: Access) -> Block | None:
    """The block that dims 1, 2, ... of `access` form within each row of dim 0; None where they form none."""
    block = _block(access, range(1, len(access.dims)))
    if block is None or not all(_row_fits(access, block, axis) for axis in range(len(block.axes))):
        return None
    return block


def _row_fits(access: Access, block: Block, axis: int) -> bool:
    """Whether the window of every row that may be used is inside of `axis`.

    A window that sticks out would be pushed back inside whole. Two sorts may: rows whose index is out of bounds, and,
    where a window is one place long, rows beyond either end of axis 0: there is nothing there that a row could mean.
    """
    walk, size = block.axes[axis], access.buffer.shape[axis]
    low, high = walk.start.bounds()
    if access.dims:
        reach = coordinates(access)[axis].steps[0] * (access.dims[0].count - 1)
        low, high = low + min(0, reach), high + max(0, reach)
    if access.indirect is not None:
        digit = split(access.indirect.step, access.buffer.strides)[axis]
        if digit and access.indirect.walks_axis:
            return True
        reach = digit * (access.indirect.size - 1)
        low, high = low + min(0, reach), high + max(0, reach)
    return (low >= 0 and high + walk.extent <= size) or (axis == 0 and walk.extent == 1)


def _block(access: Access, dims: range) -> Block | None:
    walks, flipped, seen = [], [], set()
    for index in coordinates(access):
        levels, start = [], index.start
        for dim in dims:
            step, count = index.steps[dim], access.dims[dim].count
            if step == 0 or count == 1:
                continue
            if dim in seen:
                return None
            seen.add(dim)
            if step < 0:
                flipped.append(dim)
                start = start + step * (count - 1)
            levels.append(Level(dim, abs(step), count))
        levels.sort(key=lambda level: -level.step)
        extent = 1
        for level in reversed(levels):
            if extent > level.step:
                return None
            extent += level.step * (level.count - 1)
        walks.append(AxisWalk(start, tuple(levels), extent))
    broadcast = tuple(d for d in dims if d not in seen and access.dims[d].count != 1)
    return Block(tuple(walks), tuple(flipped), broadcast)
