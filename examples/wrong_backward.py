"""A hand-written backward kernel that forgets tokens which share a row, and what `check_backward` says of it.

Run with: python -m jnki examples/wrong_backward.py
"""

import jax.numpy as jnp
import neuronxcc.nki as nki
import neuronxcc.nki.isa as nisa
import neuronxcc.nki.language as nl
import numpy as np
from neuronxcc.nki.typing import mutable_tensor

from jnki import testing


@nki.jit
def embed(table, ids):
    out = nl.ndarray((ids.shape[0], table.shape[1]), dtype=table.dtype, buffer=nl.shared_hbm)
    index = nl.load(ids)
    i_p = nl.arange(ids.shape[0])[:, None]
    i_f = nl.arange(table.shape[1])[None, :]
    nisa.dma_copy(dst=out, src=table[index[i_p, 0], i_f])
    return out


@nki.jit
def overwriting(out_grad, ids, table_grad: mutable_tensor):
    """Wrong: of two tokens that share a row, the last one's gradient is all that the row gets."""
    index = nl.load(ids)
    i_p = nl.arange(ids.shape[0])[:, None]
    i_f = nl.arange(table_grad.shape[1])[None, :]
    nisa.dma_copy(dst=table_grad[index[i_p, 0], i_f], src=nl.load(out_grad))
    return table_grad


@nki.jit
def adding(out_grad, ids, table_grad: mutable_tensor):
    index = nl.load(ids)
    i_p = nl.arange(ids.shape[0])[:, None]
    i_f = nl.arange(table_grad.shape[1])[None, :]
    nisa.dma_copy(dst=table_grad[index[i_p, 0], i_f], src=nl.load(out_grad), dst_rmw_op=np.add)
    return table_grad


def main():
    domains = testing.floats((6, 4)), testing.rows((8, 1), size=6)

    def fits(kernel):
        """`check_backward` gives the arguments of the forward kernel, its output, and a cotangent."""

        def backward(table, ids, out, out_grad):
            return kernel(out_grad, ids, jnp.zeros_like(table))

        return backward

    try:
        testing.check_backward(embed, fits(overwriting), *domains, cases=8)
    except testing.BackwardFailure as failure:
        print(failure)
        assert "differs from jax.vjp of the forward function" in str(failure)
    else:
        raise AssertionError("the wrong kernel passed")

    found = testing.check_backward(embed, fits(adding), *domains, cases=8)
    print(f"adding: within {found.ulps[0]} ulps of the derivative; all of the Jacobian compared: {found.jacobian}")
    assert found.jacobian
    print("wrong_backward: ok")


if __name__ == "__main__":
    main()
