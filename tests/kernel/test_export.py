"""Kernels in files of `jax.export`."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

import jnki
from jnki import hbm, sbuf
from jnki.neuronxcc import nki

nl = nki.language

pytest.importorskip("flatbuffers")

TABLE = np.arange(20, dtype=np.float32).reshape(5, 4)
GOOD, BAD = (np.array([[1], [n]], np.int32) for n in (3, 7))


@nki.jit
def gather(table, rows):
    out = nl.ndarray((2, 4), dtype=table.dtype, buffer=nl.shared_hbm)
    nl.store(out, nl.load(table[nl.load(rows), nl.arange(4)[None, :]]))
    return out


def reloaded(function, *arguments, vjp_order=0):
    specs = jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype), arguments)
    exported = export.export(jax.jit(function))(*specs)
    return export.deserialize(exported.serialize(vjp_order=vjp_order)).call


def test_a_kernel_comes_back_with_its_gradient_and_its_poison():
    call = reloaded(gather.on_fault("nan"), TABLE, GOOD, vjp_order=1)
    np.testing.assert_array_equal(call(TABLE, GOOD), TABLE[[1, 3]])
    assert np.isnan(call(TABLE, BAD)).all()
    slope = jax.grad(lambda t: call(t, GOOD).sum())(jnp.asarray(TABLE))
    np.testing.assert_array_equal(slope[:, 0], [0, 1, 0, 1, 0])


def test_the_other_policies_are_of_a_process():
    """If JAX learns to write checks into files, the policy "nan" is not needed any more."""
    with pytest.raises(NotImplementedError, match="Effect ErrorEffect"):
        reloaded(gather, TABLE, GOOD)


def test_a_fault_comes_back_as_a_fault():
    out, fault = reloaded(gather.with_fault, TABLE, BAD)(TABLE, BAD)
    assert isinstance(fault, jnki.Fault)
    assert np.isnan(out[1]).all()
    with pytest.raises(jnki.FaultError, match="index 28 is out of bounds for axis 0 with size 20"):
        fault.raise_if_any()


def test_a_memory_comes_back_with_its_names():
    def move(memory):
        return jnki.dma_copy(memory, dst=sbuf("tile"), src=hbm("table"))

    memory = jnki.DeviceMemory.of(hbm={"table": TABLE}, sbuf={"tile": np.zeros_like(TABLE)})
    found = reloaded(move, memory)(memory)
    np.testing.assert_array_equal(found.sbuf["tile"], TABLE)
    assert list(found.hbm) == ["table"] and not found.fault.occurred


def test_ahead_of_time():
    compiled = gather.lower(TABLE, GOOD).compile()
    (out,), fault = compiled(TABLE, GOOD)
    np.testing.assert_array_equal(out, TABLE[[1, 3]])
    assert not fault.occurred
    np.testing.assert_array_equal(jax.jit(gather).lower(TABLE, GOOD).compile()(TABLE, GOOD), out)
