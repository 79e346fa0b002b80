"""Rules about parameters, outputs and calls of kernels."""

import numpy as np
import pytest

from jnki.neuronxcc import nki
from jnki.neuronxcc.nki import typing as nt
from tests.errors.refusals import X, accepted, flagged

nl, nisa = nki.language, nki.isa


def test_err_cannot_update_immutable_parameter():
    @nki.jit
    def wrong(x):
        tile = nl.load(x[0:128])
        nl.store(x[0:128], value=tile + 1)  # flagged
        return x

    @nki.jit
    def right(x: nt.mutable_tensor):
        tile = nl.load(x[0:128])
        nl.store(x[0:128], value=tile + 1)
        return x

    @nki.jit
    def copied(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        nisa.dma_copy(dst=out, src=x)
        nl.store(out[0:128], value=nl.load(out[0:128]) + 1)
        return out

    flagged(
        wrong,
        X,
        rule="err_cannot_update_immutable_parameter",
        message="dma_copy: parameter 'x' is immutable",
        given="a write to hbm tensor 'x' [256, 8] float32",
        allowed="'x: nt.mutable_tensor', or a new tensor in nl.shared_hbm",
    )
    for kernel in (right, copied):
        np.testing.assert_array_equal(accepted(kernel, X)[126:130], X[126:130] + np.array([[1], [1], [0], [0]]))


@pytest.mark.parametrize("view", [lambda x: x.view(nl.int32), lambda x: x.reshape((128, 16)), lambda x: x[0:4]])
def test_err_cannot_update_immutable_parameter_through_a_view(view):
    @nki.jit
    def wrong(x):
        nl.store(view(x)[0:4], 0)  # flagged
        return x

    with pytest.raises(Exception, match="err_cannot_update_immutable_parameter: dma_copy: parameter 'x' is immutable"):
        wrong(X)


def test_err_mutable_parameter_not_returned():
    def kernel(returns):
        @nki.jit
        def updates(x: nt.mutable_tensor):  # flagged
            out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
            nisa.dma_copy(dst=out, src=x)
            nl.store(x[0:4], 0)
            return (out, x) if returns else out

        return updates

    flagged(
        kernel(False),
        X,
        rule="err_mutable_parameter_not_returned",
        message="mutable parameter 'x' is written but not returned",
        given="out returned",
        allowed="return x as well",
    )
    out, x = accepted(kernel(True), X)
    np.testing.assert_array_equal(out, X)
    assert (x[:4] == 0).all()


def test_err_tensor_output_not_written_to():
    def kernel(rows):
        @nki.jit
        def copies(x):  # flagged
            out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
            for i in nl.affine_range(rows // 128):
                nl.store(out[nl.ds(128 * i, 128)], nl.load(x[nl.ds(128 * i, 128)]))
            return out

        return copies

    flagged(
        kernel(127),
        X,
        rule="err_tensor_output_not_written_to",
        message="output 'out' of kernel copies is never written to",
        given="hbm tensor 'out' [256, 8] float32; a loop around the store may run zero times",
        allowed="a store that runs at least once",
    )
    np.testing.assert_array_equal(accepted(kernel(256), X), X)


def test_err_tensor_output_not_written_to_without_any_output():
    @nki.jit
    def wrong(x):  # flagged
        nl.load(x[0:128])

    flagged(
        wrong,
        X,
        rule="err_tensor_output_not_written_to",
        message="kernel wrong has no output",
        given="it returns nothing",
        allowed="return a tensor in nl.shared_hbm",
    )


def test_toplevel_hbm_only():
    def kernel(in_hbm):
        @nki.jit
        def loads(x):  # flagged
            tile = nl.load(x[0:128])
            if not in_hbm:
                return tile
            out = nl.ndarray(tile.shape, dtype=x.dtype, buffer=nl.shared_hbm)
            nl.store(out, tile)
            return out

        return loads

    flagged(
        kernel(False),
        X,
        rule="toplevel.hbm_only",
        message="tensor 'tile' cannot be returned from sbuf",
        given="sbuf tensor 'tile' [128, 8] float32",
        allowed="a tensor in nl.shared_hbm, filled with nl.store or nisa.dma_copy",
    )
    accepted(kernel(True), X)


def test_err_nested_kernel_with_spmd_grid():
    @nki.jit
    def inner(x):
        return x

    @nki.jit
    def wrong(x):
        return inner[2, 2](x)  # flagged

    @nki.jit
    def right(x):
        return inner(x)

    flagged(
        wrong,
        X,
        rule="err_nested_kernel_with_spmd_grid",
        message="kernel 'inner' is called with a launch grid inside another kernel",
        given="[2, 2]",
        allowed="a call without a grid",
    )
    accepted(right, X)
    accepted(right[2], X)


def test_err_annotation_shape_mismatch():
    def kernel(columns):
        @nki.jit
        def loads(x):
            tile: nt.tensor[128, columns] = nl.load(x[0:128])  # flagged
            out = nl.ndarray(tile.shape, dtype=x.dtype, buffer=nl.shared_hbm)
            nl.store(out, tile)
            return out

        return loads

    flagged(
        kernel(4),
        X,
        rule="err_annotation_shape_mismatch",
        message="the value assigned to `tile` is not of the annotated shape",
        given="`tile` of shape [128, 8]",
        allowed="shape [128, 4]",
    )
    accepted(kernel(8), X)


@pytest.mark.parametrize("loop", [nl.affine_range, nl.sequential_range, nl.static_range])
def test_err_local_variable_used_out_of_scope(loop):
    @nki.jit
    def wrong(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        for _ in loop(1, 3):
            tile = nl.load(x[0:128], dtype=nl.float32)
        nl.store(out[0:128], tile)  # flagged
        return out

    @nki.jit
    def right(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        tile = nl.ndarray((128, 8), dtype=x.dtype, buffer=nl.sbuf)
        for _ in nl.sequential_range(1, 3):
            tile[...] = nl.load(x[0:128])
        nl.store(out[0:128], tile)
        return out

    name = "tile.1" if loop is nl.static_range else "tile"
    flagged(
        wrong,
        X,
        rule="err_local_variable_used_out_of_scope",
        message=f"tensor '{name}' is used outside of the loop or kernel that made it",
        given=f"sbuf tensor '{name}' [128, 8] float32",
        allowed="a tensor made before the loop (nl.ndarray) and assigned inside it with t[...] = value",
    )
    np.testing.assert_array_equal(accepted(right, X)[:128], X[:128])


def test_err_unexpected_output_dependencies():
    def kernel(loop, shared):
        @nki.jit
        def fills(x):
            out = nl.ndarray((4, 8, 8), dtype=x.dtype, buffer=nl.shared_hbm)
            for i in loop(4):
                nl.store(out[0 if shared else i], 0)  # flagged
            return out

        return fills

    flagged(
        kernel(nl.affine_range, True),
        X,
        rule="err_unexpected_output_dependencies",
        message="two iterations of an affine_range write one location",
        given="i0=0 and i0=1 both write tensor 'out' at [0, 0, 0]",
        allowed="an index that tells the iterations apart, or nl.sequential_range",
    )
    accepted(kernel(nl.affine_range, False), X)
    accepted(kernel(nl.sequential_range, True), X)
