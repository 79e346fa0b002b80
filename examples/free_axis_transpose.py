"""A transpose within each partition: one copy whose two sides walk the free axes in different orders.

Run with: python -m jnki examples/free_axis_transpose.py
"""

import neuronxcc.nki as nki
import neuronxcc.nki.language as nl
import numpy as np


@nki.jit
def transpose_rows(matrices, rows, columns):
    count = matrices.shape[0]
    out = nl.ndarray(matrices.shape, dtype=matrices.dtype, buffer=nl.shared_hbm)
    tile = nl.load(matrices)
    turned = nl.ndarray((count, rows * columns), dtype=matrices.dtype, buffer=nl.sbuf)
    p, i, j = nl.mgrid[0:count, 0:rows, 0:columns]
    turned[p, j * rows + i] = nl.copy(tile[p, i * columns + j])
    nl.store(out, value=turned)
    return out


matrices = np.arange(6 * 15, dtype=np.int32).reshape(6, 15)
expected = matrices.reshape(6, 3, 5).transpose(0, 2, 1).reshape(6, 15)
np.testing.assert_array_equal(transpose_rows(matrices, 3, 5), expected)
print("free_axis_transpose: ok")
