"""Loading and storing operands, and reading row indices."""

import jax
import numpy as np
import pytest

from jnki import DeviceMemory, arange, hbm, sbuf
from jnki.access.ref import resolve
from jnki.isa.operands import load, row_indices, store
from jnki.memory import NO_LOOPS

A = np.arange(24, dtype=np.float32).reshape(4, 6)
INDEX = np.array([[3, 9], [-1, 9], [2**31 - 1, 9], [-(2**31), 9]], np.int64)


def memory(dtype: type = np.int32) -> DeviceMemory:
    return DeviceMemory.of(hbm={"a": A}, sbuf={"x": A, "i": INDEX.astype(dtype), "s": np.array([[5]], dtype)})


def test_load_is_the_tile_and_store_puts_it_back() -> None:
    part = resolve(sbuf("x")[1:3, ::2], memory().buffer)
    tile = load(memory(), part, NO_LOOPS)
    np.testing.assert_array_equal(tile, A[1:3, ::2])
    after = store(memory(), part, -tile, NO_LOOPS, arange(2)[:, None] > 0)
    wanted = A.copy()
    wanted[2, ::2] *= -1
    np.testing.assert_array_equal(after.sbuf["x"], wanted)
    np.testing.assert_array_equal(
        store(memory(), part, np.float32(7), NO_LOOPS).sbuf["x"][1:3, ::2], np.full((2, 3), 7)
    )


@pytest.mark.parametrize("dtype", [np.int32, np.uint32])
def test_c08_row_indices_are_32_bits_whatever_their_sign(dtype: type) -> None:
    """C8, C9: those of uint32 beyond 2^31 come out negative, so that no comparison takes them for valid."""
    m = memory(dtype)
    access = resolve(hbm("a")[sbuf("i")[:, 0:1], :], m.buffer)
    rows = row_indices(m, access, NO_LOOPS)
    assert isinstance(rows, jax.Array) and rows.dtype == np.int32 and rows.tolist() == INDEX[:, 0].tolist()
    columns = resolve(hbm("a").ap([[6, 6], [1, 6]], vector_offset=sbuf("i")), m.buffer)
    assert np.asarray(row_indices(m, columns, NO_LOOPS)).tolist() == [*INDEX[:, 0].tolist(), 9, 9]
    scalar = resolve(hbm("a").ap([[6, 4], [1, 6]], scalar_offset=sbuf("s")), m.buffer)
    found = row_indices(m, scalar, NO_LOOPS)
    assert found is not None and found.tolist() == [5]
    assert row_indices(m, resolve(hbm("a"), m.buffer), NO_LOOPS) is None
