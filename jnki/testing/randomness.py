"""Random words as a pure function of seed, case, argument and position, made of integer arithmetic alone.

A few multiplications per word: much cheaper to compile and to run than a cryptographic generator, and good enough for
contents of test cases. The mixing function is a multiply-xorshift hash of 32 bits.
"""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jnki.testing.shapes import Shape

_GOLDEN = 0x9E3779B9


def mixed(x: jax.Array) -> jax.Array:
    """A bijection of 32-bit words in which every bit of the result depends on every bit of `x`."""
    x = (x ^ (x >> np.uint32(16))) * np.uint32(0x7FEB352D)
    x = (x ^ (x >> np.uint32(15))) * np.uint32(0x846CA68B)
    return x ^ (x >> np.uint32(16))


def seed_words(seed: int) -> np.ndarray:
    """A seed of up to 64 bits as two words.

    Raises:
        ValueError: it is negative or larger.
    """
    if not 0 <= seed < 2**64:
        raise ValueError(f"a seed is a number from 0 to 2**64 - 1, not {seed}")
    return np.array([seed % 2**32, seed >> 32], np.uint32)


@dataclass(frozen=True)
class Source:
    """The random words of one argument of one case.

    Attributes:
        seed: two words.
        case: the number of the case.
        place: which argument, among the arrays.
    """

    seed: Any
    case: Any
    place: int

    @property
    def key(self) -> jax.Array:
        """A key of `jax.random`, for functions."""
        key = jax.random.fold_in(jax.random.key(self.seed[0]), self.seed[1])
        return jax.random.fold_in(jax.random.fold_in(key, self.case), self.place)

    def words(self, shape: Shape, stream: int = 0) -> jax.Array:
        """Uniform 32-bit words; two streams of one argument have nothing in common."""
        case = jnp.asarray(self.case, jnp.uint32)
        start = mixed(jnp.asarray(self.seed[0], jnp.uint32) + np.uint32(_GOLDEN * (2 * stream + 1) % 2**32))
        start = mixed(start ^ jnp.asarray(self.seed[1], jnp.uint32)) + np.uint32(self.place * 0x85EBCA6B % 2**32)
        first = mixed(start ^ case)
        second = mixed(first ^ (case * np.uint32(_GOLDEN) + np.uint32(0x632BE5AB)))
        count = int(np.prod(shape, dtype=np.int64))
        position = jnp.arange(count, dtype=jnp.uint32) * np.uint32(_GOLDEN)
        return mixed(mixed(position + first) ^ second).reshape(shape)
