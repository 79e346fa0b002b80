"""From float32 to the nearest value of a narrower type, exactly and alike on every backend.

XLA's own conversions are not enough. Releases that jnki supports round float32 to float8_e5m2 twice, by way
of float16. A compiler that may keep excess precision drops a conversion to bfloat16 and back. What becomes of
a float beyond an integer type is left to the backend. So a value is first brought to one that the narrower
type can represent; the conversion after that is exact, whatever path it takes.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

_HALF_TO_EVEN = lax.RoundingMethod.TO_NEAREST_EVEN


@partial(jax.custom_jvp, nondiff_argnums=(1, 2, 3))
def nearest_float(value: jax.Array, exponent_bits: int, mantissa_bits: int, largest: float | None = None) -> jax.Array:
    """The nearest values of a narrower float type, ties to even, still held in float32.

    Subnormals of the type are kept, overflow gives infinity, or NaN where the type has none, and every NaN becomes
    float32's positive quiet one.
    The tangent is that of the identity.

    Args:
        value: float32, any shape.
        exponent_bits: width of the type's exponent field, at most 8; all ones there is infinity or NaN.
        mantissa_bits: explicit bits of the type's significand, at most 23.
        largest: of a type that has numbers there as well, and no infinity, the largest number.
    """
    if exponent_bits == 8:
        nearest = lax.reduce_precision(value, exponent_bits, mantissa_bits)
    else:  # where reduce_precision would flush the type's subnormals to zero
        bias = 2 ** (exponent_bits - 1) - 1
        exponent = ((lax.bitcast_convert_type(value, np.int32) >> 23) & 0xFF) - 127
        ulp = jnp.maximum(exponent, 1 - bias) - mantissa_bits
        nearest = lax.round(value * _power_of_two(-ulp), _HALF_TO_EVEN) * _power_of_two(ulp)
        if largest is None:
            overflows = jnp.abs(nearest) >= 2.0 ** (bias + 1)
            nearest = jnp.where(overflows, jnp.copysign(np.float32(np.inf), value), nearest)
        else:
            nearest = jnp.where(jnp.abs(nearest) > largest, np.float32(np.nan), nearest)
    return jnp.where(jnp.isnan(value), np.float32(np.nan), nearest)


@nearest_float.defjvp
def _nearest_float_jvp(
    exponent_bits: int,
    mantissa_bits: int,
    largest: float | None,
    primals: tuple[jax.Array],
    tangents: tuple[jax.Array],
) -> tuple[jax.Array, jax.Array]:
    return nearest_float(*primals, exponent_bits, mantissa_bits, largest), tangents[0]


def _power_of_two(exponent: jax.Array) -> jax.Array:
    """2^`exponent` in float32 for exponents from -126 to 127; unlike exp2, exact on every backend."""
    return lax.bitcast_convert_type((exponent + 127) << 23, np.float32)


def nearest_half(value: jax.Array, dtype: np.dtype, exponent_bits: int, mantissa_bits: int) -> jax.Array:
    """float32 converted to bfloat16 or float16, ties to even; a NaN stays a NaN."""
    if exponent_bits == 8:
        return nearest_bfloat16(value)
    # XLA's CPU compiler converts to float16 exactly (all 2^32 inputs were compared) and several times faster than the
    # arithmetic that other backends need, which may keep excess precision where a conversion is undone.
    return lax.platform_dependent(
        value,
        cpu=lambda v: lax.convert_element_type(v, dtype),
        default=lambda v: lax.convert_element_type(nearest_float(v, exponent_bits, mantissa_bits), dtype),
    )


@jax.custom_jvp
def nearest_bfloat16(value: jax.Array) -> jax.Array:
    """float32 converted to bfloat16 on its bits: the upper half, rounded. The tangent is converted too.

    A CPU with an instruction for it takes subnormals for zero, one without does not, and XLA uses what there is.
    """
    bits = lax.bitcast_convert_type(value, np.uint32)
    upper = bits >> 16
    nearest = (bits + 0x7FFF + (upper & 1)) >> 16
    is_nan = (bits & 0x7FFFFFFF) > 0x7F800000
    chosen = jnp.where(is_nan, upper | 0x40, nearest).astype(np.uint16)
    return lax.bitcast_convert_type(chosen, jnp.bfloat16)


@nearest_bfloat16.defjvp
def _nearest_bfloat16_jvp(primals: tuple[jax.Array], tangents: tuple[jax.Array]) -> tuple[jax.Array, jax.Array]:
    return nearest_bfloat16(*primals), lax.convert_element_type(tangents[0], jnp.bfloat16)


def nearest_integer(value: jax.Array, dtype: np.dtype) -> jax.Array:
    """The nearest integers of `dtype`, ties to even: beyond its ends the end itself, for NaN 0."""
    ends = np.iinfo(dtype)
    rounded = lax.round(value, _HALF_TO_EVEN)
    nearest = lax.convert_element_type(rounded, dtype)
    nearest = jnp.where(rounded < float(ends.min), dtype.type(ends.min), nearest)
    # Compared with max + 1, because float32 has no 2^31 - 1 and no 2^32 - 1.
    nearest = jnp.where(rounded >= float(ends.max) + 1, dtype.type(ends.max), nearest)
    return jnp.where(jnp.isnan(value), dtype.type(0), nearest)


def nonzero(value: jax.Array) -> jax.Array:
    """Whether each value differs from zero, as a bool; NaN does.

    It reads the bits, because XLA's CPU code takes a subnormal float32 for zero when it compares.
    """
    return (lax.bitcast_convert_type(value, np.uint32) << 1) != 0
