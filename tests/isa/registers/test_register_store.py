"""`register_store`: 32 bits to one element, nothing else, and its rules."""

import numpy as np
import pytest

import jnki
from jnki import DeviceMemory, RuleError, hbm, register, sbuf


@pytest.mark.parametrize("dtype", ["int32", "uint32"])
@pytest.mark.parametrize("space", ["hbm", "sbuf"])
@pytest.mark.parametrize("number", [0, 3, -1, -(2**31), 2**31 - 1])
def test_bits_arrive_at_one_element(dtype, space, number):
    memory = DeviceMemory.of(**{space: {"x": np.full((2, 3), 9, dtype)}}, registers={"r": number})
    tensor = {"hbm": hbm, "sbuf": sbuf}[space]("x")
    after = np.asarray(jnki.register_store(memory, dst=tensor[1:2, 1:2], src=register("r")).arrays[memory_key(space)])
    wanted = np.full((2, 3), 9, dtype)
    wanted[1, 1] = np.array(number, np.int32).view(dtype)
    np.testing.assert_array_equal(after, wanted)


def memory_key(space):
    return next(key for key in DeviceMemory.of(**{space: {"x": np.zeros((1, 1), np.int32)}}).arrays)


def test_its_rules():
    memory = DeviceMemory.of(sbuf={"x": np.zeros((1, 2), np.int32), "y": np.zeros((1, 1), np.int8)}, registers={"r": 1})
    with pytest.raises(RuleError, match=r"register_store\.one_element: register_store: 'dst' must be one element"):
        jnki.register_store(memory, dst=sbuf("x"), src=register("r"))
    with pytest.raises(RuleError, match=r"register_store\.src: register_store: 'src' is no register"):
        jnki.register_store(memory, dst=sbuf("x")[:, 0:1], src=sbuf("x")[:, 1:2])
    with pytest.raises(NotImplementedError, match="a register_store to int8, which is shorter than a register"):
        jnki.register_store(memory, dst=sbuf("y"), src=register("r"))
