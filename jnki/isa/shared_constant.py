"""`nki.language.shared_constant`: an HBM tensor whose contents are known while the kernel is recorded."""

import zlib
from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from jnki.access.access import Access
from jnki.dtypes import ElementType, cast
from jnki.isa.instruction import Instruction
from jnki.isa.operands import store
from jnki.memory import NO_LOOPS, DeviceMemory, Loops


class Contents(bytes):
    """The elements of a constant in row-major order, as they lie in memory: hashable, unlike an array."""

    @property
    def name(self) -> str:
        """What a listing says in their place: their number, and a checksum that tells two constants apart."""
        return f"{len(self)} bytes, crc32 {zlib.crc32(self):08x}"


@dataclass(frozen=True, kw_only=True)
class SharedConstant(Instruction):
    """`dst` holds these elements. No engine runs it: the contents come with the program.

    Attributes:
        dst: a whole tensor in HBM.
        contents: as many elements of its type.
    """

    name: ClassVar[str] = "shared_constant"

    dst: Access
    contents: Contents

    def execute(self, memory: DeviceMemory, at: Loops = NO_LOOPS) -> DeviceMemory:
        value = np.frombuffer(self.contents, self.dst.dtype.storage).reshape(self.dst.shape)
        return store(memory, self.dst, jnp.asarray(value), at)


def contents_of(array: np.ndarray, given: ElementType, kind: ElementType) -> Contents:
    """The elements of `array`, which are of type `given`, cast to `kind` as any cast of NKI."""
    # A kernel may be recorded while JAX traces what calls it; the constant is known nevertheless.
    with jax.ensure_compile_time_eval():
        return Contents(np.asarray(cast(jnp.asarray(array), given, kind)).tobytes())
