"""The oracle's reverse pass against cotangents worked out by hand (C25), and against finite differences."""

import ml_dtypes
import numpy as np
import pytest

from . import cases
from .dma_copy import dma_copy
from .grads import dma_copy_vjp
from .moves import Operand
from .pattern import Pattern

A, B = [1.0, 2.0, 4.0], [10.0, 20.0, 40.0]


def side(buffer: str, dtype: str = "float32") -> Operand:
    return Operand(buffer, dtype, Pattern.whole(3, 1))


def by_index(buffer: str) -> Operand:
    return Operand(buffer, "float32", Pattern(0, [(0, 3), (1, 1)]), "idx", Pattern.whole(3), 1, 3)


def memory(*index: int, dtype: type = np.float32) -> dict[str, np.ndarray]:
    return {"a": np.ones(3, dtype), "b": np.ones(3, np.float32), "idx": np.array(index, np.int32)}


def pulled(result: dict[str, np.ndarray]) -> dict[str, list[float]]:
    return {name: array.tolist() for name, array in result.items()}


@pytest.mark.parametrize(
    ("index", "options", "want_a", "want_b"),
    [
        # Every element of b is overwritten: it passes none, and the element of a that it came from gets it.
        ((2, 0, 1), {}, [41.0, 12.0, 24.0], [0.0, 0.0, 0.0]),
        # Rows 0 and 2 both write b[1]: the last wins. b[2] is not written and keeps its own.
        ((1, 0, 1), {}, [1.0, 12.0, 24.0], [0.0, 0.0, 40.0]),
        # Bad rows pass nothing, whether they fault or are skipped.
        ((-1, 0, 3), {}, [1.0, 12.0, 4.0], [0.0, 20.0, 40.0]),
        ((-1, 0, 3), {"oob": "skip"}, [1.0, 12.0, 4.0], [0.0, 20.0, 40.0]),
        # With the winning row masked off, the other one wins.
        ((1, 0, 1), {"mask": np.array([[1], [1], [0]], bool)}, [21.0, 12.0, 4.0], [0.0, 0.0, 40.0]),
        # A read-modify-write passes to the old value and to every contributor.
        ((1, 0, 1), {"rmw": True}, [21.0, 12.0, 24.0], [10.0, 20.0, 40.0]),
        ((1, 5, 1), {"rmw": True}, [21.0, 2.0, 24.0], [10.0, 20.0, 40.0]),
    ],
)
def test_a_scatter(index: tuple, options: dict, want_a: list, want_b: list) -> None:
    cotangent = {"a": np.array(A), "b": np.array(B)}
    result = dma_copy_vjp(memory(*index), cotangent, dst=by_index("b"), src=side("a"), **options)
    assert pulled(result) == {"a": want_a, "b": want_b}
    assert pulled(cotangent) == {"a": A, "b": B}


def test_a_gather_sums_into_a_row_that_is_read_twice() -> None:
    cotangent = {"a": np.array(A), "b": np.array(B)}
    result = dma_copy_vjp(memory(2, 0, 2), cotangent, dst=side("b"), src=by_index("a"))
    assert pulled(result) == {"a": [21.0, 2.0, 54.0], "b": [0.0, 0.0, 0.0]}


def test_a_float_cast_passes_the_cotangent_through() -> None:
    cotangent = {"a": np.array(A), "b": np.array(B)}
    start = memory(0, 0, 0, dtype=ml_dtypes.bfloat16)
    result = dma_copy_vjp(start, cotangent, dst=side("b"), src=side("a", "bfloat16"))
    assert pulled(result) == {"a": [11.0, 22.0, 44.0], "b": [0.0, 0.0, 0.0]}


@pytest.mark.parametrize(("rmw", "want_b"), [(False, [0.0, 0.0, 0.0]), (True, B)])
def test_an_integer_source_stops_the_cotangent(rmw: bool, want_b: list[float]) -> None:
    start = memory(0, 0, 0, dtype=np.int32)
    result = dma_copy_vjp(start, {"b": np.array(B)}, dst=side("b"), src=side("a", "int32"), rmw=rmw)
    assert pulled(result) == {"b": want_b}


@pytest.mark.parametrize("rmw", [False, True])
def test_an_integer_destination_passes_nothing_back(rmw: bool) -> None:
    start = memory(0, 0, 0, dtype=np.int32)
    result = dma_copy_vjp(start, {"b": np.array(B)}, dst=side("a", "int32"), src=side("b"), rmw=rmw)
    assert pulled(result) == {"b": B}


@pytest.mark.parametrize(("rmw", "want"), [(False, [11.0, 20.0, 0.0]), (True, [11.0, 30.0, 20.0])])
def test_one_buffer_on_both_sides(rmw: bool, want: list[float]) -> None:
    # x[1:3] <- x[0:2]: x'0 = x0, x'1 = x0 (+ x1), x'2 = x1 (+ x2), with cotangents 1, 10, 20 arriving.
    start = {"x": np.ones(3, np.float32)}
    shifted = Operand("x", "float32", Pattern(1, [(1, 2)]))
    first = Operand("x", "float32", Pattern(0, [(1, 2)]))
    result = dma_copy_vjp(start, {"x": np.array([1.0, 10.0, 20.0])}, dst=shifted, src=first, rmw=rmw)
    assert pulled(result) == {"x": want}


def test_cotangents_may_have_any_layout() -> None:
    start = {"a": np.ones((2, 2), np.float32), "b": np.ones((2, 2), np.float32)}
    pair = Operand("b", "float32", Pattern.whole(2)), Operand("a", "float32", Pattern(2, [(1, 2)]))
    arriving = np.asfortranarray([[1.0, 2.0], [4.0, 8.0]])
    result = dma_copy_vjp(start, {"a": arriving, "b": arriving}, dst=pair[0], src=pair[1])
    assert pulled(result) == {"a": [[1.0, 2.0], [5.0, 10.0]], "b": [[0.0, 0.0], [4.0, 8.0]]}


def test_cotangents_belong_to_float_buffers_only() -> None:
    start = memory(0, 0, 0, dtype=np.int32)
    with pytest.raises(ValueError, match="a of int32 has a cotangent"):
        dma_copy_vjp(start, {"a": np.array(A), "b": np.array(B)}, dst=side("b"), src=side("a", "int32"))
    with pytest.raises(ValueError, match="b of float32 has no cotangent"):
        dma_copy_vjp(start, {}, dst=side("b"), src=side("a", "int32"))


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("rmw", [False, True])
def test_the_reverse_pass_is_the_transpose_of_the_copy(seed: int, rmw: bool) -> None:
    # A copy is linear in float memory: <ct, copy(m)> = <vjp(ct), m>, exactly so with small whole numbers.
    rng = np.random.default_rng(seed)
    start = {name: rng.integers(-8, 9, (6, 2)).astype(np.float32) for name in ("a", "b")}
    start["idx"] = cases.random_rows(rng, 5, 6)
    rows = Pattern(0, [(0, 5), (1, 2)])
    table = Operand("b" if rmw else "a", "float32", rows, "idx", Pattern.whole(5), row_step=2, axis_size=6)
    tile = Operand(str(rng.choice(["a", "b"])), "float32", Pattern(0, [(2, 5), (1, 2)]))
    dst, src = (table, tile) if rng.random() < 0.5 else (tile, table)
    mask = rng.random((5, 2)) < 0.8
    cotangent = {name: rng.integers(-8, 9, (6, 2)).astype(np.float64) for name in ("a", "b")}
    after, _ = dma_copy(start, dst=dst, src=src, mask=mask, rmw=rmw)
    before = dma_copy_vjp(start, cotangent, dst=dst, src=src, mask=mask, rmw=rmw)
    forwards = sum(float((cotangent[name] * after[name]).sum()) for name in ("a", "b"))
    backwards = sum(float((before[name] * start[name]).sum()) for name in ("a", "b"))
    assert forwards == backwards
