"""Instructions without a kernel: memory goes in, memory comes out, and everything in between is a JAX function.

Run with: python examples/functional_interface.py
"""

import jax
import jax.numpy as jnp
import numpy as np

import jnki
from jnki import DeviceMemory, hbm, oob_mode, sbuf


def gather(table, rows):
    """Row `rows[p]` of the table for each p, zeros where there is no such row; and the fault record."""
    tile = jnp.empty((rows.shape[0], table.shape[1]), table.dtype)
    memory = DeviceMemory.of(hbm={"table": table}, sbuf={"rows": rows, "tile": tile})
    memory = jnki.memset(memory, dst=sbuf("tile"), value=0)
    memory = jnki.dma_copy(memory, dst=sbuf("tile"), src=hbm("table")[sbuf("rows"), :], oob_mode=oob_mode.skip)
    return memory.sbuf["tile"], memory.fault


def swap_halves(x):
    """Two copies in one memory: of `x[P, 2 * F]`, the right half to the left and the left half to the right."""
    half = x.shape[1] // 2
    memory = DeviceMemory.of(hbm={"x": x, "y": jnp.zeros_like(x)})
    memory = jnki.dma_copy(memory, dst=hbm("y")[:, :half], src=hbm("x")[:, half:])
    memory = jnki.dma_copy(memory, dst=hbm("y")[:, half:], src=hbm("x")[:, :half])
    return memory.hbm["y"]


def main():
    table = jax.random.normal(jax.random.key(0), (16, 4))
    rows = jnp.array([[3], [-1], [16], [3]], jnp.int32)

    tile, fault = jax.jit(gather)(table, rows)
    np.testing.assert_array_equal(tile, jnp.stack([table[3], jnp.zeros(4), jnp.zeros(4), table[3]]))
    assert not fault.occurred  # skip: nothing is recorded

    # Every transformation applies: the row that was read twice gets two cotangents, all others none.
    slope = jax.grad(lambda t: gather(t, rows)[0].sum())(table)
    np.testing.assert_array_equal(slope, jnp.zeros((16, 4)).at[3].set(2.0))
    many, _ = jax.vmap(gather, in_axes=(None, 0))(table, jnp.stack([rows, rows + 1]))
    np.testing.assert_array_equal(many[1], jnp.stack([table[4], table[0], jnp.zeros(4), table[4]]))

    # With oob_mode.error a fault is data in the memory, and nothing is raised until somebody asks.
    memory = DeviceMemory.of(hbm={"table": table}, sbuf={"rows": rows, "tile": jnp.zeros((4, 4))})
    memory = jnki.dma_copy(memory, dst=sbuf("tile"), src=hbm("table")[sbuf("rows"), :])
    assert memory.fault.occurred
    try:
        memory.fault.raise_if_any()
        raise AssertionError("row -1 should have faulted")
    except IndexError as error:
        assert str(error) == "index -4 is out of bounds for axis 0 with size 64"

    # A rule that is broken is an error at once: it does not depend on values.
    try:
        jnki.dma_copy(memory, dst=sbuf("tile"), src=hbm("table"))
        raise AssertionError("unequal element counts should be refused")
    except jnki.RuleError as error:
        assert error.rule == "dma_copy.element_count"

    x = jnp.arange(12.0).reshape(2, 6)
    np.testing.assert_array_equal(swap_halves(x), jnp.hstack([x[:, 3:], x[:, :3]]))
    print("functional_interface: ok")


if __name__ == "__main__":
    main()
