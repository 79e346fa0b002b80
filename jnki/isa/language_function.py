"""Functions of the language that no single documented instruction computes: rounding, cosine, tangent, remainders."""

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar

import jax.numpy as jnp

from jnki.access.access import Access
from jnki.dtypes import cast, float32
from jnki.isa.instruction import Instruction, SharedDims
from jnki.isa.operands import load, store, where_enabled
from jnki.isa.rules import check_compute_tile, check_mask, check_same_tile
from jnki.memory import NO_LOOPS, DeviceMemory, Loops
from jnki.target import Target

FUNCTIONS: MappingProxyType[str, Callable[..., Any]] = MappingProxyType(
    {"ceil": jnp.ceil, "floor": jnp.floor, "trunc": jnp.trunc, "cos": jnp.cos, "tan": jnp.tan}
)


@dataclass(frozen=True, kw_only=True)
class LanguageFunction(Instruction):
    """`dst[i] = cast(function(data[i]))`, in float32.

    The hardware runs a sequence of instructions for it; here it is one, without an engine.

    Attributes:
        dst, data: `[P, F...]` in SBUF or PSUM, equally many elements.
        function: one of `ceil`, `floor`, `trunc`, `cos`, `tan`.
    """

    name: ClassVar[str] = "language_function"
    shared_dims: ClassVar[SharedDims] = "all"

    dst: Access
    data: Access
    function: str

    def check(self, target: Target) -> None:
        check_compute_tile(self, "data", self.data, target)
        check_compute_tile(self, "dst", self.dst, target)
        check_same_tile(self, self.dst, self.data)
        check_mask(self, "dst", self.dst)
        super().check(target)

    def execute(self, memory: DeviceMemory, at: Loops = NO_LOOPS) -> DeviceMemory:
        x = cast(load(memory, self.data, at), self.data.dtype, float32).reshape(self.dst.shape)
        value = FUNCTIONS[self.function](where_enabled(x, self.mask, self.dst.shape, at))
        return store(memory, self.dst, cast(value, float32, self.dst.dtype), at, self.mask)
