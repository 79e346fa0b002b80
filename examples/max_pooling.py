"""Two-dimensional pooling: a window is two more axes of a strided view, and pooling reduces along them.

Run with: python -m jnki examples/max_pooling.py
"""

import neuronxcc.nki as nki
import neuronxcc.nki.language as nl
import numpy as np


@nki.jit
def pool(images, window):
    channels, height, width = images.shape
    shape = (channels, height // window, width // window)
    largest = nl.ndarray(shape, dtype=images.dtype, buffer=nl.shared_hbm)
    average = nl.ndarray(shape, dtype=images.dtype, buffer=nl.shared_hbm)
    tile = nl.load(images)
    c, y, dy, x, dx = nl.mgrid[0:channels, 0 : shape[1], 0:window, 0 : shape[2], 0:window]
    windows = tile[c, y * window + dy, x * window + dx]
    nl.store(largest, value=nl.max(windows, axis=[2, 4]))
    nl.store(average, value=nl.sum(windows, axis=[2, 4]) / (window * window))
    return largest, average


images = np.random.default_rng(0).standard_normal((3, 12, 8)).astype(np.float32)
largest, average = pool(images, 2)
windows = images.reshape(3, 6, 2, 4, 2)
np.testing.assert_array_equal(largest, windows.max(axis=(2, 4)))
np.testing.assert_allclose(average, windows.mean(axis=(2, 4)), rtol=1e-5, atol=1e-6)
print("max_pooling: ok")
