"""Random numbers: `nl.random_seed`, `nl.rand`, `nl.dropout`."""

from collections.abc import Sequence
from typing import Any

from jnki.errors import RuleError
from jnki.nki.language.dtypes import type_named, wished_type
from jnki.nki.language.memory import MemoryRegion, region, sbuf
from jnki.tiles import random
from jnki.tiles.tensor import as_tensor


def random_seed(seed: Any) -> None:
    """The draws that follow are those of this seed.

    Args:
        seed: a tile `[1, 1]` of 32 bits.
    """
    random.random_seed(as_tensor(seed, "random_seed", "seed"))


def rand(shape: Sequence[int], dtype: Any, buffer: MemoryRegion = sbuf, name: str = "") -> Any:
    """A new SBUF tile of uniform random numbers from 0 up to 1.

    Args:
        shape: `[P, F...]`.
        dtype: a float type.
        buffer: `nl.sbuf`.
        name: for messages.

    Raises:
        RuleError: `rand.buffer`, for another memory.
    """
    if region(buffer, "rand") is not sbuf:
        raise RuleError("rand.buffer", "nl.rand makes a tile in SBUF", given=f"buffer={buffer}", allowed="nl.sbuf")
    return random.rand(shape, type_named(dtype))


def dropout(x: Any, rate: Any, dtype: Any = None) -> Any:
    """A new SBUF tile with elements of `x` replaced by zero at random. What stays is not scaled.

    Args:
        x: `[P, F...]`.
        rate: the probability of a zero: a number from 0 to 1, or a tile of one element, or of one for each partition.
        dtype: element type of the result; that of `x` by default.
    """
    return random.dropout(x, rate, one_for_all=True, dtype=wished_type(dtype))
