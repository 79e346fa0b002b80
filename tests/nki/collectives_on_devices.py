"""Run by test_collectives.py: kernels that exchange data, on four CPU devices, with one verdict for each part."""

import json

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import AxisType, NamedSharding, PartitionSpec

import jnki
import jnki.nki as nki
from jnki.errors import RuleError
from jnki.program.program import Loop
from tests.isa.collectives.devices import mesh_of
from tests.kernel.on_four_devices import verdict
from tests.nki import collective_kernels as kernels

nl = nki.language
ONE, SPLIT, COLUMNS = PartitionSpec(), PartitionSpec("x"), PartitionSpec(None, "x")
RNG = np.random.default_rng(0)
X = RNG.integers(-4, 5, (16, 6)).astype(np.float32)


def spread(function, in_specs=SPLIT, out_specs=SPLIT, mesh=None, **settings):
    return jax.shard_map(function, mesh=mesh or mesh_of(), in_specs=in_specs, out_specs=out_specs, **settings)


def same(found, wanted):
    jax.tree.map(np.testing.assert_array_equal, found, wanted)


def refused(rule, call):
    try:
        call()
    except RuleError as error:
        assert error.rule == rule, error
        return str(error)
    raise AssertionError(f"{rule} was not raised")


def calls():
    """Jitted or not, checked or not, with whole, reordered and several groups; a sum does not vary over the mesh."""
    over = kernels.total.over("x")
    parts = X.reshape(4, 4, 6)
    for checks in (True, False):
        run = spread(over, out_specs=ONE, check_vma=checks)
        same(jax.jit(run)(X), 2 * parts.sum(0))
        same(run(X), 2 * parts.sum(0))
        halves = spread(lambda x: over(x, kernels.HALVES, nl.maximum), check_vma=checks)
        pairs = [np.maximum(parts[0], parts[2]), np.maximum(parts[1], parts[3])]
        same(jax.jit(halves)(X), np.concatenate([2 * pairs[rank % 2] for rank in range(4)]))
    run = jax.jit(spread(kernels.coalesced.over("x"), (SPLIT, SPLIT)))
    y = X.astype(np.int32)[:8, :2]
    same(run(X, y), (np.concatenate([X] * 4), np.concatenate([y] * 4)))


def meshes():
    """One kernel on several meshes; along two axes; beside an axis that it does not know; with explicit axes."""
    two = nki.collectives.ReplicaGroup([[1, 0]])
    over = kernels.total.over("x")
    wanted = 2 * X.reshape(4, 4, 6).sum(0)
    same(jax.jit(spread(over, out_specs=ONE))(X), wanted)
    small = jax.sharding.Mesh(np.array(jax.devices()[:2]), ("x",))
    same(jax.jit(spread(lambda x: over(x, two), out_specs=ONE, mesh=small))(X[:8]), 2 * (X[:4] + X[4:8]))
    text = refused("collectives.ranks", lambda: spread(over, out_specs=ONE, mesh=small)(X[:8]))
    assert "allowed: ranks 0 to 1, every rank in one group" in text

    # A single rank, whose result does not vary either.
    alone = jax.sharding.Mesh(np.array(jax.devices()[:1]), ("x",))
    narrow = np.array([[0x7FA1, 0x3F80]], np.uint16).view(jnp.bfloat16)
    for x in (X, X.astype(np.int32)):
        run = spread(lambda x: over(x, nki.collectives.ReplicaGroup([[0]])), out_specs=ONE, mesh=alone)
        same(jax.jit(run)(x), 2 * x)
    run = spread(lambda x: kernels.reduced.over("x")(x, nki.collectives.ReplicaGroup([[0]])), SPLIT, ONE, alone)
    same(np.asarray(jax.jit(run)(narrow)).view(np.uint16), narrow.view(np.uint16))

    square = mesh_of(("x", "y"), (2, 2))
    both = PartitionSpec(("x", "y"))
    same(jax.jit(spread(kernels.total.over("x", "y"), both, ONE, square))(X), wanted)
    rows = jax.jit(spread(lambda x: over(x, two), both, PartitionSpec("y"), square))(X)
    same(rows, 2 * np.concatenate([X[0:4] + X[8:12], X[4:8] + X[12:16]]))
    same(jax.jit(spread(lambda x: over(x, two), SPLIT, ONE, square, axis_names={"x"}))(X), 2 * (X[:8] + X[8:]))

    for kind in (AxisType.Explicit, AxisType.Auto):
        mesh = mesh_of(("x",), (4,), kind)
        same(jax.jit(spread(over, out_specs=ONE, mesh=mesh))(jax.device_put(X, NamedSharding(mesh, SPLIT))), wanted)
        mesh = mesh_of(("x", "y"), (2, 2), kind)
        placed = jax.device_put(X, NamedSharding(mesh, SPLIT))
        partly = spread(lambda x: over(x, two), SPLIT, ONE, mesh, axis_names={"x"})
        same(jax.jit(partly)(placed), 2 * (X[:8] + X[8:]))


def loops():
    """A repeating kernel is a loop again, which runs one iteration after the other; a long one runs in pieces."""
    x = RNG.integers(-4, 5, (4, 4 * 80)).astype(np.float32)
    program = kernels.tiled_gather.over("x").trace(x[:, :80], 40)
    (loop,) = (node for node in program.body if isinstance(node, Loop))
    assert loop.symbol.trips == 40 and len(program.body) < 10, program
    run = spread(lambda x: kernels.tiled_gather.over("x")(x, 40), COLUMNS, COLUMNS)
    jaxpr = str(jax.make_jaxpr(run)(x))
    assert jaxpr.count("all_gather[") == 1 and "scan[" in jaxpr
    tiles = [x.reshape(4, 4, 40, 2)[:, :, t].reshape(4, 8) for t in range(40)]
    one = np.concatenate(tiles, axis=1) + 1
    same(jax.jit(run)(x), np.concatenate([one] * 4, axis=1))

    for rounds in (3, 63):
        found = jax.jit(spread(lambda x, n=rounds: kernels.ring_sum.over("x")(x, n)))(X)
        sums = sum(np.roll(X, 4 * (step % 4), axis=0) for step in range(rounds + 1))
        same(found, sums)

    steps = 600
    assert len(kernels.odd_steps.over("x").trace(X[:4], steps).body) > 500
    wanted = X.copy().reshape(4, 4, 6)
    for step in range(steps):
        part = wanted[:, : step % 4 + 1, : 1 + step * step % 6]
        part += step % 7
        if step % 50 == 0:
            wanted = np.roll(wanted, 1, axis=0)
    same(jax.jit(spread(lambda x: kernels.odd_steps.over("x")(x, steps)))(X), wanted.reshape(16, 6))

    # Nothing that goes into the loop varies over the mesh.
    for checks in (True, False):
        found = spread(lambda x: kernels.constant_loop.over("x")(x, 60), ONE, SPLIT, check_vma=checks)
        same(jax.jit(found)(np.ones((2, 4), np.float32)), np.full((8, 4), 61.0))


def ranks():
    """Registers hold ranks: they are offsets, and known only on the device; a ring in a loop on the device."""
    x = RNG.standard_normal((4, 6)).astype(np.float32)
    weights = np.arange(24, dtype=np.float32).reshape(4, 6)
    for checks in (True, False):
        found, own = jax.jit(spread(kernels.neighbours.over("x"), check_vma=checks))(x)
        same(found, [[0, 2, 2, 0], [1, 3, 3, 1], [2, 0, 0, 2], [3, 1, 1, 3]])
        same(own, x)
        run = spread(kernels.neighbours.over("x"), check_vma=checks)
        slope = jax.jit(jax.grad(lambda x, run=run: jnp.sum(run(x)[1] * weights)))(x)
        same(slope, weights)
        # Nothing that goes into the loop varies over the mesh.
        alike, _ = jax.jit(spread(kernels.neighbours.over("x"), ONE, SPLIT, check_vma=checks))(x[:1])
        same(alike, found)
        sums = jax.jit(spread(kernels.fixed_rounds.over("x"), check_vma=checks))(X)
        same(sums, np.tile(X.reshape(4, 4, 6).sum(0), (4, 1)))


def derivatives():
    """A product with a divided contraction, a ring, a loop of gathers, against plain JAX; kept or made anew."""
    x, w = (RNG.standard_normal(shape).astype(np.float32) for shape in ((32, 5), (32, 7)))
    split = spread(kernels.matmul.over("x"), (SPLIT, SPLIT), ONE)
    plain = spread(lambda x, w: lax.psum(x.T @ w, "x"), (SPLIT, SPLIT), ONE)

    def loss(run):
        return lambda *arrays: jnp.sum(jnp.sin(run(*arrays)))

    for wrap in (lambda f: f, jax.checkpoint):
        found = jax.jit(jax.value_and_grad(loss(wrap(split)), argnums=(0, 1)))(x, w)
        wanted = jax.value_and_grad(loss(plain), argnums=(0, 1))(x, w)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5), found, wanted)
    hessian = jax.jit(jax.jvp, static_argnums=0)(jax.grad(loss(split)), (x, w), (x, w))
    wanted = jax.jvp(jax.grad(loss(plain)), (x, w), (x, w))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4), hessian, wanted)

    def gathers(x):
        whole = lax.all_gather(x.reshape(4, 40, 2), "x", axis=2)
        return whole.reshape(4, -1) + 1

    y = RNG.standard_normal((4, 4 * 80)).astype(np.float32)
    weights = RNG.standard_normal((4, 16 * 80)).astype(np.float32)
    slopes = [
        jax.jit(jax.grad(lambda y, of=of: jnp.sum(jnp.sin(spread(of, COLUMNS, COLUMNS)(y)) * weights)))(y)
        for of in (lambda y: kernels.tiled_gather.over("x")(y, 40), gathers)
    ]
    np.testing.assert_allclose(*slopes, rtol=1e-5, atol=1e-5)

    def inside(run):
        """A gradient that each device takes of its own loss, inside of `shard_map`."""
        return jax.jit(spread(jax.grad(lambda x: jnp.sum(jnp.sin(run(x))))))(X)

    cycle = [(rank, (rank + 1) % 4) for rank in range(4)]
    found = inside(lambda x: kernels.ring_sum.over("x")(x, 1))
    np.testing.assert_allclose(found, inside(lambda x: x + lax.ppermute(x, "x", cycle)), rtol=1e-5, atol=1e-6)


def batches():
    """`vmap` inside and outside of `shard_map`, and in its place; `scan` and `cond` around a kernel."""
    over = kernels.total.over("x")
    batch = np.stack([X, -X, 3 * X])
    wanted = 2 * batch.reshape(3, 4, 4, 6).sum(1)
    inside = spread(jax.vmap(over), PartitionSpec(None, "x"), ONE)
    same(jax.jit(inside)(batch), wanted)
    same(jax.jit(jax.vmap(spread(over, out_specs=ONE)))(batch), wanted)
    same(jax.vmap(over, axis_name="x")(X.reshape(4, 4, 6)), [2 * X.reshape(4, 4, 6).sum(0)] * 4)
    ring = jax.vmap(lambda x: kernels.ring_sum.over("x")(x, 3), axis_name="x")(X.reshape(4, 4, 6))
    same(ring, [X.reshape(4, 4, 6).sum(0)] * 4)

    def steps(x):
        step = lambda x, _: (kernels.ring_sum.over("x")(x, 1), None)  # noqa: E731
        return lax.scan(step, x, None, length=2)[0]

    once = X + np.roll(X, 4, axis=0)
    same(jax.jit(spread(steps))(X), once + np.roll(once, 4, axis=0))

    def chosen(x, flag):
        return lax.cond(flag[0] > 0, lambda x: kernels.ring_sum.over("x")(x, 1), lambda x: x, x)

    run = jax.jit(spread(chosen, (SPLIT, ONE)))
    same(run(X, np.ones(1)), once)
    same(run(X, np.zeros(1)), X)


def faults():
    """What one rank got wrong, every rank has received: all of them say so."""
    table = np.arange(24, dtype=np.float32).reshape(4, 6)
    rows = np.array([[0], [3], [1], [2], [3], [3], [0], [0]], np.int32)
    bad = rows.copy()
    bad[5] = 17
    over, shapes = kernels.gathered_rows.over("x"), (ONE, SPLIT)
    wanted = table[rows[:, 0]].reshape(4, 2, 6).sum(0)
    run = spread(over, shapes, ONE)  # with the fault, a result does not vary either
    same(jax.jit(run)(table, rows), wanted)
    assert np.isnan(np.asarray(jax.jit(run)(table, bad))).all()
    recorded = spread(lambda t, r: jax.tree.map(lambda x: x[None], over.with_fault(t, r)), shapes, SPLIT)
    for wrap in (jax.jit, lambda f: f):
        _, fault = wrap(recorded)(table, rows)
        assert not np.asarray(fault.occurred).any()
        _, fault = wrap(recorded)(table, bad)
        details = fault.details()
        assert [d.case for d in details] == [(0,), (1,), (2,), (3,)]
        assert {(d.row, d.index, d.site.tensor) for d in details} == {(1, 17, "table")}
    many = bad.copy()
    many[3], many[6] = -1, 18
    _, fault = jax.jit(recorded)(table, many)  # of the first rank
    assert {(d.row, d.index) for d in fault.details()} == {(1, -1)}
    batch = jax.jit(jax.vmap(run, (None, 0)))(table, np.stack([rows, bad]))
    assert np.isnan(np.asarray(batch)).all((1, 2)).tolist() == [False, True]
    slope = jax.jit(jax.grad(lambda t: jnp.sum(run(t, bad))))(table)
    assert np.isnan(np.asarray(slope)).any()

    # One axis of two: only the ranks that exchange data.
    square, both = mesh_of(("x", "y"), (2, 2)), PartitionSpec(("x", "y"))
    two = nki.collectives.ReplicaGroup([[0, 1]])
    run = jax.jit(spread(lambda t, r: kernels.gathered_rows.over("y")(t, r, two), (ONE, both), SPLIT, square))
    found = np.asarray(run(table, bad)).reshape(2, 2, 6)
    assert np.isfinite(found[0]).all() and np.isnan(found[1]).all()

    # No row index, but chunks that do not fit.
    counts = np.zeros((4, 3, 4), np.uint32)
    counts[:, 0] = 1
    split = (SPLIT, SPLIT)
    run = jax.jit(spread(kernels.exchanged.over("x").on_fault("callback"), split, split))
    data = np.arange(32, dtype=np.float32).reshape(4, 8)
    out, metadata = run(data, counts.reshape(12, 4))
    assert (np.asarray(metadata).reshape(4, 3, 4)[:, 2] == 1).all()
    np.testing.assert_array_equal(np.asarray(out)[0], [0, 0, 8, 0, 16, 0, 24, 0])
    with_fault = lambda x, m: jax.tree.map(lambda a: a[None], kernels.exchanged.over("x").with_fault(x, m)[1])  # noqa: E731
    counts[1, 0, 2] = 3
    fault = jax.jit(spread(with_fault, split, SPLIT))(data, counts.reshape(12, 4))
    assert {(d.row, d.index, d.site.instruction) for d in fault.details()} == {(2, 2, "all_to_all_v")}


def functional():
    """A memory goes through `shard_map` as any other, and so do instructions on it."""
    from jnki import hbm

    def run(x):
        memory = jnki.DeviceMemory.of(hbm={"x": x, "y": jnp.zeros((16, 6))})
        return jnki.all_gather(memory, dst=hbm("y"), src=hbm("x"), groups=[[0, 1, 2, 3]], axis="x").hbm["y"]

    same(jax.jit(spread(run))(X), np.concatenate([X] * 4))


PARTS = {
    "calls": calls,
    "meshes": meshes,
    "loops": loops,
    "ranks": ranks,
    "derivatives": derivatives,
    "batches": batches,
    "faults": faults,
    "functional": functional,
}

if __name__ == "__main__":
    print(json.dumps({name: verdict(part) for name, part in PARTS.items()}))
