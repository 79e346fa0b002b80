"""What every instruction has: operands, symbols, substitution of loop indices, and a line of the listing."""

import numpy as np
import pytest

from jnki import TRN2, DeviceMemory, arange, engine
from jnki.access.access import Access
from jnki.access.affine import Affine, Symbol
from jnki.access.buffer import Buffer, Space
from jnki.access.index import Index, scalar
from jnki.access.mask import NEVER, Mask
from jnki.access.subscript import subscript
from jnki.dtypes import float32, int32
from jnki.errors import RuleError
from jnki.isa.gpsimd.iota import Iota
from jnki.isa.instruction import Instruction
from jnki.isa.rules import check_tile
from jnki.isa.vector.memset import Memset
from jnki.isa.vector.tensor_copy import TensorCopy
from jnki.memory import NO_LOOPS
from jnki.source import user_location

LOOP = Symbol("i", 3)
P, F = arange(4)[:, None], arange(6)[None, :]


def tile(name: str, *shape: int, dtype: object = float32, partition_axis: int = 0) -> Access:
    return Access.whole(Buffer(name, Space.SBUF, shape, dtype, partition_axis))  # type: ignore[arg-type]


def moved() -> TensorCopy:
    """A copy whose operands and mask all depend on the loop index."""
    i = scalar(LOOP)
    dst = subscript(tile("b", 12, 6), (4 * i + P, F))
    src = subscript(tile("a", 4, 18), (P, 6 * i + F))
    return TensorCopy(dst=dst, src=src, mask=4 * i + P < 10, location=user_location())


def test_operands_reads_and_writes() -> None:
    copy = moved()
    assert list(copy.operands()) == ["dst", "src"]
    assert [a.buffer.name for a in copy.reads()] == ["a"] and [a.buffer.name for a in copy.written()] == ["b"]
    assert not copy.reads_destination and not copy.may_fault and copy.symbols == (LOOP,)
    assert Memset(dst=tile("b", 4, 6), value=0).symbols == ()


@pytest.mark.parametrize("value", range(3))
def test_substitution_is_one_iteration(value: int) -> None:
    """At a number it does what it does inside of its loop there; a mask that this decides is gone."""
    memory = DeviceMemory.of(
        sbuf={"a": np.arange(72, dtype=np.float32).reshape(4, 18), "b": np.zeros((12, 6), np.float32)}
    )
    at_value = moved().substitute(LOOP, Affine(value))
    assert at_value.symbols == ()
    looped = moved().execute(memory, NO_LOOPS.inside(LOOP, value))
    np.testing.assert_array_equal(at_value.execute(memory).sbuf["b"], looped.sbuf["b"])
    assert (at_value.mask is None) == (value < 2)
    after = Memset(dst=tile("b", 4, 6), value=0, mask=P + 4 * scalar(LOOP) < 2).substitute(LOOP, Affine(2))
    assert after.mask == NEVER


def test_substitution_reaches_an_expression() -> None:
    expression = (10 * scalar(LOOP) + P + F).value
    one = Iota(dst=tile("b", 4, 6, dtype=int32), expr=expression).substitute(LOOP, Affine(2))
    assert isinstance(one.expr, type(expression)) and Index.of(one.expr).bounds() == (20, 28)


def test_operands_can_be_replaced() -> None:
    renamed = moved().map_accesses(lambda a: Access(a.buffer, a.offset + 1, a.dims))
    assert renamed.dst.offset == moved().dst.offset + 1 and renamed.src.offset == moved().src.offset + 1
    other = tile("c", 4, 6)
    assert moved().redirected(other).dst is other and moved().redirected(other).src == moved().src


def test_the_line_takes_no_part_in_equality() -> None:
    one, two = moved(), moved()
    assert one == two and hash(one) == hash(two) and one.location is not None
    assert one.location.file == __file__ and "location" not in repr(one)


def test_errors_name_instruction_and_line() -> None:
    error = moved().error("a.rule", "does not fit", given="this", allowed="that")
    assert isinstance(error, RuleError) and error.location == moved().location
    assert str(error).startswith("a.rule: tensor_copy: does not fit\n  given:   this\n  allowed: that\n  at ")


@pytest.mark.parametrize(
    ("instruction", "line"),
    [
        (Memset(dst=tile("b", 4, 6), value=2.5), "b = memset(value=2.5)"),
        (Memset(dst=tile("b", 4, 6), value=0, engine=engine.gpsimd), "b = memset(value=0, engine=gpsimd)"),
        (Memset(dst=tile("b", 4, 6), value=0, mask=P < 2), "b = memset(value=0) if -1*d0 + 1 >= 0"),
        (Iota(dst=tile("b", 4, 6, dtype=int32), expr=(3 * P - F).value), "b = iota(expr=0 + 3*d0 + -1*d1)"),
        (
            moved(),
            "b(24*i: [6,4] [1,6]) = tensor_copy(src=a(6*i: [18,4] [1,6])) if -1*d0 + -4*i + 9 >= 0",
        ),
    ],
    ids=str,
)
def test_listing(instruction: Instruction, line: str) -> None:
    assert instruction.listing() == line


def test_a_tile_starts_with_its_partition_axis() -> None:
    """With block axes, an index on each of them leaves a tile; without one, it is none."""
    blocks = tile("t", 3, 4, 6, partition_axis=1)
    check_tile(Memset(dst=blocks, value=0), "dst", subscript(blocks, 1))
    check_tile(Memset(dst=blocks, value=0), "dst", tile("t", 4, 6))
    for access in (blocks, subscript(blocks, (slice(0, 2), 0))):
        with pytest.raises(RuleError) as caught:
            check_tile(Memset(dst=blocks, value=0), "dst", access)
        assert caught.value.rule == "err_failed_to_infer_tile_from_local_tensor"
        assert "whose partition axis is 1" in caught.value.given


def test_c04_bounds_are_checked_with_the_mask() -> None:
    """C4: rows 4 to 7 of twelve in iteration 1, 8 to 11 in iteration 2; of ten only under the mask."""
    i = scalar(LOOP)
    dst = subscript(tile("b", 10, 6), (4 * i + P, F))
    src = tile("a", 4, 6)
    TensorCopy(dst=dst, src=src, mask=4 * i + P < 10).check(TRN2)
    with pytest.raises(RuleError, match="err_tensor_access_out_of_bound"):
        TensorCopy(dst=dst, src=src, mask=4 * i + P < 11).check(TRN2)
    with pytest.raises(RuleError, match="err_tensor_access_out_of_bound"):
        TensorCopy(dst=dst, src=src).check(TRN2)
    assert isinstance(4 * i + P < 10, Mask)


def test_instructions_are_equal_where_their_constants_mean_the_same_bits() -> None:
    nans = [np.nan, -np.nan]
    values = [0.0, -0.0, 0, False, 1, 1.0, True, *nans]
    memsets = [Memset(dst=tile("a", 4, 6), value=value) for value in values]
    for a, x in enumerate(memsets):
        for b, y in enumerate(memsets):
            assert (x == y) == (a == b)
            assert a != b or hash(x) == hash(Memset(dst=tile("a", 4, 6), value=values[a]))
    assert Memset(dst=tile("a", 4, 6), value=float("nan")) == memsets[values.index(nans[0])]
    assert memsets[0] != TensorCopy(dst=tile("a", 4, 6), src=tile("a", 4, 6))
