"""How long a tensor can be used: as long as the block that made it is open."""

import numpy as np
import pytest

from jnki.errors import RuleError
from jnki.neuronxcc import nki

nl, nisa = nki.language, nki.isa

X = np.arange(12, dtype=np.float32).reshape(4, 3)

RANGES = [nl.affine_range, nl.sequential_range, nl.static_range]


def refused(kernel, *arrays):
    with pytest.raises(RuleError) as caught:
        kernel(*arrays)
    assert caught.value.rule == "err_local_variable_used_out_of_scope"
    return caught.value


@pytest.mark.parametrize("loop", RANGES)
@pytest.mark.parametrize("trips", [1, 3])
def test_a_tile_of_a_loop_cannot_be_used_after_it(loop, trips):
    @nki.jit
    def kernel(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        for _ in loop(trips):
            tile = nl.load(x)
        nl.store(out, tile)  # here
        return out

    error = refused(kernel, X)
    name = "tile.2" if loop is nl.static_range and trips == 3 else "tile"
    assert str(error).splitlines()[:2] == [
        f"err_local_variable_used_out_of_scope: tensor '{name}' is used outside of the loop or kernel that made it",
        f"  given:   sbuf tensor '{name}' [4, 3] float32",
    ]
    assert error.location.text == "nl.store(out, tile)  # here"


@pytest.mark.parametrize("loop", RANGES)
def test_a_tile_made_before_the_loop_can(loop):
    @nki.jit
    def kernel(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        tile = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.sbuf)
        for i in loop(4):
            tile[i] = nl.load(x[i : i + 1])
        nl.store(out, tile)
        return out

    @nki.jit
    def by_columns(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        tile = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.sbuf)
        for i in loop(3):
            tile[:, i : i + 1] = nl.load(x[:, i : i + 1])
        nl.store(out, tile)
        return out

    np.testing.assert_array_equal(kernel(X), X)
    np.testing.assert_array_equal(by_columns(X), X)


@pytest.mark.parametrize(
    "use", [lambda t: t[0:1], lambda t: t.reshape((4, 3, 1)), lambda t: nl.copy(t), lambda t: t.view(nl.int32)]
)
def test_every_use_is_refused(use):
    @nki.jit
    def kernel(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        for _ in nl.affine_range(2):
            for _ in nl.affine_range(2):
                tile = nl.load(x)
            use(tile)
        nisa.dma_copy(dst=out, src=x)
        return out

    refused(kernel, X)


def test_a_view_lives_as_long_as_its_tensor():
    @nki.jit
    def kernel(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        tile = nl.load(x)
        for _ in nl.affine_range(2):
            view = tile[0:2]
        nl.store(out[0:2], view)
        nl.store(out[2:4], tile[2:4])
        return out

    np.testing.assert_array_equal(kernel(X), X)


def test_reading_a_shape_is_no_use():
    @nki.jit
    def kernel(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        for _ in nl.affine_range(2):
            tile = nl.load(x)
        assert (tile.shape, tile.dtype, tile.ndim) == ((4, 3), np.float32, 2)
        assert tile.buffer is nl.sbuf.space
        nisa.dma_copy(dst=out, src=x)
        return out

    kernel(X)


def test_a_tensor_of_one_kernel_cannot_be_used_in_another():
    kept = []

    @nki.jit
    def first(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        kept.append(nl.load(x))
        nl.store(out, kept[0])
        return out

    @nki.jit
    def second(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        nl.store(out, kept[0])
        return out

    np.testing.assert_array_equal(first(X), X)
    refused(second, X)


def test_a_function_called_by_the_kernel_can_return_its_tiles():
    def helper(x):
        tile = nl.load(x)
        return tile, tile[0:2]

    @nki.jit
    def kernel(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        tile, part = helper(x)
        nl.store(out, tile)
        nl.store(out[2:4], part)
        return out

    np.testing.assert_array_equal(kernel(X), np.concatenate([X[:2], X[:2]]))
