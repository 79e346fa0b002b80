"""Random programs mean what their Python means, in every form: `python -m tests.programs` runs more of them."""

import pytest

from tests.programs.check import check
from tests.programs.draw import program


@pytest.mark.parametrize("seed", range(12))
def test_every_form_is_what_numpy_gives(seed):
    assert check(seed, reroll=seed % 2 == 1) is None


def test_programs_have_what_they_are_to_try():
    text = "\n".join(program(seed) for seed in range(40))
    wanted = (
        "for i",
        "range(",
        "first = False",
        "a, b = b, a",
        "seen.append",
        "next(numbers)",
        "if ",
        "else:",
        "k.put(",
    )
    assert [part for part in wanted if part not in text] == []
