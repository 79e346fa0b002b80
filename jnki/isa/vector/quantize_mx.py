"""`nki.isa.quantize_mx`: 16-bit floats to packed eight-bit floats with a scale for each group, on the Vector Engine."""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jax import lax

from jnki.access.access import Access
from jnki.access.ref import Ref, resolve
from jnki.dtypes import ElementType, bfloat16, cast, float8_e4m3fn, float16, float32
from jnki.isa.instruction import Instruction
from jnki.isa.mx import (
    BIAS,
    NAN_SCALE,
    PACKED,
    PARTS,
    QUADRANT,
    ROWS,
    check_newest,
    check_scales,
    packed,
    power_of_two,
    scales_of_groups,
)
from jnki.isa.operands import load, store
from jnki.isa.rules import check_on_chip, check_partitions
from jnki.memory import NO_LOOPS, DeviceMemory, Loops
from jnki.source import user_location
from jnki.target import TRN3, Target, takes_target

# The largest exponents of the two types.
_LARGEST_EXPONENT = {float8_e4m3fn: 8}
_SMALLER = -100  # 2^-100 times any significand rounds to zero in either type


@dataclass(frozen=True, kw_only=True)
class QuantizeMx(Instruction):
    """`dst = cast(src / X)`, with the scale `X = 2^(floor(log2(amax)) - (Emax - 1))` of each group in `dst_scale`.

    A group is 8 partitions by 4 neighbours of `src`; amax is its largest magnitude, Emax the largest exponent of the
    eight-bit float. X is at least 2^-127, which is also the scale of zeros. A group with a NaN or an infinity has the
    scale NaN, and its elements are NaN.

    Attributes:
        dst: `[P, F / 4]` of float8_e5m2_x4 or float8_e4m3fn_x4.
        src: `[P, F]` of float16 or bfloat16, P a multiple of 32; four neighbours make an element of `dst`.
        dst_scale: `[S, F / 4]` of float8_e8m0fnu or uint8; `jnki.isa.mx` has the layout. Other partitions stay.

    There is no derivative: what comes out are bits. Differentiating through them is an error, not zero.
    """

    name: ClassVar[str] = "quantize_mx"
    writes: ClassVar[tuple[str, ...]] = ("dst", "dst_scale")
    takes_opaque: ClassVar[bool] = True

    dst: Access
    src: Access
    dst_scale: Access

    @property
    def reads_destination(self) -> bool:
        """Whether partitions of `dst_scale` between those of scales keep what they hold."""
        return self.dst_scale.shape[0] > self.src.shape[0] // ROWS

    @property
    def is_accumulation(self) -> bool:
        return False

    def check(self, target: Target) -> None:
        check_newest(self, target)
        for operand, access in (("src", self.src), ("dst", self.dst), ("dst_scale", self.dst_scale)):
            check_on_chip(self, operand, access, psum=False)
            check_partitions(self, operand, access, target)
        if self.src.dtype not in (float16, bfloat16) or self.dst.dtype not in PACKED:
            raise self.error(
                "quantize_mx.dtype",
                "there is no such quantization",
                given=f"src {self.src.dtype}, dst {self.dst.dtype}",
                allowed=f"src float16 or bfloat16, dst {' or '.join(map(str, PACKED))}",
            )
        partitions, free = self.src.shape[0], math.prod(self.src.shape[1:])
        if partitions % QUADRANT or free % PARTS or not partitions:
            raise self.error(
                "quantize_mx.shape",
                "'src' is not made of groups",
                given=str(list(self.src.shape)),
                allowed=f"partitions that are a multiple of {QUADRANT}, with a multiple of {PARTS} elements in each",
            )
        if self.dst.shape[0] != partitions or math.prod(self.dst.shape[1:]) != free // PARTS:
            raise self.error(
                "quantize_mx.shape",
                "'dst' does not have one element for four of 'src'",
                given=f"src {list(self.src.shape)}, dst {list(self.dst.shape)}",
                allowed=f"dst [{partitions}, {free // PARTS}]",
            )
        check_scales(self, "dst_scale", self.dst_scale, self.src, free // PARTS)
        super().check(target)

    def execute(self, memory: DeviceMemory, at: Loops = NO_LOOPS) -> DeviceMemory:
        if not self.dst.size:
            return memory
        tile = load(memory, self.src, at)
        elements, scales = _without_derivative(tile, self.src.dtype, PACKED[self.dst.dtype])
        memory = store(memory, self.dst, elements.reshape(self.dst.shape), at)
        rows = scales_of_groups(self.dst_scale, scales.shape[0])
        return store(memory, rows, scales.reshape(rows.shape), at)


def quantized(tile: jax.Array, source: ElementType, kind: ElementType) -> tuple[jax.Array, jax.Array]:
    """Packed elements `uint32[P, F / 4]` and the bits of their scales `uint8[P / 8, F / 4]` of a tile `[P, F...]`.

    It is all done on bits and whole numbers: float32 on some backends takes subnormals for zero.
    """
    tile = tile.reshape(tile.shape[0] // ROWS, ROWS, -1, PARTS)
    bits = lax.bitcast_convert_type(tile, jnp.uint16).astype(jnp.int32)
    magnitude = bits & 0x7FFF
    largest = jnp.max(magnitude, axis=(1, 3))
    emax = _LARGEST_EXPONENT.get(kind, 15)
    significand, exponent = _taken_apart(largest, source)
    log2 = exponent + 31 - lax.clz(significand)
    scale = jnp.clip(log2 - (emax - 1) + BIAS, 0, NAN_SCALE - 1)
    scale = jnp.where(largest == 0, 0, scale)
    is_number = largest < (0x7C00 if source == float16 else 0x7F80)
    significand, exponent = _taken_apart(magnitude, source)
    moved = exponent - (scale[:, None, :, None] - BIAS)
    quotient = significand.astype(jnp.float32) * power_of_two(jnp.clip(moved, _SMALLER, 126))
    quotient = jnp.where(bits > 0x7FFF, -quotient, quotient)
    quotient = jnp.where(is_number[:, None, :, None], quotient, jnp.float32(jnp.nan))
    elements = packed(cast(quotient, float32, kind))
    scale = jnp.where(is_number, scale, NAN_SCALE)
    return elements.reshape(-1, elements.shape[-1]), scale.astype(jnp.uint8)


def _taken_apart(magnitude: jax.Array, source: ElementType) -> tuple[jax.Array, jax.Array]:
    """Bits of a float without its sign as whole numbers s and e: it is s * 2^e."""
    width = source.mantissa_bits
    field = magnitude >> width
    significand = (magnitude & ((1 << width) - 1)) | jnp.where(field > 0, 1 << width, 0)
    bias = (1 << (source.exponent_bits - 1)) - 1
    return significand, jnp.maximum(field, 1) - bias - width


def _without_derivative(tile: jax.Array, source: ElementType, kind: ElementType) -> tuple[jax.Array, jax.Array]:
    """`quantized`, where a tangent that arrives is an error."""

    @jax.custom_jvp
    def run(tile: jax.Array) -> tuple[jax.Array, jax.Array]:
        return quantized(tile, source, kind)

    @run.defjvp
    def _run_jvp(primals: Any, tangents: Any) -> Any:
        raise NotImplementedError(
            "quantize_mx has no derivative: packed elements and scales are bits, and none could travel through them to "
            "nc_matmul_mx\n  give the kernel a backward of its own with jnki.with_backward, or stop the derivative in "
            "front of it with jax.lax.stop_gradient"
        )

    return run(tile)


def make(dst: Access, src: Access, dst_scale: Access, target: Target) -> QuantizeMx:
    """A checked `QuantizeMx`."""
    instruction = QuantizeMx(dst=dst, src=src, dst_scale=dst_scale, location=user_location())
    instruction.check(target)
    return instruction


@takes_target
def quantize_mx(memory: DeviceMemory, *, dst: Ref, src: Ref, dst_scale: Ref, target: Target = TRN3) -> DeviceMemory:
    """Memory with a tile quantized in groups of 32: the functional form of `nki.isa.quantize_mx`.

    Args:
        dst: an SBUF reference of packed eight-bit floats, such as `sbuf("x", "float8_e4m3fn_x4")`, `[P, F / 4]`.
        src: an SBUF reference of float16 or bfloat16, `[P, F]`.
        dst_scale: an SBUF reference of scales, uint8 or float8_e8m0fnu, `[S, F / 4]`.
        target: TRN3 or newer.

    Raises:
        RuleError: the instruction breaks a rule.
        NotImplementedError: it is differentiated with respect to `src`.
    """
    to, source, scale = (resolve(ref, memory.buffer) for ref in (dst, src, dst_scale))
    return make(to, source, scale, target).execute(memory)
