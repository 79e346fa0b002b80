"""Random numbers: `nl.random_seed`, `nl.rand`, `nl.dropout`."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from jnki.tiles import random
from jnki.tiles.tensor import Tensor


def random_seed(seed: Any, *, mask: Any = None) -> None:
    """The draws that follow are those of this seed, from its first one on.

    Args:
        seed: a number, or a tile of one element of 32 bits.
        mask: of loop indices: whether the seed is set.

    Raises:
        RuleError: docs/isa/vector/random_seed.md has the rules.
    """
    random.random_seed(seed, mask=mask)


def rand(shape: Sequence[int], dtype: Any = np.float32) -> Tensor:
    """A new SBUF tile of uniform random numbers from 0 up to 1.

    Args:
        shape: `[P, F...]`.
        dtype: a float type.

    Raises:
        RuleError: docs/isa/vector/rand.md has the rules.
    """
    return random.rand(shape, dtype)


def dropout(x: Tensor, rate: Any, *, dtype: Any = None, mask: Any = None) -> Tensor:
    """A new SBUF tile with elements of `x` replaced by zero at random. What stays is not scaled.

    Args:
        x: `[P, F...]` in SBUF or PSUM.
        rate: the drop probability: a number from 0 to 1, or a tile of one element, or of one for each partition.
        dtype: element type of the result; that of `x` by default.
        mask: what to leave unwritten.

    Raises:
        RuleError: docs/isa/vector/dropout.md has the rules.
    """
    return random.dropout(x, rate, one_for_all=True, dtype=dtype, mask=mask)
