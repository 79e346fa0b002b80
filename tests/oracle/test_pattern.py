"""The oracle's walks against addresses written out by hand (C2)."""

from .pattern import Pattern


def test_walk_is_row_major_in_the_pattern() -> None:
    assert list(Pattern(10, [(1, 2), (100, 3)]).walk()) == [10, 110, 210, 11, 111, 211]


def test_steps_may_be_zero_or_negative() -> None:
    assert list(Pattern(5, [(0, 2), (-2, 3)]).walk()) == [5, 3, 1, 5, 3, 1]


def test_an_empty_dimension_has_no_elements_and_no_dimension_has_one() -> None:
    assert list(Pattern(0, [(1, 4), (1, 0)]).walk()) == []
    assert list(Pattern(7, []).walk()) == [7]


def test_whole_is_dense() -> None:
    assert list(Pattern.whole(2, 3, offset=4).walk()) == [4, 5, 6, 7, 8, 9]
    assert Pattern.whole(2, 3).shape == (2, 3)
