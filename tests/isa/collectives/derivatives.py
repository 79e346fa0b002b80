"""Derivatives of collectives against those of the same collective in plain JAX: a part of on_four_devices.py."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import PartitionSpec

import jnki
from jnki import hbm
from tests.isa.collectives.devices import HALVES, RANKS, WHOLE, mesh_of, told
from tests.laws.cases import memory_of

SPLIT = PartitionSpec("x")


def functional(function, shape, **arguments):
    """The collective as a function of one array."""

    def run(x):
        memory = memory_of({"hbm.a": x, "hbm.out": jnp.full(shape, 7, x.dtype)})
        return function(memory, dst=hbm("out"), src=hbm("a"), axis="x", **arguments).hbm["out"]

    return run


def best(of_all):
    return lambda x: of_all(lax.all_gather(x, "x"), axis=0)


def in_halves(x):
    return lax.all_gather(x, "x", axis_index_groups=HALVES).sum(0)


CYCLE = [(rank, (rank + 1) % RANKS) for rank in range(RANKS)]
PAIRS = {
    "all_reduce": (functional(jnki.all_reduce, (4, 3), groups=WHOLE, op="add"), lambda x: lax.psum(x, "x")),
    "halves": (functional(jnki.all_reduce, (4, 3), groups=HALVES, op="add"), in_halves),
    "maximum": (functional(jnki.all_reduce, (4, 3), groups=WHOLE, op="maximum"), best(jnp.max)),
    "minimum": (functional(jnki.all_reduce, (4, 3), groups=WHOLE, op="minimum"), best(jnp.min)),
    "all_gather": (
        functional(jnki.all_gather, (16, 3), groups=WHOLE),
        lambda x: lax.all_gather(x, "x", tiled=True),
    ),
    "gather in halves": (
        functional(jnki.all_gather, (8, 3), groups=HALVES),
        lambda x: lax.all_gather(x, "x", axis_index_groups=HALVES, tiled=True),
    ),
    "reduce_scatter": (
        functional(jnki.reduce_scatter, (1, 3), groups=WHOLE, op="add"),
        lambda x: lax.psum_scatter(x, "x", tiled=True),
    ),
    "all_to_all": (
        functional(jnki.all_to_all, (4, 3), groups=WHOLE),
        lambda x: lax.all_to_all(x, "x", 0, 0, tiled=True),
    ),
    "collective_permute": (
        functional(jnki.collective_permute, (4, 3), pairs=CYCLE),
        lambda x: lax.ppermute(x, "x", CYCLE),
    ),
    "some": (
        functional(jnki.collective_permute, (4, 3), pairs=[(0, 1), (3, 0)]),
        lambda x: jnp.where(lax.axis_index("x") < 2, lax.ppermute(x, "x", [(0, 1), (3, 0)]), jnp.asarray(7, x.dtype)),
    ),
    "ring": (
        functional(jnki.collective_permute_implicit, (4, 3), groups=WHOLE),
        lambda x: lax.ppermute(x, "x", CYCLE),
    ),
}


def everything(of, checks):
    """Value, gradient, directional derivative and the gradient of a batch, of one collective."""
    spread = jax.shard_map(of, mesh=mesh_of(), in_specs=SPLIT, out_specs=SPLIT, check_vma=checks)

    def loss(x):
        y = spread(x).astype(jnp.float32)
        return jnp.sum(jnp.sin(y) * jnp.arange(1, y.size + 1).reshape(y.shape))

    def run(x, batch):
        first = jax.value_and_grad(loss)(x)
        forward = jax.jvp(spread, (x,), (jnp.cos(x),))
        batched = jax.vmap(jax.grad(loss))(batch)
        inner = jax.shard_map(
            jax.vmap(of),
            mesh=mesh_of(),
            in_specs=PartitionSpec(None, "x"),
            out_specs=PartitionSpec(None, "x"),
            check_vma=checks,
        )(batch)
        return first, forward, batched, inner

    return run


def main():
    rng = np.random.default_rng(5)
    x = rng.standard_normal((16, 3)).astype(np.float32)
    x[4:8, 0] = x[0:4, 0]  # equal places share a derivative
    batch = rng.standard_normal((2, 16, 3)).astype(np.float32)

    def all_pairs(x, batch):
        return {
            n: [everything(of, checks)(x, batch) for of in pair for checks in (True, False)]
            for n, pair in PAIRS.items()
        }

    for name, (mine, mine_unchecked, plain, plain_unchecked) in jax.jit(all_pairs)(x, batch).items():
        with told(name):
            for a, b in ((mine, plain), (mine_unchecked, plain_unchecked)):
                jax.tree.map(lambda p, q: np.testing.assert_allclose(p, q, rtol=1e-6, atol=1e-6), a, b)


def slope_of(of, x):
    spread = jax.shard_map(of, mesh=mesh_of(), in_specs=SPLIT, out_specs=SPLIT)
    return jax.grad(lambda x: spread(x).astype(jnp.float32).sum())(x)


def narrow():
    """Derivatives of narrow floats are there."""
    names = ("all_reduce", "all_gather", "reduce_scatter", "all_to_all", "some", "maximum")
    x = jnp.ones((16, 3), jnp.bfloat16)
    for name, slope in jax.jit(lambda x: {n: slope_of(PAIRS[n][0], x) for n in names})(x).items():
        with told(name):
            assert slope.dtype == jnp.bfloat16 and np.isfinite(slope.astype(np.float32)).all()
            assert np.abs(np.asarray(slope, np.float32)).max() > 0


def variable():
    """Chunks carry their derivative, and nothing else does."""
    metadata = np.zeros((RANKS, 3, 4), np.uint32)
    metadata[:, 0] = [2, 0, 1, 2]
    metadata[:, 1] = [0, 3, 3, 4]

    def run(x, old, m):
        memory = memory_of({"hbm.a": x, "hbm.out": old, "hbm.m": m[0]})
        after = jnki.all_to_all_v(memory, dst=hbm("out"), src=hbm("a"), metadata=hbm("m"), groups=WHOLE, axis="x")
        return after.hbm["out"]

    spread = jax.shard_map(run, mesh=mesh_of(), in_specs=(SPLIT,) * 3, out_specs=SPLIT)
    weights = np.arange(1, 33, dtype=np.float32)
    x, old = np.ones(24, np.float32), np.full(32, 2, np.float32)
    grads = jax.jit(jax.grad(lambda x, old: jnp.sum(spread(x, old, metadata) * weights), argnums=(0, 1)))(x, old)
    by_x, by_old = np.zeros(24), weights.copy()
    for receiver in range(RANKS):
        for sender in range(RANKS):
            count, start = (int(metadata[sender, row, receiver]) for row in (0, 1))
            place = 8 * receiver + 2 * sender
            by_old[place : place + count] = 0
            by_x[6 * sender + start : 6 * sender + start + count] += weights[place : place + count]
    np.testing.assert_array_equal(grads[0], by_x)
    np.testing.assert_array_equal(grads[1], by_old)
