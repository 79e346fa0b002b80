"""`nl.random_seed`, `nl.rand` and `nl.dropout`: what the instructions draw, by the names of the language."""

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest

import jnki
from jnki import DeviceMemory, sbuf
from jnki.errors import RuleError
from jnki.neuronxcc import nki

nl = nki.language
SEED = np.array([[7]], np.int32)
X = np.arange(1, 25, dtype=np.float32).reshape(4, 6)


@nki.jit
def draws(x, seed, rate=0.25):
    """Uniform numbers, the next ones after the same seed, and what a dropout leaves."""
    outs = [nl.ndarray(x.shape, dtype=t, buffer=nl.shared_hbm) for t in (nl.float32, nl.bfloat16, x.dtype)]
    nl.random_seed(nl.load(seed))
    nl.store(outs[0], nl.rand(x.shape))
    nl.random_seed(nl.load(seed))
    nl.store(outs[1], nl.rand(x.shape, dtype=nl.bfloat16))
    kept = nl.load(rate) if isinstance(rate, nki.tensor) else rate
    nl.store(outs[2], nl.dropout(nl.load(x), kept))
    return tuple(outs)


def drawn(count):
    """The numbers of the first draws of the seed, by the functional interface."""
    memory = DeviceMemory.of(sbuf={"x": jnp.zeros(X.shape), "state": jnp.zeros((1, 2), jnp.uint32)})
    memory = jnki.random_seed(memory, state=sbuf("state"), seed=7)
    for _ in range(count):
        memory = jnki.rand(memory, dst=sbuf("x"), state=sbuf("state"))
    return np.asarray(memory.sbuf["x"])


@pytest.mark.parametrize("rate", [0.25, np.full((1, 1), 0.25, np.float32), np.full((4, 1), 0.25, np.float32)])
def test_they_are_the_draws_of_the_seed(rate):
    first, narrow, kept = draws(X, SEED, rate)
    np.testing.assert_array_equal(first, drawn(1))
    np.testing.assert_array_equal(narrow, drawn(1).astype(ml_dtypes.bfloat16))
    np.testing.assert_array_equal(kept, np.where(drawn(2) < 0.25, 0, X))
    assert 0 < (kept == 0).sum() < kept.size


def test_a_batch_differs_where_its_seeds_do_and_a_gradient_stops_where_it_dropped():
    first, *_ = jax.vmap(draws, (None, 0))(X, np.stack([SEED, SEED + 1, SEED]))
    np.testing.assert_array_equal(first[0], first[2])
    assert (np.asarray(first[0]) != np.asarray(first[1])).any()
    slopes = jax.grad(lambda x: draws(x, SEED)[2].sum())(jnp.asarray(X))
    np.testing.assert_array_equal(slopes, drawn(2) >= 0.25)


def test_their_rules():
    @nki.jit
    def integers(x):
        nl.rand((2, 3), dtype=nl.int32)

    with pytest.raises(RuleError, match=r"rand\.dtype"):
        integers(X)
    with pytest.raises(RuleError, match=r"dropout\.prob: "):
        draws(X, SEED, 1.5)
