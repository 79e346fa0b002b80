"""Kernels inside training: a hundred steps with optax, beside the same model in plain JAX."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jnki
from jnki.neuronxcc import nki

nl, nisa = nki.language, nki.isa
optax = pytest.importorskip("optax")

TOKENS, WIDTH, LENGTH, STEPS = 12, 8, 16, 100


@nki.jit
def embed(table, rows):
    out = nl.ndarray((rows.shape[0], table.shape[1]), dtype=table.dtype, buffer=nl.shared_hbm)
    columns = nl.arange(table.shape[1])[None, :]
    nl.store(out, nl.load(table[nl.load(rows), columns]))
    return out


@nki.jit
def attend(q, k, v):
    """Causal attention of one head; `[length, width]` each."""
    length, width = q.shape
    out = nl.ndarray(q.shape, dtype=q.dtype, buffer=nl.shared_hbm)
    scores = nl.matmul(nl.load(q), nl.transpose(nl.load(k)))
    i, j = nl.arange(length)[:, None], nl.arange(length)[None, :]
    masked = nisa.affine_select(pred=i >= j, on_true_tile=nl.copy(scores), on_false_value=-1e30)
    weights = nl.softmax(nl.multiply(masked, width**-0.5), axis=1)
    nl.store(out, nl.matmul(weights, nl.load(v)))
    return out


def plain_attend(q, k, v):
    scores = jnp.where(jnp.tri(len(q), dtype=bool), jnp.matmul(q, k.T, precision="highest"), -1e30)
    return jnp.matmul(jax.nn.softmax(scores * q.shape[1] ** -0.5), v, precision="highest")


def model(embed, attend):
    def logits(parameters, tokens):
        x = embed(parameters["table"], tokens[:, None])
        q, k, v = (jnp.matmul(x, w, precision="highest") for w in parameters["qkv"])
        return jnp.matmul(x + attend(q, k, v), parameters["table"].T, precision="highest")

    def loss(parameters, batch):
        found = jax.vmap(logits, (None, 0))(parameters, batch)[:, :-1]
        return optax.softmax_cross_entropy_with_integer_labels(found, batch[:, 1:]).mean()

    return loss


@functools.partial(jax.jit, static_argnums=0)
def trained(loss, batches):
    """The loss of each step, all steps in one compiled scan."""
    optimizer = optax.adam(1e-2)
    keys = jax.random.split(jax.random.key(0), 4)
    table, *qkv = (0.3 * jax.random.normal(k, (n, WIDTH)) for k, n in zip(keys, (TOKENS, WIDTH, WIDTH, WIDTH)))
    parameters = {"table": table, "qkv": qkv}

    def step(state, batch):
        parameters, moments = state
        value, gradient = jax.value_and_grad(loss)(parameters, batch)
        updates, moments = optimizer.update(gradient, moments)
        return (optax.apply_updates(parameters, updates), moments), value

    return jax.lax.scan(step, (parameters, optimizer.init(parameters)), batches)[1]


OURS = model(embed, attend)


@pytest.fixture(scope="module")
def batches():
    """Sequences that count up from a random token, so that there is something to learn."""
    starts = np.random.default_rng(0).integers(0, TOKENS, (STEPS, 4, 1))
    return jnp.asarray((starts + np.arange(LENGTH)) % TOKENS, jnp.int32)


def test_the_losses_are_those_of_plain_jax(batches):
    ours = trained(OURS, batches)
    theirs = trained(model(lambda table, rows: table[rows[:, 0]], plain_attend), batches)
    assert ours[-1] < 0.3 * ours[0]
    np.testing.assert_allclose(ours, theirs, rtol=1e-4)


def test_a_token_out_of_bounds_turns_the_losses_of_all_later_steps_nan(batches):
    losses = trained(OURS, batches.at[5, 0, 3].set(TOKENS))
    assert np.isfinite(losses[:5]).all() and np.isnan(losses[5:]).all()


def test_the_step_at_fault_is_in_the_record(batches):
    bad = batches.at[5, 2, 3].set(TOKENS)
    table = jnp.ones((TOKENS, WIDTH))
    found = jax.lax.map(lambda batch: jax.vmap(embed.with_fault, (None, 0))(table, batch[..., None])[1], bad)
    assert [(d.case, d.row, d.index) for d in found.details()] == [((5, 2), 3, TOKENS)]
    with pytest.raises(jnki.FaultError, match="index 96 is out of bounds for axis 0 with size 96") as caught:
        found.raise_if_any()
    assert caught.value.batch_element == (5, 2)


def test_a_layer_of_equinox(batches):
    equinox = pytest.importorskip("equinox")

    class Embedding(equinox.Module):
        table: jax.Array
        lookup: object = equinox.field(static=True)

        def __call__(self, tokens):
            return self.lookup(self.table, tokens[:, None])

    layer = Embedding(jnp.arange(TOKENS * WIDTH, dtype=jnp.float32).reshape(TOKENS, WIDTH), embed)
    tokens = batches[0, 0]
    gradient = equinox.filter_jit(equinox.filter_grad(lambda layer: layer(tokens).sum()))(layer)
    np.testing.assert_array_equal(gradient.table[:, 0], np.bincount(tokens, minlength=TOKENS))
    assert gradient.lookup is embed
