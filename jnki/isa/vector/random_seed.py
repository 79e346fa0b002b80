"""`random_seed`: sets the seed of the random number generator; what `nl.random_seed` records."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from jnki.access.access import Access
from jnki.access.mask import as_mask
from jnki.access.ref import Ref, resolve
from jnki.errors import RuleError
from jnki.isa.constants import as_number
from jnki.isa.instruction import Instruction
from jnki.isa.operands import load, store
from jnki.isa.random_numbers import STATE_SHAPE, check_state
from jnki.isa.rules import check_compute_tile
from jnki.memory import NO_LOOPS, DeviceMemory, Loops
from jnki.source import user_location
from jnki.target import TRN2, Target, takes_target


@dataclass(frozen=True, kw_only=True)
class RandomSeed(Instruction):
    """`state = (bits of seed, 0)`: the draws that follow are those of this seed, from the first one on.

    Attributes:
        seed: 32 bits: a tile of one element in SBUF or PSUM, or a number.
        state: the generator's registers, `uint32[1, 2]`; None where nothing is drawn afterwards.
    """

    name: ClassVar[str] = "random_seed"
    writes: ClassVar[tuple[str, ...]] = ("state",)
    registers: ClassVar[tuple[str, ...]] = ("state",)

    seed: Access | int
    state: Access | None

    def check(self, target: Target) -> None:
        if self.state is not None:
            check_state(self, self.state)
        if isinstance(self.seed, Access):
            check_compute_tile(self, "seed", self.seed, target)
            if self.seed.size != 1 or self.seed.dtype.size_bytes != 4:
                raise self.error(
                    "random_seed.seed",
                    "the seed must be one scalar of 32 bits",
                    given=f"{list(self.seed.shape)} {self.seed.dtype}",
                    allowed="a tile [1, 1] of int32, uint32 or float32, or a number",
                )
        if self.mask is not None and not self.mask.fits((1, 1)):
            raise self.error(
                "random_seed.mask",
                "a mask of random_seed says whether it runs, and speaks of no elements",
                given=f"mask {list(self.mask.shape)}",
                allowed="comparisons of loop indices",
            )
        super().check(target)

    def execute(self, memory: DeviceMemory, at: Loops = NO_LOOPS) -> DeviceMemory:
        if self.state is None:
            return memory
        if isinstance(self.seed, Access):
            word: Any = jax.lax.bitcast_convert_type(load(memory, self.seed, at).reshape(()), jnp.uint32)
        else:
            word = jnp.uint32(self.seed)
        value = jnp.stack([word, jnp.zeros_like(word)]).reshape(STATE_SHAPE)
        return store(memory, self.state, value, at, self.mask)

    def without_registers(self) -> Instruction:
        return replace(self, state=None)


def seed_word(seed: Any) -> int:
    """The 32 bits of a number as a seed: an integer's own, or those of a float32.

    Raises:
        RuleError: it is no number, or an integer with more bits.
    """
    number = as_number("random_seed", seed)
    if isinstance(number, float):
        with np.errstate(over="ignore"):
            return int(np.float32(number).view(np.uint32))
    if not -(1 << 31) <= number < 1 << 32:
        raise RuleError(
            "random_seed.seed",
            "random_seed: the seed must be one scalar of 32 bits",
            given=str(number),
            allowed="-2^31 to 2^32 - 1",
        )
    return int(number) % (1 << 32)


@takes_target
def random_seed(
    memory: DeviceMemory, *, state: Ref, seed: Ref | float, mask: Any = None, target: Target = TRN2
) -> DeviceMemory:
    """Memory with the generator seeded: `nki.language.random_seed` without a kernel.

    Args:
        state: an SBUF reference to `uint32[1, 2]`, the generator's state.
        seed: a number, or a reference to one element of 32 bits.
        mask: comparisons of loop indices; where false, the state stays.

    Raises:
        RuleError: the instruction breaks a rule.
    """
    instruction = RandomSeed(
        state=resolve(state, memory.buffer),
        seed=resolve(seed, memory.buffer) if isinstance(seed, Ref) else seed_word(seed),
        mask=as_mask(mask),
        location=user_location(),
    )
    instruction.check(target)
    return instruction.execute(memory)
