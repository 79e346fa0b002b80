"""The same kernel in both dialects: the same bits, called, batched and differentiated."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.nki.pairs import PAIRS

each_pair = pytest.mark.parametrize("name", PAIRS)


def equal_bits(old, new):
    olds, news = jax.tree.leaves(old), jax.tree.leaves(new)
    assert len(olds) == len(news)
    for x, y in zip(olds, news):
        x, y = np.asarray(x), np.asarray(y)
        assert x.dtype == y.dtype
        np.testing.assert_array_equal(x.reshape(y.shape).view(np.uint8), y.view(np.uint8))


@each_pair
def test_both_spellings_give_the_same_bits(name):
    pair = PAIRS[name]
    equal_bits(pair.old(*pair.arrays), pair.new(*pair.arrays))


@each_pair
def test_both_spellings_give_the_same_batch(name):
    pair = PAIRS[name]
    batch = [jnp.stack([array, array[::-1]]) for array in pair.arrays]
    equal_bits(jax.jit(jax.vmap(pair.old))(*batch), jax.jit(jax.vmap(pair.new))(*batch))


def total(kernel):
    """The sum of the squares of all float results, of the first argument."""

    def function(first, *rest):
        results = jax.tree.leaves(kernel(first, *rest))
        return sum(jnp.sum(jnp.square(r.astype(jnp.float32))) for r in results if jnp.issubdtype(r.dtype, jnp.floating))

    return function


@pytest.mark.parametrize("name", [n for n, pair in PAIRS.items() if pair.arrays[0].dtype == np.float32])
def test_both_spellings_have_the_same_gradient(name):
    pair = PAIRS[name]
    old, new = (jax.jit(jax.grad(total(kernel)))(*pair.arrays) for kernel in (pair.old, pair.new))
    np.testing.assert_array_equal(old, new)
    assert np.isfinite(new).all()
    assert np.abs(new).max() > 0
