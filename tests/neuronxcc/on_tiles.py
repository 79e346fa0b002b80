"""Calling functions of the dialect on tiles, without a kernel around each of them."""

from collections.abc import Callable
from typing import Any

import numpy as np

from jnki.neuronxcc import nki
from jnki.neuronxcc.nki import language as nl
from jnki.tiles.tensor import Tensor


def on_tiles(function: Callable[..., Any], *arrays: np.ndarray, platform_target: str = "trn2") -> Any:
    """What `function` returns for tiles that hold `arrays`, as an array or a tuple of arrays."""
    return kernel_of(function, platform_target)(list(arrays))


def kernel_of(function: Callable[..., Any], platform_target: str = "trn2") -> Any:
    """A kernel of one list of arrays: it loads them, calls `function` with the tiles, and stores what that returns."""

    @nki.jit(platform_target=platform_target)
    def kernel(inputs):
        result = function(*(nl.load(x) for x in inputs))
        tiles = (result,) if isinstance(result, Tensor) else tuple(result)
        outputs = []
        for tile in tiles:
            out = nl.ndarray(tile.shape, tile.dtype, buffer=nl.shared_hbm)
            nl.store(out, tile)
            outputs.append(out)
        return outputs[0] if isinstance(result, Tensor) else tuple(outputs)

    return kernel
