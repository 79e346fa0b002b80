"""What the statements of random programs mean in the current dialect: loops are Python's, views have strides."""

import jax
import jax.numpy as jnp
import numpy as np

import jnki.nki as nki
from tests.programs.draw import TALL, WIDE
from tests.programs.meanings import LIMIT, LOOKUP, Box, counter

nl, nisa = nki.language, nki.isa


def tile(*shape, dtype=nl.float32):
    return nl.ndarray(shape or (TALL, WIDE), dtype=dtype, buffer=nl.sbuf)


class InCurrent:
    Box, lookup = Box, LOOKUP
    counter = staticmethod(counter)

    def __init__(self, x, rows, out):
        self.x, self.rows, self.out = x, rows, out

    def _index(self, first):
        index = tile(TALL, 1, dtype=nl.int32)
        nisa.dma_copy(index, self.rows[first : first + TALL])
        return index

    def _rows(self, tensor, index):
        return tensor.ap([[WIDE, TALL], [1, WIDE]], vector_offset=index, indirect_dim=0)

    def _within(self, t, limit):
        new = tile(*t.shape)
        nisa.tensor_scalar(new, t, nl.maximum, -limit, op1=nl.minimum, operand1=limit)
        return new

    def _copied(self, t, dtype=nl.float32):
        new = tile(*t.shape, dtype=dtype)
        nisa.tensor_copy(new, t)
        return new

    def _both(self, op, a, b, dtype=nl.float32):
        new = tile(dtype=dtype)
        nisa.tensor_tensor(new, a, b, op)
        return new

    def zeros(self):
        nisa.memset(new := tile(), 0.0)
        return new

    def load(self, row):
        nisa.dma_copy(new := tile(), self.x[row : row + TALL])
        return new

    def gathered(self, shift):
        nisa.memset(new := tile(), 7.0)
        nisa.dma_copy(new, self._rows(self.x, self._index(TALL)), oob_mode=nisa.oob_mode.skip)
        nisa.tensor_scalar(new, new, nl.add, float(shift))
        return new

    def store(self, row, t):
        nisa.dma_copy(self.out[row : row + TALL], t)

    def scattered(self, shift, t):
        nisa.dma_copy(self._rows(self.out, self._index(0)), t, oob_mode=nisa.oob_mode.skip)

    def added(self, row, t):
        there = self.out[row : row + TALL]
        nisa.dma_compute(there, [self._within(t, 9.0), there], nl.add)

    def put(self, t, value):
        nisa.tensor_copy(t, value)

    def negative(self, t):
        nisa.tensor_scalar(new := tile(), t, nl.multiply, -1.0)
        return new

    def swapped(self, t):
        new = tile()
        nisa.tensor_copy(new[:, 0:4], t.reshape((TALL, 2, 4))[:, 1, :])
        nisa.tensor_copy(new.reshape((TALL, 2, 4)).select(1, 1), t.slice(1, 0, 4))
        return new

    def row_sums(self, t):
        nisa.tensor_reduce(total := tile(TALL, 1), nl.add, t, axis=1)
        return self._copied(self._within(total, LIMIT).broadcast(1, WIDE))

    def as_bfloat16(self, t):
        return self._copied(self._copied(t, nl.bfloat16))

    def as_int(self, t):
        return self._copied(self._copied(t, nl.int8))

    def reshaped(self, t):
        new = tile(TALL, 2, 4)
        nisa.tensor_copy(new, t.reshape((TALL, 4, 2)).permute((0, 2, 1)))
        return new.flatten_dims(1, 2)

    def add(self, a, b):
        return self._within(self._both(nl.add, a, b), LIMIT)

    def subtract(self, a, b):
        return self._within(self._both(nl.subtract, a, b), LIMIT)

    def maximum(self, a, b):
        return self._both(nl.maximum, a, b)

    def where(self, a, b):
        new = self._copied(b)
        nisa.tensor_copy_predicated(new, a, self._both(nl.greater, a, b, nl.uint8))
        return new

    def partly(self, a, b, limit):
        nisa.memset(ones := tile(), 1.0)
        nisa.affine_select(ones, [[-1, WIDE]], -1, ones, 0.0, nl.greater_equal, offset=limit - 1)
        new = self._copied(b)
        nisa.tensor_copy_predicated(new, a, self._copied(ones, nl.uint8))
        return new


def as_kernel(source):
    """The program as a kernel of the output before, the tensor, and row indices `[8, 1]`."""
    space = {}
    exec(compile(source, "<random program>", "exec"), space)

    @nki.jit
    def kernel(out, x, rows):
        space["program"](InCurrent(x, rows, out), range)
        return out

    return kernel


def check_current(seed, source, arrays, wanted, around):
    """What is wrong with the program of this seed in the current dialect; None where nothing is.

    Args:
        arrays: two tensors, and the row indices.
        wanted: the outputs of both.
        around: what other code does to an output.
    """
    x, rows = arrays
    kernel, before = as_kernel(source), np.zeros_like(x[0])

    def forms(x, rows):
        start = jnp.zeros_like(x[0])
        plain = kernel.with_fault(start, x[0], rows)[0]
        batch = jax.vmap(lambda v: kernel.with_fault(start, v, rows)[0])(x)
        scanned = jax.lax.scan(lambda carry, v: (carry, kernel.with_fault(start, v, rows)[0]), 0, x)[1]
        return {"recorded": around(plain), "in a batch": around(batch[1]), "in a scan": around(scanned[1])}

    found = {name: np.asarray(array) for name, array in jax.jit(forms)(x, rows).items()}
    right = {name: around(jnp.asarray(wanted[name != "recorded"])) for name in found}
    found["eager"], right["eager"] = kernel.eager(before.copy(), x[0], rows), wanted[0]
    found["debug"], right["debug"] = kernel.debug(before.copy(), x[0], rows).run(), wanted[0]
    for name, array in found.items():
        if not np.array_equal(np.asarray(array, np.float32), np.asarray(right[name], np.float32)):
            return f"seed {seed}, current dialect, {name}\n{source}"
    return None
