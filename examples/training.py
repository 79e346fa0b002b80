"""A model trained through kernels: its losses are those of the same model in plain JAX, to the noise of float32.

Run with: python -m jnki examples/training.py
Where matplotlib is installed, `python -m jnki examples/training.py losses.png` draws both.
"""

import importlib.util
import sys

import jax
import jax.numpy as jnp
import neuronxcc.nki as nki
import neuronxcc.nki.language as nl
import numpy as np

TOKENS, WIDTH, STEPS, RATE = 16, 8, 60, 2.0


@nki.jit
def embed(table, rows):
    """Row `rows[n, 0]` of the table for each token; its derivative adds the cotangents of equal tokens up."""
    out = nl.ndarray((rows.shape[0], table.shape[1]), dtype=table.dtype, buffer=nl.shared_hbm)
    nl.store(out, nl.load(table[nl.load(rows), nl.arange(table.shape[1])[None, :]]))
    return out


@nki.jit
def normalize(x, scale):
    """RMSNorm of each row."""
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    tile, weight = nl.load(x), nl.load(scale.reshape((1, x.shape[1])))
    mean = nl.sum(nl.square(tile), axis=1, keepdims=True) / x.shape[1]
    normal = nl.multiply(tile, nl.rsqrt(nl.add(mean, 1e-6)))
    nl.store(out, nl.multiply(normal, weight.broadcast_to(x.shape)))
    return out


def plain_normalize(x, scale):
    return x * jax.lax.rsqrt((x * x).mean(axis=1, keepdims=True) + 1e-6) * scale


def losses_of(embed, normalize):
    """The loss of each step of gradient descent, in one compiled loop."""
    tokens = jnp.arange(4 * TOKENS, dtype=jnp.int32) % TOKENS
    keys = jax.random.split(jax.random.key(0), 2)
    parameters = {
        "table": 0.5 * jax.random.normal(keys[0], (TOKENS, WIDTH)),
        "scale": jnp.ones(WIDTH),
        "head": 0.5 * jax.random.normal(keys[1], (WIDTH, TOKENS)),
    }

    def loss(parameters):
        hidden = normalize(embed(parameters["table"], tokens[:, None]), parameters["scale"])
        logits = jax.nn.log_softmax(jnp.matmul(hidden, parameters["head"], precision="highest"))
        return -logits[jnp.arange(len(tokens)), (tokens + 1) % TOKENS].mean()

    def step(parameters, _):
        value, gradient = jax.value_and_grad(loss)(parameters)
        return jax.tree.map(lambda p, g: p - RATE * g, parameters, gradient), value

    return np.asarray(jax.jit(lambda: jax.lax.scan(step, parameters, None, length=STEPS)[1])())


def draw(path, ours, theirs):
    pyplot = importlib.import_module("matplotlib.pyplot")
    pyplot.plot(theirs, label="plain JAX", linewidth=4, alpha=0.4)
    pyplot.plot(ours, label="kernels")
    pyplot.xlabel("step")
    pyplot.ylabel("loss")
    pyplot.legend()
    pyplot.savefig(path)


def main():
    ours = losses_of(embed, normalize)
    theirs = losses_of(lambda table, rows: table[rows[:, 0]], plain_normalize)
    print(f"loss {ours[0]:.3f} -> {ours[-1]:.3f}; furthest from plain JAX: {np.abs(ours / theirs - 1).max():.1e} of it")
    assert ours[-1] < 0.3 * ours[0]
    np.testing.assert_allclose(ours, theirs, rtol=1e-4)
    if sys.argv[1:] and importlib.util.find_spec("matplotlib"):
        draw(sys.argv[1], ours, theirs)
    print("training: ok")


if __name__ == "__main__":
    main()
