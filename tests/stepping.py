"""Running kernels step by step beside what they are lowered to, and comparing the bits."""

import contextlib
from unittest import mock

import jax
import numpy as np

from jnki.kernel.kernel import Kernel
from jnki.lower.lowering import lower_program
from jnki.lower.plan import Form


def bits(tree):
    """Types, shapes and bytes of all arrays."""
    arrays = map(np.asarray, jax.tree.leaves(tree))
    return [(str(array.dtype), array.shape, array.tobytes()) for array in arrays]


def copied(tree):
    return jax.tree.map(lambda leaf: leaf.copy() if isinstance(leaf, np.ndarray) else leaf, tree)


def agrees(kernel, args, kwargs, stepped, lowered):
    """Whether results of both ways are the same bit for bit.

    A loop of matmuls that add to one tile may be lowered to one longer product, which rounds in another order: then the
    results are those of the same program, lowered loop by loop.
    """
    if bits(stepped) == bits(lowered):
        return True
    entry, arrays = kernel._entry(args, kwargs)
    flat, _ = jax.jit(lower_program(entry.program, Form.SCAN))(*arrays)
    return bits(stepped) == bits(flat[: entry.visible])


def check_both(kernel, *arrays):
    """What a kernel returns, which is the same step by step and lowered, written arrays included."""
    plain, stepped = copied(arrays), copied(arrays)
    result = kernel.eager(*stepped)
    lowered = kernel(*plain)
    assert agrees(kernel, arrays, {}, result, lowered)
    assert jax.tree.structure(result) == jax.tree.structure(lowered)
    assert [type(leaf) for leaf in jax.tree.leaves(result)] == [type(leaf) for leaf in jax.tree.leaves(lowered)]
    assert bits(stepped) == bits(plain)
    return result


@contextlib.contextmanager
def every_call_both_ways():
    """Inside, each call of a kernel with concrete arrays runs step by step too; the calls that did are in the list."""
    lowered, calls = Kernel._call, []

    def call(kernel, args, kwargs):
        leaves = jax.tree.leaves((args, kwargs))
        if any(isinstance(leaf, jax.core.Tracer) for leaf in leaves) or kernel._eager or _is_tracing():
            return lowered(kernel, args, kwargs)
        again = copied((args, kwargs))
        result, error = None, None
        try:
            result = lowered(kernel, args, kwargs)
        except Exception as raised:
            error = raised
        try:
            stepped = lowered(kernel.eager, *again)
        except Exception as raised:
            assert (type(raised), str(raised)) == (type(error), str(error))
        else:
            assert error is None and agrees(kernel, *again, stepped, result), kernel
        calls.append(kernel)
        if error is not None:
            raise error
        return result

    with mock.patch.object(Kernel, "_call", call):
        yield calls


def _is_tracing():
    return isinstance(jax.numpy.zeros(()), jax.core.Tracer)
