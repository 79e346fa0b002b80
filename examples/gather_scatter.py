"""Rows chosen at run time: gather and scatter, with each way to treat a row index that is out of bounds.

Run with: python -m jnki examples/gather_scatter.py
"""

import neuronxcc.nki as nki
import neuronxcc.nki.isa as nisa
import neuronxcc.nki.language as nl
import numpy as np
from neuronxcc.nki.typing import mutable_tensor


@nki.jit
def gather(table, rows, mode=nisa.oob_mode.error):
    """Row `rows[p]` of the table, for each p; where nothing moves, -1."""
    count, columns = rows.shape[0], table.shape[1]
    out = nl.ndarray((count, columns), dtype=table.dtype, buffer=nl.shared_hbm)
    index = nl.load(rows)
    tile = nl.full((count, columns), -1, dtype=table.dtype, buffer=nl.sbuf)
    i_p = nl.arange(count)[:, None]
    i_f = nl.arange(columns)[None, :]
    nisa.dma_copy(dst=tile, src=table[index[i_p, 0], i_f], oob_mode=mode)
    nl.store(out, tile)
    return out


@nki.jit
def scatter(values, rows, out: mutable_tensor, mode=nisa.oob_mode.error):
    """`out` with `values[p]` in row `rows[p]`: a new array, the caller's stays as it is."""
    index = nl.load(rows)
    tile = nl.load(values)
    i_p = nl.arange(values.shape[0])[:, None]
    i_f = nl.arange(values.shape[1])[None, :]
    nisa.dma_copy(dst=out[index[i_p, 0], i_f], src=tile, oob_mode=mode)
    return out


@nki.jit
def scatter_add(values, rows, out: mutable_tensor):
    """`out` with `values[p]` added to row `rows[p]`; a row that is named twice gets both."""
    index = nl.load(rows)
    i_p = nl.arange(values.shape[0])[:, None]
    i_f = nl.arange(values.shape[1])[None, :]
    nisa.dma_copy(dst=out[index[i_p, 0], i_f], src=values, dst_rmw_op=np.add)
    return out


def fault_of(kernel, *args):
    try:
        kernel(*args)
    except IndexError as error:
        return error
    raise AssertionError("no fault was raised")


def column(*numbers):
    """Row indices as the kernels want them, one per partition: `int32[P, 1]`."""
    return np.array(numbers, np.int32)[:, None]


def main():
    table = np.random.default_rng(0).standard_normal((8, 4)).astype(np.float32)

    # In bounds, both modes do the same.
    np.testing.assert_array_equal(gather(table, column(6, 0, 6)), table[[6, 0, 6]])

    # oob_mode.error: the first bad row in row-major order is the fault. It is counted in elements of the flat tensor.
    error = fault_of(gather, table, column(0, 8, -1))
    assert str(error) == "index 32 is out of bounds for axis 0 with size 32"
    assert (error.tensor, error.row, error.row_index, error.axis_size) == ("table", 1, 8, 8)
    print(error, *error.__notes__, sep="\n  ")

    # A negative index is out of bounds too: it never counts from the end.
    assert str(fault_of(gather, table, column(-1))) == "index -4 is out of bounds for axis 0 with size 32"

    # oob_mode.skip: bad rows move nothing, and what was there stays.
    picked = gather(table, column(0, 8, -1, 7), nisa.oob_mode.skip)
    np.testing.assert_array_equal(picked, np.stack([table[0], -np.ones(4), -np.ones(4), table[7]]))

    # The same for a scatter. Of two rows that go to one place, the last wins.
    zeros = np.zeros((8, 4), np.float32)
    expected = zeros.copy()
    expected[5] = table[2]
    result = scatter(table[:4], column(5, 100, 5, -3), zeros, nisa.oob_mode.skip)
    np.testing.assert_array_equal(result, expected)
    assert not zeros.any()
    error = fault_of(scatter, table[:2], column(5, 9), zeros)
    assert str(error) == "index 36 is out of bounds for axis 0 with size 32"

    # With addition both rows count. There is no skipping then: dst_rmw_op beside oob_mode.skip is an error.
    expected = np.ones((8, 4), np.float32)
    expected[3] += table[0] + table[1]
    np.testing.assert_allclose(scatter_add(table[:2], column(3, 3), np.ones_like(expected)), expected, rtol=1e-6)
    print("gather_scatter: ok")


if __name__ == "__main__":
    main()
