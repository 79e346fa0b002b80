"""C5: bits are bits in every form of a move, of a loop and of a call: NaN payloads, signs of zero, subnormals."""

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
from jax import lax

from tests.lower.bit_kernels import KERNELS

# Those of one size together: what is right is what the same moves do to integers of that size.
TYPES = [(ml_dtypes.bfloat16, np.float16), (ml_dtypes.float8_e5m2, ml_dtypes.float8_e4m3), (np.float32,)]
ROWS = np.array([[3, 3, 0, 15, 2, 1, 1, 9, 8, 7, 12, 11, 5, 4, 3, 6]], np.int32).T


def patterns(dtype, seed):
    """Bits of `[16, 24]` elements: a third NaNs of any payload, a third subnormal, the rest whatever comes."""
    kind = np.dtype(dtype)
    info = ml_dtypes.finfo(dtype)
    unsigned = np.dtype(f"u{kind.itemsize}")
    rng = np.random.default_rng(seed)
    bits = rng.integers(0, 1 << 8 * kind.itemsize, (16, 24), dtype=np.uint64).astype(unsigned)
    exponent = unsigned.type(((1 << info.nexp) - 1) << info.nmant)
    bits[0::3] |= exponent
    bits[1::3] &= ~exponent
    return bits


def as_bits(array):
    return lax.bitcast_convert_type(array, jnp.dtype(f"uint{8 * array.dtype.itemsize}"))


def in_every_call(h, a, both, rows):
    """What all kernels make of the same arrays: called, mapped over a batch, and in a scan."""
    found = {}
    for kernel in KERNELS:

        def run(h, a):
            return kernel.with_fault(h, a, rows)[0]  # noqa: B023

        # As integers through the caller's loop: what JAX itself does to such floats there is not the kernel's.
        def step(carry, b):
            carry = run(lax.bitcast_convert_type(carry, h.dtype), lax.bitcast_convert_type(b, h.dtype))
            return as_bits(carry), as_bits(carry)

        found[kernel.__name__] = (
            run(h, a),
            jax.vmap(run, in_axes=(None, 0))(h, both),
            lax.scan(step, as_bits(h), as_bits(both)),
        )
    return found


@jax.jit
def in_one_call(h, a, rows):
    return {kernel.__name__: kernel.with_fault(h[kernel.__name__], a, rows)[0] for kernel in KERNELS}


def call_by_call(h, a, both, rows):
    """The same of integers, from plain calls alone: one for each element of the batch, and one after another."""
    before = {kernel.__name__: h for kernel in KERNELS}
    called, first, second = (jax.device_get(in_one_call(before, one, rows)) for one in (a, *both))
    last = jax.device_get(in_one_call(first, both[1], rows))
    return {
        name: (called[name], np.stack([first[name], second[name]]), (last[name], np.stack([first[name], last[name]])))
        for name in before
    }


@pytest.mark.parametrize("dtypes", TYPES)
def test_c05_moves_keep_every_bit(dtypes):
    run = jax.jit(in_every_call)
    for dtype in dtypes:
        unsigned = np.dtype(f"u{np.dtype(dtype).itemsize}")
        h, a = patterns(dtype, 0), patterns(dtype, 1)
        both = np.stack([a, a[::-1]])
        found = run(h.view(dtype), a.view(dtype), both.view(dtype), ROWS)
        wanted = call_by_call(h, a, both, ROWS)
        changed = []
        for name, arrays in found.items():
            for call, one, other in zip(("called", "mapped", "scanned"), arrays, wanted[name]):
                pairs = zip(jax.tree.leaves(one), jax.tree.leaves(other))
                if count := sum(int((np.asarray(x).view(unsigned) != y).sum()) for x, y in pairs):
                    changed.append((name, call, count))
        assert changed == [], dtype
