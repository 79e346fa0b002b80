"""The element types, what names them, and every cast against NumPy and ml_dtypes (C5, C6, C7, C25)."""

import re

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest

from jnki import dtypes
from jnki.dtypes import (
    ALL,
    ElementType,
    bfloat16,
    bool_,
    cast,
    element_type,
    float16,
    float32,
    int8,
    int32,
    tfloat32,
)

NAMES = (
    *("int8", "int16", "int32", "uint8", "uint16", "uint32", "bool"),
    *("float32", "tfloat32", "bfloat16", "float16", "float8_e4m3", "float8_e5m2"),
)
FLOATS = tuple(t for t in ALL if t.is_float)
OTHERS = tuple(t for t in ALL if not t.is_float)
BITS = {1: np.uint8, 2: np.uint16, 4: np.uint32}

each_type = pytest.mark.parametrize("t", ALL, ids=str)
each_source = pytest.mark.parametrize("src", ALL, ids=str)


# Element types and their names


def test_there_are_thirteen():
    assert tuple(str(t) for t in ALL) == NAMES
    assert len(set(ALL)) == 13
    assert [t.size_bytes for t in ALL] == [1, 2, 4, 1, 2, 4, 1, 4, 4, 2, 2, 1, 1]


@each_type
def test_each_is_a_module_constant(t):
    assert getattr(dtypes, "bool_" if t.name == "bool" else t.name) is t


def test_kinds():
    assert [t.name for t in ALL if t.is_float] == list(NAMES[7:])
    assert [t.name for t in ALL if t.is_integer] == list(NAMES[:6])
    assert [t.name for t in ALL if t.is_signed] == ["int8", "int16", "int32", *NAMES[7:]]


@each_type
def test_dtypes(t):
    if t == tfloat32:
        assert (t.numpy, t.storage) == (np.dtype("V4"), np.dtype(np.float32))
    else:
        assert t.numpy == t.storage == np.dtype(t.name)
    assert t.numpy.itemsize == t.storage.itemsize == t.size_bytes
    assert jnp.zeros(3, t.storage).dtype == t.storage


@pytest.mark.parametrize("t", FLOATS, ids=str)
def test_float_layouts(t):
    if t == tfloat32:
        assert (t.exponent_bits, t.mantissa_bits) == (8, 10)
    else:
        info = ml_dtypes.finfo(t.storage)
        assert (t.exponent_bits, t.mantissa_bits) == (info.nexp, info.nmant)


@each_type
def test_element_type_accepts_every_spelling(t):
    spellings = [t, t.name, t.numpy]
    if t != tfloat32:
        spellings += [
            t.numpy.type,
            getattr(jnp, "bool_" if t == bool_ else t.name),
            jnp.zeros(1, t.storage).dtype,
        ]
    if t == bool_:
        spellings += [bool, np.bool_]
    for spec in spellings:
        assert element_type(spec) is t


@pytest.mark.parametrize(
    ("spec", "shown"),
    [
        ("float64", "'float64'"),
        ("bool_", "'bool_'"),
        (np.float64, "float64"),
        (np.dtype(np.int64), "dtype('int64')"),
        (np.dtype(">f4"), "dtype('>f4')"),
        (np.complex64, "complex64"),
        (jnp.float64, "float64"),
        (ml_dtypes.float8_e4m3fn, "float8_e4m3fn"),
        (int, "int"),
        (float, "float"),
        (None, "None"),
        (1, "1"),
        (np.float32(1), "np.float32(1.0)"),
        (["float32"], "['float32']"),
        (np.zeros(2, np.float32), "array([0., 0.], dtype=float32)"),
    ],
)
def test_element_type_refuses(spec, shown):
    why = ", because Python's int and float have no fixed width" if shown in ("int", "float") else ""
    text = f"{shown} is not an element type of NKI{why}\n  allowed: {', '.join(NAMES)}"
    with pytest.raises(TypeError, match=f"^{re.escape(text)}$"):
        element_type(spec)


def test_an_element_type_is_a_frozen_hashable_value():
    with pytest.raises(AttributeError):
        float32.name = "float64"
    again = ElementType("float32", np.dtype(np.float32), np.dtype(np.float32), 4, 8, 23)
    assert again == float32
    assert hash(again) == hash(float32)
    assert float32 != tfloat32


@each_type
def test_unwritten_memory(t):
    value = dtypes.unwritten(t)
    assert value.dtype == t.storage
    if t.is_float:
        assert np.isnan(value)
    elif t == bool_:
        assert value
    else:
        assert value.tobytes() == b"\xa5" * t.size_bytes
    np.testing.assert_array_equal(bits(np.asarray(jnp.full(2, value))), bits(np.full(2, value)))


# Values of casts. The expected ones are NumPy's and share nothing with jnki but the storage dtypes.


def bits(x):
    return x.view(BITS[x.dtype.itemsize])


def tfloat32_by_scaling(value):
    """float32 to 11 significant bits, or whole multiples of 2^-136 among the subnormals, in float64."""
    _, exponent = np.frexp(value.astype(np.float64))
    last_place = np.maximum(exponent - 11, -136)
    return np.ldexp(np.rint(np.ldexp(value.astype(np.float64), -last_place)), last_place).astype(np.float32)


@np.errstate(over="ignore", invalid="ignore")
def expected_cast(x, src, dst):
    if src == dst:
        return x
    value = x.astype(np.float32)
    nan = np.isnan(value)
    if dst == bool_:
        return value != 0
    if dst.is_integer:
        ends = np.iinfo(dst.storage)
        nearest = np.rint(np.where(nan, 0, value).astype(np.float64))
        return nearest.clip(ends.min, ends.max).astype(dst.storage)
    result = tfloat32_by_scaling(value) if dst == tfloat32 else value.astype(dst.storage)
    result[nan] = np.float32(np.nan)
    return result


def interesting(src):
    """Every bit pattern of a type of one or two bytes, and edges with their neighbours of one of four."""
    if src == bool_:
        return np.array([False, True])
    if src.size_bytes < 4:
        return np.arange(2 ** (8 * src.size_bytes)).astype(BITS[src.size_bytes]).view(src.storage)
    random = np.random.default_rng(0).integers(0, 2**32, 5000, np.uint64).astype(np.uint32)
    if src.is_integer:
        edges = [s * 2**k + near for k in range(33) for near in range(-130, 131) for s in (-1, 1)]
        ends = np.iinfo(src.storage)
        edges = np.array([edge for edge in edges if ends.min <= edge <= ends.max], src.storage)
        return np.concatenate([edges, random.view(src.storage)])
    # Every upper half, with lower halves at and beside the ties of bfloat16 and of tfloat32.
    upper = np.arange(2**16, dtype=np.uint32)[:, None] << 16
    lower = np.uint32([0x0000, 0x0001, 0x0FFF, 0x1000, 0x1001, 0x3000, 0x7FFF, 0x8000, 0x8001, 0xF000, 0xFFFF])
    integers = (np.arange(-70000, 70000) / 2).astype(np.float32).view(np.uint32)
    return np.concatenate([(upper | lower).ravel(), integers, random]).view(src.storage)


def assert_same(got, expected, is_cast, message=""):
    """Equal bits; but what becomes of a NaN's payload in a cast is left open."""
    got = np.asarray(got)
    if is_cast and np.dtype(got.dtype).kind not in "biu":
        nan = np.isnan(expected.astype(np.float32))
        np.testing.assert_array_equal(np.isnan(got.astype(np.float32)), nan, err_msg=message)
        got, expected = got[~nan], expected[~nan]
    np.testing.assert_array_equal(bits(got), bits(expected), err_msg=message)


def all_casts(src):
    return lambda x: [cast(x, src, dst) for dst in ALL]


@each_source
def test_cast_equals_numpy(src):
    x = interesting(src)
    for dst, got in zip(ALL, jax.jit(all_casts(src))(x), strict=True):
        assert got.dtype == dst.storage
        assert_same(got, expected_cast(x, src, dst), is_cast=src != dst, message=f"to {dst}")


@each_source
def test_cast_under_vmap_and_without_jit(src):
    x = interesting(src)
    x = jnp.asarray(np.resize(x[:: x.size // 24 + 1], 24))
    cases = x.reshape(2, 12)
    for dst, batch in zip(ALL, jax.jit(jax.vmap(all_casts(src), in_axes=1, out_axes=1))(cases), strict=True):
        expected = expected_cast(np.asarray(x), src, dst)
        assert_same(np.asarray(batch).ravel(), expected, is_cast=src != dst)
        assert_same(cast(x, src, dst), expected, is_cast=src != dst)


@each_type
def test_equal_types_keep_every_bit(t):
    x = jnp.asarray(interesting(t))
    assert cast(x, t, t) is x


@pytest.mark.parametrize("narrow", [t for t in FLOATS if t != float32], ids=str)
def test_a_round_trip_in_one_program_stays_rounded(narrow):
    x = np.random.default_rng(0).normal(size=1000).astype(np.float32)
    got = jax.jit(lambda x: cast(cast(x, float32, narrow), narrow, float32))(x)
    np.testing.assert_array_equal(got, expected_cast(x, float32, narrow).astype(np.float32))


def test_integers_lose_what_float32_cannot_hold():
    x = jnp.int32([2**24 + 1, 2**24 + 3, 2**31 - 1, -1])
    np.testing.assert_array_equal(cast(x, int32, dtypes.uint32), np.uint32([2**24, 2**24 + 4, 2**31, 0]), strict=True)


def test_cast_refuses_an_array_of_another_dtype():
    with pytest.raises(TypeError, match=r"^a cast from float16 takes an array of dtype float16, not float32$"):
        cast(jnp.zeros(3), float16, int8)
    with pytest.raises(TypeError, match=r"^a cast from tfloat32 takes an array of dtype float32, not bfloat16$"):
        cast(jnp.zeros(3, jnp.bfloat16), tfloat32, tfloat32)


# Derivatives of casts (C25)

TANGENTS = np.float32([1, -0.375, 1.00244140625, 3.0001])  # the last two are no tfloat32 numbers
PRIMALS = np.float32([0.1, 1.5, -2.5, 3.3])


@pytest.mark.parametrize("src", FLOATS, ids=str)
def test_a_float_to_float_cast_passes_the_derivative(src):
    x = PRIMALS.astype(src.storage)
    for dst in FLOATS:
        _, transpose = jax.vjp(lambda x, dst=dst: cast(x, src, dst), x)
        cotangent = TANGENTS.astype(dst.storage)
        (got,) = transpose(jnp.asarray(cotangent))
        np.testing.assert_array_equal(got, cotangent.astype(np.float32).astype(src.storage), err_msg=f"to {dst}")

        tangent = TANGENTS.astype(src.storage)
        _, got = jax.jvp(lambda x, dst=dst: cast(x, src, dst), (x,), (tangent,))
        np.testing.assert_array_equal(got, tangent.astype(np.float32).astype(dst.storage), err_msg=f"to {dst}")


@pytest.mark.parametrize("src", FLOATS, ids=str)
def test_a_cast_to_an_integer_or_bool_stops_the_derivative(src):
    x = PRIMALS.astype(src.storage)
    for dst in OTHERS:
        _, transpose = jax.vjp(lambda x, dst=dst: cast(cast(x, src, dst), dst, float32), x)
        (got,) = transpose(jnp.ones(4))
        np.testing.assert_array_equal(got, np.zeros(4, src.storage), strict=True, err_msg=f"to {dst}")


@pytest.mark.parametrize("src", OTHERS, ids=str)
def test_a_cast_from_an_integer_or_bool_stops_the_derivative(src):
    x = jnp.ones(4, src.storage)
    for dst in ALL:
        y, transpose = jax.vjp(lambda x, dst=dst: cast(x, src, dst), x)
        cotangent = jnp.ones_like(y) if dst.is_float else np.zeros(4, jax.dtypes.float0)
        (got,) = transpose(cotangent)
        assert got.dtype == jax.dtypes.float0


@pytest.mark.parametrize("src", [float32, bfloat16], ids=str)
def test_second_derivatives_and_their_transformations(src):
    def total(x, dst):
        return jnp.sum(cast(x, src, dst).astype(jnp.float32) ** 3)

    x = PRIMALS.astype(src.storage)
    for dst in FLOATS:
        rounded = expected_cast(x, src, dst).astype(np.float32)
        hessian = jax.jit(jax.hessian(total), static_argnums=1)(x, dst)
        cotangent = (6 * rounded).astype(dst.storage).astype(src.storage)
        np.testing.assert_array_equal(hessian, np.diag(cotangent), err_msg=f"to {dst}")
        gradients = jax.vmap(jax.grad(total), in_axes=(0, None))(x[:, None], dst)
        cotangent = (3 * rounded**2).astype(dst.storage).astype(src.storage)
        np.testing.assert_array_equal(gradients[:, 0], cotangent, err_msg=f"to {dst}")
