"""Kernels under `jax.shard_map`, in a process with four CPU devices: a part of on_four_devices.py."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from jnki.neuronxcc import nki
from tests.kernel.test_transformations import BASE, ROWS, TABLE, mixed, stacked

nl, nisa = nki.language, nki.isa


@nki.jit
def add_rows(x, rows):
    """Row sums by an index, into a tensor that no iteration owns: every loop carries it."""
    out = nl.ndarray((5, 6), dtype=x.dtype, buffer=nl.shared_hbm)
    nl.store(out, 0)
    for i in nl.sequential_range(3):
        index = nl.load(rows[nl.ds(3 * i, 3)])
        nisa.dma_copy(dst=out[index, nl.arange(6)[None, :]], src=nl.load(x[nl.ds(3 * i, 3)]), dst_rmw_op=np.add)
    return out


@nki.jit
def constant(x):
    """Its loop carries a tile that starts as a constant, and so does not vary over the mesh."""
    out = nl.ndarray((3, 6), dtype=x.dtype, buffer=nl.shared_hbm)
    total = nl.zeros((3, 6), dtype=x.dtype, buffer=nl.sbuf)
    for i in nl.sequential_range(3):
        total += nl.load(x[nl.ds(3 * i, 3)])
    nl.store(out, total)
    return out


def main():
    assert jax.device_count() == 4
    mesh = jax.make_mesh((4,), ("cases",), axis_types=(AxisType.Auto,))
    split = PartitionSpec("cases")
    tables, rows, bases = stacked(TABLE), stacked(ROWS), stacked(BASE)

    def of_one(function, *arguments):
        return jax.tree.map(lambda a: a[None], function(*(a[0] for a in arguments)))

    def sharded(function, count):
        body = functools.partial(of_one, function)
        return jax.jit(jax.shard_map(body, mesh=mesh, in_specs=(split,) * count, out_specs=split))

    # Every device runs the kernel on its own case.
    for function, arguments in (
        (mixed, (tables, rows, bases)),
        (add_rows, (bases, np.abs(rows) % 5)),
        (constant, (bases,)),
    ):
        found = sharded(function, len(arguments))(*arguments)
        expected = jax.vmap(function)(*arguments)
        jax.tree.map(np.testing.assert_array_equal, found, expected)

        def loss(run, *arguments):
            return sum(jnp.sum(jnp.sin(leaf)) for leaf in jax.tree.leaves(run(*arguments)))

        found = jax.grad(functools.partial(loss, sharded(function, len(arguments))))(*arguments)
        expected = jax.grad(functools.partial(loss, jax.vmap(function)))(*arguments)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)

    # A faulting case turns NaN on its device alone; with_fault names it.
    bad = np.abs(rows) % 5
    bad[2, 4] = 99
    found = np.asarray(sharded(add_rows, 2)(bases, bad))
    np.testing.assert_array_equal(np.isnan(found).all(axis=(1, 2)), [False, False, True, False])
    assert np.isfinite(found[[0, 1, 3]]).all()
    _, fault = sharded(add_rows.with_fault, 2)(bases, bad)
    assert [(d.case, d.row, d.index, d.iteration[0]) for d in fault.details()] == [((2,), 1, 99, 1)]

    # One array spread over all devices, by automatic sharding.
    spread = jax.device_put(bases.reshape(36, 6), NamedSharding(mesh, split))

    @nki.jit
    def doubled(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        for i in nl.affine_range(4):
            nl.store(out[nl.ds(9 * i, 9)], nl.load(x[nl.ds(9 * i, 9)]) * 2)
        return out

    np.testing.assert_array_equal(jax.jit(doubled)(spread), 2 * np.asarray(spread))
