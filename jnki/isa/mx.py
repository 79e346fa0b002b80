"""The microscaling (MX) formats: what packed elements and their scales stand for.

An element of a packed type holds four narrow floats, the first in its lowest bits. A group is 8 partitions by 4
neighbours, that is 8 packed elements one below the other, and has one scale, `2^(bits - 127)`, or NaN where its bits
are 255. Within 32 partitions there are four groups; their scales are in four partitions, and those of the next 32
partitions follow 32 partitions further:

    packed  [P, F]     group g     partitions 8g to 8g + 7
    scales  [S, F]     group g     partition  32 * (g // 4) + g % 4

Source: the OCP Microscaling Formats (MX) specification 1.0; the pages of `nki.isa.quantize_mx` and `nc_matmul_mx`, and
the MXFP deep dive, for the layout.
"""

import math
from types import MappingProxyType

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jnki.access.access import Access, Dim
from jnki.dtypes import (
    ElementType,
    float4_e2m1fn_x4,
    float8_e4m3fn,
    float8_e4m3fn_x4,
    float8_e5m2,
    float8_e5m2_x4,
    float8_e8m0fnu,
    uint8,
)
from jnki.isa.instruction import Instruction
from jnki.target import Target

PARTS = 4
ROWS = 8
BIAS = 127
NAN_SCALE = 255
SCALES = (float8_e8m0fnu, uint8)
QUADRANT = 32

# Of packed eight-bit floats, what is packed.
PACKED = MappingProxyType({float8_e5m2_x4: float8_e5m2, float8_e4m3fn_x4: float8_e4m3fn})
PACKED_TYPES = (*PACKED, float4_e2m1fn_x4)
_FLOAT4 = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6, -0.0, -0.5, -1, -1.5, -2, -3, -4, -6], np.float32)


def unpacked(tile: jax.Array, kind: ElementType) -> jax.Array:
    """The four floats of each packed element, exactly: `float32[..., 4]`.

    Args:
        tile: of the storage type of `kind`, any shape.
    """
    width = 8 * kind.size_bytes // PARTS
    shifts = (width * jnp.arange(PARTS)).astype(tile.dtype)
    bits = (tile[..., None] >> shifts) & jnp.asarray((1 << width) - 1, tile.dtype)
    if kind == float4_e2m1fn_x4:
        return jnp.take(jnp.asarray(_FLOAT4), bits.astype(jnp.int32), mode="clip")
    return lax.convert_element_type(lax.bitcast_convert_type(bits.astype(jnp.uint8), PACKED[kind].storage), jnp.float32)


def packed(parts: jax.Array) -> jax.Array:
    """Four eight-bit floats each, `[..., 4]`, as one packed element: `uint32[...]`."""
    bits = lax.bitcast_convert_type(parts, jnp.uint8).astype(jnp.uint32)
    shifts = (8 * jnp.arange(PARTS)).astype(jnp.uint32)
    return jnp.sum(bits << shifts, axis=-1, dtype=jnp.uint32)


def power_of_two(exponent: jax.Array) -> jax.Array:
    """2^`exponent` in float32 for integers from -126 to 127, exactly."""
    return lax.bitcast_convert_type((exponent.astype(jnp.int32) + BIAS) << 23, jnp.float32)


def scaled(value: jax.Array, exponent: jax.Array) -> jax.Array:
    """`value * 2^exponent` for exponents from -254 to 254, in two steps: none overflows that the whole does not."""
    half = exponent // 2
    return value * power_of_two(half) * power_of_two(exponent - half)


def scales_of_groups(access: Access, groups: int) -> Access:
    """The scales of `groups` groups in a tile of them, as `[groups // 4, 4, F...]`."""
    step = access.dims[0].step
    dims = (Dim(QUADRANT * step, groups // PARTS), Dim(step, PARTS), *access.dims[1:])
    return Access(access.buffer, access.offset, dims, access.indirect, access.unchecked)


def check_scales(instruction: Instruction, operand: str, access: Access, tile: Access, free: int) -> None:
    """A tile of scales holds one for each group of `tile`, `[P, ...]`, with `free` packed elements in each partition.

    Raises:
        RuleError: `<instruction>.scale_dtype`, `.scale_shape`, `.scale_partition`.
    """
    if access.dtype not in SCALES:
        raise instruction.error(
            f"{instruction.name}.scale_dtype",
            f"'{operand}' does not hold scales",
            given=str(access.dtype),
            allowed=" or ".join(map(str, SCALES)),
        )
    rows = QUADRANT * (tile.shape[0] // QUADRANT - 1) + PARTS
    if access.shape[0] < rows or math.prod(access.shape[1:]) != free:
        raise instruction.error(
            f"{instruction.name}.scale_shape",
            f"'{operand}' does not have a scale for each group of 8 partitions by 4 elements",
            given=f"{list(access.shape)} for {tile.shape[0]} partitions with {free} packed elements in each",
            allowed=f"at least {rows} partitions, {free} elements in each",
        )
    buffer = access.buffer
    first = access.offset.constant // buffer.strides[buffer.partition_axis] % buffer.shape[buffer.partition_axis]
    if access.offset.is_constant and first % QUADRANT not in (0, 4, 8, 12):
        raise instruction.error(
            f"{instruction.name}.scale_partition",
            f"the scales of '{operand}' start in the wrong partition",
            given=f"partition {first}",
            allowed="0, 4, 8 or 12, or 32, 64 or 96 more than that",
        )


def check_newest(instruction: Instruction, target: Target) -> None:
    """The target knows the MX formats."""
    if target.neuron_core_version < 4:
        raise instruction.error(
            f"{instruction.name}.target",
            "the target does not have the MX formats",
            given=f"{target.name} (NeuronCore-v{target.neuron_core_version})",
            allowed="NeuronCore-v4 or newer",
        )
