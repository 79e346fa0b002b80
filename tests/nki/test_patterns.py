"""`.ap`: patterns that leave their storage are errors where they are used, and not before."""

import numpy as np
import pytest

import jnki.nki as nki
import jnki.nki.isa as nisa
import jnki.nki.language as nl
from jnki.access.buffer import Space
from jnki.errors import RuleError
from tests.nki.kernels import tensor

X = np.arange(12, dtype=np.float32).reshape(3, 4)

OUTSIDE = {
    "behind": ([[4, 3], [1, 4]], 1),
    "in front": ([[4, 3], [1, 4]], -1),
    "too many": ([[4, 4], [1, 4]], 0),
    "into the next partition": ([[4, 2], [1, 4]], 2),
    "steps into the next partition": ([[4, 2], [3, 3]], 0),
}
each_pattern = pytest.mark.parametrize(("pattern", "offset"), OUTSIDE.values(), ids=OUTSIDE)


def copied(x, make, use=True):
    """Copies through SBUF what `make` makes of a `[3, 4]` tile, if `use`."""

    @nki.jit
    def kernel(x):
        tile, out = nl.ndarray(x.shape, x.dtype), nl.ndarray(x.shape, x.dtype, buffer=nl.shared_hbm)
        nisa.dma_copy(tile, x)
        view = make(tile)
        if use:
            nisa.tensor_scalar(view, view, nl.add, 1.0)
        nisa.dma_copy(out, tile)
        return out

    return kernel(x)


@each_pattern
def test_a_pattern_that_nobody_uses_is_no_error(pattern, offset):
    np.testing.assert_array_equal(copied(X, lambda t: t.ap(pattern, offset=offset), use=False), X)


@each_pattern
def test_one_that_an_instruction_uses_is(pattern, offset):
    with pytest.raises(nisa.NkiValidationError, match=r"ap\.bounds: the pattern leaves tensor 'tile'"):
        copied(X, lambda t: t.ap(pattern, offset=offset))


@each_pattern
def test_so_is_a_view_of_one(pattern, offset):
    view = tensor((3, 4), space=Space.SBUF).ap(pattern, offset=offset)
    for further in (
        lambda: view[:, 0:1],
        lambda: view.slice(1, 0, 1),
        lambda: view.expand_dim(1),
        lambda: view.reshape((view.shape[0], -1)),
        lambda: view.permute((0, 1)),
    ):
        with pytest.raises(RuleError, match=r"ap\.bounds"):
            further()


@each_pattern
def test_so_is_one_that_is_a_column_of_an_instruction_or_that_is_assigned(pattern, offset):
    @nki.jit
    def kernel(x, assigns):
        tile = nl.ndarray(x.shape, x.dtype)
        nisa.dma_copy(tile, x)
        outside = tile.ap(pattern, offset=offset)
        if assigns:
            outside[...] = 0.0
        else:
            nisa.tensor_tensor(outside, outside, outside, nl.add)
        return x

    for assigns in (True, False):
        with pytest.raises(nisa.NkiValidationError, match=r"ap\.bounds"):
            kernel(X, assigns)


def test_in_hbm_a_row_runs_on_into_the_next():
    @nki.jit
    def kernel(x):
        out = nl.ndarray((2, 5), x.dtype, buffer=nl.shared_hbm)
        nisa.dma_copy(out, x.ap([[5, 2], [1, 5]], offset=2))
        return out

    np.testing.assert_array_equal(kernel(X), X.ravel()[2:].reshape(2, 5))


def test_a_column_outside_is_an_error():
    @nki.jit
    def kernel(x):
        tile = nl.ndarray(x.shape, x.dtype)
        nisa.dma_copy(tile, x)
        nisa.tensor_scalar(tile, tile, nl.add, tile.ap([[4, 3], [1, 1]], offset=4))
        return x

    with pytest.raises(nisa.NkiValidationError, match="leaves tensor|out-of-bound access"):
        kernel(X)


def test_a_pattern_of_another_type_starts_at_one_of_its_elements():
    t = tensor((4, 8), "uint8")
    assert t[:, 4:].ap([[2, 4], [1, 1]], dtype="float32").offset == 1
    with pytest.raises(
        RuleError, match=r"view\.divisible: ap: the view of tensor 't' starts between two elements of float32"
    ):
        t[:, 1:].ap([[2, 4], [1, 1]], dtype="float32")
