"""The smallest kernel: one DMA from HBM to HBM, seen as a listing, run, and differentiated.

Run with: python -m jnki examples/copy_tensor.py
"""

import jax
import jax.numpy as jnp
import neuronxcc.nki as nki
import neuronxcc.nki.isa as nisa
import neuronxcc.nki.language as nl
import numpy as np


@nki.jit
def copy_tensor(x):
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    nisa.dma_copy(dst=out, src=x)
    return out


@nki.jit
def to_bfloat16(x):
    out = nl.ndarray(x.shape, dtype=nl.bfloat16, buffer=nl.shared_hbm)
    nisa.dma_copy(dst=out, src=x)
    return out


def main():
    x = np.random.default_rng(0).standard_normal((128, 512)).astype(np.float32)

    # What is recorded: one line per instruction, with the descriptor generation that it gets on the target.
    print(copy_tensor.trace(x))

    # NumPy in, NumPy out; JAX in, JAX out.
    assert isinstance(copy_tensor(x), np.ndarray)
    assert isinstance(copy_tensor(jnp.asarray(x)), jax.Array)
    np.testing.assert_array_equal(copy_tensor(x), x)

    # Equal types move bit for bit: this NaN keeps its payload.
    odd_nan = np.array([[0x7FC12345]], np.uint32).view(np.float32)
    assert copy_tensor(odd_nan).view(np.uint32) == 0x7FC12345

    # Different types are cast by way of float32, and the derivative passes through the cast.
    np.testing.assert_array_equal(to_bfloat16(x), x.astype(jnp.bfloat16))
    slope = jax.grad(lambda v: to_bfloat16(v).astype(jnp.float32).sum())(jnp.asarray(x))
    np.testing.assert_array_equal(slope, np.ones_like(x))
    print("copy_tensor: ok")


if __name__ == "__main__":
    main()
