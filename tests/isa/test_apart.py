"""What keeps operations apart is seen by no value and no derivative."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jnki
from jnki import DeviceMemory, sbuf
from jnki.isa.apart import apart, product

HOSTILE = np.array([np.nan, -np.nan, np.inf, -np.inf, -0.0, 0.0, 1e38, -1.5], np.float32)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "int32"])
def test_a_value_is_itself(dtype):
    value = jnp.nan_to_num(HOSTILE, posinf=7, neginf=-7, nan=3) if dtype == "int32" else jnp.asarray(HOSTILE)
    value = value.at[6].set(5.0).astype(dtype)
    found = jax.jit(apart)(value)
    assert found.dtype == value.dtype
    np.testing.assert_array_equal(np.asarray(found, np.float32), np.asarray(value, np.float32))
    np.testing.assert_array_equal(np.signbit(np.asarray(found, np.float32)), np.signbit(np.asarray(value, np.float32)))


def test_its_derivative_is_one_also_where_the_value_is_nan():
    assert jax.grad(lambda x: apart(x).sum())(jnp.asarray(HOSTILE)).tolist() == [1.0] * 8
    assert jax.jvp(apart, (jnp.asarray(HOSTILE),), (jnp.full(8, 3.0),))[1].tolist() == [3.0] * 8


def test_integers_multiply_as_integers():
    large = jnp.array([2**30 + 1, -7], jnp.int32)
    assert product(large, jnp.int32(3)).tolist() == [-(2**30) + 3, -21]


def test_a_sum_with_a_nan_in_it_has_the_derivative_of_a_sum():
    def total(x):
        memory = DeviceMemory.of(sbuf={"x": x, "y": jnp.zeros((2, 1))})
        return jnki.tensor_reduce(memory, dst=sbuf("y"), op="add", data=sbuf("x"), axes=1).sbuf["y"].sum()

    x = jnp.array([[1.0, jnp.nan, 2.0], [1.0, 2.0, 3.0]])
    assert jax.grad(total)(x).tolist() == jax.grad(lambda x: x.sum())(x).tolist() == [[1.0] * 3] * 2
