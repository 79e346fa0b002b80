"""Registers and loops on the device in the current dialect."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jnki.nki as nki
from jnki.nki import isa as nisa
from jnki.nki import language as nl

X = np.random.default_rng(0).integers(-9, 9, (6, 8)).astype(np.float32)


def count(n):
    return np.array([[n]], np.int32)


def loaded(n):
    tile = nl.ndarray((1, 1), dtype=nl.int32, buffer=nl.sbuf)
    nisa.dma_copy(dst=tile, src=n)
    register = nisa.register_alloc()
    nisa.register_load(register, tile)
    return register


@nki.jit
def rows_doubled(x, n):
    """The first `n` rows twice as large, by each way to write the loop and the place."""
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    nisa.dma_copy(dst=out, src=x)
    upper = loaded(n)

    def body(i):
        row = nl.ndarray((1, 8), dtype=x.dtype, buffer=nl.sbuf)
        nisa.dma_copy(dst=row, src=x.ap([[8, 1], [1, 8]], scalar_offset=i, indirect_dim=0))
        for half in range(2):
            part = row[:, half * 4 : half * 4 + 4]
            nisa.tensor_scalar(dst=part, data=part, op0=nl.multiply, operand0=2.0)
        nisa.dma_copy(dst=out.ap([[8, 1], [1, 8]], scalar_offset=i, indirect_dim=0), src=row)

    nl.fori_loop(0, upper, body)
    return out


@nki.jit
def columns_doubled(x, n):
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    tile = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.sbuf)
    nisa.dma_copy(dst=tile, src=x)
    for i in nl.dynamic_range(loaded(n)):
        column = tile[:, nl.ds(i, 1)]
        nisa.tensor_tensor(dst=column, data1=column, data2=tile.select(1, i).expand_dim(1), op=nl.add)
    nisa.dma_copy(dst=out, src=tile)
    return out


@nki.jit
def halved(x, n):
    """Halves `x`, as often as `n` says, in a `while`."""
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    tile = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.sbuf)
    left = nl.ndarray((1, 1), dtype=nl.int32, buffer=nl.sbuf)
    nisa.dma_copy(dst=tile, src=x)
    register = loaded(n)
    while register:
        nisa.tensor_scalar(dst=tile, data=tile, op0=nl.multiply, operand0=0.5)
        nisa.register_store(left, register)
        nisa.tensor_scalar(dst=left, data=left, op0=nl.add, operand0=-1)
        nisa.register_load(register, left)
    nisa.dma_copy(dst=out, src=tile)
    return out


@nki.jit
def powers(x, n):
    """`x @ x @ ...`, with a PSUM tile made in the body: the first matmul into it overwrites in each iteration."""
    out = nl.ndarray((8, 8), dtype=x.dtype, buffer=nl.shared_hbm)
    factor, product = (nl.ndarray((8, 8), dtype=x.dtype, buffer=nl.sbuf) for _ in range(2))
    nisa.dma_copy(dst=factor, src=x)
    nisa.dma_copy(dst=product, src=x)
    left = nl.ndarray((1, 1), dtype=nl.int32, buffer=nl.sbuf)
    nisa.dma_copy(dst=left, src=n)
    first = nisa.register_alloc()
    nisa.register_load(first, left)

    def body(r):
        result = nl.ndarray((8, 8), dtype=nl.float32, buffer=nl.psum)
        nisa.nc_matmul(result, factor, product)
        nisa.tensor_copy(dst=product, src=result)
        nisa.tensor_scalar(dst=left, data=left, op0=nl.subtract, operand0=1)
        nisa.register_load(r, left)
        return r

    nl.while_loop(first, body)
    nisa.dma_copy(dst=out, src=product)
    return out


def by_rows(x, n):
    y = x.copy()
    y[:n] *= 2
    return y


def by_columns(x, n):
    y = x.copy()
    y[:, :n] *= 2
    return y


CASES = {
    "fori_loop": (rows_doubled, by_rows, 6),
    "dynamic_range": (columns_doubled, by_columns, 8),
    "while": (halved, lambda x, n: x * np.float32(0.5**n), 8),
}


@pytest.mark.parametrize("name", CASES)
def test_alone_in_a_batch_and_backwards(name):
    kernel, wanted, most = CASES[name]
    for n in (0, 1, most):
        np.testing.assert_array_equal(kernel(X, count(n)), wanted(X, n))
    numbers = (2, 0, most, 1)
    batch = jax.jit(jax.vmap(kernel, (None, 0)))(X, np.stack([count(n) for n in numbers]))
    np.testing.assert_array_equal(batch, np.stack([wanted(X, n) for n in numbers]))
    grad = jax.grad(lambda x: (kernel.max_trips(most)(x, jnp.asarray(count(3))) * X).sum())(X)
    np.testing.assert_array_equal(grad, wanted(np.ones_like(X), 3) * X)


def test_a_product_of_unknown_length():
    x = np.random.default_rng(1).normal(size=(8, 8)).astype(np.float32) / 2
    for n in (0, 1, 4):
        found = powers(x, count(n))
        wanted = x.copy()
        for _ in range(n):
            wanted = x.T @ wanted
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("nested", [False, True])
def test_a_first_matmul_into_what_is_outside_is_not_modelled(nested):
    """It would overwrite in the first iteration, and add in the others."""

    @nki.jit
    def kernel(x, n):
        out = nl.ndarray((8, 8), dtype=x.dtype, buffer=nl.shared_hbm)
        tile = nl.ndarray((8, 8), dtype=x.dtype, buffer=nl.sbuf)
        nisa.dma_copy(dst=tile, src=x)
        upper = loaded(n)

        def body(i):
            result = nl.ndarray((8, 8), dtype=nl.float32, buffer=nl.psum)
            if nested:
                nl.fori_loop(0, upper, lambda j: nisa.nc_matmul(result, tile, tile) and None)
            else:
                nisa.nc_matmul(result, tile, tile)
            nisa.tensor_copy(dst=tile, src=result)

        nl.fori_loop(0, upper, body)
        nisa.dma_copy(dst=out, src=tile)
        return out

    x = np.eye(8, dtype=np.float32)
    if nested:
        with pytest.raises(NotImplementedError, match="a matmul without accumulate= in a loop on the device"):
            kernel(x, count(1))
    else:
        np.testing.assert_array_equal(kernel(x, count(3)), x)


def test_errors_are_those_of_the_dialect():
    @nki.jit
    def frozen(x, n):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        nisa.dma_copy(dst=out, src=x)
        for i in nl.dynamic_range(loaded(n)):
            nisa.register_move(i, 0)
        return out

    @nki.jit
    def in_order(x, n):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        nisa.dma_copy(dst=out, src=x)
        with nl.no_reorder():
            nl.fori_loop(0, loaded(n), lambda i: None)
        return out

    @nki.jit
    def conditional(x, n):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        if loaded(n):
            nisa.dma_copy(dst=out, src=x)
        return out

    for kernel, rule in ((frozen, "register.frozen"), (in_order, "device_loop.no_reorder")):
        with pytest.raises(AssertionError) as caught:
            kernel(X, count(1))
        assert caught.value.rule == rule
    with pytest.raises(TypeError, match="has no value while its kernel is recorded"):
        conditional(X, count(1))


def test_no_reorder_inside_of_a_body():
    @nki.jit
    def kernel(x, n):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        for _ in nl.dynamic_range(loaded(n)):
            with nl.no_reorder():
                nisa.dma_copy(dst=out, src=x)
        return out

    np.testing.assert_array_equal(kernel(X, count(2)), X)
