"""Matmuls and transposes in kernels: accumulation, assignment, loops, operand masks, and what they are recorded as."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jnki.neuronxcc.nki as nki
import jnki.neuronxcc.nki.isa as nisa
import jnki.neuronxcc.nki.language as nl
from jnki import RuleError


def whole_numbers(*shapes, dtype=np.float32):
    rng = np.random.default_rng(0)
    return [rng.integers(-8, 9, shape).astype(dtype) for shape in shapes]


def listing(kernel, *args):
    """The recorded instructions, without the lines of source."""
    return [line.split("#")[0].rstrip() for line in str(kernel.trace(*args)).splitlines()]


# Accumulation.


@nki.jit
def tiled(a, b):
    (k, m), (_, n) = a.shape, b.shape
    out = nl.ndarray((m, n), nl.float32, buffer=nl.shared_hbm)
    acc = nl.zeros((128, n), nl.float32, buffer=nl.psum)
    for i in nl.affine_range(k // 128):
        x = nl.load(a[nl.ds(i * 128, 128), :])
        y = nl.load(b[nl.ds(i * 128, 128), :])
        acc += nisa.nc_matmul(x, y)
    nl.store(out, acc)
    return out


def test_an_accumulation_is_one_matmul_into_the_tile():
    a, b = whole_numbers((512, 128), (512, 256))
    np.testing.assert_array_equal(tiled(a, b), a.T @ b)
    assert "    acc = nc_matmul(stationary=x, moving=y, accumulate=True)" in listing(tiled, a, b)
    assert not any("tensor_tensor" in line for line in listing(tiled, a, b))


def test_an_accumulation_in_a_loop_under_transformations():
    a, b = (jnp.asarray(x) for x in whole_numbers((2, 256, 128), (2, 256, 64)))
    wanted = np.einsum("ckm,ckn->cmn", a, b)
    np.testing.assert_array_equal(jax.vmap(tiled)(a, b), wanted)
    np.testing.assert_array_equal(jax.jit(jax.vmap(tiled))(a, b), wanted)
    slope = jax.grad(lambda a, b: (tiled(a, b) ** 2).sum())(a[0], b[0])
    np.testing.assert_array_equal(slope, 2 * b[0] @ (a[0].T @ b[0]).T)


def test_a_sum_that_nothing_has_begun_starts_from_zero():
    @nki.jit
    def kernel(a, b):
        out = nl.ndarray((4, 5), nl.float32, buffer=nl.shared_hbm)
        acc = nl.ndarray((4, 5), nl.float32, buffer=nl.psum)
        acc += nisa.nc_matmul(nl.load(a), nl.load(b))
        nl.store(out, acc)
        return out

    a, b = whole_numbers((6, 4), (6, 5))
    np.testing.assert_array_equal(kernel(a, b), a.T @ b)


@pytest.mark.parametrize("transpose_x", [True, False])
@pytest.mark.parametrize("place", ["whole", "part"])
def test_nl_matmul_accumulates_into_the_tile_too(transpose_x, place):
    @nki.jit
    def kernel(x, y):
        out = nl.ndarray((4, 5), nl.float32, buffer=nl.shared_hbm)
        acc = nl.ones((8, 10) if place == "part" else (4, 5), nl.float32, buffer=nl.psum)
        if place == "part":
            acc[2:6, 5:10] += nl.matmul(nl.load(x), nl.load(y), transpose_x=transpose_x)
            nl.store(out, acc[2:6, 5:10])
        else:
            acc += nl.matmul(nl.load(x), nl.load(y), transpose_x=transpose_x)
            nl.store(out, acc)
        return out

    x, y = whole_numbers((6, 4), (6, 5))
    np.testing.assert_array_equal(kernel(x if transpose_x else x.T, y), 1 + x.T @ y)
    lines = listing(kernel, x if transpose_x else x.T, y)
    assert sum("accumulate=True" in line for line in lines) == 1
    assert sum("= nc_transpose(" in line for line in lines) == (not transpose_x)


def test_an_accumulation_into_sbuf_is_an_addition_after_the_product():
    @nki.jit
    def kernel(a, b):
        out = nl.ndarray((4, 5), nl.float32, buffer=nl.shared_hbm)
        acc = nl.ones((4, 5), nl.float32, buffer=nl.sbuf)
        for _ in nl.sequential_range(3):
            acc += nisa.nc_matmul(nl.load(a), nl.load(b))
        nl.store(out, acc)
        return out

    a, b = whole_numbers((6, 4), (6, 5))
    np.testing.assert_array_equal(kernel(a, b), 1 + 3 * (a.T @ b))
    assert sum("tensor_tensor" in line for line in listing(kernel, a, b)) == 1


def test_other_operators_take_the_product_as_a_tile():
    @nki.jit
    def kernel(a, b):
        out = nl.ndarray((4, 5), nl.float32, buffer=nl.shared_hbm)
        acc = nl.ones((4, 5), nl.float32, buffer=nl.psum)
        acc -= nisa.nc_matmul(nl.load(a), nl.load(b))
        nl.store(out, acc + nisa.nc_matmul(nl.load(a), nl.load(b)))
        return out

    assert (kernel(*whole_numbers((6, 4), (6, 5))) == 1).all()


# Assignment.


@pytest.mark.parametrize("memory", [nl.psum, nl.sbuf], ids=str)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_an_assignment_writes_the_product_in_the_type_of_the_tile(memory, dtype):
    @nki.jit
    def kernel(a, b):
        out = nl.ndarray((2, 4, 5), dtype, buffer=nl.shared_hbm)
        tile = nl.zeros((4, 2, 5), dtype, buffer=memory)
        for i in nl.affine_range(2):
            tile[:, i, :] = nisa.nc_matmul(nl.load(a[i]), nl.load(b[i]))
        for i in nl.affine_range(2):
            nl.store(out[i], tile[:, i, :])
        return out

    a, b = whole_numbers((2, 60, 4), (2, 60, 5))
    wanted = np.einsum("ckm,ckn->cmn", a, b).astype(jnp.dtype(dtype))
    np.testing.assert_array_equal(kernel(a, b), wanted)
    copies = sum("tile" in line and "= tensor_copy(" in line.split("out")[0] for line in listing(kernel, a, b))
    assert copies >= (memory is nl.sbuf)


def test_in_psum_an_assignment_makes_no_other_tile():
    @nki.jit
    def kernel(a, b):
        out = nl.ndarray((4, 5), nl.float32, buffer=nl.shared_hbm)
        tile = nl.ndarray((4, 5), nl.float32, buffer=nl.psum)
        tile[...] = nisa.nc_matmul(nl.load(a), nl.load(b))
        nl.store(out, tile)
        return out

    a, b = whole_numbers((6, 4), (6, 5))
    np.testing.assert_array_equal(kernel(a, b), a.T @ b)
    products = [line for line in listing(kernel, a, b) if "nc_matmul(" in line]
    assert len(products) == 1 and products[0].startswith("  tile = nc_matmul(")


# Loops whose index picks a PE tile.


def test_a_position_that_depends_on_an_index_unrolls_its_loop():
    @nki.jit
    def kernel(a, b):
        out = nl.ndarray((4, 4, 5), nl.float32, buffer=nl.shared_hbm)
        for i in nl.affine_range(4):
            product = nisa.nc_matmul(
                nl.load(a[i]), nl.load(b[i]), tile_position=((i % 2) * 64, i // 2 * 64), tile_size=(64, 64)
            )
            nl.store(out[i], product)
        return out

    a, b = whole_numbers((4, 6, 4), (4, 6, 5))
    np.testing.assert_array_equal(kernel(a, b), np.einsum("ckm,ckn->cmn", a, b))
    lines = " ".join(listing(kernel, a, b))
    assert all(f"tile_position=({r}, {c}), tile_size=(64, 64)" in lines for r in (0, 64) for c in (0, 64))


# Operand masks.


@pytest.mark.parametrize("k", [256, 200, 130])
def test_a_mask_on_the_contracted_axis_of_a_ragged_tile(k):
    @nki.jit
    def kernel(a, b):
        out = nl.ndarray((4, 5), nl.float32, buffer=nl.shared_hbm)
        acc = nl.zeros((4, 5), nl.float32, buffer=nl.psum)
        i_p = nl.arange(128)[:, None]
        for i in nl.affine_range(2):
            x = nl.ndarray((128, 4), nl.float32, buffer=nl.sbuf)
            y = nl.ndarray((128, 5), nl.float32, buffer=nl.sbuf)
            inside = i * 128 + i_p < k
            x[...] = nl.load(a[i * 128 + i_p, nl.arange(4)[None, :]], mask=inside)
            y[...] = nl.load(b[i * 128 + i_p, nl.arange(5)[None, :]], mask=inside)
            acc += nisa.nc_matmul(x[inside], y)
        nl.store(out, acc)
        return out

    a, b = whole_numbers((k, 4), (k, 5))
    np.testing.assert_array_equal(kernel(a, b), a.T @ b)


@pytest.mark.parametrize("unrolled", [False, True])
def test_an_iteration_without_any_contraction_leaves_the_tile_alone(unrolled):
    @nki.jit
    def kernel(a, b, trips):
        out = nl.ndarray((4, 4, 5), nl.float32, buffer=nl.shared_hbm)
        i_p = nl.arange(4)[:, None]
        x, y = nl.load(a), nl.load(b)
        for i in (nl.static_range if unrolled else nl.affine_range)(4):
            tile = nl.zeros((4, 5), nl.float32, buffer=nl.psum)
            tile[...] = nisa.nc_matmul(x, y, mask=(i_p < trips - 2 * i) & (i_p >= i - 1))
            nl.store(out[i], tile)
        return out

    a, b = whole_numbers((4, 4), (4, 5))
    found = kernel(a, b, 5)
    for i in range(4):
        on = [p for p in range(4) if i - 1 <= p < 5 - 2 * i]
        np.testing.assert_array_equal(found[i], a[on].T @ b[on])
    assert (found[3] == 0).all()


def test_masks_on_a_stationary_and_a_moving_tile_of_equal_size():
    @nki.jit
    def kernel(a, b, rows, columns):
        out = nl.ndarray((8, 8), nl.float32, buffer=nl.shared_hbm)
        i_f = nl.arange(8)[None, :]
        tile = nl.zeros((8, 8), nl.float32, buffer=nl.psum)
        x, y = nl.load(a), nl.load(b)
        tile += nl.matmul(x[i_f < rows], y[i_f < columns][i_f >= 1], transpose_x=True)
        nl.store(out, tile)
        return out

    a, b = whole_numbers((6, 8), (6, 8))
    wanted = np.zeros((8, 8), np.float32)
    wanted[:5, 1:3] = (a.T @ b)[:5, 1:3]
    np.testing.assert_array_equal(kernel(a, b, 5, 3), wanted)


def test_masks_made_of_a_mesh_grid():
    @nki.jit
    def kernel(a, b):
        out = nl.ndarray((4, 5), nl.float32, buffer=nl.shared_hbm)
        i, j = nl.mgrid[0:6, 0:4], nl.mgrid[0:6, 0:5]
        tile = nl.zeros((4, 5), nl.float32, buffer=nl.psum)
        x, y = nl.load(a), nl.load(b)
        tile[...] = nisa.nc_matmul(x[i.p, i.x], y[j.p, j.x][j.x < 3], mask=(i.p < 5) & (i.x < 2))
        nl.store(out, tile)
        return out

    a, b = whole_numbers((6, 4), (6, 5))
    wanted = np.zeros((4, 5), np.float32)
    wanted[:2, :3] = (a[:5].T @ b[:5])[:2, :3]
    np.testing.assert_array_equal(kernel(a, b), wanted)


def test_a_mask_on_an_operand_that_is_still_to_be_transposed():
    @nki.jit
    def kernel(x, y):
        out = nl.ndarray((4, 5), nl.float32, buffer=nl.shared_hbm)
        i_m, i_k = nl.arange(4)[:, None], nl.arange(6)[None, :]
        tile = nl.zeros((4, 5), nl.float32, buffer=nl.psum)
        tile[...] = nl.matmul(nl.load(x)[(i_m < 3) & (i_k < 4)], nl.load(y))
        nl.store(out, tile)
        return out

    x, y = whole_numbers((4, 6), (6, 5))
    wanted = np.zeros((4, 5), np.float32)
    wanted[:3] = x[:3, :4] @ y[:4]
    np.testing.assert_array_equal(kernel(x, y), wanted)


@pytest.mark.parametrize("transpose_x", [True, False])
def test_a_mask_of_loop_indices_switches_the_product_off(transpose_x):
    @nki.jit
    def kernel(x, y):
        out = nl.ndarray((4, 6, 5), nl.float32, buffer=nl.shared_hbm)
        a, b = nl.load(x), nl.load(y)
        for i in nl.affine_range(4):
            acc = nl.ones((6, 5), nl.float32, buffer=nl.psum)
            acc += nl.matmul(a, b, transpose_x=transpose_x, mask=i >= 2)
            nl.store(out[i], acc)
        return out

    x, y = whole_numbers((6, 6), (6, 5))
    product = (x.T if transpose_x else x) @ y
    np.testing.assert_array_equal(kernel(x, y), np.stack([np.ones((6, 5))] * 2 + [1 + product] * 2))


def test_a_decided_mask_on_an_operand():
    @nki.jit
    def kernel(a, b, on):
        out = nl.ndarray((4, 5), nl.float32, buffer=nl.shared_hbm)
        acc = nl.ones((4, 5), nl.float32, buffer=nl.psum)
        acc += nisa.nc_matmul(nl.load(a)[on], nl.load(b))
        nl.store(out, acc)
        return out

    a, b = whole_numbers((6, 4), (6, 5))
    np.testing.assert_array_equal(kernel(a, b, True), 1 + a.T @ b)
    np.testing.assert_array_equal(kernel(a, b, False), np.ones((4, 5)))


def test_a_mask_over_axes_needs_a_transposed_operand():
    @nki.jit
    def kernel(x, y):
        nl.matmul(nl.load(x), nl.load(y), mask=nl.arange(6)[:, None] < 3)

    with pytest.raises(NotImplementedError, match=r"nl\.matmul's mask over axes without transpose_x=True"):
        kernel(*whole_numbers((6, 6), (6, 5)))


# Transposes as operands.


@pytest.mark.parametrize("size", [16, 64])
def test_a_transpose_is_an_operand_of_a_matmul_as_it_is(size):
    @nki.jit
    def kernel(x, y):
        out = nl.ndarray((size, 5), nl.float32, buffer=nl.shared_hbm)
        nl.store(out, nisa.nc_matmul(nisa.nc_transpose(nl.load(x)), nl.transpose(nl.load(y))))
        return out

    x, y = whole_numbers((size, size), (5, size))
    np.testing.assert_array_equal(kernel(x, y), x @ y.T)


def test_a_result_in_psum_is_no_operand_of_a_matmul():
    @nki.jit
    def kernel(x, y, transpose_x, first):
        product = nisa.nc_matmul(nl.load(x), nl.load(y))
        operands = (product, nl.load(y)) if first else (nl.load(y), product)
        nl.matmul(*operands, transpose_x=transpose_x)

    x, y = whole_numbers((6, 6), (6, 6))
    for transpose_x, first in ((True, True), (True, False), (False, True)):
        with pytest.raises(RuleError, match=r"nl\.matmul: tensor 'product[.\d]*' is in the wrong memory") as caught:
            kernel(x, y, transpose_x, first)
        assert caught.value.rule == "err_unsupported_memory" and caught.value.allowed == "sbuf"


@pytest.mark.parametrize("call", ["nisa.nc_matmul(tile, 1.0)", "nl.matmul(1.0, tile)", "nl.transpose(1.0)"])
def test_operands_are_tiles(call):
    @nki.jit
    def kernel(x):
        tile = nl.load(x)  # noqa: F841
        eval(call)

    with pytest.raises(RuleError, match="must be a tensor of the kernel"):
        kernel(np.ones((4, 4), np.float32))


def test_unknown_arguments_are_refused():
    @nki.jit
    def kernel(x):
        tile = nl.load(x)
        nisa.nc_matmul(tile, tile, fast=True)

    with pytest.raises(TypeError, match="unexpected keyword argument 'fast'"):
        kernel(np.ones((4, 4), np.float32))
