"""The oracle's casts against tables worked out by hand (C5-C7)."""

import struct

import numpy as np
import pytest

from . import casts

NAN = float("nan")
INF = float("inf")


def encoded(value: float, dtype: str) -> int:
    with np.errstate(all="ignore"):
        return casts.encode(np.float32(value), dtype)


@pytest.mark.parametrize(
    ("value", "dtype", "bits"),
    [
        # Halves go to the even integer.
        (0.5, "int8", 0),
        (1.5, "int8", 2),
        (2.5, "int8", 2),
        (-0.5, "int8", 0),
        (-1.5, "int8", 0xFE),
        (-2.5, "int16", 0xFFFE),
        # Integers saturate.
        (127.4, "int8", 127),
        (127.5, "int8", 127),
        (-128.5, "int8", 0x80),
        (-1e9, "int8", 0x80),
        (255.5, "uint8", 255),
        (-0.4, "uint8", 0),
        (-1.0, "uint8", 0),
        (-INF, "uint32", 0),
        (INF, "uint32", 0xFFFF_FFFF),
        (4294967296.0, "uint32", 0xFFFF_FFFF),
        (4294967040.0, "uint32", 0xFFFF_FF00),
        (2147483648.0, "int32", 0x7FFF_FFFF),
        (2147483520.0, "int32", 0x7FFF_FF80),
        (-2147483648.0, "int32", 0x8000_0000),
        (-INF, "int16", 0x8000),
        (INF, "uint16", 0xFFFF),
        # NaN is 0 as an integer, and true.
        *[(NAN, dtype, 0) for dtype in casts.INTEGERS],
        (NAN, "bool", 1),
        (0.25, "bool", 1),
        (-3.0, "bool", 1),
        (1e-45, "bool", 1),
        (-0.0, "bool", 0),
        (0.0, "bool", 0),
        # bfloat16 keeps 7 mantissa bits: ties at 2^-8.
        (1.0, "bfloat16", 0x3F80),
        (1 + 2**-8, "bfloat16", 0x3F80),
        (1 + 2**-8 + 2**-20, "bfloat16", 0x3F81),
        (1 + 3 * 2**-8, "bfloat16", 0x3F82),
        (-2.0, "bfloat16", 0xC000),
        (3.4028235e38, "bfloat16", 0x7F80),
        # float16 has its largest value at 65504 and its smallest at 2^-24.
        (1.0, "float16", 0x3C00),
        (1 + 2**-11, "float16", 0x3C00),
        (1 + 3 * 2**-11, "float16", 0x3C02),
        (65519.0, "float16", 0x7BFF),
        (65520.0, "float16", 0x7C00),
        (2**-24, "float16", 0x0001),
        (2**-25, "float16", 0x0000),
        (3 * 2**-25, "float16", 0x0002),
        (-INF, "float16", 0xFC00),
        # float8_e4m3 has a bias of 7, its largest value at 240, and infinities.
        (1.0, "float8_e4m3", 0x38),
        (1.0625, "float8_e4m3", 0x38),
        (1.1875, "float8_e4m3", 0x3A),
        (240.0, "float8_e4m3", 0x77),
        (247.9, "float8_e4m3", 0x77),
        (248.0, "float8_e4m3", 0x78),
        (2**-9, "float8_e4m3", 0x01),
        (2**-10, "float8_e4m3", 0x00),
        (-INF, "float8_e4m3", 0xF8),
        # float8_e5m2 has a bias of 15 and its largest value at 57344.
        (1.0, "float8_e5m2", 0x3C),
        (1.125, "float8_e5m2", 0x3C),
        (1.375, "float8_e5m2", 0x3E),
        (57344.0, "float8_e5m2", 0x7B),
        (61440.0, "float8_e5m2", 0x7C),
        (2**-16, "float8_e5m2", 0x01),
        # tfloat32 keeps 10 mantissa bits of a float32: ties at 2^-11.
        (1.0, "tfloat32", 0x3F80_0000),
        (1 + 2**-11, "tfloat32", 0x3F80_0000),
        (1 + 2**-11 + 2**-23, "tfloat32", 0x3F80_2000),
        (1 + 3 * 2**-11, "tfloat32", 0x3F80_4000),
        (2 - 2**-23, "tfloat32", 0x4000_0000),
        (3.4028235e38, "tfloat32", 0x7F80_0000),
        (-INF, "tfloat32", 0xFF80_0000),
        (-0.0, "tfloat32", 0x8000_0000),
    ],
)
def test_a_float32_is_rounded_to_the_bits_of_the_table(value: float, dtype: str, bits: int) -> None:
    assert encoded(value, dtype) == bits


@pytest.mark.parametrize(
    ("bits", "dtype", "value"),
    [
        (0xFF, "int8", -1.0),
        (0x80, "int8", -128.0),
        (0xFF, "uint8", 255.0),
        (0x8000, "int16", -32768.0),
        (0xFFFF, "uint16", 65535.0),
        # Past 2^24 an integer goes to the nearest float32, halves to even.
        (0x0100_0001, "int32", 16777216.0),
        (0x0100_0003, "int32", 16777220.0),
        (0x7FFF_FFFF, "int32", 2147483648.0),
        (0x8000_0000, "int32", -2147483648.0),
        (0xFFFF_FFFF, "uint32", 4294967296.0),
        (0x8000_0000, "uint32", 2147483648.0),
        (0, "bool", 0.0),
        (1, "bool", 1.0),
        (0x3F81, "bfloat16", 1.0078125),
        (0x0001, "float16", 2**-24),
        (0x7BFF, "float16", 65504.0),
        (0x77, "float8_e4m3", 240.0),
        (0x78, "float8_e4m3", INF),
        (0xFB, "float8_e5m2", -57344.0),
        (0x3F80_2000, "tfloat32", 1.0009765625),
        (0x0000_0001, "float32", 2**-149),
    ],
)
def test_bits_mean_the_float32_of_the_table(bits: int, dtype: str, value: float) -> None:
    decoded = casts.decode(bits, dtype)
    assert decoded.dtype == np.float32
    assert float(decoded) == value


@pytest.mark.parametrize("dtype", sorted(casts.FLOATS))
def test_a_nan_stays_a_nan_even_if_only_dropped_bits_say_so(dtype: str) -> None:
    signalling = np.uint32(0x7F80_0001).view(np.float32)
    with np.errstate(all="ignore"):
        assert np.isnan(casts.decode(casts.encode(signalling, dtype), dtype))


def exact(bits: int, exponent_bits: int, mantissa_bits: int) -> float:
    """The value of a small IEEE-style float from its definition, for finite positive bits."""
    bias = 2 ** (exponent_bits - 1) - 1
    exponent, mantissa = divmod(bits, 2**mantissa_bits)
    if exponent == 0:
        return mantissa * 2.0 ** (1 - bias - mantissa_bits)
    return (1 + mantissa / 2**mantissa_bits) * 2.0 ** (exponent - bias)


@pytest.mark.parametrize(
    ("dtype", "exponent_bits", "mantissa_bits", "stride"),
    [("float8_e4m3", 4, 3, 1), ("float8_e5m2", 5, 2, 1), ("float16", 5, 10, 37), ("bfloat16", 8, 7, 37)],
)
def test_rounding_goes_to_the_nearest_of_two_neighbours(
    dtype: str, exponent_bits: int, mantissa_bits: int, stride: int
) -> None:
    last_finite = (2**exponent_bits - 1) * 2**mantissa_bits - 1
    for bits in range(0, last_finite, stride):
        low, high = (exact(b, exponent_bits, mantissa_bits) for b in (bits, bits + 1))
        middle = np.float32((low + high) / 2)
        assert float(casts.decode(bits, dtype)) == low
        assert encoded(middle, dtype) == bits + bits % 2, f"{middle} is a tie between {low} and {high}"
        if middle > 1e-30:
            assert encoded(np.nextafter(middle, np.float32(0)), dtype) == bits
            assert encoded(np.nextafter(middle, np.float32(INF)), dtype) == bits + 1


def test_equal_types_keep_bits_that_float32_would_lose() -> None:
    assert casts.cast(0x7F80_0001, "float32", "float32") == 0x7F80_0001
    assert casts.cast(0x0100_0001, "int32", "int32") == 0x0100_0001
    assert casts.cast(0x0100_0001, "int32", "uint32") == 0x0100_0000
    assert casts.cast(0x3F80_1FFF, "tfloat32", "tfloat32") == 0x3F80_1FFF


def test_to_bits_reads_row_major_whatever_the_strides_are() -> None:
    transposed = np.array([[1, 2], [3, 4], [5, 6]], dtype=np.int16).T
    assert casts.to_bits(transposed, "int16") == [1, 3, 5, 2, 4, 6]
    back = casts.from_bits([1, 3, 5, 2, 4, 6], transposed)
    np.testing.assert_array_equal(back, transposed)
    assert casts.to_bits(np.array([True, False]), "bool") == [1, 0]
    assert casts.to_bits(np.array(1.0, dtype=np.float32), "float32") == [struct.unpack("<I", b"\0\0\x80\x3f")[0]]


def test_a_buffer_of_another_type_is_refused() -> None:
    with pytest.raises(ValueError, match="a buffer of float32 must be stored as float32, but it is int32"):
        casts.to_bits(np.zeros(2, dtype=np.int32), "float32")
