"""Random numbers as a pure function of a seed: jnki's own generator, since the hardware's is not documented.

Its state is one row of registers, `uint32[1, 2]`: the seed, and how many draws were made since. A draw gives element
`k` of a tile, in row-major order, the word

    threefry2x32(key=(seed, draw), counter=(k, 0))[0]

so a number depends on the seed, the draw and its place, and not on a mask, nor on how a loop is run.

Source of the block function: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3" (2011).
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jnki.access.access import Access
from jnki.access.buffer import Space
from jnki.dtypes import uint32
from jnki.isa.instruction import Instruction
from jnki.isa.operands import load, store
from jnki.isa.rules import wrong_memory
from jnki.memory import DeviceMemory, Loops

STATE_SHAPE = (1, 2)

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = 0x1BD11BDA


@jax.jit
def threefry2x32(key: tuple[Any, Any], counter: tuple[Any, Any]) -> tuple[jax.Array, jax.Array]:
    """The block function with 20 rounds, on arrays of uint32 that broadcast together."""
    keys = (key[0], key[1], key[0] ^ key[1] ^ jnp.uint32(_PARITY))
    x, y = counter[0] + keys[0], counter[1] + keys[1]
    for group in range(5):
        for rotation in _ROTATIONS[group % 2]:
            x = x + y
            y = ((y << jnp.uint32(rotation)) | (y >> jnp.uint32(32 - rotation))) ^ x
        x = x + keys[(group + 1) % 3]
        y = y + keys[(group + 2) % 3] + jnp.uint32(group + 1)
    return x, y


def drawn(
    memory: DeviceMemory, state: Access, shape: tuple[int, ...], enabled: jax.Array | None, at: Loops
) -> tuple[jax.Array, DeviceMemory]:
    """Uniform float32 numbers of `shape`, multiples of 2^-24 from 0 up to 1 without it, and memory after the draw.

    A draw that a mask leaves no element of is not made: a loop may leave out the instruction.
    """
    bits, memory = drawn_bits(memory, state, shape, enabled, at)
    return uniform(bits), memory


def uniform(bits: jax.Array) -> jax.Array:
    """The upper 24 bits of words as a float32 number from 0 up to 1 without it."""
    return (bits >> jnp.uint32(8)).astype(jnp.float32) * jnp.float32(2.0**-24)


def drawn_bits(
    memory: DeviceMemory, state: Access, shape: tuple[int, ...], enabled: jax.Array | None, at: Loops
) -> tuple[jax.Array, DeviceMemory]:
    """Words of 32 random bits of `shape`, and memory after the draw."""
    words = load(memory, state, at).reshape(-1)
    seed, count = words[0], words[1]
    place = lax.iota(jnp.uint32, math.prod(shape)).reshape(shape)
    bits, _ = threefry2x32((seed, count), (place, jnp.zeros_like(place)))
    made = jnp.uint32(math.prod(shape) > 0) if enabled is None else jnp.any(enabled).astype(jnp.uint32)
    return bits, store(memory, state, jnp.stack([seed, count + made]).reshape(STATE_SHAPE), at)


def check_state(instruction: Instruction, state: Access) -> None:
    """The operand is a row of registers that holds the state of the generator."""
    if state.buffer.space is not Space.SBUF:
        raise wrong_memory(instruction, "state", state, "sbuf")
    if state.shape != STATE_SHAPE or state.dtype != uint32:
        raise instruction.error(
            f"{instruction.name}.state",
            "'state' does not hold the state of the random number generator",
            given=f"{list(state.shape)} {state.dtype}",
            allowed=f"{list(STATE_SHAPE)} uint32: the seed, and the number of draws since",
        )
