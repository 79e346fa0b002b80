"""`iota` against the oracle, and its rules."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from jnki import DeviceMemory, arange, hbm, iota, psum, sbuf
from jnki.access.ref import Ref
from jnki.dtypes import ALL
from jnki.errors import RuleError
from jnki.isa.gpsimd.iota import as_expression
from tests.harness import affine_pattern, bits_of, grid
from tests.oracle import fills
from tests.oracle.cases import random_values
from tests.oracle.moves import Operand
from tests.oracle.pattern import Pattern
from tests.targets import TINY

SHAPE = (4, 6)
EXPRESSIONS: dict[str, Callable[..., Any]] = {
    "rows": lambda p, f: p + 0 * f,
    "columns": lambda p, f: 0 * p + f,
    "mixed": lambda p, f: 3 * p - 2 * f + 1,
    "negative": lambda p, f: -100 * p - f,
    "large": lambda p, f: 1_000_003 * p + 70_001 * f + 2**24,
    "beyond float32": lambda p, f: 2**24 + 1 + p + f,
    "wrapping": lambda p, f: 2**31 - 3 + p + f,
    "wrapping steps": lambda p, f: 2**33 * p + (2**32 + 1) * f - 2**31,
}


def start(dtype: str) -> np.ndarray:
    values = random_values(1, dtype, SHAPE)
    return values.astype(np.bool_) if dtype == "bool" else values


@pytest.mark.parametrize("dtype", [t.name for t in ALL])
def test_every_type_takes_every_expression_as_the_oracle_does(dtype: str) -> None:
    """In wrapping 32-bit integers, then by way of float32."""
    before = start(dtype)
    memory = DeviceMemory.of(sbuf={"x": before})
    for expression in EXPRESSIONS.values():
        found = iota(memory, dst=sbuf("x", dtype), expr=expression(*grid(SHAPE))).sbuf["x"]
        # The expression is affine: over a buffer of one axis its pattern holds its values.
        values = affine_pattern((1,), SHAPE, expression)
        wanted = fills.iota({"x": before}, dst=Operand("x", dtype, Pattern.whole(*SHAPE)), values=values)["x"]
        np.testing.assert_array_equal(bits_of(np.asarray(found)), bits_of(wanted))


def test_a_masked_part_of_a_tile() -> None:
    before = start("int16")
    expression, mask = (lambda p, f: p * 10 + f), (lambda p, f: p + f < 4)
    memory = DeviceMemory.of(sbuf={"x": before, "y": before})
    after = iota(memory, dst=sbuf("x")[1:4, ::2], expr=expression(*grid((3, 3))), mask=mask(*grid((3, 3))))
    wanted = before.copy()
    for p in range(3):
        for f in range(3):
            if p + f < 4:
                wanted[1 + p, 2 * f] = p * 10 + f
    np.testing.assert_array_equal(after.sbuf["x"], wanted)
    assert after.sbuf["y"] is memory.sbuf["y"]


@pytest.mark.parametrize(
    ("expr", "values"), [(5, [[5]]), (arange(3)[None, :], [[0, 1, 2]]), (arange(3)[:, None], [[0], [1], [2]])]
)
def test_numbers_and_index_tensors_are_expressions(expr: Any, values: list) -> None:
    value = as_expression(expr)
    memory = DeviceMemory.of(sbuf={"x": np.zeros(value.shape, np.int32)})
    np.testing.assert_array_equal(iota(memory, dst=sbuf("x"), expr=expr).sbuf["x"], values)


# Rules.


def refused(rule: str, dst: Ref, expr: Any, **options: Any) -> RuleError:
    memory = DeviceMemory.of(
        hbm={"x": start("int32")},
        sbuf={"x": start("int32"), "five": np.zeros((5, 6), np.int32)},
        psum={"x": start("int32")},
    )
    with pytest.raises(RuleError) as caught:
        iota(memory, dst=dst, expr=expr, **options)
    assert caught.value.rule == rule and "test_iota.py" in str(caught.value)
    return caught.value


P, F = arange(4)[:, None], arange(6)[None, :]


@pytest.mark.parametrize("dst", [hbm("x"), psum("x")])
def test_only_sbuf_is_written(dst: Ref) -> None:
    error = refused("err_unsupported_memory", dst, P + F)
    assert "iota: 'dst' is in the wrong memory" in str(error) and error.allowed == "sbuf"


def test_the_shapes_are_equal() -> None:
    for dst, expr in ((sbuf("x"), P), (sbuf("x")[:, 0:5], P + F), (sbuf("x"), arange(24)[None, :])):
        error = refused("iota.shape", dst, expr)
        assert "iota: the expression does not have the shape of dst" in str(error)
        assert (
            error.given.startswith(f"expression {list(expr.shape)}, dst ")
            and error.allowed == "the same partitions, and as many values in each"
        )
    iota(DeviceMemory.of(sbuf={"x": start("int32")}), dst=sbuf("x"), expr=P + F)


def test_an_expression_has_two_axes() -> None:
    error = refused("err_1d_arange_not_supported", sbuf("x"), arange(4))
    assert "iota: a tile has a partition axis and a free axis" in str(error)
    assert error.given == "index [4] 0 + 1*d0"
    assert error.allowed == "an expression of rank 2 or more, such as nl.arange(n)[:, None]"


@pytest.mark.parametrize("expr", [P % 2, P * F, np.arange(4)[:, None], 1.5, "p", P < 2])
def test_an_expression_is_affine(expr: Any) -> None:
    error = refused("iota.affine_expr", sbuf("x"), expr)
    assert "iota needs an affine expression of indices" in str(error)
    assert error.given.startswith(type(expr).__name__)
    assert error.allowed == "sums of nl.arange, nl.mgrid and loop indices times integers"


def test_too_many_partitions_are_refused() -> None:
    error = refused("err_num_partition_exceed_arch_limit", sbuf("five"), arange(5)[:, None] + F, target=TINY)
    assert error.allowed == "at most 4 on tiny"


def test_a_mask_of_another_shape_is_refused() -> None:
    error = refused("iota.mask", sbuf("x"), P + F, mask=arange(6)[:, None] < 2)
    assert "iota: the mask does not fit 'dst'" in str(error) and error.given == "mask [6, 1], dst [4, 6]"


def test_c04_an_index_that_leaves_is_refused() -> None:
    """C4 holds for every instruction."""
    error = refused("err_tensor_access_out_of_bound", sbuf("x")[:, 1:7], P + F)
    assert "out-of-bound access of tensor 'x' (iota's dst) on axis 1" in str(error)
