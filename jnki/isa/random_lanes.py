"""Random numbers of the engines' lanes: jnki's own generator, since the hardware's is not documented.

Each lane, one for each partition, has a state of 32-bit words: 6 on the GpSimd Engine, 24 on the Vector Engine. They
make a key, two at a time:

    key = (0, 0);  for words (a, b): key = threefry2x32(key, counter=(a, b))

A draw gives element `k` of a lane the word `threefry2x32(key, counter=(k, 0))[0]`, and adds 0x9E3779B9 to the last word
of the state. So a state that was read and set again goes on with the same numbers, lanes of one state have the same
numbers, and nothing depends on how a loop is run.
"""

import jax
import jax.numpy as jnp
from jax import lax

from jnki.access.access import Access
from jnki.access.buffer import Space
from jnki.dtypes import uint32
from jnki.isa.enums import engine as Engine
from jnki.isa.instruction import Instruction
from jnki.isa.operands import load, store
from jnki.isa.random_numbers import threefry2x32
from jnki.isa.rules import check_engine, wrong_memory
from jnki.memory import DeviceMemory, Loops
from jnki.target import Target

_STEP = 0x9E3779B9  # odd and large: states that are near each other do not meet soon
WORDS = {Engine.gpsimd: 6, Engine.vector: 24}


def drawn_by_lane(memory: DeviceMemory, state: Access, count: int, at: Loops) -> tuple[jax.Array, DeviceMemory]:
    """`uint32[P, count]` words of random bits, and memory after the draw."""
    words = load(memory, state, at).reshape(state.shape[0], -1)
    key = (jnp.zeros_like(words[:, 0]), jnp.zeros_like(words[:, 0]))
    for number in range(0, words.shape[1], 2):
        key = threefry2x32(key, (words[:, number], words[:, number + 1]))
    place = lax.broadcasted_iota(jnp.uint32, (words.shape[0], count), 1)
    bits, _ = threefry2x32((key[0][:, None], key[1][:, None]), (place, jnp.zeros_like(place)))
    after = words.at[:, -1].add(jnp.uint32(_STEP))
    return bits, store(memory, state, after.reshape(state.shape), at)


def check_lanes(instruction: Instruction, state: Access, partitions: int, engine: Engine) -> None:
    """The operand holds the states of that many lanes of the engine."""
    if state.buffer.space is not Space.SBUF:
        raise wrong_memory(instruction, "state", state, "sbuf")
    if state.shape != (partitions, WORDS[engine]) or state.dtype != uint32:
        raise instruction.error(
            f"{instruction.name}.state",
            "'state' does not hold the states of the lanes",
            given=f"{list(state.shape)} {state.dtype}",
            allowed=f"[{partitions}, {WORDS[engine]}] uint32 for the {engine.name} engine",
        )


def check_lane_engine(instruction: Instruction, engine: Engine, target: Target) -> None:
    """The engine, which is named, has lanes with a state on the target."""
    allowed = (Engine.gpsimd, Engine.vector) if target.neuron_core_version >= 4 else (Engine.gpsimd,)
    if engine is Engine.unknown:
        raise instruction.error(
            f"{instruction.name}.engine",
            "each engine has states of its own",
            given="unknown",
            allowed=", ".join(e.name for e in allowed),
        )
    check_engine(instruction, engine, allowed)
