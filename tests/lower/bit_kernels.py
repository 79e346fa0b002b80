"""Kernels that only move elements, in every form that lowering has for a move and for a loop."""

from jnki.neuronxcc import nki
from jnki.neuronxcc.nki.typing import mutable_tensor

nl, nisa = nki.language, nki.isa

KERNELS = []


def moves(function):
    """A kernel of `a` and `h`, `[16, 24]`, and row indices `[16, 1]`: it returns `h` changed, and moves bits."""
    KERNELS.append(nki.jit(function))
    return function


@moves
def whole(h: mutable_tensor, a, rows):
    nl.store(h, nl.load(a))
    return h


@moves
def part(h: mutable_tensor, a, rows):
    nisa.dma_copy(dst=h[2:7, 3:9], src=a[1:6, 10:16])
    return h


@moves
def every_second_column(h: mutable_tensor, a, rows):
    nisa.dma_copy(dst=h[:, 1:24:2], src=a[:, 0:24:2])
    return h


@moves
def transposed(h: mutable_tensor, a, rows):
    p, f = nl.arange(16)[:, None], nl.arange(16)[None, :]
    nisa.dma_copy(dst=h[p, f], src=a[15 - f + 0 * p, p + 8])
    return h


@moves
def repeated(h: mutable_tensor, a, rows):
    p, f = nl.arange(16)[:, None], nl.arange(24)[None, :]
    nisa.dma_copy(dst=h, src=a[p, 5 + 0 * f])
    return h


@moves
def elements(h: mutable_tensor, a, rows):
    p, f = nl.arange(4)[:, None], nl.arange(4)[None, :]
    nisa.dma_copy(dst=h[p, p + 5 * f], src=a[p + f, 3 * p + f])
    return h


@moves
def gathered(h: mutable_tensor, a, rows):
    index = nl.load(rows)
    nisa.dma_copy(dst=h, src=a[index[nl.arange(16)[:, None], 0], nl.arange(24)[None, :]])
    return h


@moves
def gathered_with_skips(h: mutable_tensor, a, rows):
    index = nl.load(rows)
    p, f = nl.arange(16)[:, None], nl.arange(20)[None, :]
    nisa.dma_copy(dst=h[:, 1:21], src=a[index[p, 0], f], oob_mode=nisa.oob_mode.skip)
    return h


@moves
def scattered(h: mutable_tensor, a, rows):
    index = nl.load(rows)
    p, f = nl.arange(16)[:, None], nl.arange(24)[None, :]
    nisa.dma_copy(dst=h[index[p, 0], f], src=a, oob_mode=nisa.oob_mode.skip)
    return h


@moves
def masked(h: mutable_tensor, a, rows):
    p, f = nl.arange(16)[:, None], nl.arange(24)[None, :]
    nl.store(h[p, f], nl.load(a[p, f], mask=p + f < 30), mask=(p + f < 30) & (f > 2))
    return h


@moves
def tiles_in_a_loop(h: mutable_tensor, a, rows):
    for i in nl.affine_range(4):
        nl.store(h[4 * i : 4 * i + 4], nl.load(a[4 * i : 4 * i + 4]))
    return h


@moves
def tiles_in_a_loop_that_stays_a_loop(h: mutable_tensor, a, rows):
    for i in nl.sequential_range(4):
        nl.store(h[4 * i : 4 * i + 4], nl.load(a[12 - 4 * i : 16 - 4 * i]))
    return h


@moves
def carried(h: mutable_tensor, a, rows):
    for i in nl.sequential_range(4):
        nisa.dma_copy(dst=h[i : i + 1, 0:7], src=a[i : i + 1, 0:7])
        nisa.dma_copy(dst=h[i + 1 : i + 2, 0:7], src=a[i : i + 1, 2:9])
    return h


@moves
def carried_columns(h: mutable_tensor, a, rows):
    for i in nl.sequential_range(5):
        nisa.dma_copy(dst=h[:, i : i + 9 : 2], src=a[:, i : i + 5])
    return h


@moves
def carried_on_chip(h: mutable_tensor, a, rows):
    t = nl.load(a)
    for i in nl.sequential_range(5):
        t[:, i + 1 : i + 4] = nl.copy(t[:, 2 * i : 2 * i + 3])
    nl.store(h, t)
    return h


@moves
def made_anew(h: mutable_tensor, a, rows):
    t = nl.ndarray((4, 24), dtype=a.dtype)
    for i in nl.sequential_range(4):
        t[...] = nl.load(a[4 * i : 4 * i + 4])
        nl.store(h[4 * i : 4 * i + 4], t)
    nl.store(h[0:4], t)
    return h


@moves
def gathered_in_a_loop(h: mutable_tensor, a, rows):
    index = nl.load(rows)
    p, f = nl.arange(16)[:, None], nl.arange(6)[None, :]
    for i in nl.sequential_range(4):
        nisa.dma_copy(dst=h[:, 6 * i : 6 * i + 6], src=a[index[p, 0], 6 * i + f])
    return h


@moves
def scattered_in_a_loop(h: mutable_tensor, a, rows):
    index = nl.load(rows)
    p, f = nl.arange(16)[:, None], nl.arange(6)[None, :]
    for i in nl.sequential_range(3):
        nisa.dma_copy(dst=h[index[p, 0], 5 * i + f], src=a[p, 6 * i + f], oob_mode=nisa.oob_mode.skip)
    return h


@moves
def nested(h: mutable_tensor, a, rows):
    for i in nl.affine_range(4):
        t = nl.ndarray((4, 24), dtype=a.dtype)
        for j in nl.sequential_range(3):
            t[:, 8 * j : 8 * j + 8] = nl.load(a[4 * i : 4 * i + 4, 16 - 8 * j : 24 - 8 * j])
        nl.store(h[4 * i : 4 * i + 4], t)
    return h


@moves
def ragged(h: mutable_tensor, a, rows):
    p, f = nl.arange(5)[:, None], nl.arange(24)[None, :]
    for i in nl.affine_range(4):
        nl.store(h[5 * i + p, f], nl.load(a[5 * i + p, f], mask=5 * i + p < 16), mask=5 * i + p < 16)
    return h


@moves
def tiles_of_its_own_type(h: mutable_tensor, a, rows):
    t = nisa.tensor_copy(nl.load(a), mask=nl.arange(24)[None, :] + nl.arange(16)[:, None] < 33)
    u = nl.ndarray((16, 24), dtype=a.dtype)
    u[...] = nl.load(h)
    u[2:16, :] = nl.copy(t[2:16])
    nl.store(h[:, 3:5], u[:, 3:5])
    return h


@moves
def transposed_on_chip(h: mutable_tensor, a, rows):
    nl.store(h[:, 0:16], nl.copy(nisa.nc_transpose(nl.load(a[:, 0:16]))))
    return h


@moves
def chosen(h: mutable_tensor, a, rows):
    t = nl.load(a)
    nl.store(h, nl.where(nl.equal(nl.load(rows).broadcast_to((16, 24)), 3), t, nl.load(h)))
    return h


@moves
def seen_as_another_type(h: mutable_tensor, a, rows):
    t = nl.load(a)
    u = nl.ndarray((16, 24), dtype=a.dtype)
    u.view(nl.uint8)[...] = t.view(nl.uint8)
    nl.store(h[:, 4:24], u[:, 4:24])
    return h
