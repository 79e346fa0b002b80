"""Buffers: sizes and strides, in elements and bytes."""

import numpy as np
import pytest

from jnki.access.buffer import Buffer, Space, row_major_strides
from jnki.dtypes import bfloat16, float32


@pytest.mark.parametrize("shape", [(), (5,), (4, 6), (2, 3, 4), (3, 1, 2), (1 << 20, 1 << 20)])
def test_strides_are_row_major(shape: tuple[int, ...]) -> None:
    wanted = tuple(int(np.prod(shape[a + 1 :], dtype=object)) for a in range(len(shape)))
    assert row_major_strides(shape) == wanted


def test_sizes() -> None:
    buffer = Buffer("x", Space.HBM, (70_000, 70_000), bfloat16)
    assert buffer.size == 4_900_000_000 and buffer.size_bytes == 9_800_000_000 and buffer.strides == (70_000, 1)
    assert Buffer("x", Space.HBM, (), float32).size == 1


def test_text_and_spaces() -> None:
    assert str(Buffer("x", Space.SBUF, (4, 6), float32)) == "sbuf tensor 'x' [4, 6] float32"
    assert [space.on_chip for space in Space] == [False, True, True, False]
    assert [str(space) for space in Space] == ["hbm", "sbuf", "psum", "register"]
