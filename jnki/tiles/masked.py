"""Operand masking: `lhs[i < n]`, a tile of which a matmul sees only a part."""

from typing import Any

import numpy as np

from jnki.access.access import Access
from jnki.access.mask import Mask, as_mask
from jnki.errors import RuleError


class MaskedOperand:
    """A `Tensor` and a mask over its axes; masking it again narrows it further. Only matmuls take it as an operand."""

    __slots__ = ("mask", "tile")

    def __init__(self, tile: Any, mask: Mask | None):
        self.tile = tile
        self.mask = mask

    def __getitem__(self, key: Any) -> "MaskedOperand":
        if not is_mask(key):
            raise RuleError(
                "operand_mask.order",
                f"a mask on tensor '{self.tile.name}' comes after its indices",
                given=f"an index on {self}",
                allowed="tile[indices][mask]",
            )
        return MaskedOperand(self.tile, as_mask(key if self.mask is None else self.mask & key))

    def __carried__(self) -> tuple[Any, ...]:
        return (self.tile, self.mask)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.tile.shape

    @property
    def dtype(self) -> np.dtype:
        return self.tile.dtype

    @property
    def access(self) -> Access:
        """Not available: only what knows about the mask may read the tile.

        Raises:
            RuleError: always.
        """
        raise RuleError(
            "operand_mask.use",
            f"only a matmul takes a masked operand, and tensor '{self.tile.name}' is one",
            given=str(self),
            allowed="nisa.nc_matmul, nl.matmul; mask=... on everything else",
        )

    def __str__(self) -> str:
        return f"{self.tile!r} where {self.mask if self.mask is not None else 'always'}"


def is_mask(key: Any) -> bool:
    """Whether a subscript is a mask, decided or not, and no index."""
    return isinstance(key, (Mask, bool, np.bool_))


def unmasked(operand: Any) -> tuple[Any, Mask | None]:
    """The tile and its mask; anything else comes back as it is, with no mask."""
    return (operand.tile, operand.mask) if isinstance(operand, MaskedOperand) else (operand, None)
