"""The random inputs reach what they promise to reach, and are the same for the same seed."""

import ml_dtypes
import numpy as np
import pytest

from .cases import INT32_MAX, INT32_MIN, ROW_KINDS, random_rows, random_values
from .casts import DTYPES, FLOATS, INTEGERS, STORAGE


@pytest.mark.parametrize("dtype", DTYPES)
def test_values_have_the_type_and_shape_and_repeat_with_the_seed(dtype: str) -> None:
    values = random_values(7, dtype, (5, 6))
    assert (values.dtype, values.shape) == (STORAGE[dtype], (5, 6))
    assert values.tobytes() == random_values(7, dtype, (5, 6)).tobytes()
    assert values.tobytes() != random_values(8, dtype, (5, 6)).tobytes()
    assert random_values(np.random.default_rng(7), dtype, 30).tobytes() == values.tobytes()


@pytest.mark.parametrize("dtype", sorted(FLOATS))
def test_floats_reach_nans_infinities_zeros_and_subnormals(dtype: str) -> None:
    values = random_values(0, dtype, 4000)
    with np.errstate(invalid="ignore"):
        numbers = values.astype(np.float64)
    nans = values[np.isnan(numbers)]
    payloads = {nans[i].tobytes() for i in range(nans.size)}
    assert len(payloads) > 1, "only one kind of NaN was drawn"
    assert np.isinf(numbers).any() and (numbers == 0).any()
    tiny = float(ml_dtypes.finfo(STORAGE[dtype]).tiny)
    assert ((np.abs(numbers) > 0) & (np.abs(numbers) < tiny)).any()


@pytest.mark.parametrize("dtype", sorted(INTEGERS))
def test_integers_reach_their_limits(dtype: str) -> None:
    values = random_values(0, dtype, 4000)
    assert (int(values.min()), int(values.max())) == INTEGERS[dtype]


def test_bools_are_0_or_1_and_tfloat32_has_no_low_bits() -> None:
    assert set(random_values(0, "bool", 100).tolist()) == {0, 1}
    assert not (random_values(0, "tfloat32", 1000).view(np.uint32) & 0x1FFF).any()


def test_without_edges_bits_are_raw() -> None:
    assert not (random_values(0, "float32", 1000, edge_share=0.0) == 1.0).any()
    assert (random_values(0, "float32", 1000, edge_share=1.0) == 1.0).any()


def test_rows_are_of_every_kind() -> None:
    rows = random_rows(0, 2000, 50).tolist()
    assert {-1, 50, INT32_MAX, INT32_MIN} < set(rows)
    assert all(0 <= row < 50 for row in rows if row not in (-1, 50, INT32_MAX, INT32_MIN))
    valid = sum(0 <= row < 50 for row in rows) / len(rows)
    share = (ROW_KINDS["valid"] + ROW_KINDS["repeat"]) / sum(ROW_KINDS.values())
    assert abs(valid - share) < 0.05


def test_uint32_rows_keep_the_32_bits() -> None:
    rows = random_rows(0, 200, 50, dtype="uint32")
    assert rows.dtype == np.uint32
    assert rows.tobytes() == random_rows(0, 200, 50).tobytes()
    assert {2**32 - 1, 2**31} < set(rows.tolist())


def test_rows_follow_the_weights() -> None:
    assert random_rows(0, 20, 5, weights={"minus_one": 1}).tolist() == [-1] * 20
    repeats = random_rows(0, 20, 10**6, weights={"repeat": 1}).tolist()
    assert len(set(repeats)) == 1 and 0 <= repeats[0] < 10**6


def test_rows_refuse_what_they_cannot_draw() -> None:
    with pytest.raises(ValueError, match=r"unknown kinds of row \['wrap'\]: they are \['valid', "):
        random_rows(0, 1, 5, weights={"wrap": 1})
    with pytest.raises(ValueError, match="row indices are int32 or uint32, not int64"):
        random_rows(0, 1, 5, dtype="int64")
    with pytest.raises(ValueError, match="an empty axis has no valid row"):
        random_rows(0, 1, 0)
