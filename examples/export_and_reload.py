"""A kernel written into a file of `jax.export`, with its derivative, and read back: no kernel source is needed then.

Run with: python -m jnki examples/export_and_reload.py
Needs the package flatbuffers, as `jax.export` does.
"""

import pathlib
import tempfile

import jax
import jax.numpy as jnp
import neuronxcc.nki as nki
import neuronxcc.nki.language as nl
import numpy as np
from jax import export


@nki.jit
def gather(table, rows):
    out = nl.ndarray((2, 4), dtype=table.dtype, buffer=nl.shared_hbm)
    nl.store(out, nl.load(table[nl.load(rows), nl.arange(4)[None, :]]))
    return out


def main():
    table = jnp.arange(20, dtype=jnp.float32).reshape(5, 4)
    good, bad = (jnp.array([[1], [row]], jnp.int32) for row in (3, 7))
    shapes = [jax.ShapeDtypeStruct(x.shape, x.dtype) for x in (table, good)]
    with tempfile.TemporaryDirectory() as folder:
        # Checks on the host cannot be written, so the policy is "nan": a row out of bounds shows in the floats.
        path = pathlib.Path(folder, "gather.bin")
        path.write_bytes(export.export(jax.jit(gather.on_fault("nan")))(*shapes).serialize(vjp_order=1))
        call = export.deserialize(bytearray(path.read_bytes())).call
    np.testing.assert_array_equal(call(table, good), table[good[:, 0]])
    assert np.isnan(call(table, bad)).all()
    slope = jax.grad(lambda t: call(t, good).sum())(table)
    np.testing.assert_array_equal(slope[:, 0], [0, 1, 0, 1, 0])

    # With the record beside it, the case, the row and the index come along.
    written = export.export(jax.jit(gather.with_fault))(*shapes).serialize()
    _, fault = export.deserialize(written).call(table, bad)
    assert bool(fault.occurred) and int(fault.index) == 7
    print(f"{len(written)} bytes; row {int(fault.row)} has index {int(fault.index)}")
    print("export_and_reload: ok")


if __name__ == "__main__":
    main()
