"""A kernel means the same whatever JAX code stands around it in one jitted program.

XLA's CPU compiler can let an update in place read its own output (openxla/xla issue 49176): alone every kernel here is
right, and a reshape behind it made most elements wrong.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jnki.neuronxcc import nki
from jnki.neuronxcc.nki.typing import mutable_tensor
from tests.lower.bit_kernels import KERNELS as MOVES

nl, nisa = nki.language, nki.isa

SHAPE = (16, 24)
ROWS = np.array([[3, 3, 0, 15, 2, 1, 1, 9, 8, 7, 12, 11, 5, 4, 3, 6]], np.int32).T


def down_in_hbm(h: mutable_tensor):
    nisa.dma_copy(dst=h[1:16], src=h[0:15])
    return h


def up_in_hbm(h: mutable_tensor):
    nisa.dma_copy(dst=h[0:15], src=h[1:16])
    return h


def right_in_sbuf(h: mutable_tensor):
    t = nl.add(nl.load(h), 1)
    t[:, 1:24] = nl.copy(t[:, 0:23])
    nl.store(h, t)
    return h


def by_way_of_a_tile(h: mutable_tensor):
    t = nl.load(h[0:12])
    nl.store(h[2:14], nl.multiply(t, 2.0))
    return h


def in_place_arithmetic(h: mutable_tensor):
    t = nl.multiply(nl.load(h), 1.0)
    t[:, 4:20] = nl.add(t[:, 0:16], t[:, 8:24])
    nl.store(h, t)
    return h


def added_to_itself(h: mutable_tensor):
    nisa.dma_copy(dst=h[2:16], src=h[0:14], dst_rmw_op=np.add)
    return h


def every_second_column(h: mutable_tensor):
    nisa.dma_copy(dst=h[:, 1:24:2], src=h[:, 0:24:2])
    return h


def transposed_in_place(h: mutable_tensor):
    p, f = nl.arange(16)[:, None], nl.arange(16)[None, :]
    nisa.dma_copy(dst=h[p, 4 + f], src=h[f + 0 * p, p])
    return h


def masked_shift(h: mutable_tensor):
    p, f = nl.arange(15)[:, None], nl.arange(24)[None, :]
    nisa.dma_copy(dst=h[p + 1, f], src=h[p, f], mask=p + f < 30)
    return h


def rows_scattered_within(h: mutable_tensor):
    p, f = nl.arange(15)[:, None], nl.arange(24)[None, :]
    index = nisa.iota(p + 1, dtype=nl.int32)
    nisa.dma_copy(dst=h[index[p, 0], f], src=h[p, f])
    return h


def rows_gathered_within(h: mutable_tensor):
    p, f = nl.arange(15)[:, None], nl.arange(24)[None, :]
    index = nisa.iota(p + 0, dtype=nl.int32)
    nisa.dma_copy(dst=h[p + 1, f], src=h[index[p, 0], f])
    return h


def step_by_step(h: mutable_tensor):
    for i in nl.sequential_range(14):
        nisa.dma_copy(dst=h[i + 1 : i + 3], src=h[i : i + 2])
    return h


def twice(h: mutable_tensor):
    nisa.dma_copy(dst=h[1:16], src=h[0:15])
    nisa.dma_copy(dst=h[:, 2:24], src=h[:, 0:22])
    return h


def in_numpy(kernel, h):
    """What the kernel does to a copy of `h`, all reads before all writes."""
    h = h.copy()
    match kernel.__name__:
        case "down_in_hbm" | "rows_scattered_within" | "rows_gathered_within":
            h[1:16] = h[0:15].copy()
        case "up_in_hbm":
            h[0:15] = h[1:16].copy()
        case "right_in_sbuf":
            h += 1
            h[:, 1:24] = h[:, 0:23].copy()
        case "by_way_of_a_tile":
            h[2:14] = 2 * h[0:12]
        case "in_place_arithmetic":
            h[:, 4:20] = h[:, 0:16] + h[:, 8:24]
        case "added_to_itself":
            h[2:16] = h[2:16] + h[0:14]
        case "every_second_column":
            h[:, 1:24:2] = h[:, 0:24:2].copy()
        case "transposed_in_place":
            h[:, 4:20] = h[:, 0:16].copy().T
        case "masked_shift":
            p, f = np.mgrid[0:15, 0:24]
            h[1:16] = np.where(p + f < 30, h[0:15].copy(), h[1:16])
        case "step_by_step":
            for i in range(14):
                h[i + 1 : i + 3] = h[i : i + 2].copy()
        case "twice":
            h[1:16] = h[0:15].copy()
            h[:, 2:24] = h[:, 0:22].copy()
    return h


IN_ONE_BUFFER = [
    nki.jit(kernel)
    for kernel in (
        *(down_in_hbm, up_in_hbm, right_in_sbuf, by_way_of_a_tile, in_place_arithmetic, added_to_itself),
        *(every_second_column, transposed_in_place, masked_shift, step_by_step, twice),
        *(rows_scattered_within, rows_gathered_within),
    )
]


@nki.jit
def doubled(x):
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    nl.store(out, nl.multiply(nl.load(x), 2.0))
    return out


AROUND = {
    "alone": lambda f: f,
    "new axis": lambda f: lambda *a: f(*a)[None],
    "reshape": lambda f: lambda *a: f(*a).reshape(2, 8, 24),
    "transpose": lambda f: lambda *a: f(*a).T,
    "squeeze": lambda f: lambda *a: jnp.squeeze(f(*a)[None, :, None], (0, 2)),
    "slice": lambda f: lambda *a: f(*a)[3:9, 5:],
    "cast": lambda f: lambda *a: f(*a).astype(jnp.float16),
    "concatenation": lambda f: lambda *a: jnp.concatenate([f(*a), f(*a)]),
    "before and behind": lambda f: lambda h, *a: (f((h.T + 0).T, *a) * 1)[None],
    "a second kernel": lambda f: lambda *a: doubled(f(*a)),
}


@pytest.mark.parametrize("name", [*AROUND, "a batch", "a scan"])
def test_what_stands_around_a_kernel_changes_nothing(name):
    rng = np.random.default_rng(0)
    # Arrays of its own for each kernel: computations of the same arrays would be shared.
    inputs = [rng.integers(-99, 99, SHAPE).astype(np.float32) for _ in IN_ONE_BUFFER]
    others = [tuple(rng.integers(-99, 99, SHAPE).astype(np.float32) for _ in range(2)) for _ in MOVES]

    def run(inputs, others, around):
        found = [around(kernel)(h) for kernel, h in zip(IN_ONE_BUFFER, inputs)]
        return found + [
            around(lambda h, a, k=kernel: k.with_fault(h, a, ROWS)[0])(h, a) for kernel, (h, a) in zip(MOVES, others)
        ]

    wanted = alone(inputs, others)
    if name == "a batch":
        around = lambda f: jax.vmap(lambda *a: f(*a)[None])  # noqa: E731
        more = jax.tree.map(lambda x: x + 1, (inputs, others))
        batched = jax.tree.map(lambda *pair: np.stack(pair), (inputs, others), more)
        found = jax.jit(lambda *a: run(*a, around))(*batched)
        expected = [np.stack([one, two])[:, None] for one, two in zip(wanted, alone(*more))]
    elif name == "a scan":
        around = lambda f: lambda h, *a: lax.scan(lambda c, _: (f(h, *a)[None], c), h[None] * 0, None, 2)[0]  # noqa: E731
        found = jax.jit(lambda *a: run(*a, around))(inputs, others)
        expected = [w[None] for w in wanted]
    else:
        found = jax.jit(lambda *a: run(*a, AROUND[name]))(inputs, others)
        expected = [AROUND[name](lambda w=w: w)() if name != "before and behind" else w[None] for w in wanted]
    for kernel, one, other in zip([*IN_ONE_BUFFER, *MOVES], found, expected, strict=True):
        np.testing.assert_array_equal(one, other, err_msg=kernel.__name__)


def alone(inputs, others):
    """What NumPy gives, and for the moves, which tests of bits compare with integers, each in a program of its own."""
    of_moves = [np.asarray(kernel.with_fault(h, a, ROWS)[0]) for kernel, (h, a) in zip(MOVES, others)]
    return [in_numpy(kernel, h) for kernel, h in zip(IN_ONE_BUFFER, inputs)] + of_moves
