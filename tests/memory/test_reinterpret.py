"""Bytes under another element type are NumPy's view of them."""

import itertools

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest

from jnki.memory.reinterpret import reinterpret

TYPES = [np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.float16, ml_dtypes.bfloat16, np.float32]
TYPES += [ml_dtypes.float8_e4m3, ml_dtypes.float8_e5m2]


@pytest.mark.parametrize(("old", "new"), list(itertools.product(TYPES, TYPES)))
def test_the_bytes_stay(old: type, new: type) -> None:
    raw = np.random.default_rng(0).integers(0, 256, 48).astype(np.uint8)
    array = raw.view(old).reshape(2, -1)
    shape = (2, 24 // np.dtype(new).itemsize)
    found = reinterpret(jnp.asarray(array), shape, np.dtype(new))
    assert found.dtype == np.dtype(new) and found.shape == shape
    assert np.asarray(found).tobytes() == raw.tobytes()


def test_booleans_are_bytes() -> None:
    bools = jnp.array([True, False, True, True])
    assert reinterpret(bools, (4,), np.dtype(np.uint8)).tolist() == [1, 0, 1, 1]
    assert reinterpret(bools, (1,), np.dtype(np.int32)).tolist() == [0x01010001]
    assert reinterpret(jnp.array([0, 7, 1, 0], jnp.uint8), (4,), np.dtype(bool)).tolist() == [False, True, True, False]


def test_one_type_under_another_shape_has_a_derivative_and_bits_have_none() -> None:
    same = jax.grad(lambda x: reinterpret(x, (6,), np.dtype(np.float32))[4])(jnp.ones((2, 3)))
    assert same.tolist() == [[0, 0, 0], [0, 1, 0]]
    other = jax.grad(lambda x: reinterpret(x, (2, 3), np.dtype(np.int32)).astype(jnp.float32).sum())(jnp.ones((2, 3)))
    assert not np.asarray(other).any()
