"""Shapes as users write them."""

from typing import Any

import numpy as np

Shape = tuple[int, ...]


def as_shape(shape: Any) -> Shape:
    """An integer is a shape of one axis."""
    return (int(shape),) if isinstance(shape, (int, np.integer)) else tuple(int(n) for n in shape)
