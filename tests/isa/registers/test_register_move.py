"""`register_move`: integers of 32 bits, other registers, and its rules."""

import numpy as np
import pytest

import jnki
from jnki import DeviceMemory, RuleError, register, sbuf


def memory():
    return DeviceMemory.of(sbuf={"t": np.zeros((1, 1), np.int32)}, registers={"a": 7, "b": -1})


@pytest.mark.parametrize("number", [0, 1, -1, 2**31 - 1, -(2**31), 2**31, 2**32 - 1])
def test_an_integer_of_32_bits(number):
    after = jnki.register_move(memory(), dst=register("a"), src=number)
    assert np.asarray(after.registers["a"]).view(np.uint32)[0, 0] == number % 2**32
    assert after.registers["b"][0, 0] == -1


def test_another_register():
    after = jnki.register_move(memory(), dst=register("b"), src=register("a"))
    assert (after.registers["a"][0, 0], after.registers["b"][0, 0]) == (7, 7)


@pytest.mark.parametrize("number", [2**32, -(2**31) - 1, True])
def test_other_numbers_are_refused(number):
    with pytest.raises(RuleError, match=r"register_move\.src: register_move: a register does not hold such a") as error:
        jnki.register_move(memory(), dst=register("a"), src=number)
    assert error.value.allowed == "a register, or an integer of 32 bits"


def test_tensors_are_refused():
    for dst, src, operand in ((sbuf("t"), 3, "dst"), (register("a"), sbuf("t"), "src")):
        with pytest.raises(RuleError) as error:
            jnki.register_move(memory(), dst=dst, src=src)
        assert error.value.rule == f"register_move.{operand}"
        assert error.value.given == "sbuf tensor 't' [1, 1] int32"
        assert error.value.allowed == "a register, from nisa.register_alloc"
