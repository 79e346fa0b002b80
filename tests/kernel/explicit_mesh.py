"""Kernels on a mesh with explicit axes, in a process with four CPU devices: a part of on_four_devices.py."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from jnki.neuronxcc import nki
from jnki.neuronxcc.nki.typing import mutable_tensor
from tests.kernel.test_transformations import BASE, ROWS, TABLE, mixed, stacked

nl, nisa = nki.language, nki.isa

X = np.arange(96, dtype=np.float32).reshape(8, 12) / 7


@nki.jit
def tiles(x):
    """A tile loop, a carried accumulator, a block at an odd place and a transposed view."""
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    total = nl.zeros((2, 12), dtype=x.dtype, buffer=nl.sbuf)
    for i in nl.sequential_range(4):
        total[...] = total + nl.load(x[nl.ds(2 * i, 2)])
        nl.store(out[nl.ds(2 * i, 2)], total * total)
    last = nl.ndarray((3, 5), dtype=x.dtype, buffer=nl.shared_hbm)
    nl.store(last, nl.load(x[5:8, 7:12]))
    return out, last


@nki.jit
def update(x: mutable_tensor, rows):
    """Writes rows by an index into its argument."""
    index = nl.load(rows)
    for i in nl.sequential_range(3):
        nisa.dma_copy(dst=x[index, 2 * i + nl.arange(2)[None, :]], src=nl.load(x[0:4, nl.ds(2 * i + 6, 2)]))
    return x


def step_by_step():
    """On arrays that are spread over devices, kernels run on one of them."""
    for kind in AxisType.Auto, AxisType.Explicit:
        mesh = jax.make_mesh((4,), ("x",), axis_types=(kind,))
        spread = jax.device_put(X, NamedSharding(mesh, PartitionSpec("x")))
        same(tiles.eager(spread), tiles(X))
        with jax.set_mesh(mesh):
            same(tiles.eager(spread), tiles(X))


def same(found, expected):
    jax.tree.map(np.testing.assert_array_equal, found, expected)


def check(place, batched):
    """Every form of call gives on sharded arrays what it gives on whole ones."""
    rows = np.array([[1], [6], [3], [7]], np.int32)
    batch, many = stacked(X), np.stack([rows] * 4)
    whole, cases = place(X), batched(batch)

    def loss(run, *arguments):
        return sum(jnp.sum(jnp.sin(leaf)) for leaf in jax.tree.leaves(run(*arguments)))

    same(tiles(whole), tiles(jnp.asarray(X)))
    same(jax.jit(tiles)(whole), tiles(jnp.asarray(X)))
    same(tiles.with_fault(whole)[0], tiles(jnp.asarray(X)))
    for transform in (lambda f: f, jax.jit):
        same(transform(jax.vmap(tiles))(cases), jax.vmap(tiles)(batch))
        same(transform(jax.vmap(update, (0, None)))(cases, rows), jax.vmap(update, (0, None))(batch, rows))
        same(transform(jax.vmap(update, (None, 0)))(X, batched(many)), jax.vmap(update, (None, 0))(X, many))
        same(
            transform(jax.vmap(mixed))(batched(stacked(TABLE)), batched(stacked(ROWS)), batched(stacked(BASE))),
            jax.vmap(mixed)(stacked(TABLE), stacked(ROWS), stacked(BASE)),
        )
    found = jax.jit(update)(whole, rows)
    same(found, update(X, rows))
    assert jax.typeof(found).sharding.spec == jax.typeof(whole).sharding.spec

    bad = many.copy()
    bad[2, 1] = 99
    found, fault = jax.jit(jax.vmap(update.with_fault))(cases, batched(bad))
    assert [(d.case, d.row, d.index) for d in fault.details()] == [((2,), 1, 99)]
    found = np.asarray(jax.jit(jax.vmap(update))(cases, batched(bad)))
    assert np.isnan(found[2]).all() and np.isfinite(found[[0, 1, 3]]).all()

    if not jax.sharding.get_abstract_mesh().empty:  # without a context JAX differentiates nothing on such a mesh
        gradient = jax.grad(lambda x: loss(tiles, x))
        np.testing.assert_allclose(gradient(whole), gradient(X), rtol=1e-5)
        np.testing.assert_allclose(jax.jit(gradient)(whole), gradient(X), rtol=1e-5)
        np.testing.assert_allclose(jax.vmap(gradient)(cases), jax.vmap(gradient)(batch), rtol=1e-5)
        gradient = jax.jit(jax.grad(lambda x: loss(jax.vmap(update, (0, None)), x, rows)))
        np.testing.assert_allclose(gradient(cases), gradient(batch), rtol=1e-5)


def main(in_context):
    assert jax.device_count() == 4
    mesh = jax.make_mesh((4,), ("d",), axis_types=(AxisType.Explicit,))
    if in_context:
        jax.set_mesh(mesh)

    def placed(*axes):
        return lambda array: jax.device_put(array, NamedSharding(mesh, PartitionSpec(*axes)))

    check(placed("d"), placed("d"))
    columns = placed(None, "d")(X)
    for transform in (lambda f: f, jax.jit):
        same(transform(tiles)(columns), tiles(X))
