"""What the statements of random programs mean: as kernels of the dialect, and in plain NumPy. They share no code."""

import ml_dtypes
import numpy as np

from jnki.neuronxcc import nki
from jnki.neuronxcc.nki.typing import mutable_tensor
from tests.programs.draw import ROWS, TALL, WIDE

nl, nisa = nki.language, nki.isa

LOOKUP = np.array([3, 1, 4, 1, 5, 2])
LIMIT = 500.0


class Box:
    def __init__(self):
        self.value = 0


def counter():
    n = 0

    def step():
        nonlocal n
        n += 1
        return n

    return step


class InNumpy:
    Box, lookup = Box, LOOKUP

    def __init__(self, x, rows):
        self.x, self.rows, self.out = x, rows, np.zeros_like(x)

    counter = staticmethod(counter)

    def zeros(self):
        return np.zeros((TALL, WIDE), np.float32)

    def load(self, row):
        return self.x[row : row + TALL].copy()

    def gathered(self, shift):
        found = np.full((TALL, WIDE), 7, np.float32)
        for p in range(TALL):
            row = int(self.rows[p + 4, 0])
            if 0 <= row < ROWS:
                found[p] = self.x[row]
        return found + np.float32(shift)

    def store(self, row, t):
        self.out[row : row + TALL] = t

    def scattered(self, shift, t):
        for p in range(TALL):
            row = int(self.rows[p, 0])
            if 0 <= row < ROWS:
                self.out[row] = t[p]

    def added(self, row, t):
        self.out[row : row + TALL] += np.clip(t, -9, 9)

    def put(self, t, value):
        t[...] = value

    def negative(self, t):
        return -t

    def swapped(self, t):
        return np.concatenate([t[:, 4:], t[:, :4]], axis=1)

    def row_sums(self, t):
        return np.clip(np.broadcast_to(t.sum(1, keepdims=True), t.shape), -LIMIT, LIMIT).astype(np.float32)

    def as_bfloat16(self, t):
        return t.astype(ml_dtypes.bfloat16).astype(np.float32)

    def as_int(self, t):
        return np.clip(t, -128, 127).astype(np.float32)

    def reshaped(self, t):
        return t.reshape(TALL, 4, 2).transpose(0, 2, 1).reshape(TALL, WIDE)

    def add(self, a, b):
        return np.clip(a + b, -LIMIT, LIMIT)

    def subtract(self, a, b):
        return np.clip(a - b, -LIMIT, LIMIT)

    def maximum(self, a, b):
        return np.maximum(a, b)

    def where(self, a, b):
        return np.where(a > b, a, b + 1 - 1)

    def partly(self, a, b, limit):
        p, f = np.mgrid[0:TALL, 0:WIDE]
        return np.where(p + f < limit, a, b)


class InNki:
    Box, lookup = Box, LOOKUP

    def __init__(self, x, rows, out):
        self.x, self.rows, self.out = x, rows, out

    counter = staticmethod(counter)

    def _clipped(self, t):
        return nl.minimum(nl.maximum(t, -LIMIT), LIMIT)

    def zeros(self):
        return nl.zeros((TALL, WIDE), nl.float32)

    def load(self, row):
        return nl.load(self.x[row : row + TALL])

    def gathered(self, shift):
        t = nl.full((TALL, WIDE), 7, nl.float32)
        index = nl.load(self.rows[4:8])
        p, f = nl.arange(TALL)[:, None], nl.arange(WIDE)[None, :]
        nisa.dma_copy(dst=t, src=self.x[index[p, 0], f], oob_mode=nisa.oob_mode.skip)
        return nl.add(t, shift)

    def store(self, row, t):
        nl.store(self.out[row : row + TALL], t)

    def scattered(self, shift, t):
        index = nl.load(self.rows[0:4])
        p, f = nl.arange(TALL)[:, None], nl.arange(WIDE)[None, :]
        nisa.dma_copy(dst=self.out[index[p, 0], f], src=t, oob_mode=nisa.oob_mode.skip)

    def added(self, row, t):
        t = nl.minimum(nl.maximum(t, -9.0), 9.0)
        nisa.dma_copy(dst=self.out[row : row + TALL], src=t, dst_rmw_op=np.add)

    def put(self, t, value):
        t[...] = value

    def negative(self, t):
        return nl.negative(t)

    def swapped(self, t):
        new, halves = nl.ndarray((TALL, WIDE), nl.float32), t.reshape((TALL, 2, 4))
        new[:, 0:4] = nl.copy(halves[:, 1, :])
        new.reshape((TALL, 2, 4))[:, 1, :] = nl.copy(t[:, 0:4])
        return new

    def row_sums(self, t):
        total = self._clipped(nl.sum(t, axis=1, keepdims=True))
        return nl.copy(total.broadcast_to((TALL, WIDE)))

    def as_bfloat16(self, t):
        return nl.copy(nl.copy(t, dtype=nl.bfloat16), dtype=nl.float32)

    def as_int(self, t):
        return nl.copy(nl.copy(t, dtype=nl.int8), dtype=nl.float32)

    def reshaped(self, t):
        new = nl.ndarray((TALL, 2, 4), nl.float32)
        for j in nl.static_range(2):
            new[:, j, :] = nl.copy(t[:, j:WIDE:2])
        return new.reshape((TALL, WIDE))

    def add(self, a, b):
        return self._clipped(nl.add(a, b))

    def subtract(self, a, b):
        return self._clipped(a - b)

    def maximum(self, a, b):
        return nl.maximum(a, b)

    def where(self, a, b):
        return nl.where(nl.greater(a, b), a, b)

    def partly(self, a, b, limit):
        new = nl.copy(b)
        p, f = nl.arange(TALL)[:, None], nl.arange(WIDE)[None, :]
        new[p, f] = nl.copy(a, mask=p + f < limit)
        return new


def as_kernel(source, loop):
    """The program as a kernel of the tensor, row indices `[8, 1]`, and the output before."""
    space = {}
    exec(compile(source, "<random program>", "exec"), space)

    @nki.jit
    def kernel(out: mutable_tensor, x, rows):
        space["program"](InNki(x, rows, out), loop)
        return out

    return kernel


def in_numpy(source, x, rows):
    """What the program leaves in the output."""
    space = {}
    exec(source, space)
    meaning = InNumpy(x, rows)
    space["program"](meaning, range)
    return meaning.out
