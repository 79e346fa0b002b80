"""Subscripts: every spelling walks the elements that NumPy's indexing of the flat addresses picks."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jnki.access.access import Access, Bound, Dim
from jnki.access.affine import Affine, Symbol
from jnki.access.basic import DynamicSlice
from jnki.access.buffer import Space
from jnki.access.index import arange, scalar
from jnki.access.subscript import subscript
from jnki.dtypes import float32, int16, int32, uint32
from jnki.errors import RuleError
from tests.access.walks import addresses, buffer, index_tile, walked

few = settings(max_examples=200, derandomize=True, deadline=None)
LOOP = Symbol("i", 3)


@dataclass(frozen=True)
class Tile:
    """What stands for a tile in a subscript: anything with an access."""

    access: Access


def at(*shape: int, key: Any, space: Space = Space.HBM, partition_axis: int = 0, **options: Any) -> Access:
    return subscript(Access.whole(buffer(*shape, space=space, partition_axis=partition_axis)), key, **options)


# Basic indexing.


@pytest.mark.parametrize(
    "key",
    [
        (),
        ...,
        slice(None),
        2,
        -1,
        np.int64(3),
        (1, 2, 0),
        (slice(1, 3), slice(None), 1),
        (slice(None), slice(1, None, 2)),
        (slice(None, -1), -2, slice(-2, None)),
        (..., slice(0, 1)),
        (slice(0, 3, 2), ..., slice(1, 2)),
        (None, 1, ..., None),
        (slice(None), None, slice(2, 5), 0),
        (slice(2, 2), slice(None)),
        (slice(3, 1), 0),
    ],
)
def test_basic_keys_walk_what_numpy_walks(key: Any) -> None:
    found = at(4, 5, 3, key=key)
    wanted = addresses(4, 5, 3)[key]
    assert found.shape == wanted.shape
    np.testing.assert_array_equal(walked(found), wanted)
    assert found.unchecked == () and found.indirect is None


@given(st.data())
@few
def test_views_of_views_walk_what_numpy_walks(data: st.DataObject) -> None:
    shape = tuple(data.draw(st.lists(st.integers(1, 5), min_size=1, max_size=4)))
    found, wanted = Access.whole(buffer(*shape)), addresses(*shape)
    for _ in range(data.draw(st.integers(1, 3))):
        key: list[Any] = []
        for size in wanted.shape:
            kinds = [slice(None), slice(data.draw(st.integers(-size, size)), None, data.draw(st.integers(1, 3)))]
            if size:
                kinds.append(data.draw(st.integers(-size, size - 1)))
                kinds.append(slice(None, data.draw(st.integers(-size, size))))
            key.append(data.draw(st.sampled_from(kinds)))
        if data.draw(st.booleans()):
            key.insert(data.draw(st.integers(0, len(key))), None)
        found, wanted = subscript(found, tuple(key)), wanted[tuple(key)]
    np.testing.assert_array_equal(walked(found), wanted)


@pytest.mark.parametrize("value", range(3))
def test_loop_indices_move_the_start(value: int) -> None:
    i = scalar(LOOP)
    whole, loop = addresses(8, 6), {LOOP: value}
    by_number = at(8, 6, key=(2 * i + 1, slice(None)))
    np.testing.assert_array_equal(walked(by_number, loop), whole[2 * value + 1])
    by_slice = at(8, 6, key=(slice(2 * i, 2 * i + 4), slice(i, i + 4, 2)))
    np.testing.assert_array_equal(walked(by_slice, loop), whole[2 * value : 2 * value + 4, value : value + 4 : 2])
    by_dynamic_slice = at(8, 6, key=(DynamicSlice(i * 2, 2), DynamicSlice(1, 3)))
    np.testing.assert_array_equal(walked(by_dynamic_slice, loop), whole[2 * value : 2 * value + 2, 1:4])
    by_arange = at(8, 6, key=(2 * i + arange(3)[:, None], arange(6)[None, :]))
    np.testing.assert_array_equal(walked(by_arange, loop), whole[2 * value : 2 * value + 3])
    assert all(a.unchecked == () for a in (by_number, by_slice, by_dynamic_slice, by_arange))


@pytest.mark.parametrize(
    ("key", "low", "high", "axis"),
    [
        (4, 4, 4, 0),
        (-5, -5, -5, 0),
        (slice(0, 5), 0, 4, 0),
        ((0, slice(-7, 2)), -7, 1, 1),
        ((slice(None), slice(2, 8, 3)), 2, 5, 1),
        (DynamicSlice(3, 2), 3, 4, 0),
        ((arange(5)[:, None], arange(5)[None, :]), 0, 4, 0),
        ((arange(4)[:, None], arange(5)[None, :] - 1), -1, 3, 1),
        ((scalar(LOOP) * 2, 0), 0, 4, 0),
    ],
)
def test_c04_what_may_leave_its_axis_is_left_open(key: Any, low: int, high: int, axis: int) -> None:
    """C4 is judged later, together with the mask; here the range is only kept."""
    (bound,) = at(4, 5, key=key).unchecked
    least, most = bound.base.bounds()
    for step, count in zip(bound.steps, at(4, 5, key=key).shape):
        least, most = least + min(0, step * (count - 1)), most + max(0, step * (count - 1))
    assert (least, most, bound.axis, bound.size) == (low, high, axis, (4, 5)[axis])


# Index tensors.


@pytest.mark.parametrize(
    "key",
    [
        lambda p, f: (p(3), f(4)),
        lambda p, f: (p(4) * 2, 4 - f(5)),
        lambda p, f: (f(5), p(3)),
        lambda p, f: (p(4) + f(4), f(4)),
        lambda p, f: (p(4), 2),
        lambda p, f: (1, f(5)),
    ],
)
def test_index_tensors_walk_what_numpy_walks(key: Any) -> None:
    found = at(8, 5, key=key(lambda n: arange(n)[:, None], lambda n: arange(n)[None, :]))
    wanted = addresses(8, 5)[key(lambda n: np.arange(n)[:, None], lambda n: np.arange(n)[None, :])]
    assert found.shape == wanted.shape and found.unchecked == ()
    np.testing.assert_array_equal(walked(found), wanted)


def test_one_index_tensor_on_one_axis() -> None:
    np.testing.assert_array_equal(walked(at(9, key=2 * arange(4) + 1)), addresses(9)[1:9:2])


# On chip: the partition axis stays, and so does one free axis.


@pytest.mark.parametrize(
    ("key", "shape"),
    [
        (2, (1, 5)),
        ((slice(None), 3), (4, 1)),
        ((2, 3), (1, 1)),
        ((slice(1, 3), slice(None)), (2, 5)),
        ((..., 3), (4, 1)),
    ],
)
def test_an_integer_on_chip_keeps_partition_and_free_axis(key: Any, shape: tuple[int, ...]) -> None:
    found = at(4, 5, key=key, space=Space.SBUF)
    assert found.shape == shape
    np.testing.assert_array_equal(walked(found), addresses(4, 5)[key].reshape(shape))


def test_an_integer_on_a_block_axis_leaves_the_tile() -> None:
    found = at(3, 4, 5, key=(1,), space=Space.SBUF, partition_axis=1)
    np.testing.assert_array_equal(walked(found), addresses(3, 4, 5)[1])
    found = at(3, 4, 5, key=(1, 2), space=Space.SBUF, partition_axis=1)
    np.testing.assert_array_equal(walked(found), addresses(3, 4, 5)[1, 2:3])


def test_bounds_follow_the_axis_that_stays_on_chip() -> None:
    (bound,) = at(4, 5, key=(0, slice(0, 7)), space=Space.SBUF).unchecked
    assert bound == Bound(Affine(0), (0, 1), 1, 5)


# An indirect index.


def test_c08_a_tile_beside_slices_takes_the_place_of_its_axis() -> None:
    tile = index_tile(6, 1)
    found = at(7, 5, 3, key=(Tile(tile), slice(1, 4), 2), allow_mixing=True)
    assert found.shape == (6, 3) and found.dims == (Dim(0, 6), Dim(3, 3)) and found.offset == Affine(5)
    assert found.indirect is not None
    assert (found.indirect.index, found.indirect.step) == (tile, 15)
    assert (found.indirect.axis, found.indirect.size, found.indirect.is_vector) == (0, 7, True)
    assert found.accesses() == (found, tile)


def test_c08_a_tile_beside_an_arange() -> None:
    tile = index_tile(6, 1, dtype=uint32)
    found = at(7, 5, key=(Tile(tile), arange(4)[None, :] + 1))
    assert found.dims == (Dim(0, 6), Dim(1, 4)) and found.offset == Affine(1)
    assert found.indirect is not None and found.indirect.step == 5


def test_c08_a_tile_on_the_middle_axis() -> None:
    found = at(4, 7, 5, key=(arange(4)[:, None], Tile(index_tile(4, 1)), arange(5)[None, :]))
    assert found.dims == (Dim(35, 4), Dim(1, 5))
    assert found.indirect is not None and (found.indirect.step, found.indirect.axis, found.indirect.size) == (5, 1, 7)


def test_c08_a_tile_on_a_view_counts_within_the_view() -> None:
    view = at(16, 3, key=slice(2, 12, 2))
    found = subscript(view, (Tile(index_tile(4, 1)), slice(None)), allow_mixing=True)
    assert found.indirect is not None and (found.indirect.step, found.indirect.size) == (6, 5)
    assert found.offset == Affine(6)


def test_c08_a_one_axis_table() -> None:
    found = at(9, key=Tile(index_tile(4, 1)))
    assert found.shape == (4, 1) and found.indirect is not None and found.indirect.step == 1


@pytest.mark.parametrize(
    ("key", "rule", "message", "given_text", "allowed"),
    [
        (
            (slice(None), Tile(index_tile(4, 1))),
            "err_indirect_indices_free_dim",
            "the indirect index of tensor 't' must give one row per partition",
            "a tile on axis 1 of [7, 5]",
            "an index of shape [P, 1] on a leading axis (built with nl.arange, not with nl.mgrid)",
        ),
        (
            (arange(4)[:, None], Tile(index_tile(4, 1))),
            "err_indirect_indices_free_dim",
            "must give one row per partition",
            "a tile on axis 1 of [7, 5], index shape [4, 1]",
            "an index of shape [P, 1]",
        ),
        (
            (Tile(index_tile(4, 5)), arange(5)[None, :]),
            "err_indirect_indices_free_dim",
            "must give one row per partition",
            "a tile on axis 0 of [7, 5], index shape [4, 5]",
            "an index of shape [P, 1]",
        ),
        (
            (Tile(index_tile(1, 5)), arange(5)[None, :]),
            "err_indirect_indices_free_dim",
            "must give one row per partition",
            "a tile on axis 0 of [7, 5], index shape [1, 5]",
            "an index of shape [P, 1]",
        ),
        (
            (Tile(index_tile(4, 1, space=Space.HBM)), arange(5)[None, :]),
            "err_indirect_indices_memory",
            "an indirect index must be loaded into SBUF first",
            "hbm tensor 'i' [4, 1] int32",
            "a tile in sbuf",
        ),
        (
            (Tile(index_tile(4, 1, space=Space.PSUM)), arange(5)[None, :]),
            "err_indirect_indices_memory",
            "an indirect index must be loaded into SBUF first",
            "psum tensor 'i' [4, 1] int32",
            "a tile in sbuf",
        ),
        (
            (Tile(index_tile(4, 1, dtype=float32)), arange(5)[None, :]),
            "err_indirect_indices_dtype",
            "tile 'i' cannot be an indirect index",
            "float32",
            "int32 or uint32",
        ),
        (
            (Tile(index_tile(4, 1, dtype=int16)), arange(5)[None, :]),
            "err_indirect_indices_dtype",
            "tile 'i' cannot be an indirect index",
            "int16",
            "int32 or uint32",
        ),
        (
            (Tile(index_tile(4, 1)), Tile(index_tile(4, 1))),
            "ap.one_dynamic",
            "one tensor can have one indirect index",
            "2 tiles",
            "one",
        ),
    ],
)
def test_c08_illegal_indirect_indices(key: Any, rule: str, message: str, given_text: str, allowed: str) -> None:
    with pytest.raises(RuleError) as caught:
        at(7, 5, key=key, allow_mixing=True)
    error = caught.value
    assert error.rule == rule and message in str(error) and error.given == given_text
    assert allowed in error.allowed
    assert "test_subscript.py" in str(error)


def test_c08_the_legal_twin_of_each() -> None:
    for dtype in (int32, uint32):
        tile = Tile(index_tile(4, 1, dtype=dtype))
        assert at(7, 5, key=(tile, arange(5)[None, :])).shape == (4, 5)
        assert at(7, 5, key=(tile, slice(None)), allow_mixing=True).shape == (4, 5)


def test_a_dialect_does_not_mix_slices_with_index_tensors() -> None:
    for key in (
        (Tile(index_tile(4, 1)), slice(None)),
        (arange(4)[:, None], slice(0, 2)),
        (arange(4)[:, None], None, 1),
    ):
        with pytest.raises(RuleError) as caught:
            at(7, 5, key=key)
        assert caught.value.rule == "err_unsupported_mixing_basic_advanced_tensor_indexing"
        assert caught.value.allowed == "only slices and integers, or only index tensors, tiles and integers"
    assert "slices and index tensors cannot be mixed in one subscript" in str(caught.value)
    with pytest.raises(RuleError) as caught:
        at(7, 5, key=(Tile(index_tile(4, 1)), DynamicSlice(0, 2)))
    assert caught.value.given == "a tile, nl.ds"


# Other errors.


@pytest.mark.parametrize(
    ("key", "count"), [((0, 0, 0), 3), ((slice(None),) * 4, 4), ((..., 0, 0, 0), 3), ((..., ...), 0)]
)
def test_too_many_indices(key: Any, count: int) -> None:
    with pytest.raises(RuleError, match=r"index\.rank: too many indices for tensor 't'") as caught:
        at(4, 5, key=key)
    assert caught.value.given == f"{count} indices" and caught.value.allowed == "at most 2, and one '...'"


@pytest.mark.parametrize("step", [0, -1])
def test_slices_step_forwards(step: int) -> None:
    with pytest.raises(RuleError, match=r"slice\.bounds: a slice needs a positive step") as caught:
        at(4, 5, key=slice(None, None, step))
    assert caught.value.given == f"step {step}" and caught.value.allowed == "step >= 1"


def test_index_tensors_broadcast_or_not() -> None:
    with pytest.raises(RuleError, match=r"index\.broadcast: the indices of tensor 't' do not broadcast") as caught:
        at(4, 5, key=(arange(4)[:, None], arange(5)[:, None]))
    assert caught.value.given == "[4, 1] and [5, 1]"
    assert at(4, 5, key=(arange(4)[:, None], arange(1)[:, None])).shape == (4, 1)


def test_rank_one_index_tensors_are_for_hbm() -> None:
    with pytest.raises(RuleError) as caught:
        at(4, 5, key=(0, arange(5)), space=Space.SBUF)
    assert caught.value.rule == "err_1d_arange_not_supported" and caught.value.given == "an index of shape [5]"
    assert "tensor 't' in sbuf is indexed with a rank-1 nl.arange" in str(caught.value)
    assert at(4, 5, key=(0, arange(5))).shape == (5,)
    assert at(4, 5, key=(0, arange(5)[None, :]), space=Space.SBUF).shape == (1, 5)


@pytest.mark.parametrize(
    ("key", "space", "rule", "given_text", "allowed"),
    [
        (
            arange(3),
            Space.SBUF,
            "err_1d_arange_not_supported",
            "index [3] 0 + 1*d0 for the 2 axes of [4, 5]",
            "an index for each of the 2 axes, of rank 2 or more, such as nl.arange(n)[:, None]",
        ),
        (
            arange(3)[:, None],
            Space.SBUF,
            "err_unsupported_mixing_basic_advanced_tensor_indexing",
            "index [3, 1] 0 + 1*d0 for the 2 axes of [4, 5]",
            "an index for each of the 2 axes, or only slices and integers",
        ),
        (
            arange(3),
            Space.HBM,
            "err_unsupported_mixing_basic_advanced_tensor_indexing",
            "index [3] 0 + 1*d0 for the 2 axes of [4, 5]",
            "an index for each of the 2 axes, or only slices and integers",
        ),
        (
            Tile(index_tile(4, 1)),
            Space.HBM,
            "err_unsupported_mixing_basic_advanced_tensor_indexing",
            "a tile for the 2 axes of [4, 5]",
            "an index for each of the 2 axes, or only slices and integers",
        ),
        (
            (arange(3), ...),
            Space.SBUF,
            "err_unsupported_mixing_basic_advanced_tensor_indexing",
            "index [3] 0 + 1*d0, ...",
            "only slices and integers, or only index tensors, tiles and integers",
        ),
        (
            (arange(3)[:, None], slice(1, None, 2)),
            Space.SBUF,
            "err_unsupported_mixing_basic_advanced_tensor_indexing",
            "index [3, 1] 0 + 1*d0, 1::2",
            "only slices and integers, or only index tensors, tiles and integers",
        ),
    ],
)
def test_an_axis_left_out_beside_index_tensors_is_not_called_a_slice(
    key: Any, space: Space, rule: str, given_text: str, allowed: str
) -> None:
    with pytest.raises(RuleError) as caught:
        at(4, 5, key=key, space=space)
    assert (caught.value.rule, caught.value.given, caught.value.allowed) == (rule, given_text, allowed)


@pytest.mark.parametrize("key", ["a", 1.0, [0, 1], np.arange(2), True, (0, (1, 2))])
def test_what_is_no_index_names_its_kind(key: Any) -> None:
    with pytest.raises(RuleError, match=r"index\.kind: tensor 't' cannot be indexed with ") as caught:
        at(4, 5, key=key)
    assert caught.value.allowed.startswith("integers, loop indices, slices, nl.ds, ")


def test_what_is_not_affine_is_refused() -> None:
    with pytest.raises(RuleError, match="err_unsupported_expression_in_index"):
        at(8, 5, key=((arange(8) % 2)[:, None], arange(5)[None, :]))


def test_a_part_of_a_view_that_may_leave_its_tensor_keeps_what_is_still_to_be_shown() -> None:
    view = at(4, 5, key=(slice(0, 6), slice(1, 7)))
    assert subscript(view, (slice(1, 4), slice(0, 4))).unchecked == ()
    (bound,) = subscript(view, (slice(0, 6, 5), 2)).unchecked
    assert bound == Bound(Affine(0), (5,), 0, 4)
    (bound,) = subscript(view, (3, 2 * arange(3))).unchecked
    assert bound == Bound(Affine(1), (2,), 1, 5)


def test_subscripts_of_indirect_views_name_themselves() -> None:
    indirect = at(7, 5, key=(Tile(index_tile(4, 1)), arange(5)[None, :]))
    with pytest.raises(NotImplementedError, match="a second subscript on an indirect access"):
        subscript(indirect, 0)
    assert subscript(indirect, ...) is indirect


def test_index_tensors_beside_slices_and_a_tile_name_themselves() -> None:
    with pytest.raises(NotImplementedError, match="index tensors mixed with slices in one subscript"):
        at(4, 5, 3, key=(arange(4)[:, None], slice(None), 0), allow_mixing=True)
