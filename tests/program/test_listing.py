"""The text form of programs, against the listings in `golden/` (`python -m tests.program.regenerate`)."""

import pytest

from tests.program.golden_kernels import KERNELS, listing_of
from tests.program.regenerate import FOLDER


@pytest.mark.parametrize("name", KERNELS)
def test_a_listing_is_the_golden_one(name):
    assert listing_of(name) == (FOLDER / f"{name}.txt").read_text()


def test_there_is_a_kernel_for_every_golden_listing():
    assert {path.stem for path in FOLDER.glob("*.txt")} == set(KERNELS)
