"""Rounding out of float32 gives the nearest value that a type has, found here by searching all of them."""

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest

from jnki.rounding import nearest_float, nearest_integer, nonzero

FORMATS = [(3, 2), (4, 3), (5, 2), (5, 10), (6, 9), (8, 7), (8, 10)]
SMALLEST = np.float32(2.0**-149)


def values_of(exponent_bits, mantissa_bits):
    """The values of the format from 0 upwards, as float64, and the one that would follow the largest."""
    bias = 2 ** (exponent_bits - 1) - 1
    significands = np.arange(2**mantissa_bits)
    subnormal = significands * 2.0 ** (1 - bias - mantissa_bits)
    exponents = np.arange(1, 2 * bias + 1)[:, None]
    normal = (2**mantissa_bits + significands) * 2.0 ** (exponents - bias - mantissa_bits)
    return np.concatenate([subnormal, normal.ravel(), [2.0 ** (bias + 1)]])


def searched(value, grid):
    """The nearest entry of `grid`, in a tie the one at an even place; the last entry stands for infinity."""
    size = np.abs(value.astype(np.float64))
    above = np.searchsorted(grid, size).clip(1, len(grid) - 1)
    low, high = grid[above - 1], grid[above]
    up = (size - low > high - size) | ((size - low == high - size) & (above % 2 == 0))
    place = np.where(up, above, above - 1)
    nearest = np.where(place == len(grid) - 1, np.inf, grid[place])
    return np.copysign(nearest, value).astype(np.float32)


@pytest.mark.parametrize(("exponent_bits", "mantissa_bits"), FORMATS)
def test_nearest_float(exponent_bits, mantissa_bits):
    grid = values_of(exponent_bits, mantissa_bits)
    with np.errstate(over="ignore"):
        halfway = ((grid[1:] + grid[:-1]) / 2).astype(np.float32)
        values = grid.astype(np.float32)
    near = [np.nextafter(middle, towards) for middle in (halfway, values) for towards in np.float32([0, np.inf])]
    random = np.random.default_rng(0).integers(0, 0x7F800000, 20_000, np.uint32).view(np.float32)
    positive = np.concatenate([values, halfway, *near, random, [SMALLEST, np.float32(np.inf)]])
    value = np.concatenate([positive, -positive])
    value = value[~np.isnan(value)]
    got = np.asarray(jax.jit(nearest_float, static_argnums=(1, 2))(value, exponent_bits, mantissa_bits))
    np.testing.assert_array_equal(got.view(np.uint32), searched(value, grid).view(np.uint32))


@pytest.mark.parametrize("exponent_bits", [4, 5, 8])
def test_nearest_float_makes_every_nan_the_positive_quiet_one(exponent_bits):
    nans = np.uint32([0x7F800001, 0x7FC00000, 0x7FFFFFFF, 0xFF800001, 0xFFC12345]).view(np.float32)
    got = np.asarray(nearest_float(nans, exponent_bits, 3))
    np.testing.assert_array_equal(got.view(np.uint32), np.full(5, 0x7FC00000, np.uint32))


def test_float8_e5m2_is_rounded_once_not_by_way_of_float16():
    # float16 rounds it up to 45056, halfway between 40960 and 49152, of which 49152 is even.
    value = np.float32([45055.996])
    assert value.astype(np.float16).astype(ml_dtypes.float8_e5m2) == 49152
    assert nearest_float(value, 5, 2) == 40960


@pytest.mark.parametrize("exponent_bits", [5, 8])
def test_nearest_float_differentiates_as_the_identity(exponent_bits):
    def cubed(x):
        return nearest_float(x, exponent_bits, 2) ** 3

    value = jnp.float32(1.3)  # rounds to 1.25
    assert jax.grad(cubed)(value) == 3 * 1.25**2
    assert jax.grad(jax.grad(cubed))(value) == 6 * 1.25
    _, tangent = jax.jvp(lambda x: nearest_float(x, exponent_bits, 2), (value,), (jnp.float32(0.3),))
    assert tangent == np.float32(0.3)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32])
def test_nearest_integer(dtype):
    dtype = np.dtype(dtype)
    ends = np.iinfo(dtype)
    last = np.nextafter(np.float32(ends.max + 1), np.float32(0))  # the largest float32 below max + 1
    expected = {0.5: 0, 1.5: 2, 2.5: 2, -0.0: 0, 100.49: 100, np.nan: 0, np.inf: ends.max, -np.inf: ends.min}
    expected |= {ends.max + 1: ends.max, ends.min - 1: ends.min, 3e38: ends.max, -3e38: ends.min}
    expected |= {-0.5: 0, -1.5: max(-2, ends.min), -2.5: max(-2, ends.min), ends.min: ends.min}
    expected |= {last: min(ends.max, round(float(last)))}
    got = jax.jit(nearest_integer, static_argnums=1)(np.float32(list(expected)), dtype)
    assert got.dtype == dtype
    np.testing.assert_array_equal(got, np.array(list(expected.values()), dtype))


def test_nonzero_sees_subnormals_and_nan():
    value = np.float32([0.0, -0.0, SMALLEST, -SMALLEST, 1e-40, np.nan, np.inf, 1.0])
    expected = [False, False, True, True, True, True, True, True]
    np.testing.assert_array_equal(nonzero(value), expected)
    np.testing.assert_array_equal(jax.jit(nonzero)(value), expected)
