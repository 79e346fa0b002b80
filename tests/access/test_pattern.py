"""`.ap`: offset and `[step, count]` pairs as they are, and their rules."""

from typing import Any

import pytest

from jnki.access.access import Dim
from jnki.access.affine import Affine, Symbol
from jnki.access.buffer import Space
from jnki.access.pattern import hardware_pattern
from jnki.dtypes import float32, uint32
from jnki.errors import RuleError
from tests.access.walks import buffer, index_tile, walked

TABLE, CHIP = buffer(8, 6), buffer(4, 6, name="c", space=Space.SBUF)


def test_pairs_are_taken_as_they_are() -> None:
    found = hardware_pattern(TABLE, [[-6, 3], [2, 2], [0, 4]], 20)
    assert found.dims == (Dim(-6, 3), Dim(2, 2), Dim(0, 4)) and found.offset == Affine(20)
    assert found.shape == (3, 2, 4) and found.unchecked == () and found.indirect is None
    assert walked(found)[2, 1, 3] == 20 - 12 + 2


def test_a_whole_buffer_is_recognised() -> None:
    assert hardware_pattern(TABLE, [[6, 8], [1, 6]]).is_whole
    assert hardware_pattern(TABLE, [[1, 48]]).is_whole
    assert not hardware_pattern(TABLE, [[1, 47]]).is_whole and not hardware_pattern(TABLE, [[1, 6], [6, 8]]).is_whole


def test_a_scalar_offset_moves_the_pattern_along_its_axis() -> None:
    tile = index_tile(1, 1)
    rows = hardware_pattern(TABLE, [[6, 4], [1, 6]], scalar_offset=tile).indirect
    assert rows is not None and (rows.index, rows.step, rows.axis, rows.size) == (tile, 6, 0, 8)
    assert not rows.is_vector and rows.walks_axis
    columns = hardware_pattern(TABLE, [[6, 8], [1, 2]], scalar_offset=tile, indirect_dim=1).indirect
    assert columns is not None and (columns.step, columns.axis, columns.size) == (1, 1, 6)


def test_a_vector_offset_replaces_the_leading_step() -> None:
    tile = index_tile(5, 1, dtype=uint32)
    found = hardware_pattern(TABLE, [[99, 5], [2, 3]], 1, vector_offset=tile)
    assert found.dims == (Dim(0, 5), Dim(2, 3)) and found.offset == Affine(1)
    assert found.indirect is not None and (found.indirect.step, found.indirect.is_vector) == (6, True)


def test_c04_a_pattern_that_leaves_the_buffer_is_left_open() -> None:
    (bound,) = hardware_pattern(TABLE, [[6, 8], [1, 7]]).unchecked
    assert (bound.base, bound.steps, bound.size) == (Affine(0), (6, 1), 48)
    assert hardware_pattern(TABLE, [[-1, 2]], 0).unchecked and not hardware_pattern(TABLE, [[-1, 2]], 1).unchecked
    far = Affine.of(Symbol("i", 8)) * 6
    assert not hardware_pattern(TABLE, [[1, 6]], far).unchecked and hardware_pattern(TABLE, [[1, 7]], far).unchecked


def refused(rule: str, *arguments: Any, **options: Any) -> RuleError:
    with pytest.raises(RuleError) as caught:
        hardware_pattern(*arguments, **options)
    assert caught.value.rule == rule and "test_pattern.py" in str(caught.value)
    return caught.value


@pytest.mark.parametrize("count", [0, -2])
def test_counts_are_positive(count: int) -> None:
    error = refused("ap.count", TABLE, [[6, 8], [1, count]])
    assert "the pattern on 't' has a pair without elements" in str(error)
    assert error.given == f"[[6, 8], [1, {count}]]" and error.allowed == "counts of 1 or more"


def test_on_chip_the_partitions_are_neighbours() -> None:
    error = refused("ap.partition_contiguous", CHIP, [[12, 2], [1, 6]])
    assert "ap() pattern has invalid partition stride. Partition step" in str(error)
    assert (error.given, error.allowed) == ("partition step 12", "6, the free size of [4, 6]")
    assert hardware_pattern(CHIP, [[6, 4], [2, 3]]).shape == (4, 3)
    assert hardware_pattern(CHIP, [[12, 1], [1, 6]]).shape == (1, 6)
    assert hardware_pattern(TABLE, [[12, 2], [1, 6]]).shape == (2, 6)


def test_scalar_and_vector_offset_exclude_each_other() -> None:
    error = refused(
        "dma_copy.offsets_exclusive", TABLE, [[6, 1]], scalar_offset=index_tile(1, 1), vector_offset=index_tile(1, 1)
    )
    assert "scalar_offset and vector_offset exclude each other" in str(error)
    assert (error.given, error.allowed) == ("both", "at most one of them")


@pytest.mark.parametrize("dim", [-1, 2])
def test_indirect_dim_is_an_axis(dim: int) -> None:
    error = refused("ap.indirect_dim0", TABLE, [[6, 1]], scalar_offset=index_tile(1, 1), indirect_dim=dim)
    assert "indirect_dim names no axis" in str(error) and (error.given, error.allowed) == (str(dim), "0 to 1")


def test_a_vector_works_on_axis_0_of_hbm() -> None:
    error = refused("ap.indirect_dim0", TABLE, [[6, 4], [1, 2]], vector_offset=index_tile(4, 1), indirect_dim=1)
    assert "vector_offset works on axis 0 only" in str(error)
    assert (error.given, error.allowed) == ("1", "indirect_dim=0")
    error = refused("dma_copy.vector_hbm", CHIP, [[6, 4], [1, 2]], vector_offset=index_tile(4, 1))
    assert (error.given, error.allowed) == ("sbuf tensor 'c' [4, 6] float32", "hbm")


@pytest.mark.parametrize("shape", [(3, 1), (4, 2), (1, 4), (5, 1)])
def test_a_vector_has_one_index_per_row(shape: tuple[int, ...]) -> None:
    error = refused("dma_copy.vector_index_shape", TABLE, [[6, 4], [1, 6]], vector_offset=index_tile(*shape))
    assert "vector_offset must hold one row index per row of the pattern" in str(error)
    assert (error.given, error.allowed) == (f"{list(shape)} for 4 rows", "[P, 1], P the count of the leading pair")
    assert hardware_pattern(TABLE, [[6, 4], [1, 6]], vector_offset=index_tile(4, 1)).shape == (4, 6)


@pytest.mark.parametrize(("shape", "rows", "columns"), [((4, 2), 8, 2), ((4, 2), 5, 2), ((6, 1), 4, 1), ((4, 1), 4, 1)])
def test_a_vector_by_columns_may_have_more_indices_than_rows(shape: tuple[int, ...], rows: int, columns: int) -> None:
    pattern = [[6, rows], [1, 6]]
    found = hardware_pattern(TABLE, pattern, vector_offset=index_tile(*shape), by_columns=True)
    assert found.indirect is not None and found.indirect.columns == columns and found.shape == (rows, 6)
    with pytest.raises(RuleError, match="dma_copy.vector_index_shape"):
        hardware_pattern(TABLE, [[6, 9], [1, 6]], vector_offset=index_tile(*shape), by_columns=True)


def test_a_vector_needs_a_leading_pair() -> None:
    assert (
        refused("dma_copy.vector_index_shape", TABLE, [], vector_offset=index_tile(1, 1)).given == "[1, 1] for 0 rows"
    )


def test_a_scalar_is_one_element() -> None:
    error = refused("dma_copy.scalar_index", TABLE, [[6, 4]], scalar_offset=index_tile(4, 1))
    assert "scalar_offset must be one element" in str(error)
    assert (error.given, error.allowed) == ("[4, 1]", "[1, 1] in sbuf, or a register")


def test_on_chip_a_scalar_cannot_select_partitions() -> None:
    error = refused("ap.no_partition_select", CHIP, [[6, 2], [1, 6]], scalar_offset=index_tile(1, 1))
    assert "a dynamic offset on chip cannot move along the partition axis" in str(error)
    assert (error.given, error.allowed) == ("indirect_dim 0", "a free axis")
    assert hardware_pattern(CHIP, [[6, 4], [1, 2]], scalar_offset=index_tile(1, 1), indirect_dim=1).indirect is not None


@pytest.mark.parametrize("which", ["scalar_offset", "vector_offset"])
def test_c08_offsets_are_int32_or_uint32_tiles_in_sbuf(which: str) -> None:
    error = refused("err_indirect_indices_dtype", TABLE, [[6, 1]], **{which: index_tile(1, 1, dtype=float32)})
    assert error.given == "float32"
    error = refused("err_indirect_indices_memory", TABLE, [[6, 1]], **{which: index_tile(1, 1, space=Space.HBM)})
    assert error.given == "hbm tensor 'i' [1, 1] int32"
