"""Random copy kernels as data: what they are. `as_nki` records one, `as_numpy` runs one, element by element.

A kernel moves tiles of one shape `[P, F]` between two HBM tensors, by way of fresh tiles and of two tiles that live
outside of all loops. All its windows are affine in the loop indices, and may leave the tensors under masks.
"""

from dataclasses import dataclass, field

Rows = Columns = int


@dataclass(frozen=True)
class Affine:
    """`constant + sum(factor * loop index)`."""

    constant: int
    factors: tuple[tuple[str, int], ...] = ()

    def at(self, indices):
        return self.constant + sum(factor * indices[name] for name, factor in self.factors)


@dataclass(frozen=True)
class Window:
    """Where a tile starts in an HBM tensor, and whether a mask keeps it inside."""

    row: Affine
    column: Affine
    masked: bool


@dataclass(frozen=True)
class Load:
    """A new tile from the source."""

    tile: str
    window: Window


@dataclass(frozen=True)
class Gather:
    """A new tile of -1, and over it the rows of the source that indices name; bad ones are skipped."""

    tile: str
    indices: Affine
    column: Affine


@dataclass(frozen=True)
class Keep:
    """An outside tile takes (or adds) a tile."""

    kept: str
    tile: str
    add: bool


@dataclass(frozen=True)
class Fill:
    """An outside tile gets one value."""

    kept: str
    value: int


@dataclass(frozen=True)
class Store:
    """A tile goes to the output."""

    tile: str
    window: Window


@dataclass(frozen=True)
class Scatter:
    """A tile goes (or is added) to the rows of the output that indices name; bad ones are skipped, or stay inside."""

    tile: str
    indices: Affine
    column: Affine
    add: bool


@dataclass(frozen=True)
class Move:
    """A window of the source goes (or is added) to the output, HBM to HBM."""

    source: Window
    destination: Window
    add: bool


@dataclass(frozen=True)
class Repeat:
    """A loop."""

    name: str
    start: int
    trips: int
    step: int
    body: tuple["Statement", ...]

    @property
    def values(self) -> range:
        return range(self.start, self.start + self.trips * self.step, self.step)


Statement = Load | Gather | Keep | Fill | Store | Scatter | Move | Repeat


@dataclass(frozen=True)
class CopyKernel:
    """A kernel.

    Attributes:
        tile: `[P, F]`.
        source, output: shapes of the HBM tensors.
        indices: how many row indices there are.
        dtype: element type of everything but the indices.
        body: what it does; the tiles "a" and "b" are there from the start, "a" full of 0 and "b" unwritten.
    """

    tile: tuple[int, int]
    source: tuple[int, int]
    output: tuple[int, int]
    indices: int
    dtype: str
    body: tuple[Statement, ...] = field(default=())
