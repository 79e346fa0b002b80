"""Tensors of up to nine axes, blocks in front of the partition axis, and mesh grids of seven, as kernels use them."""

import numpy as np

from jnki.neuronxcc import nki

nl = nki.language


def test_nine_axes_written_by_a_helper():
    """Six block axes; the helper function changes the tensor that it is given."""

    def put(tensor, x, *index):
        tensor[index] = nl.load(x[index]) * 2

    @nki.jit
    def kernel(x):
        out = nl.ndarray(x.shape, x.dtype, buffer=nl.shared_hbm)
        held = nl.ndarray((2, 1, 2, 1, 3, 1, nl.par_dim(4), 3, 2), x.dtype, buffer=nl.sbuf)
        for a in nl.affine_range(2):
            for b in nl.affine_range(2):
                for c in nl.affine_range(3):
                    put(held, x, a, 0, b, 0, c, 0)
        for a in nl.affine_range(2):
            for b in nl.affine_range(2):
                for c in nl.affine_range(3):
                    nl.store(out[a, 0, b, 0, c, 0], held[a, 0, b, 0, c, 0])
        return out

    x = np.random.default_rng(0).normal(size=(2, 1, 2, 1, 3, 1, 4, 3, 2)).astype(np.float32)
    np.testing.assert_array_equal(kernel(x), 2 * x)


def test_a_mesh_grid_of_seven_axes():
    @nki.jit
    def kernel(x):
        out = nl.ndarray(x.shape, x.dtype, buffer=nl.shared_hbm)
        grid = nl.mgrid[0:4, 0:2, 0:1, 0:2, 0:3, 0:1, 0:2]
        tile = nl.zeros(x.shape, x.dtype)
        tile[grid] = nl.load(x[grid])
        p, *_, last = grid
        nl.store(out[grid], nl.add(tile, 1), mask=p + last < 4)
        return out

    x = np.random.default_rng(1).normal(size=(4, 2, 1, 2, 3, 1, 2)).astype(np.float32)
    on = np.add.outer(np.arange(4), np.arange(2)).reshape(4, 1, 1, 1, 1, 1, 2) < 4
    np.testing.assert_array_equal(kernel(x), np.where(on, x + 1, np.nan))


def test_a_lazily_initialised_tensor_of_blocks_is_zero():
    @nki.jit
    def kernel(x):
        out = nl.ndarray((2, 4, 5), nl.float32, buffer=nl.shared_hbm)
        for make in (lambda s, **k: nl.ndarray(s, nl.float32, **k), lambda s, **k: nl.zeros(s, nl.float32, **k)):
            total = make((2, nl.par_dim(4), 5), buffer=nl.psum, lazy_initialization=True)
            for i in nl.affine_range(2):
                total[i] += nl.matmul(nl.load(x[:, 0:4]), nl.load(x), transpose_x=True)
                nl.store(out[i], total[i])
        return out

    x = np.random.default_rng(2).normal(size=(3, 5)).astype(np.float32)
    np.testing.assert_allclose(kernel(x), np.broadcast_to(x[:, :4].T @ x, (2, 4, 5)), rtol=1e-5, atol=1e-6)
