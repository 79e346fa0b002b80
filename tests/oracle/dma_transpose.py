"""What `nki.isa.dma_transpose` leaves in memory, one element at a time."""

import numpy as np

PERMUTATIONS = {2: (1, 0), 3: (2, 1, 0), 4: (3, 1, 2, 0)}


def dma_transpose(
    dst: np.ndarray, src: np.ndarray, rows: int | None = None, index: np.ndarray | None = None
) -> tuple[np.ndarray, int | None]:
    """`dst` after the transpose of `src`, or of the `rows` rows of it that `index` names, and the first bad row.

    The index is read column by column. A row that `src` does not have leaves what it would have written.
    """
    taken = list(range(src.shape[0]))
    if index is not None:
        assert rows is not None
        taken = [int(index[p, c]) for c in range(index.shape[1]) for p in range(index.shape[0])][:rows]
    after, bad = dst.copy(), None
    axes = PERMUTATIONS[src.ndim]
    for row, number in enumerate(taken):
        if not 0 <= number < src.shape[0]:
            bad = row if bad is None else bad
            continue
        for place in np.ndindex(src.shape[1:]):
            there = (row, *place)
            after[tuple(there[axis] for axis in axes)] = src[(number, *place)]
    return after, bad
