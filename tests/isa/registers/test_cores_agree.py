"""`cores_agree`: it changes nothing, and faults where two registers differ."""

import numpy as np
import pytest

from jnki import TRN2, DeviceMemory, sbuf
from jnki.access.access import Access
from jnki.access.buffer import Buffer, Space
from jnki.access.ref import resolve
from jnki.dtypes import element_type
from jnki.errors import RuleError
from jnki.isa import CoresAgree
from jnki.memory import Fault, FaultError

REGISTERS = [Buffer(name, Space.REGISTER, (1, 1), element_type(np.int32)) for name in ("a", "b")]


def memory_of(a: int, b: int) -> DeviceMemory:
    held = {register: np.full((1, 1), value, np.int32) for register, value in zip(REGISTERS, (a, b))}
    return DeviceMemory({}, Fault()).replacing(held)  # type: ignore[arg-type]


ONE = CoresAgree(one=Access.whole(REGISTERS[0]), other=Access.whole(REGISTERS[1]), loop="fori_loop")


def test_equal_registers_are_no_fault() -> None:
    ONE.check(TRN2)
    memory = memory_of(-3, -3)
    after = ONE.execute(memory)
    assert after.arrays == memory.arrays
    after.fault.raise_if_any()


def test_different_registers_are_a_fault() -> None:
    after = ONE.execute(memory_of(-3, 4))
    with pytest.raises(FaultError) as caught:
        after.fault.raise_if_any()
    assert str(caught.value).startswith("two cores wait for each other in a fori_loop, and do not run it equally often")
    assert caught.value.__notes__[0] == "fori_loop: of what decides it, core 0 has -3 and core 1 has 4"


def test_the_first_fault_stays() -> None:
    first = ONE.execute(memory_of(1, 2))
    again = ONE.execute(memory_of(5, 6).with_fault(first.fault))
    assert int(again.fault.row) == 1 and int(again.fault.index) == 2


@pytest.mark.parametrize("operand", ["one", "other"])
def test_both_are_registers(operand: str) -> None:
    tile = resolve(sbuf("x"), DeviceMemory.of(sbuf={"x": np.zeros((1, 1), np.int32)}).buffer)
    operands = {"one": ONE.one, "other": ONE.other, operand: tile}
    with pytest.raises(RuleError) as caught:
        CoresAgree(**operands, loop="fori_loop").check(TRN2)
    assert caught.value.rule == f"cores_agree.{operand}"
