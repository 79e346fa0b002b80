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
from jnki.isa.slopes import dead_is_zero
from jnki.memory import NO_LOOPS, DeviceMemory, Loops
from jnki.target import Target

FUNCTIONS: MappingProxyType[str, Callable[..., Any]] = MappingProxyType(
    {
        "ceil": jnp.ceil,
        "floor": jnp.floor,
        "trunc": jnp.trunc,
        "cos": dead_is_zero(jnp.cos),
        "tan": dead_is_zero(jnp.tan),
    }
)
REMAINDERS: MappingProxyType[str, Callable[..., Any]] = MappingProxyType(
    {"mod": dead_is_zero(jnp.mod), "fmod": dead_is_zero(jnp.fmod)}
)


@dataclass(frozen=True, kw_only=True)
class LanguageFunction(Instruction):
    """`dst[i] = cast(function(x[i]))`, or `dst[i] = cast(function(x[i], y[i]))`, in float32.

    The hardware runs a sequence of instructions for it; here it is one, without an engine.

    Attributes:
        dst: `[P, F...]` in SBUF or PSUM.
        function: `ceil`, `floor`, `trunc`, `cos` or `tan` of one operand; `mod` or `fmod` of two.
        x, y: such tiles with equally many elements, or numbers; at least one tile. `y` is None for one operand.
    """

    name: ClassVar[str] = "language_function"
    shared_dims: ClassVar[SharedDims] = "all"

    dst: Access
    function: str
    x: Access | float
    y: Access | float | None = None

    def check(self, target: Target) -> None:
        for operand, access in self.operands().items():
            check_compute_tile(self, operand, access, target)
            check_same_tile(self, self.dst, access)
        check_mask(self, "dst", self.dst)
        super().check(target)

    def execute(self, memory: DeviceMemory, at: Loops = NO_LOOPS) -> DeviceMemory:
        given = [self._value(memory, operand, at) for operand in (self.x, self.y) if operand is not None]
        value = {**FUNCTIONS, **REMAINDERS}[self.function](*given)
        return store(memory, self.dst, cast(value, float32, self.dst.dtype), at, self.mask)

    def _value(self, memory: DeviceMemory, operand: Access | float, at: Loops) -> Any:
        if not isinstance(operand, Access):
            return jnp.float32(operand)
        tile = cast(load(memory, operand, at), operand.dtype, float32).reshape(self.dst.shape)
        return where_enabled(tile, self.mask, self.dst.shape, at)
