"""The eight documented `dma_copy` examples at a size that fits by hand; the faulting ones at full size too.

Small sizes: the table that is read or written by row index is (8, 3), and n/2 = 4 rows move.
"""

import numpy as np
import pytest

from .dma_copy import dma_copy
from .moves import Memory, Operand, fault_text
from .pattern import Pattern

WIDTH = 3
TABLE = np.array([[10 * row + column for column in range(WIDTH)] for row in range(8)], dtype=np.float32)
TILE = np.array([[1, 2, 3], [4, 5, 6], [7, 8, 9], [10, 11, 12]], dtype=np.float32)


def dense(buffer: str, rows: int, width: int = WIDTH) -> Operand:
    return Operand(buffer, "float32", Pattern.whole(rows, width))


def by_index(buffer: str, rows: int, axis_size: int, width: int = WIDTH) -> Operand:
    pattern = Pattern(0, [(0, rows), (1, width)])
    return Operand(buffer, "float32", pattern, "idx", Pattern.whole(rows, 1), row_step=width, axis_size=axis_size)


def memory_of(step: int, **buffers: np.ndarray) -> Memory:
    return buffers | {"idx": np.array([[0], [step], [2 * step], [3 * step]], dtype=np.int32)}


def filled(value: float, rows: int) -> np.ndarray:
    return np.full((rows, WIDTH), value, dtype=np.float32)


def test_example_1_whole_copy() -> None:
    memory = {"a": TABLE, "b": filled(0, 8)}
    after, fault = dma_copy(memory, dst=dense("b", 8), src=dense("a", 8))
    assert fault is None
    np.testing.assert_array_equal(after["b"], TABLE)


def test_example_2_gather_of_even_rows() -> None:
    memory = memory_of(2, a=TABLE, out=filled(-1, 4))
    after, fault = dma_copy(memory, dst=dense("out", 4), src=by_index("a", 4, 8))
    assert fault is None
    np.testing.assert_array_equal(after["out"], [[0, 1, 2], [20, 21, 22], [40, 41, 42], [60, 61, 62]])


def test_example_3_gather_out_of_bounds() -> None:
    memory = memory_of(3, a=TABLE, out=filled(-1, 4))
    _, fault = dma_copy(memory, dst=dense("out", 4), src=by_index("a", 4, 8))
    assert fault is not None
    assert fault_text(fault) == "index 27 is out of bounds for axis 0 with size 24"


def test_example_4_gather_that_skips() -> None:
    memory = memory_of(3, a=TABLE, out=filled(-1, 4))
    after, fault = dma_copy(memory, dst=dense("out", 4), src=by_index("a", 4, 8), oob="skip")
    assert fault is None
    np.testing.assert_array_equal(after["out"], [[0, 1, 2], [30, 31, 32], [60, 61, 62], [-1, -1, -1]])


def test_example_5_scatter_add_to_ones() -> None:
    memory = memory_of(2, a=TILE, out=filled(1, 8))
    after, fault = dma_copy(memory, dst=by_index("out", 4, 8), src=dense("a", 4), rmw=True)
    assert fault is None
    ones = [1, 1, 1]
    want = [[2, 3, 4], ones, [5, 6, 7], ones, [8, 9, 10], ones, [11, 12, 13], ones]
    np.testing.assert_array_equal(after["out"], want)


def test_example_6_scatter_to_even_rows() -> None:
    memory = memory_of(2, a=TILE, out=filled(-1, 8))
    after, fault = dma_copy(memory, dst=by_index("out", 4, 8), src=dense("a", 4))
    assert fault is None
    none = [-1, -1, -1]
    want = [[1, 2, 3], none, [4, 5, 6], none, [7, 8, 9], none, [10, 11, 12], none]
    np.testing.assert_array_equal(after["out"], want)


def test_example_7_scatter_out_of_bounds() -> None:
    memory = memory_of(3, a=TILE, out=filled(-1, 8))
    _, fault = dma_copy(memory, dst=by_index("out", 4, 8), src=dense("a", 4))
    assert fault is not None
    assert fault_text(fault) == "index 27 is out of bounds for axis 0 with size 24"
    assert (fault["tensor"], fault["row"], fault["index"], fault["axis_size"]) == ("out", 3, 9, 8)


def test_example_8_scatter_that_skips() -> None:
    memory = memory_of(3, a=TILE, out=filled(-1, 8))
    after, fault = dma_copy(memory, dst=by_index("out", 4, 8), src=dense("a", 4), oob="skip")
    assert fault is None
    none = [-1, -1, -1]
    want = [[1, 2, 3], none, none, [4, 5, 6], none, none, [7, 8, 9], none]
    np.testing.assert_array_equal(after["out"], want)


@pytest.mark.parametrize("direction", ["gather", "scatter"])
def test_examples_3_and_7_at_full_size(direction: str) -> None:
    table = np.arange(128 * 512, dtype=np.float32).reshape(128, 512)
    tile = np.full((64, 512), -1, dtype=np.float32)
    memory = {"table": table, "tile": tile, "idx": 3 * np.arange(64, dtype=np.int32)[:, None]}
    table_rows, tile_rows = by_index("table", 64, 128, 512), dense("tile", 64, 512)
    dst, src = (tile_rows, table_rows) if direction == "gather" else (table_rows, tile_rows)
    _, fault = dma_copy(memory, dst=dst, src=src)
    assert fault is not None
    assert (fault["flat_offset"], fault["total"]) == (66048, 65536)
    assert (fault["row"], fault["index"], fault["axis_size"]) == (43, 129, 128)
    assert fault_text(fault) == "index 66048 is out of bounds for axis 0 with size 65536"
