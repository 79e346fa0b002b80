"""Static access patterns: slices with a step, index tensors, and a layout change by one DMA.

Run with: python -m jnki examples/strided_access.py
"""

import jax.numpy as jnp
import neuronxcc.nki as nki
import neuronxcc.nki.isa as nisa
import neuronxcc.nki.language as nl
import numpy as np

import jnki
from jnki import hbm


@nki.jit
def deinterleave(x):
    """Even columns first, odd columns after them."""
    rows, columns = x.shape
    out = nl.ndarray((rows, columns), dtype=x.dtype, buffer=nl.shared_hbm)
    half = columns // 2
    nisa.dma_copy(dst=out[:, :half], src=x[:, 0:columns:2])
    nisa.dma_copy(dst=out[:, half:], src=x[:, 1:columns:2])
    return out


@nki.jit
def reverse_rows(x):
    """The same rows from the last to the first: an index may run backwards."""
    rows, columns = x.shape
    out = nl.ndarray((rows, columns), dtype=x.dtype, buffer=nl.shared_hbm)
    i_p = nl.arange(rows)[:, None]
    i_f = nl.arange(columns)[None, :]
    nisa.dma_copy(dst=out, src=x[rows - 1 - i_p, i_f])
    return out


@nki.jit
def beyond_the_end(x):
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    i_p = nl.arange(x.shape[0])[:, None]
    i_f = nl.arange(x.shape[1])[None, :]
    nisa.dma_copy(dst=out, src=x[i_p + 1, i_f])
    return out


def main():
    x = np.arange(64 * 32, dtype=np.float32).reshape(64, 32)

    print(deinterleave.trace(x))
    np.testing.assert_array_equal(deinterleave(x), np.hstack([x[:, ::2], x[:, 1::2]]))
    np.testing.assert_array_equal(reverse_rows(x), x[::-1])

    # A static index that leaves its tensor is an error while the kernel is recorded, whatever the values are.
    try:
        beyond_the_end(x)
        raise AssertionError("an access beyond the end was accepted")
    except jnki.RuleError as error:
        assert error.rule == "err_tensor_access_out_of_bound"
        assert error.given == "index range [1, 64]"
        print(error)

    # The functional interface also takes the hardware's own form, pairs of [step, count]: here a transpose.
    memory = jnki.DeviceMemory.of(hbm={"x": x, "y": jnp.zeros((32, 64), jnp.float32)})
    memory = jnki.dma_copy(memory, dst=hbm("y"), src=hbm("x").ap([[1, 32], [32, 64]]))
    np.testing.assert_array_equal(memory.hbm["y"], x.T)
    print("strided_access: ok")


if __name__ == "__main__":
    main()
