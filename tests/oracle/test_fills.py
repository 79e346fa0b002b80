"""The oracle's `memset`, `iota` and `tensor_copy` against tables worked out by hand."""

import numpy as np
import pytest

from .fills import iota, memset, tensor_copy
from .moves import Operand
from .pattern import Pattern


def zeros(dtype: type, *shape: int) -> dict[str, np.ndarray]:
    return {"t": np.zeros(shape, dtype), "other": np.array([5], np.int8)}


def test_memset_writes_its_pattern_and_no_other_element() -> None:
    memory = zeros(np.float32, 2, 3)
    after = memset(memory, dst=Operand("t", "float32", Pattern(1, [(3, 2), (1, 1)])), value=-1.5)
    np.testing.assert_array_equal(after["t"], [[0, -1.5, 0], [0, -1.5, 0]])
    assert after["other"] is memory["other"]
    assert not memory["t"].any()


@pytest.mark.parametrize(
    ("dtype", "value", "stored"),
    [("int32", 2**24 + 1, 2**24 + 1), ("int32", -1, -1), ("int32", 2.5, 2), ("int32", 1e20, 2**31 - 1)],
)
def test_memset_of_a_whole_number_is_exact_and_of_a_fraction_is_a_cast(dtype: str, value: float, stored: int) -> None:
    after = memset(zeros(np.int32, 2), dst=Operand("t", dtype, Pattern.whole(2)), value=value)
    assert after["t"].tolist() == [stored, stored]


def test_memset_of_a_bool_is_true_for_any_value_but_zero() -> None:
    after = memset(zeros(np.uint8, 1), dst=Operand("t", "bool", Pattern.whole(1)), value=7)
    assert after["t"].tolist() == [1]


def test_memset_refuses_a_whole_number_that_does_not_fit() -> None:
    with pytest.raises(ValueError, match="256 does not fit uint8, which holds 0 to 255"):
        memset(zeros(np.uint8, 1), dst=Operand("t", "uint8", Pattern.whole(1)), value=256)


def test_memset_and_iota_leave_masked_elements() -> None:
    dst, mask = Operand("t", "int32", Pattern.whole(3)), np.array([True, False, True])
    assert memset(zeros(np.int32, 3), dst=dst, value=4, mask=mask)["t"].tolist() == [4, 0, 4]
    values = Pattern(7, [(1, 3)])
    assert iota(zeros(np.int32, 3), dst=dst, values=values, mask=mask)["t"].tolist() == [7, 0, 9]


def test_iota_is_an_affine_walk() -> None:
    dst = Operand("t", "int32", Pattern.whole(2, 3))
    after = iota(zeros(np.int32, 2, 3), dst=dst, values=Pattern(5, [(100, 2), (-2, 3)]))
    assert after["t"].tolist() == [[5, 3, 1], [105, 103, 101]]


def test_iota_wraps_at_32_bits() -> None:
    dst = Operand("t", "int32", Pattern.whole(3))
    after = iota(zeros(np.int32, 3), dst=dst, values=Pattern(2**31 - 2, [(1, 3)]))
    assert after["t"].tolist() == [2**31 - 2, 2**31 - 1, -(2**31)]
    after = iota(zeros(np.int32, 3), dst=dst, values=Pattern(0, [(2**31, 3)]))
    assert after["t"].tolist() == [0, -(2**31), 0]
    after = iota(zeros(np.float32, 2), dst=Operand("t", "float32", Pattern.whole(2)), values=Pattern(2**31, [(1, 2)]))
    assert after["t"].tolist() == [-(2.0**31), -(2.0**31)]


def test_iota_reaches_other_types_through_float32() -> None:
    values = Pattern(2**24 - 1, [(1, 3)])
    after = iota(zeros(np.uint32, 3), dst=Operand("t", "uint32", Pattern.whole(3)), values=values)
    assert after["t"].tolist() == [2**24 - 1, 2**24, 2**24]
    after = iota(zeros(np.uint8, 3), dst=Operand("t", "uint8", Pattern.whole(3)), values=Pattern(-1, [(128, 3)]))
    assert after["t"].tolist() == [0, 127, 255]


def test_iota_needs_as_many_values_as_elements() -> None:
    with pytest.raises(ValueError, match="2 values were given for 3 elements"):
        iota(zeros(np.int32, 3), dst=Operand("t", "int32", Pattern.whole(3)), values=Pattern.whole(2))


def test_tensor_copy_is_exact_between_equal_types_and_a_cast_between_others() -> None:
    memory = {
        "a": np.array([2**24 + 1, -3], np.int32),
        "b": np.zeros(2, np.int32),
        "c": np.zeros(2, np.uint16),
    }
    a, b = Operand("a", "int32", Pattern.whole(2)), Operand("b", "int32", Pattern.whole(2))
    assert tensor_copy(memory, dst=b, src=a)["b"].tolist() == [2**24 + 1, -3]
    reversed_c = Operand("c", "uint16", Pattern(1, [(-1, 2)]))
    assert tensor_copy(memory, dst=reversed_c, src=a)["c"].tolist() == [0, 65535]


def test_fills_refuse_an_indirect_operand_and_an_address_outside() -> None:
    memory = zeros(np.int32, 2)
    direct = Operand("t", "int32", Pattern.whole(2))
    indirect = Operand("t", "int32", Pattern.whole(2), "t", Pattern.whole(2), row_step=1, axis_size=2)
    for call in (
        lambda: memset(memory, dst=indirect, value=0),
        lambda: iota(memory, dst=indirect, values=Pattern.whole(2)),
        lambda: tensor_copy(memory, dst=direct, src=indirect),
    ):
        with pytest.raises(ValueError, match="t: only dma_copy takes an indirect operand"):
            call()
    with pytest.raises(IndexError, match="t: address 2 is outside of its 2 elements"):
        memset(memory, dst=Operand("t", "int32", Pattern(1, [(1, 2)])), value=0)
