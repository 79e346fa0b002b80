"""Arrays of the types that only the current dialect has, as arguments of its kernels and as results."""

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest

import jnki.neuronxcc.nki as legacy
import jnki.nki as nki
import jnki.nki.isa as nisa
import jnki.nki.language as nl


@nki.jit
def copied(x):
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    tile = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.sbuf)
    nisa.dma_copy(tile, x)
    nisa.dma_copy(out, tile)
    return out


@pytest.mark.parametrize("kind", [ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e8m0fnu])
def test_every_bit_arrives_and_returns(kind):
    x = np.arange(256, dtype=np.uint8).reshape(32, 8).view(kind)
    for given in (x, jnp.asarray(x)):
        for run in (copied, jax.jit(copied)):
            np.testing.assert_array_equal(np.asarray(run(given)).view(np.uint8), x.view(np.uint8))
    many = jax.vmap(copied)(jnp.stack([jnp.asarray(x), jnp.asarray(x)[::-1]]))
    np.testing.assert_array_equal(np.asarray(many[1]).view(np.uint8), x[::-1].view(np.uint8))


def test_float8_e4m3fn_has_a_derivative():
    x = jnp.asarray(np.arange(8, dtype=np.float32).reshape(4, 2).astype(ml_dtypes.float8_e4m3fn))
    found = jax.grad(lambda x: copied(x).astype(jnp.float32).sum())(x)
    assert found.dtype == x.dtype and (found.astype(jnp.float32) == 1).all()


def test_packed_elements_come_from_bytes_and_are_returned_in_words():
    @nki.jit
    def packed(x):
        out = nl.ndarray((32, 2), dtype=nl.float8_e4m3fn_x4, buffer=nl.shared_hbm)
        nisa.dma_copy(out, x.view(nl.float8_e4m3fn_x4))
        return out

    x = np.arange(256, dtype=np.uint8).reshape(32, 8)
    found = np.asarray(packed(x))
    assert found.dtype == np.uint32
    np.testing.assert_array_equal(found.view(np.uint8), x)


def test_the_legacy_dialect_has_none_of_them():
    @legacy.jit
    def nothing(x):
        return x

    with pytest.raises(TypeError, match="float8_e4m3fn.* is not an element type of NKI"):
        nothing(np.zeros((4, 2), ml_dtypes.float8_e4m3fn))
