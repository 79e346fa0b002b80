"""Views as operands of instructions, with indices of recorded loops: what NumPy computes of the same views."""

import jax
import numpy as np
import pytest

from jnki.errors import RuleError
from jnki.neuronxcc import nki

nl, nisa = nki.language, nki.isa

P, H, D = 4, 3, 8
X = np.random.default_rng(0).normal(size=(P, H * D)).astype(np.float32)
LOOPS = [nl.affine_range, nl.static_range]


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


# Each names head `h` of a tile `[P, H * D]`, as a tile `[P, D]`.
HEADS = [
    lambda t, h: t.reshape((P, H, D))[:, h, :],
    lambda t, h: t.reshape((P, H, D))[:, h],
    lambda t, h: t.reshape((P, H, D))[:, nl.ds(h, 1), :].reshape((P, D)),
    lambda t, h: t.reshape((P, H, D))[:, h : h + 1].reshape((P, D)),
    lambda t, h: t[:, None, :][:, 0, nl.ds(h * D, D)],
    lambda t, h: t.expand_dims(1).reshape((P, 1, H, D))[:, 0, h],
    lambda t, h: t.reshape((P, H, D))[nl.arange(P)[:, None], h, nl.arange(D)[None, :]],
    lambda t, h: t.reshape((P, H, 2, D // 2))[:, h].reshape((P, D)),
    lambda t, h: t.reshape((1, nl.par_dim(P), H, D))[0, :, h],
    lambda t, h: t.reshape((P, H, 1, D)).broadcast_to((P, H, 5, D))[:, h, 2],
    lambda t, h: t.view(nl.int32).reshape((P, H, D))[:, h, :].view(nl.float32),
]


@pytest.mark.parametrize("loop", LOOPS)
def test_a_softmax_over_each_head(loop):
    @nki.jit
    def kernel(x):
        out = nl.ndarray((len(HEADS), H, P, D), dtype=x.dtype, buffer=nl.shared_hbm)
        t = nl.load(x)
        for h in loop(H):
            for number, head in enumerate(HEADS):
                part = head(t, h)
                assert part.shape == (P, D)
                shifted = nl.subtract(part, nl.max(part, axis=1, keepdims=True))
                e = nisa.activation(np.exp, shifted)
                total = nisa.tensor_reduce(np.add, e, axis=1, keepdims=True)
                nl.store(out[number, h], nl.multiply(e, nl.reciprocal(total)))
        return out

    batch = np.stack([X, -2 * X])
    wanted = softmax(batch.reshape(2, P, H, D)).transpose(0, 2, 1, 3)
    for found in jax.vmap(kernel)(batch).swapaxes(0, 1):
        np.testing.assert_allclose(found, wanted, rtol=1e-5)
    for found in kernel(X):
        np.testing.assert_allclose(found, wanted[0], rtol=1e-5)


@pytest.mark.parametrize("loop", LOOPS)
def test_heads_in_products_transposes_copies_and_sums(loop):
    """Destinations are views too, of tiles and of HBM tensors."""

    @nki.jit
    def kernel(x):
        products = nl.ndarray((D, H * D), dtype=x.dtype, buffer=nl.shared_hbm)
        turned = nl.ndarray((H * D, P), dtype=x.dtype, buffer=nl.shared_hbm)
        copied = nl.ndarray((P * H, D), dtype=x.dtype, buffer=nl.shared_hbm)
        sums = nl.ndarray((P, H * D), dtype=x.dtype, buffer=nl.shared_hbm)
        t = nl.load(x)
        heads = t.reshape((P, H, D))
        doubled = nl.ndarray((P, H * D), dtype=x.dtype, buffer=nl.sbuf)
        for h in loop(H):
            nl.store(products.reshape((D, H, D))[:, h, :], nisa.nc_matmul(heads[:, h, :], heads[:, 0, :]))
            nl.store(turned.reshape((H, D, P))[h], nisa.nc_transpose(heads[:, h]))
            nisa.dma_copy(dst=copied.reshape((P, H, D))[:, h, :], src=heads[:, h, :])
            part = doubled.reshape((P, H, 1, D))[:, h, 0, :]
            part[...] = nisa.tensor_tensor(heads[:, h, :], t[:, nl.ds(h * D, D)], op=np.add)
            part += heads[:, H - 1 - h, :]
        nl.store(sums, doubled)
        return products, turned, copied, sums

    heads = X.reshape(P, H, D)
    products, turned, copied, sums = kernel(X)
    wanted = np.einsum("phd,pe->dhe", heads, heads[:, 0]).reshape(D, H * D)
    np.testing.assert_allclose(products, wanted, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(turned, heads.transpose(1, 2, 0).reshape(H * D, P))
    np.testing.assert_array_equal(copied, X.reshape(P * H, D))
    np.testing.assert_allclose(sums, (2 * heads + heads[:, ::-1]).reshape(P, H * D), rtol=1e-6)


@pytest.mark.parametrize("loop", LOOPS)
def test_blocks_of_reshaped_tensors_with_block_axes(loop):
    """`[4, par 4, 2, 6]` under other shapes: every way to name one block gives a tile."""
    blocks = {
        "y[m]": lambda z, m: z.reshape((4, nl.par_dim(P), 12))[m],
        "unmarked": lambda z, m: z.reshape((4, P, 12))[m, :, :],
        "split": lambda z, m: z.reshape((2, 2, nl.par_dim(P), 12))[m // 2, m % 2] if isinstance(m, int) else z[m],
        "joined": lambda z, m: z.reshape((2, 2, nl.par_dim(P), 12)).reshape((4, nl.par_dim(P), 3, 4))[m],
        "new axes": lambda z, m: z[None, :, :, None][0, m, :, 0],
        "part": lambda z, m: z[m][:, 0:2, 0:6],
        "index tensors": lambda z, m: z[m, *nl.mgrid[0:P, 0:2, 0:6]],
        "repeated": lambda z, m: z.broadcast_to((3, 4, nl.par_dim(P), 2, 6))[1, m],
        "bits": lambda z, m: z.view(nl.int16).reshape((4, nl.par_dim(P), 24))[m].view(nl.float32),
        "steps": lambda z, m: z[0:4:1][m, 0:P:1],
    }

    @nki.jit
    def kernel(x):
        out = nl.ndarray((len(blocks), 4, P, 12), dtype=x.dtype, buffer=nl.shared_hbm)
        z = nl.ndarray((4, nl.par_dim(P), 2, 6), dtype=x.dtype, buffer=nl.sbuf)
        for m in nl.affine_range(4):
            z[m] = nl.load(x[m])
        for m in loop(4):
            for number, block in enumerate(blocks.values()):
                tile = block(z, m)
                assert tile.shape[0] == P and tile.size == P * 12
                nl.store(out[number, m], nl.negative(tile))
        return out

    x = np.random.default_rng(1).normal(size=(4, P, 2, 6)).astype(np.float32)
    for name, found in zip(blocks, kernel(x)):
        np.testing.assert_array_equal(found, -x.reshape(4, P, 12), err_msg=name)


def test_an_index_leaves_an_axis_of_the_view():
    rule = "err_tensor_access_out_of_bound"
    for view, axis, low, high, size in (
        (lambda z, t: t.reshape((P, H, D))[:, H], 1, H, H, H),
        (lambda z, t: t.reshape((P, H, D))[:, 1, 4:9], 2, 4, 8, D),
        (lambda z, t: t[:, None, :].broadcast_to((P, 2, 24))[:, nl.ds(1, 2)], 1, 1, 2, 2),
        (lambda z, t: z.reshape((2, 2, nl.par_dim(P), 12))[1, 2], 1, 2, 2, 2),
        (lambda z, t: t[0:5][0:4], None, 0, 0, 0),
        (lambda z, t: t[0:5][1:5], 0, 1, 4, P),
        (lambda z, t: t[:, 20:28].expand_dims(1).broadcast_to((P, 2, 8))[:, 1, 2:5], 1, 22, 24, 24),
    ):
        if axis is None:
            accepted(view)
            continue
        error = refused(rule, view)
        assert f"on axis {axis}" in str(error)
        assert (error.given, error.allowed) == (
            f"index range [{low}, {high}]",
            f"[0, {size - 1}], the axis has size {size}",
        )


def accepted(view):
    @nki.jit
    def kernel(x):
        z = nl.zeros((4, nl.par_dim(P), 2, 6), dtype=x.dtype, buffer=nl.sbuf)
        nl.exp(view(z, nl.load(x)))
        return x

    kernel.trace(X)


def refused(rule, view):
    with pytest.raises(RuleError) as caught:
        accepted(view)
    assert caught.value.rule == rule, caught.value
    return caught.value


def test_reshapes_that_would_move_partitions():
    kept = "reshape.partition_kept"
    error = refused(kept, lambda z, t: z.reshape((16, 2, 6)))
    assert (error.given, error.allowed) == (
        "[4, 4, 2, 6] to [16, 2, 6]",
        "a shape that keeps the partition axis of size 4, with 4 blocks in front of it",
    )
    error = refused(kept, lambda z, t: z.reshape((nl.par_dim(4), 4, 12)))
    assert error.given == "[4, 4, 2, 6] to [par_dim(4), 4, 12]"
    error = refused(kept, lambda z, t: t.reshape((2, nl.par_dim(2), 24)))
    assert error.allowed == "a shape that keeps the partition axis of size 4, with 1 block in front of it"
    error = refused("par_dim", lambda z, t: z.reshape((nl.par_dim(4), nl.par_dim(4), 12)))
    assert error.allowed == "one nl.par_dim"
    error = refused("index.rank2_onchip", lambda z, t: t[:, 0:1].reshape((P,)))
    assert (error.given, error.allowed) == ("[4, 1] to [4]", "rank 2 or more, such as [P, 1]")
    error = refused("tensor.broadcast_to", lambda z, t: t.broadcast_to((nl.par_dim(3), P, 24)))
    assert error.allowed == "axes of size 1, by NumPy's rules, with the partition axis on axis 1"
    error = refused("tensor.expand_dims", lambda z, t: z.expand_dims(1))
    assert (error.given, error.allowed) == ("axis 1 of [4, 4, 2, 6]", "2 to 4")
    refused("tensor.expand_dims", lambda z, t: t.expand_dims((2, 2)))


def test_views_that_are_no_tiles_are_refused_by_instructions():
    rule = "err_failed_to_infer_tile_from_local_tensor"
    error = refused(rule, lambda z, t: z.reshape((4, P, 12)))
    assert error.given == "[4, 4, 12] of sbuf tensor 'z' [4, 4, 2, 6] float32, whose partition axis is 1"
    rows, columns = nl.arange(P)[:, None], nl.arange(P)[None, :]
    for view in (
        lambda z, t: z[0:1].reshape((1, P, 12)),
        lambda z, t: t[None],
        lambda z, t: t.broadcast_to((2, P, 24)),
        lambda z, t: t[columns, rows],
        lambda z, t: t[0, rows + 0 * columns],
        lambda z, t: t[rows, rows + columns],
        lambda z, t: z[rows, rows, 0, columns],
        lambda z, t: z[rows, 3, 0, columns],
    ):
        assert refused(rule, view).allowed == "an index on every block axis, such as t[i], so that [P, F...] remains"


def test_what_one_partition_holds_repeats_over_a_tile_of_any_rank():
    @nki.jit
    def kernel(x):
        out = nl.ndarray((3, P, 24), dtype=x.dtype, buffer=nl.shared_hbm)
        row = nl.load(x[0:1])
        repeated = row.broadcast_to((3, P, 24))
        assert (repeated[1].shape, row.broadcast_to((3, nl.par_dim(P), 24))[1].shape) == ((1, P, 24), (P, 24))
        nl.store(out, nl.copy(repeated))
        return out

    np.testing.assert_array_equal(kernel(X), np.broadcast_to(X[0], (3, P, 24)))


def test_rows_by_index_of_views_in_hbm():
    """The indexed axis is an axis of the view: of a part, of a reshaped tensor, in front of others and between them."""
    rows = np.array([[5], [0], [3], [5]], np.int32)

    @nki.jit
    def kernel(table, rows):
        out = nl.ndarray((5, 4, 2), dtype=table.dtype, buffer=nl.shared_hbm)
        index = nl.load(rows)
        p, f = nl.arange(4)[:, None], nl.arange(2)[None, :]
        nl.store(out[0], nl.load(table.reshape((6, 4, 2))[index[p, 0], 3, f]))
        nl.store(out[1], nl.load(table.reshape((2, 12, 2))[1][index, f]))
        nl.store(out[2], nl.load(table.reshape((4, 6, 2))[p, index[p, 0], f]))
        nl.store(out[3], nl.load(table[12:48].reshape((6, 6))[:, 2:4][index, f]))
        nl.store(out[4], nl.load(table.expand_dims(1).broadcast_to((48, 3, 1))[0:24].reshape((8, 3, 3))[index, 2, f]))
        return out

    table = np.arange(48, dtype=np.int32).reshape(48, 1)
    flat, r, p, f = table.reshape(-1), rows[:, :1], np.arange(4)[:, None], np.arange(2)[None, :]
    wanted = [
        flat.reshape(6, 4, 2)[r, 3, f],
        flat.reshape(2, 12, 2)[1][r, f],
        flat.reshape(4, 6, 2)[p, r, f],
        flat[12:].reshape(6, 6)[:, 2:4][r, f],
        np.broadcast_to(table[:24, None], (24, 3, 1)).reshape(8, 3, 3)[r, 2, f],
    ]
    np.testing.assert_array_equal(kernel(table, rows), wanted)
    with pytest.raises(IndexError):
        kernel(table, np.array([[5], [0], [6], [5]], np.int32))


@pytest.mark.parametrize("loop", LOOPS)
def test_parts_of_views_that_only_a_mask_keeps_inside(loop):
    """Rows 4, 5, ... of ten in chunks of four: what leaves the tensor is masked off, or found in every view."""

    def kernel_with(limit):
        @nki.jit
        def kernel(x):
            out = nl.ndarray((3, 10, 6), dtype=x.dtype, buffer=nl.shared_hbm)
            nisa.dma_copy(dst=out, src=x.expand_dims(0).broadcast_to((3, 10, 6)))
            p, f = nl.arange(4)[:, None], nl.arange(2)[None, :]
            for i in loop(3):
                rows = nl.ds(4 * i, 4)
                inside = 4 * i + p < limit
                source, target = x.reshape((10, 3, 2)), out.reshape((3, 10, 3, 2))
                nl.store(target[0, rows][p, 1, f], -nl.load(source[rows][p, 1, f], mask=inside), mask=inside)
                nl.store(target[1][rows][:, 1], -nl.load(source[:, 1][rows], mask=inside), mask=inside)
                wide = source[rows, 1].expand_dims(1).broadcast_to((4, 2, 2))[:, 1]
                nl.store(target[2, rows, 1, :], -nl.load(wide, mask=inside), mask=inside)
            return out

        return kernel

    x = np.random.default_rng(0).normal(size=(10, 6)).astype(np.float32)
    wanted = x.reshape(10, 3, 2).copy()
    wanted[:, 1] *= -1
    for found in kernel_with(10)(x):
        np.testing.assert_array_equal(found, wanted.reshape(10, 6))
    with pytest.raises(RuleError, match="err_tensor_access_out_of_bound") as caught:
        kernel_with(11)(x)
    assert ", 10] under the mask" in caught.value.given
    assert caught.value.allowed == "[0, 9], the axis has size 10"
