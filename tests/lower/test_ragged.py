"""Ragged edges: which iterations are split off a loop, and what is left of their masks."""

import numpy as np
import pytest

from jnki.lower.ragged import at_iteration, split_edges
from jnki.lower.trim import trimmed
from jnki.neuronxcc import nki
from jnki.program.program import Loop, instructions

nl, nisa = nki.language, nki.isa


def loop_of(mask_of, trips, size):
    """The loop of a kernel that copies `size` rows in tiles of 4 under a mask."""

    @nki.jit
    def kernel(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        p, f = nl.arange(4)[:, None], nl.arange(3)[None, :]
        for i in nl.affine_range(trips):
            row = 4 * i + p
            nisa.dma_copy(dst=out[row, f], src=x[row, f], mask=mask_of(i, row, f) & (row < size))
        return out

    (loop,) = kernel.trace(np.zeros((size, 3), np.float32)).body
    assert isinstance(loop, Loop)
    return loop


def described(loop):
    pieces = []
    for piece in split_edges(loop):
        if isinstance(piece, int):
            (only,) = instructions(at_iteration(loop, piece))
            only = trimmed(only)
            pieces.append((piece, None if only.mask is not None else only.dst.shape))
        else:
            (only,) = instructions(piece.body)
            pieces.append((f"{piece.symbol.trips} trips", None if only.mask is not None else only.dst.shape))
    return pieces


always = lambda i, row, f: True  # noqa: E731


@pytest.mark.parametrize(
    "mask, trips, size, expected",
    [
        (always, 4, 16, [("4 trips", (4, 3))]),
        (always, 4, 14, [("3 trips", (4, 3)), (3, (2, 3))]),
        (always, 4, 13, [("3 trips", (4, 3)), (3, (1, 3))]),
        (always, 2, 7, [(0, (4, 3)), (1, (3, 3))]),
        (lambda i, row, f: row >= 2, 4, 16, [(0, (2, 3)), ("3 trips", (4, 3))]),
        (lambda i, row, f: i > 0, 4, 16, [(0, (0, 0)), ("3 trips", (4, 3))]),
        (lambda i, row, f: i < 3, 4, 16, [("3 trips", (4, 3)), (3, (0, 0))]),
        (lambda i, row, f: f < 2, 4, 14, [("3 trips", None), (3, (2, 2))]),
        (lambda i, row, f: i < 2, 4, 16, [("4 trips", None)]),
        (lambda i, row, f: row >= 2, 4, 14, [("4 trips", None)]),
        (lambda i, row, f: f <= i, 4, 16, [("4 trips", None)]),
    ],
)
def test_pieces(mask, trips, size, expected):
    assert described(loop_of(mask, trips, size)) == expected


def test_a_mask_that_the_index_does_not_decide_splits_nothing():
    assert described(loop_of(lambda i, row, f: f < 2, 4, 16)) == [("4 trips", None)]
