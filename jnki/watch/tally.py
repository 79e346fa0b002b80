"""Where findings are counted while a program runs: one row of int32 for each place that is watched.

    [count, position, row index, iteration of each loop around it]

Count is how many elements, over all iterations; the rest tells the first one: its position in the operand, in
row-major order, and where a row was named at run time the index that named it.
"""

import jax
import jax.numpy as jnp
import numpy as np

from jnki.access.access import Access, Dim
from jnki.access.affine import Affine
from jnki.access.buffer import Buffer, Space
from jnki.dtypes import int32
from jnki.memory import Loops
from jnki.memory.loops import MAX_LOOP_DEPTH

WIDTH = 3 + MAX_LOOP_DEPTH
NAME = "(findings)"

# Sums of fewer ones are exact in float32.
_EXACT = 1 << 24
_MOST = np.iinfo(np.int32).max


def tally_buffer(sites: int) -> Buffer:
    """The tensor of all rows. No tensor of a kernel has its name."""
    return Buffer(NAME, Space.HBM, (max(sites, 1), WIDTH), int32)


def row_of(tally: Buffer, site: int) -> Access:
    return Access(tally, Affine(site * WIDTH), (Dim(WIDTH, 1), Dim(1, WIDTH)))


def saturated(one: jax.Array, other: jax.Array) -> jax.Array:
    """The sum of two counts, at most the largest int32: it never wraps."""
    return jnp.where(one > _MOST - other, _MOST, one + other)


def counted(old: jax.Array, found: jax.Array, rows: jax.Array | None, at: Loops) -> jax.Array:
    """A row of the tally after an instruction: `old`, and the elements of an operand that `found` has as true."""
    lines = found.reshape(found.shape[0] if found.ndim > 1 else 1, -1)
    width = lines.shape[1]
    # XLA's CPU code sums by a product with ones twice as fast as by a reduction of integers, and exactly below 2**24.
    if width < _EXACT:
        by_line = jnp.dot(lines.astype(jnp.float32), jnp.ones((width,), jnp.float32)).astype(jnp.int32)
    else:
        by_line = lines.sum(axis=1, dtype=jnp.int32)
    number = by_line.sum(dtype=jnp.int32)
    line = jnp.argmax(by_line > 0).astype(jnp.int32)
    position = line * width + jnp.argmax(lines[line]).astype(jnp.int32)
    row = jnp.zeros((), jnp.int32)
    if rows is not None:
        per_row = max(found.size // max(found.shape[0], 1), 1)
        row = rows[jnp.minimum(position // per_row, rows.size - 1)]
    here = jnp.concatenate([jnp.stack([number, position, row]), at.iteration()]).reshape(old.shape)
    count = old[..., :1]
    total = saturated(count, number)
    is_first = (count == 0) & (number > 0)
    return jnp.where(is_first, here, jnp.concatenate([total, old[..., 1:]], axis=-1))
