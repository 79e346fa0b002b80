"""The meaning of `gather_flattened`: one element at a time, in plain Python."""

import numpy as np


def gather_flattened(data: np.ndarray, indices: np.ndarray, garbage: object) -> tuple[np.ndarray, int | None]:
    """The picked elements, and the place of the first index that is out of bounds.

    Args:
        data, indices: `[P, F...]`, `[P, I...]`.
        garbage: what stands where an index is out of bounds.

    Returns:
        An array of the shape of `indices`; and the place, in row-major order, or None.
    """
    picked = np.empty(indices.shape, data.dtype)
    first = None
    for place, position in enumerate(np.ndindex(indices.shape)):
        row = list(data[position[0]].ravel())
        number = int(indices[position])
        if number < len(row):
            picked[position] = row[number]
        else:
            picked[position] = garbage
            first = place if first is None else first
    return picked, first
