"""Narrow floats move as bits, under a derivative that is the same move of the tangents."""

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest

from jnki.memory.bits import as_bits, needs_bits


def choose(new: jax.Array, old: jax.Array, where: jax.Array) -> jax.Array:
    return jnp.where(where, new, old)


@pytest.mark.parametrize(
    ("dtype", "needed"),
    [
        (ml_dtypes.bfloat16, True),
        (ml_dtypes.float8_e4m3, True),
        (ml_dtypes.float8_e5m2, True),
        (np.float16, False),
        (np.float32, False),
        (np.int8, False),
        (np.bool_, False),
    ],
)
def test_which_types_go_as_bits(dtype: type, needed: bool) -> None:
    assert needs_bits(np.dtype(dtype)) == needed
    zeros = jnp.zeros(3, dtype)
    integers = any(
        "bitcast" in str(equation) for equation in jax.make_jaxpr(lambda a: as_bits(lambda x: x[::-1], a))(zeros).eqns
    )
    assert integers == needed


@pytest.mark.parametrize("dtype", [ml_dtypes.bfloat16, ml_dtypes.float8_e4m3, ml_dtypes.float8_e5m2])
def test_c05_payloads_survive_a_choice(dtype: type) -> None:
    size = np.dtype(dtype).itemsize
    bits = np.arange(1 << (8 * size)).astype(f"u{size}")
    new, old, where = bits.view(dtype), bits[::-1].copy().view(dtype), bits % 3 == 0
    found = jax.jit(lambda *a: as_bits(choose, *a[:2], indices=(a[2],)))(new, old, where)
    np.testing.assert_array_equal(np.asarray(found).view(bits.dtype), np.where(where, bits, bits[::-1]))


def test_c25_the_tangents_move_alike() -> None:
    """C25: forwards, backwards, twice, and over several cotangents at once."""
    where = jnp.array([True, False, True])
    new, old = jnp.array([1, 2, 3], jnp.bfloat16), jnp.array([4, 5, 6], jnp.bfloat16)

    def move(new: jax.Array, old: jax.Array) -> jax.Array:
        return as_bits(choose, new, old, indices=(where,))

    value, tangent = jax.jvp(move, (new, old), (new * 2, old * 2))
    assert value.tolist() == [1, 5, 3] and tangent.tolist() == [2, 10, 6]
    _, pull = jax.vjp(move, new, old)
    to_new, to_old = pull(jnp.array([7, 8, 9], jnp.bfloat16))
    assert to_new.tolist() == [7, 0, 9] and to_old.tolist() == [0, 8, 0]
    batched = jax.vmap(pull)(jnp.eye(3, dtype=jnp.bfloat16))
    assert batched[0].tolist() == [[1, 0, 0], [0, 0, 0], [0, 0, 1]]
    hessian = jax.hessian(lambda n: jnp.sum(move(n, old).astype(jnp.float32) ** 2))(new)
    np.testing.assert_array_equal(np.asarray(hessian, np.float32), np.diag([2.0, 0.0, 2.0]))
