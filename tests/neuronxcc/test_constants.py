"""What is known while a kernel is recorded: `nl.shared_constant`, `shared_identity_matrix`, `finfo`, `static_cast`."""

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest

from jnki.errors import RuleError
from jnki.neuronxcc import nki
from jnki.program.program import instructions
from tests.errors.refusals import flagged

nl, nisa = nki.language, nki.isa

TABLE = np.random.default_rng(5).normal(size=(6, 4)).astype(np.float32)
X = np.arange(24, dtype=np.float32).reshape(6, 4)


@nki.jit
def plus_constant(x, table=None, dtype=None):
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    nl.store(out, nl.load(x) + nl.load(nl.shared_constant(TABLE, dtype)))
    return out


@pytest.mark.parametrize("dtype", [None, nl.bfloat16, nl.int8, "float16", nl.float8_e5m2])
def test_a_constant_is_cast_as_a_tile_is(dtype):
    @nki.jit
    def both(x):
        a = nl.ndarray(x.shape, dtype=dtype or x.dtype, buffer=nl.shared_hbm)
        b = nl.ndarray(x.shape, dtype=dtype or x.dtype, buffer=nl.shared_hbm)
        nl.store(a, nl.load(nl.shared_constant(TABLE, dtype)))
        nl.store(b, nl.load(x, dtype=dtype))
        return a, b

    a, b = both(TABLE)
    assert a.tobytes() == b.tobytes()


def test_numpy_s_wide_types_need_the_type_that_is_meant():
    @nki.jit
    def kernel(constant, dtype):
        constant = np.asarray(eval(constant))
        out = nl.ndarray(constant.shape, dtype=dtype or np.float32, buffer=nl.shared_hbm)
        nisa.dma_copy(dst=out, src=nl.shared_constant(constant, dtype))
        return out

    np.testing.assert_array_equal(kernel("np.identity(3)", nl.bfloat16), np.identity(3))
    np.testing.assert_array_equal(kernel("[2**31 - 1, 7]", nl.int32), [2**31 - 1, 7])
    np.testing.assert_array_equal(kernel("[2**40, 7]", nl.float32), np.array([2**40, 7], np.float32))
    with pytest.raises(TypeError, match="float64"):
        kernel("np.identity(3)", None)


def test_transformations_leave_a_constant_alone():
    expected = X + TABLE
    np.testing.assert_array_equal(plus_constant(X), expected)
    np.testing.assert_array_equal(jax.jit(plus_constant)(jnp.asarray(X)), expected)
    np.testing.assert_array_equal(jax.vmap(plus_constant)(jnp.stack([X, X]))[1], expected)
    np.testing.assert_array_equal(jax.grad(lambda x: plus_constant(x).sum())(jnp.asarray(X)), np.ones_like(X))


@nki.jit
def identities(x):
    """Made in every iteration and every instance of the grid, under one name that is used again."""
    out = nl.ndarray((2, 3, 4, 4), dtype=nl.float32, buffer=nl.shared_hbm)
    scale = nl.load(x[0:4, 0:1])
    for i in nl.affine_range(3):
        identity = nl.shared_identity_matrix(4, dtype=nl.bfloat16)
        identity = nl.load(identity, dtype=nl.float32)
        identity = nl.multiply(identity, scale)
        nl.store(out[nl.program_id(0), i], identity)
    return out


def test_a_constant_is_made_once_and_loops_stay_loops():
    found = identities[2](X)
    np.testing.assert_array_equal(found, np.broadcast_to(np.diag(X[:4, 0]), (2, 3, 4, 4)))
    names = [i.name for i in instructions(identities[2].trace(X).body)]
    assert names.count("shared_constant") == 1 and names.count("dma_copy") == 3
    assert "constant:0 = shared_constant(contents=32 bytes, crc32 " in str(identities[2].trace(X))


def test_the_default_type_of_an_identity_is_uint8():
    @nki.jit
    def kernel():
        return nl.shared_identity_matrix(5)

    found = kernel()
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, np.identity(5))


@nki.jit
def writes(x):
    constant = nl.shared_constant(TABLE)
    nl.store(constant, nl.load(x))  # flagged
    return constant


@nki.jit
def makes(x, value):
    return nl.shared_constant(value)  # flagged


def test_rules_of_constants():
    flagged(
        writes,
        X,
        rule="shared_constant.written",
        message="dma_copy: tensor 'constant:0' is a constant",
        given="a write to hbm tensor 'constant:0' [6, 4] float32",
        allowed="a new tensor in nl.shared_hbm or nl.sbuf",
    )
    flagged(
        lambda x: makes(x, 3),
        X,
        rule="shared_constant.constant",
        message="shared_constant: 'constant' must be an array whose values are known while the kernel is recorded",
        given="int 3",
        allowed="a NumPy array with axes",
    )
    with pytest.raises(RuleError, match="shared_constant.constant"):
        makes(X, X)  # an argument has no values while the kernel is recorded


def test_finfo_is_numpy_s():
    for dtype in (nl.float32, nl.float16, nl.bfloat16, nl.float8_e4m3, nl.float8_e5m2):
        assert nl.finfo(dtype) == ml_dtypes.finfo(dtype)
    assert nl.finfo("float32").min == np.finfo(np.float32).min
    assert nl.finfo(nl.float8_e4m3).max == 240
    with pytest.raises(ValueError, match=r"nl\.finfo: int8 is not a float type"):
        nl.finfo(nl.int8)
    with pytest.raises(NotImplementedError, match="tfloat32"):
        nl.finfo(nl.tfloat32)

    @nki.jit
    def lowest():
        out = nl.ndarray((2, 3), dtype=nl.bfloat16, buffer=nl.shared_hbm)
        nl.store(out, nl.full((2, 3), nl.finfo(nl.bfloat16).min, nl.bfloat16))
        return out

    assert (lowest() == ml_dtypes.finfo(nl.bfloat16).min).all()


def test_static_cast_of_arrays_and_numbers_is_numpy_s():
    doubles = np.random.default_rng(6).normal(size=(3, 4)) * 100
    for dtype in (nl.float32, nl.bfloat16, nl.float16, nl.int32, "float8_e5m2"):
        found = nl.static_cast(doubles, dtype)
        assert type(found) is np.ndarray
        np.testing.assert_array_equal(found, doubles.astype(found.dtype))
        assert found.dtype == np.dtype(dtype)
    assert isinstance(nl.static_cast(jnp.ones((2, 3)), nl.bfloat16), jax.Array)
    number = nl.static_cast(2.7, nl.int32)
    assert number == 2 and number.dtype == np.int32
    with pytest.raises(TypeError, match=r"nl\.static_cast takes an array or a number, got list"):
        nl.static_cast([1], nl.int32)
    with pytest.raises(NotImplementedError, match="tfloat32"):
        nl.static_cast(doubles, nl.tfloat32)


def test_static_cast_of_a_tile_is_astype():
    @nki.jit
    def kernel(x):
        out = nl.ndarray(x.shape, dtype=nl.int32, buffer=nl.shared_hbm)
        nl.store(out, nl.static_cast(nl.load(x) * 0.75, nl.int32))
        return out

    np.testing.assert_array_equal(kernel(X), np.rint(X * np.float32(0.75)).astype(np.int32))
