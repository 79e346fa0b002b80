"""`register_load`: what each integer type gives, from HBM and SBUF, at an offset, and its rules."""

import jax
import numpy as np
import pytest

import jnki
from jnki import DeviceMemory, RuleError, hbm, psum, register, sbuf

INTEGERS = ["int8", "uint8", "int16", "uint16", "int32", "uint32"]


@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize("space", ["hbm", "sbuf"])
def test_integers_keep_their_value(dtype, space):
    """But for uint32 beyond int32, which keeps its bits."""
    info = np.iinfo(dtype)
    values = np.array([[info.min, info.max, 0, 5, info.max - 1]], dtype)
    wanted = values[0].astype(np.int64) if dtype != "uint32" else values[0].view(np.int32)
    tensor = {"hbm": hbm, "sbuf": sbuf}[space]("x")
    memory = DeviceMemory.of(**{space: {"x": values}}, registers={"r": 1})
    for at, value in enumerate(wanted):
        after = jnki.register_load(memory, dst=register("r"), src=tensor[:, at : at + 1])
        assert after.registers["r"][0, 0] == value


def test_at_an_offset_known_at_run_time():
    def run(start):
        memory = DeviceMemory.of(hbm={"x": np.arange(10, 16, dtype=np.int32)}, registers={"r": -1, "s": start})
        after = jnki.register_load(memory, dst=register("r"), src=hbm("x").ap([[1, 1]], scalar_offset=register("s")))
        return after.registers["r"][0, 0], after.fault.occurred

    value, fault = jax.vmap(run)(np.array([0, 5, 6, -1], np.int32))
    assert value.tolist() == [10, 15, -1, -1]
    assert fault.tolist() == [False, False, True, True]


def refused(src, **arrays):
    memory = DeviceMemory.of(**arrays, registers={"r": 1})
    with pytest.raises(RuleError) as error:
        jnki.register_load(memory, dst=register("r"), src=src)
    return error.value


def test_one_element():
    error = refused(sbuf("x"), sbuf={"x": np.zeros((1, 2), np.int32)})
    assert error.rule == "register_load.one_element"
    assert (error.given, error.allowed) == ("[1, 2] of sbuf tensor 'x' [1, 2] int32", "[1] or [1, 1]")


def test_psum_is_refused():
    error = refused(psum("x"), psum={"x": np.zeros((1, 1), np.int32)})
    assert (error.rule, error.allowed) == ("err_unsupported_memory", "hbm | sbuf")


def test_a_tensor_is_no_destination():
    memory = DeviceMemory.of(sbuf={"x": np.zeros((1, 1), np.int32)})
    with pytest.raises(RuleError, match=r"register_load\.dst: register_load: 'dst' is no register"):
        jnki.register_load(memory, dst=sbuf("x"), src=sbuf("x"))


def test_floats_are_not_modelled():
    memory = DeviceMemory.of(sbuf={"x": np.zeros((1, 1), np.float32)}, registers={"r": 1})
    with pytest.raises(NotImplementedError, match="jnki does not model float32 in a register yet"):
        jnki.register_load(memory, dst=register("r"), src=sbuf("x"))
