"""Which line of the user's source is told."""

import jax
import numpy as np
import pytest

import jnki
import jnki.nki as nki

nl, nisa = nki.language, nki.isa


@nki.jit
def rows_of(x, rows):
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    index = nl.ndarray(rows.shape, dtype=rows.dtype, buffer=nl.sbuf)
    nisa.dma_copy(index, rows)
    nisa.dma_copy(out, x.vector_select(0, index))
    return out


X, ROWS = np.zeros((4, 4), np.int32), np.zeros((4, 1), np.int32)


def inside(kernel):
    def call(*args):
        return kernel(*args)  # the kernel

    return jax.jit(call)


@pytest.mark.parametrize(
    ("around", "line"),
    [(jax.jit, "call(X, ROWS)  # JAX"), (inside, "return kernel(*args)  # the kernel")],
    ids=["directly", "in a function"],
)
def test_where_jax_calls_a_kernel_it_is_the_line_that_calls_jax(around, line):
    call = around(rows_of.on_fault("nan"))
    with pytest.raises(jnki.RuleError, match=r"^fault\.policy") as caught:
        call(X, ROWS)  # JAX
    assert (caught.value.location.file, caught.value.location.text) == (__file__, line)


def test_a_kernel_has_its_own_lines_whoever_calls_it():
    @nki.jit
    def kernel(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        jax.tree.map(lambda t: nisa.dma_copy(t, x), [out])  # here
        return out

    program = kernel.trace(X)
    assert program.body[0].location.text.endswith("# here")
