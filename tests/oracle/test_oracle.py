"""The oracle's `dma_copy` against tables worked out by hand, clause by clause (`docs/isa/dma/dma_copy.md`)."""

import ast
from pathlib import Path

import numpy as np
import pytest

from .dma_copy import dma_copy
from .moves import Fault, Memory, Operand
from .pattern import Pattern


def floats(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float32)


def rows_of(buffer: str, index: str, rows: int, width: int, size: int, dtype: str = "float32") -> Operand:
    """`rows` rows of `width` elements of a dense table of `size` rows, named by an index buffer."""
    pattern = Pattern(0, [(0, rows), (1, width)])
    return Operand(buffer, dtype, pattern, index, Pattern.whole(rows), row_step=width, axis_size=size)


def whole(buffer: str, *shape: int, dtype: str = "float32") -> Operand:
    return Operand(buffer, dtype, Pattern.whole(*shape))


def same_bits(got: Memory, want: Memory) -> None:
    assert got.keys() == want.keys()
    for name, array in want.items():
        assert got[name].dtype == array.dtype and got[name].shape == array.shape, name
        assert got[name].tobytes() == array.tobytes(), f"{name}: {got[name]} is not {array}"


def test_the_oracle_shares_no_code_with_what_it_judges() -> None:
    allowed = {
        "ast",
        "collections",
        "dataclasses",
        "fractions",
        "functools",
        "itertools",
        "math",
        "ml_dtypes",
        "numpy",
        "operator",
        "pathlib",
        "pytest",
    }
    allowed |= {"struct", "types", "typing"}
    for path in sorted(Path(__file__).parent.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                assert {alias.name.split(".")[0] for alias in node.names} <= allowed, path.name
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 1 or str(node.module).split(".")[0] in allowed, path.name


def test_c2_the_ith_element_goes_to_the_ith_and_nothing_else_changes() -> None:
    memory = {"a": floats(1, 2, 3, 4, 5, 6).reshape(2, 3), "b": floats(*range(10, 20)), "c": floats(9)}
    columns = Operand("a", "float32", Pattern(0, [(1, 3), (3, 2)]))
    every_third = Operand("b", "float32", Pattern(9, [(-3, 3), (1, 1), (-1, 2)]))
    after, fault = dma_copy(memory, dst=every_third, src=columns)
    assert fault is None
    same_bits(after, memory | {"b": floats(10, 11, 6, 3, 14, 5, 2, 17, 4, 1)})
    same_bits(memory, {"a": floats(1, 2, 3, 4, 5, 6).reshape(2, 3), "b": floats(*range(10, 20)), "c": floats(9)})


def test_c2_counts_must_agree() -> None:
    memory = {"a": floats(1, 2, 3), "b": floats(0, 0)}
    with pytest.raises(ValueError, match=r"dst \(2,\) and src \(3,\) differ in element count"):
        dma_copy(memory, dst=whole("b", 2), src=whole("a", 3))


@pytest.mark.parametrize("offset", [-1, 2])
def test_c4_a_static_address_outside_of_its_buffer_is_an_error_unless_masked_off(offset: int) -> None:
    memory = {"a": floats(1, 2, 3), "b": floats(0, 0)}
    src = Operand("a", "float32", Pattern(offset, [(1, 2)]))
    with pytest.raises(IndexError, match=r"a: address (-1|3) is outside of its 3 elements"):
        dma_copy(memory, dst=whole("b", 2), src=src)
    with pytest.raises(IndexError, match=r"a: address (-1|3) is outside of its 3 elements"):
        dma_copy(memory, dst=src, src=whole("b", 2))
    mask = np.array([0 <= offset + i < 3 for i in range(2)])
    after, _ = dma_copy(memory, dst=whole("b", 2), src=src, mask=mask)
    same_bits(after, memory | {"b": floats(0, 1) if offset < 0 else floats(3, 0)})


def test_c5_equal_types_move_bit_for_bit() -> None:
    odd = np.array([0x7F80_0001, 0xFFC0_1234, 0x8000_0000, 1], dtype=np.uint32)
    memory = {"a": odd.view(np.float32), "b": np.zeros(4, np.float32)}
    after, _ = dma_copy(memory, dst=whole("b", 4), src=whole("a", 4))
    assert after["b"].view(np.uint32).tolist() == odd.tolist()


def test_c6_different_types_go_through_float32() -> None:
    memory = {"a": np.array([2**24 + 1, -7, 2**31 - 1], dtype=np.int32), "b": np.zeros(3, np.uint32)}
    after, _ = dma_copy(memory, dst=whole("b", 3, dtype="uint32"), src=whole("a", 3, dtype="int32"))
    same_bits(after, memory | {"b": np.array([2**24, 0, 2**31], dtype=np.uint32)})


def gather_memory(indices: list[int], dtype: type = np.int32) -> Memory:
    table = floats(1, 2, 3, 4, 5, 6).reshape(3, 2)
    return {"table": table, "idx": np.array(indices, dtype=dtype), "out": np.full((4, 2), -1, np.float32)}


def test_c8_a_row_index_names_a_row_and_may_repeat() -> None:
    memory = gather_memory([2, 0, 2, 1])
    after, fault = dma_copy(memory, dst=whole("out", 4, 2), src=rows_of("table", "idx", 4, 2, 3))
    assert fault is None
    same_bits(after, memory | {"out": floats(5, 6, 1, 2, 5, 6, 3, 4).reshape(4, 2)})


def test_c8_other_index_types_are_refused() -> None:
    with pytest.raises(ValueError, match="row indices are int32 or uint32, not int64"):
        dma_copy(gather_memory([0] * 4, np.int64), dst=whole("out", 4, 2), src=rows_of("table", "idx", 4, 2, 3))


def test_c8_columns_of_a_middle_axis() -> None:
    # A (2, 3, 2) tensor t: rows of axis 1, column 1, within t[1]; row j of the pattern also steps by nothing.
    memory = {
        "t": floats(*range(12)).reshape(2, 3, 2),
        "idx": np.array([2, 0], np.uint32),
        "out": floats(-1, -1),
    }
    src = Operand("t", "float32", Pattern(7, [(0, 2)]), "idx", Pattern.whole(2), row_step=2, axis_size=3)
    after, fault = dma_copy(memory, dst=whole("out", 2), src=src)
    assert fault is None
    same_bits(after, memory | {"out": floats(11, 7)})


def test_c8_a_row_also_steps_by_dimension_0_and_its_index_may_be_strided() -> None:
    memory = {"t": floats(*range(10)), "idx": np.array([1, 9, 0, 9], np.int32), "out": floats(-1, -1)}
    src = Operand("t", "float32", Pattern(1, [(4, 2)]), "idx", Pattern(0, [(2, 2)]), row_step=3, axis_size=2)
    after, _ = dma_copy(memory, dst=whole("out", 2), src=src)
    same_bits(after, memory | {"out": floats(4, 5)})
    _, fault = dma_copy(memory | {"idx": np.array([0, 9, 2, 9], np.int32)}, dst=whole("out", 2), src=src)
    assert fault == Fault(tensor="t", row=1, index=2, axis_size=2, flat_offset=1 + 2 * 3 + 4, total=10)


@pytest.mark.parametrize(("index", "offset"), [(-1, -2), (3, 6), (2**31 - 1, 2**32 - 2), (-(2**31), -(2**32))])
def test_c9_c11_a_bad_row_is_a_fault_and_moves_nothing_while_good_rows_move(index: int, offset: int) -> None:
    memory = gather_memory([1, index, -5, 0])
    after, fault = dma_copy(memory, dst=whole("out", 4, 2), src=rows_of("table", "idx", 4, 2, 3))
    assert fault == Fault(tensor="table", row=1, index=index, axis_size=3, flat_offset=offset, total=6)
    same_bits(after, memory | {"out": floats(3, 4, -1, -1, -1, -1, 1, 2).reshape(4, 2)})


def test_c9_a_uint32_index_is_never_negative() -> None:
    memory = gather_memory([0, 2**32 - 1, 2, 1], np.uint32)
    after, fault = dma_copy(memory, dst=whole("out", 4, 2), src=rows_of("table", "idx", 4, 2, 3))
    assert fault == Fault(tensor="table", row=1, index=2**32 - 1, axis_size=3, flat_offset=2**33 - 2, total=6)
    same_bits(after, memory | {"out": floats(1, 2, -1, -1, 5, 6, 3, 4).reshape(4, 2)})


def test_c11_the_row_starts_at_the_pattern_offset_too() -> None:
    # table[idx, 1]: row 3 would start at 3 * 2 + 1.
    memory = gather_memory([0, 3, 0, 0])
    src = Operand("table", "float32", Pattern(1, [(0, 4)]), "idx", Pattern.whole(4), row_step=2, axis_size=3)
    _, fault = dma_copy(memory, dst=Operand("out", "float32", Pattern(0, [(2, 4)])), src=src)
    assert fault == Fault(tensor="table", row=1, index=3, axis_size=3, flat_offset=7, total=6)


def test_c11_the_source_row_is_checked_before_the_destination_row() -> None:
    memory = {
        "a": floats(1, 2, 3),
        "b": floats(0, 0, 0),
        "from": np.array([0, 7, 2], np.int32),
        "to": np.array([8, 9, 1], np.int32),
    }
    src, dst = rows_of("a", "from", 3, 1, 3), rows_of("b", "to", 3, 1, 3)
    after, fault = dma_copy(memory, dst=dst, src=src)
    assert fault == Fault(tensor="b", row=0, index=8, axis_size=3, flat_offset=8, total=3)
    same_bits(after, memory | {"b": floats(0, 3, 0)})
    _, fault = dma_copy(memory | {"to": np.array([2, 9, 1], np.int32)}, dst=dst, src=src)
    assert fault == Fault(tensor="a", row=1, index=7, axis_size=3, flat_offset=7, total=3)


def test_c12_skip_leaves_bad_rows_as_they_were_and_has_no_fault() -> None:
    memory = gather_memory([3, 1, -1, 2])
    after, fault = dma_copy(memory, dst=whole("out", 4, 2), src=rows_of("table", "idx", 4, 2, 3), oob="skip")
    assert fault is None
    same_bits(after, memory | {"out": floats(-1, -1, 3, 4, -1, -1, 5, 6).reshape(4, 2)})


def test_c13_masked_elements_are_neither_read_checked_nor_written() -> None:
    memory = gather_memory([-1, 1, 9, 2])
    mask = np.array([[0, 0], [1, 0], [0, 1], [1, 1]], dtype=bool)
    after, fault = dma_copy(memory, dst=whole("out", 4, 2), src=rows_of("table", "idx", 4, 2, 3), mask=mask)
    # Row 0 is all off, so its index is not looked at; row 2 is half on, so it is, from the row's own start.
    assert fault == Fault(tensor="table", row=2, index=9, axis_size=3, flat_offset=18, total=6)
    same_bits(after, memory | {"out": floats(-1, -1, 3, -1, -1, -1, 5, 6).reshape(4, 2)})


def test_c13_the_mask_has_the_shape_of_the_pattern() -> None:
    memory = {"a": floats(1, 2), "b": floats(0, 0)}
    with pytest.raises(ValueError, match=r"a mask is boolean and of the pattern's shape, not bool \(3,\)"):
        dma_copy(memory, dst=whole("b", 2), src=whole("a", 2), mask=np.ones(3, bool))


def test_c15_a_read_modify_write_cannot_skip() -> None:
    memory = {"a": floats(1), "b": floats(0)}
    with pytest.raises(ValueError, match=r"a read-modify-write needs oob='error' \(C15\)"):
        dma_copy(memory, dst=whole("b", 1), src=whole("a", 1), rmw=True, oob="skip")


def test_c16_the_sum_is_of_float32_values_and_cast_to_the_destination() -> None:
    memory = {"a": floats(0.6, 300, np.nan), "b": np.array([2, 100, 5], dtype=np.uint8)}
    after, _ = dma_copy(memory, dst=whole("b", 3, dtype="uint8"), src=whole("a", 3), rmw=True)
    same_bits(after, memory | {"b": np.array([3, 255, 0], dtype=np.uint8)})


def test_c17_repeats_all_contribute_and_round_once() -> None:
    # In int8 each 0.5 alone would round to nothing; together they are 1.5, which is 2.
    memory = {
        "a": floats(0.5, 0.5, 0.5),
        "b": np.array([0, 7], np.int8),
        "idx": np.array([0, 0, 0], np.int32),
    }
    after, _ = dma_copy(memory, dst=rows_of("b", "idx", 3, 1, 2, "int8"), src=whole("a", 3, 1), rmw=True)
    same_bits(after, memory | {"b": np.array([2, 7], np.int8)})


@pytest.mark.parametrize(("addends", "total"), [((1e8, 1, -1e8), 0.0), ((1e8, -1e8, 1), 1.0)])
def test_c17_the_sum_is_taken_in_row_major_order_in_float32(addends: tuple, total: float) -> None:
    # 1e8 + 1 is 1e8 in float32, so the order of the rows shows.
    memory = {"a": floats(*addends), "b": floats(0), "idx": np.zeros(3, np.int32)}
    after, _ = dma_copy(memory, dst=rows_of("b", "idx", 3, 1, 1), src=whole("a", 3, 1), rmw=True)
    same_bits(after, memory | {"b": floats(total)})


def test_c17_bad_rows_and_masked_elements_contribute_nothing() -> None:
    memory = {"a": floats(1, 2, 4, 8), "b": floats(100, 200), "idx": np.array([1, 5, 1, 1], np.int32)}
    mask = np.array([[True], [True], [False], [True]])
    dst = rows_of("b", "idx", 4, 1, 2)
    after, fault = dma_copy(memory, dst=dst, src=whole("a", 4, 1), mask=mask, rmw=True)
    assert fault == Fault(tensor="b", row=1, index=5, axis_size=2, flat_offset=5, total=2)
    same_bits(after, memory | {"b": floats(100, 209)})


def test_c18_the_last_row_that_moves_wins() -> None:
    memory = {"a": floats(1, 2, 3, 4), "b": floats(0, 0), "idx": np.array([1, 0, 1, 0], np.int32)}
    dst, src = rows_of("b", "idx", 4, 1, 2), whole("a", 4, 1)
    after, _ = dma_copy(memory, dst=dst, src=src)
    same_bits(after, memory | {"b": floats(4, 3)})
    last_off = np.array([[True], [True], [True], [False]])
    after, _ = dma_copy(memory, dst=dst, src=src, mask=last_off)
    same_bits(after, memory | {"b": floats(2, 3)})


def test_c19_reads_come_before_writes_in_one_buffer() -> None:
    memory = {"a": floats(1, 2, 3, 4)}
    shifted = Operand("a", "float32", Pattern(1, [(1, 3)]))
    after, _ = dma_copy(memory, dst=shifted, src=whole("a", 3))
    same_bits(after, {"a": floats(1, 1, 2, 3)})
    after, _ = dma_copy(memory, dst=shifted, src=whole("a", 3), rmw=True)
    same_bits(after, {"a": floats(1, 3, 5, 7)})


def test_c19_row_indices_are_read_first_too() -> None:
    memory = {"idx": np.array([1, 0], np.int32)}
    dst = Operand("idx", "int32", Pattern.whole(2))
    src = Operand("idx", "int32", Pattern(0, [(0, 2)]), "idx", Pattern.whole(2), row_step=1, axis_size=2)
    after, _ = dma_copy(memory, dst=dst, src=src)
    same_bits(after, {"idx": np.array([0, 1], np.int32)})


def test_an_unknown_bounds_policy_is_refused() -> None:
    memory = {"a": floats(1), "b": floats(0)}
    with pytest.raises(ValueError, match="oob is 'error' or 'skip', not 'clamp'"):
        dma_copy(memory, dst=whole("b", 1), src=whole("a", 1), oob="clamp")
