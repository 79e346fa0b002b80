"""A batch of cases over all devices: each device runs the kernel on its part, and faults are told by case.

Run with: python -m jnki examples/sharded_batch.py
On a machine with one device, XLA_FLAGS=--xla_force_host_platform_device_count=4 makes four of its CPU.
"""

import jax
import jax.numpy as jnp
import neuronxcc.nki as nki
import neuronxcc.nki.language as nl
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

CASES, ROWS, PICKS, COLUMNS = 64, 16, 8, 4


@nki.jit
def gather(table, rows):
    out = nl.ndarray((PICKS, COLUMNS), dtype=table.dtype, buffer=nl.shared_hbm)
    nl.store(out, nl.load(table[nl.load(rows), nl.arange(COLUMNS)[None, :]]))
    return out


def main():
    devices = jax.devices()
    mesh = jax.make_mesh((len(devices),), ("cases",))
    batched = NamedSharding(mesh, PartitionSpec("cases"))
    random = np.random.default_rng(0)
    tables = jax.device_put(random.standard_normal((CASES, ROWS, COLUMNS)).astype(np.float32), batched)
    rows = random.integers(0, ROWS, (CASES, PICKS, 1)).astype(np.int32)
    rows[37, 2] = ROWS  # one case out of bounds
    rows = jax.device_put(rows, batched)

    outputs, fault = jax.jit(jax.vmap(gather.with_fault))(tables, rows)
    assert outputs.sharding.is_equivalent_to(batched, outputs.ndim)
    assert len(outputs.addressable_shards) == len(devices)
    (case,) = fault.details()
    assert (case.case, case.row, case.index) == ((37,), 2, ROWS)

    good = np.arange(CASES) != 37
    expected = np.take_along_axis(np.asarray(tables), np.minimum(np.asarray(rows), ROWS - 1), axis=1)
    np.testing.assert_array_equal(np.asarray(outputs)[good], expected[good])

    slope = jax.jit(jax.grad(lambda t, rows: jnp.sum(jax.vmap(gather.with_fault)(t, rows)[0])))(tables, rows)
    assert slope.sharding.is_equivalent_to(batched, slope.ndim)
    print(f"{CASES} cases on {len(devices)} device(s); case 37 has a row out of bounds")
    print("sharded_batch: ok")


if __name__ == "__main__":
    main()
