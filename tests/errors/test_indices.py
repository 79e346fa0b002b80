"""Rules about what stands between the brackets of a tensor."""

import numpy as np
import pytest

from jnki.errors import RuleError
from jnki.neuronxcc import nki
from tests.errors.refusals import ROWS, X, accepted, flagged

nl, nisa = nki.language, nki.isa


def kernel_with(body):
    @nki.jit
    def kernel(x, rows):
        out = nl.ndarray((256, 8), dtype=x.dtype, buffer=nl.shared_hbm)
        nisa.dma_copy(dst=out, src=x)
        body(out, x, rows)
        return out

    return kernel


def test_err_1d_arange_not_supported():
    def wrong(out, x, rows):
        tile = nl.load(x[0:128])
        nl.store(out[0:64, 0], tile[nl.arange(64), 0])  # flagged

    def right(out, x, rows):
        tile = nl.load(x[0:128])
        nl.store(out[0:64, 1], tile[nl.arange(64)[:, None], 0])
        nl.store(out[64:128, 1], tile[0:64, 0])

    flagged(
        kernel_with(wrong),
        X,
        ROWS,
        rule="err_1d_arange_not_supported",
        message="tensor 'tile' in sbuf is indexed with a rank-1 nl.arange",
        given="an index of shape [64]",
        allowed="indices of rank 2 or more, such as nl.arange(n)[:, None]",
    )
    out = accepted(kernel_with(right), X, ROWS)
    np.testing.assert_array_equal(out[:128, 1], np.tile(X[:64, 0], 2))


def test_err_1d_arange_not_supported_by_iota():
    flagged(
        kernel_with(lambda out, x, rows: nisa.iota(nl.arange(8), nl.int32)),  # flagged
        X,
        ROWS,
        rule="err_1d_arange_not_supported",
        message="iota: a tile has a partition axis and a free axis",
        given="index [8] 0 + 1*d0",
        allowed="an expression of rank 2 or more, such as nl.arange(n)[:, None]",
        line="# flagged",
    )
    accepted(kernel_with(lambda out, x, rows: nisa.iota(nl.arange(8)[None, :], nl.int32)), X, ROWS)


def test_err_cannot_assign_to_index():
    def wrong(out, x, rows):
        _, f = nl.mgrid[0:1, 0:8]
        f[0, 5] = 1024  # flagged

    def wrong_mask(out, x, rows):
        mask = nl.arange(8)[None, :] < 4
        mask[0, 5] = True  # flagged

    def right(out, x, rows):
        _, f = nl.mgrid[0:1, 0:8]
        tile = nisa.iota(f, dtype=nl.float32)
        tile[0, 5] = 1024
        nl.store(out[0:1], tile)

    allowed = "nisa.iota(expression, dtype) turns an index into a tile that can be assigned to"
    flagged(
        kernel_with(wrong),
        X,
        ROWS,
        rule="err_cannot_assign_to_index",
        message="an index does not support item assignment",
        given="index [1, 8] 0 + 1*d1",
        allowed=allowed,
    )
    flagged(
        kernel_with(wrong_mask),
        X,
        ROWS,
        rule="err_cannot_assign_to_index",
        message="a mask does not support item assignment",
        given="",
        allowed=allowed,
    )
    np.testing.assert_array_equal(accepted(kernel_with(right), X, ROWS)[0], [0, 1, 2, 3, 4, 1024, 6, 7])


def test_err_unsupported_mixing_basic_advanced_tensor_indexing():
    def wrong(out, x, rows):
        p = nl.arange(64)[:, None]
        nl.store(out[0:64], nl.load(x[p, :]))  # flagged

    def right(out, x, rows):
        p, f = nl.arange(64)[:, None], nl.arange(8)[None, :]
        nl.store(out[0:64], nl.load(x[p, f]))
        nl.store(out[0:64], nl.load(x[0:64, :]))
        nl.store(out[0:64, 0:1], nl.load(x[p, 3]))

    flagged(
        kernel_with(wrong),
        X,
        ROWS,
        rule="err_unsupported_mixing_basic_advanced_tensor_indexing",
        message="slices and index tensors cannot be mixed in one subscript",
        given="index [64, 1] 0 + 1*d0, :",
        allowed="only slices and integers, or only index tensors, tiles and integers",
    )
    accepted(kernel_with(right), X, ROWS)


def test_err_tensor_access_out_of_bound():
    def wrong(out, x, rows):
        for i in nl.affine_range(3):
            tile = nl.mgrid[0:100, 0:8]
            nl.store(out[100 * i + tile.p, tile.x], value=0)  # flagged

    def right(out, x, rows):
        for i in nl.affine_range(3):
            tile = nl.mgrid[0:100, 0:8]
            nl.store(out[100 * i + tile.p, tile.x], value=0, mask=100 * i + tile.p < 256)

    flagged(
        kernel_with(wrong),
        X,
        ROWS,
        rule="err_tensor_access_out_of_bound",
        message="out-of-bound access of tensor 'out' (dma_copy's dst) on axis 0",
        given="index range [0, 299]",
        allowed="[0, 255], the axis has size 256",
    )
    assert (accepted(kernel_with(right), X, ROWS) == 0).all()


@pytest.mark.parametrize(
    "access, axis, given, size",
    [
        (lambda x: x[250:257], 0, "[250, 256]", 256),
        (lambda x: x[0:4, 8:9], 1, "[8, 8]", 8),
        (lambda x: x[nl.ds(-1, 4)], 0, "[-1, 2]", 256),
        (lambda x: x[nl.ds(0, 2), nl.ds(7, 2)], 1, "[7, 8]", 8),
        (lambda x: x[nl.arange(4)[:, None] - 1, nl.arange(8)[None, :]], 0, "[-1, 2]", 256),
        (lambda x: x[nl.arange(4)[:, None], 2 * nl.arange(8)[None, :]], 1, "[0, 14]", 8),
    ],
)
def test_err_tensor_access_out_of_bound_in_every_spelling(access, axis, given, size):
    def wrong(out, x, rows):
        nl.load(access(x))  # flagged

    flagged(
        kernel_with(wrong),
        X,
        ROWS,
        rule="err_tensor_access_out_of_bound",
        message=f"out-of-bound access of tensor 'x' (dma_copy's src) on axis {axis}",
        given=f"index range {given}",
        allowed=f"[0, {size - 1}], the axis has size {size}",
    )


def test_err_tensor_access_out_of_bound_under_a_mask_that_lets_too_much_through():
    def store(limit):
        def body(out, x, rows):
            for i in nl.affine_range(3):
                row, f = 100 * i + nl.arange(100)[:, None], nl.arange(8)[None, :]
                nl.store(out[row, f], value=0, mask=row < limit)  # flagged

        return kernel_with(body)

    flagged(
        store(258),
        X,
        ROWS,
        rule="err_tensor_access_out_of_bound",
        message="out-of-bound access of tensor 'out' (dma_copy's dst) on axis 0",
        given="index range [0, 257] under the mask -1*d0 + -100*i0 + 257 >= 0",
        allowed="[0, 255], the axis has size 256",
    )
    accepted(store(256), X, ROWS)
    accepted(store(100), X, ROWS)


def test_err_tensor_access_out_of_bound_on_chip():
    def wrong(out, x, rows):
        tile = nl.load(x[0:128])
        nl.store(out[0:128, 0:4], tile[:, 5:9])  # flagged

    flagged(
        kernel_with(wrong),
        X,
        ROWS,
        rule="err_tensor_access_out_of_bound",
        message="out-of-bound access of tensor 'tile' (dma_copy's src) on axis 1",
        given="index range [5, 8]",
        allowed="[0, 7], the axis has size 8",
    )
    accepted(kernel_with(lambda out, x, rows: nl.store(out[0:128, 0:4], nl.load(x[0:128])[:, 4:8])), X, ROWS)


def test_err_tensor_access_out_of_bound_at_run_time_is_an_index_error():
    def body(out, x, rows):
        f = nl.arange(8)[None, :]
        nl.store(out[0:32], nl.load(x[nl.load(rows), f]))

    accepted(kernel_with(body), X, ROWS)
    with pytest.raises(IndexError, match="index 2048 is out of bounds for axis 0 with size 2048"):
        kernel_with(body)(X, ROWS + np.int32(256))


def test_err_indirect_indices_free_dim():
    def on_the_free_axis(out, x, rows):
        index = nl.load(rows)
        nl.load(x[nl.arange(32)[:, None], index])  # flagged

    def by_mgrid(out, x, rows):
        index = nl.load(rows)
        p, f = nl.mgrid[0:32, 0:8]
        nl.load(x[index[p, 0], f])  # flagged

    def by_arange(out, x, rows):
        index = nl.load(rows)
        p, f = nl.arange(32)[:, None], nl.arange(8)[None, :]
        nl.store(out[0:32], nl.load(x[index[p, 0], f]))

    for wrong, axis, shape in ((on_the_free_axis, 1, [32, 1]), (by_mgrid, 0, [32, 8])):
        flagged(
            kernel_with(wrong),
            X,
            ROWS,
            rule="err_indirect_indices_free_dim",
            message="the indirect index of tensor 'x' must give one row per partition",
            given=f"a tile on axis {axis} of [256, 8], index shape {shape}",
            allowed="an index of shape [P, 1] on a leading axis (built with nl.arange, not with nl.mgrid), or one "
            "element",
        )
    np.testing.assert_array_equal(accepted(kernel_with(by_arange), X, ROWS)[:32], X[ROWS[:, 0]])


def test_an_indirect_index_is_an_integer_tile_in_sbuf():
    def from_hbm(out, x, rows):
        nl.load(x[rows, nl.arange(8)[None, :]])  # flagged

    def of_floats(out, x, rows):
        nl.load(x[nl.load(rows, dtype=nl.float32), nl.arange(8)[None, :]])  # flagged

    flagged(
        kernel_with(from_hbm),
        X,
        ROWS,
        rule="err_indirect_indices_memory",
        message="an indirect index must be loaded into SBUF first",
        given="hbm tensor 'rows' [32, 1] int32",
        allowed="a tile in sbuf",
    )
    flagged(
        kernel_with(of_floats),
        X,
        ROWS,
        rule="err_indirect_indices_dtype",
        message="tile 'tile' cannot be an indirect index",
        given="float32",
        allowed="int32 or uint32",
    )

    def of_unsigned(out, x, rows):
        nl.store(out[0:32], nl.load(x[nl.load(rows, dtype=nl.uint32), nl.arange(8)[None, :]]))

    np.testing.assert_array_equal(accepted(kernel_with(of_unsigned), X, ROWS)[:32], X[ROWS[:, 0]])


def test_err_indirect_indices_are_not_supported_with_nki_api():
    def wrong(out, x, rows):
        index = nl.load(rows)
        tile = nl.load(x[0:32])
        nisa.tensor_copy(tile[index, nl.arange(8)[None, :]])  # flagged

    def right(out, x, rows):
        nl.store(out[0:32], nisa.tensor_copy(nl.load(x[nl.load(rows), nl.arange(8)[None, :]])))

    error = flagged(
        kernel_with(wrong),
        X,
        ROWS,
        rule="err_indirect_indices_are_not_supported_with_nki_api",
        message="tensor_copy: 'src' cannot have an indirect index",
        given="tile(0 + 8*row(index): [0,32] [1,8])",
        allowed="static indices; nisa.dma_copy gathers and scatters",
    )
    assert error.location.function == "wrong"
    accepted(kernel_with(right), X, ROWS)


def test_err_indirect_indices_are_not_supported_on_chip_by_a_dma():
    def wrong(out, x, rows):
        index = nl.load(rows)
        tile = nl.load(x[0:128])
        nisa.dma_copy(dst=out[0:32], src=tile[index, nl.arange(8)[None, :]])  # flagged

    flagged(
        kernel_with(wrong),
        X,
        ROWS,
        rule="err_indirect_indices_are_not_supported_with_nki_api",
        message="dma_copy: 'src' has an indirect index on chip",
        given="sbuf tensor 'tile' [128, 8] float32",
        allowed="an indirect index on a tensor in hbm",
    )


def test_err_copy_dynamic_indirect_indices_not_natively_supported():
    def wrong(out, x, rows):
        index = nl.load(rows[0:1])
        tile = nl.load(x[0:128])
        picked = nl.ndarray((1, 8), dtype=x.dtype, buffer=nl.sbuf)
        picked[...] = tile[index, nl.arange(8)[None, :]]  # flagged

    def right(out, x, rows):
        picked = nl.ndarray((1, 8), dtype=x.dtype, buffer=nl.sbuf)
        picked[...] = nl.load(x[nl.load(rows[1:2]), nl.arange(8)[None, :]])
        nl.store(out[0:1], picked)

    flagged(
        kernel_with(wrong),
        X,
        ROWS,
        rule="err_copy_dynamic_indirect_indices_not_natively_supported",
        message="assignment cannot copy through an index that is known only at run time (source)",
        given="tile(0 + 8*at(index): [0,1] [1,8])",
        allowed="nisa.dma_copy or nl.load and nl.store for HBM, nisa.tensor_copy_dynamic_src on chip",
    )
    np.testing.assert_array_equal(accepted(kernel_with(right), X, ROWS)[0], X[2])


@pytest.mark.parametrize(
    "rule, body",
    [
        ("index.rank", lambda out, x, rows: nl.load(x[0, 0, 0])),
        ("index.rank", lambda out, x, rows: nl.load(x[..., 0, ...])),
        ("index.broadcast", lambda out, x, rows: nl.load(x[nl.arange(3)[:, None], nl.arange(4)[:, None]])),
        ("slice.bounds", lambda out, x, rows: nl.load(x[8:0:-1])),
        ("ap.one_dynamic", lambda out, x, rows: nl.load(x[nl.load(rows), nl.load(rows)])),
        ("index.rank2_onchip", lambda out, x, rows: nisa.memset((8,), 0, nl.float32)),
        ("index.rank2_onchip", lambda out, x, rows: nl.ndarray((128,), nl.float32)),
        ("index.rank2_onchip", lambda out, x, rows: nl.zeros((4, nl.par_dim(128)), nl.float32)),
        ("err_unsupported_expression_in_index", lambda out, x, rows: nl.load(x[nl.arange(4)[:, None] % 2, 0])),
    ],
)
def test_other_rules_of_indexing(rule, body):
    with pytest.raises(RuleError) as caught:
        kernel_with(body)(X, ROWS)
    assert caught.value.rule == rule
    assert caught.value.given
    assert caught.value.allowed
    assert caught.value.location.file == __file__
