"""The oracle's matmul and transpose against NumPy on contiguous operands, and against tables worked out by hand."""

import numpy as np
import pytest

from .moves import Operand
from .pattern import Pattern
from .tensor_engine import nc_matmul, nc_transpose


def whole(buffer: str, *shape: int, dtype: str = "float32") -> Operand:
    return Operand(buffer, dtype, Pattern.whole(*shape))


def memory() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    shapes = {"a": (3, 2), "b": (3, 4), "c": (2, 4)}
    return {name: rng.integers(-9, 10, shape).astype(np.float32) for name, shape in shapes.items()}


def test_a_product_is_numpys() -> None:
    m = memory()
    operands = {"dst": whole("c", 2, 4), "stationary": whole("a", 3, 2), "moving": whole("b", 3, 4)}
    np.testing.assert_array_equal(nc_matmul(m, **operands)["c"], m["a"].T @ m["b"])
    np.testing.assert_array_equal(nc_matmul(m, **operands, accumulate=True)["c"], m["c"] + m["a"].T @ m["b"])


def test_masks_and_pairs() -> None:
    m = memory()
    operands = {"dst": whole("c", 2, 4), "stationary": whole("a", 3, 2), "moving": whole("b", 3, 4)}
    kept = np.array([[True] * 4, [False, True, False, True]])
    after = nc_matmul(m, **operands, mask=kept, contributes=np.array([True, False, True]))["c"]
    np.testing.assert_array_equal(after, np.where(kept, m["a"][::2].T @ m["b"][::2], m["c"]))
    m["p"], m["q"] = (np.arange(n, dtype=np.float32).reshape(2, 2, -1) for n in (8, 16))
    pairs = {"stationary": whole("p", 2, 2, 2), "moving": whole("q", 2, 2, 4)}
    after = nc_matmul(m, dst=whole("c", 2, 4), **pairs, contracted=2)["c"]
    np.testing.assert_array_equal(after, np.einsum("kpm,kpn->mn", m["p"], m["q"]))


def test_the_result_is_rounded_once_to_the_type_of_the_destination() -> None:
    m = {"a": np.array([[1.0], [1.0]], np.float32), "b": np.array([[256.0], [1.0]], np.float32)}
    m["c"] = np.array([[0]], np.uint8)
    after = nc_matmul(m, dst=whole("c", 1, 1, dtype="uint8"), stationary=whole("a", 2, 1), moving=whole("b", 2, 1))
    assert after["c"].tolist() == [[255]]


def test_shapes_that_do_not_multiply_are_refused() -> None:
    with pytest.raises(ValueError, match="do not multiply"):
        nc_matmul(memory(), dst=whole("c", 2, 4), stationary=whole("a", 2, 3), moving=whole("b", 3, 4))
    with pytest.raises(ValueError, match="does not hold 2 x 4 elements"):
        nc_matmul(memory(), dst=whole("c", 2, 3), stationary=whole("a", 3, 2), moving=whole("b", 3, 4))


def test_a_transpose_swaps_and_keeps_what_is_masked() -> None:
    m = {"a": np.arange(6, dtype=np.int32).reshape(2, 3), "t": np.full((3, 2), -1, np.int32)}
    operands = {"dst": whole("t", 3, 2, dtype="int32"), "data": whole("a", 2, 3, dtype="int32")}
    assert nc_transpose(m, **operands)["t"].tolist() == [[0, 3], [1, 4], [2, 5]]
    mask = np.array([[True, False, True], [True, True, False]])
    assert nc_transpose(m, **operands, mask=mask)["t"].tolist() == [[0, 3], [-1, 4], [2, -1]]
