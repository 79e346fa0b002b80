"""Views of tensors: what NumPy's functions of the same names give, and no instruction is recorded."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jnki.errors import RuleError
from jnki.neuronxcc import nki
from jnki.program.program import instructions

nl, nisa = nki.language, nki.isa


def seen(make_view, x, on_chip=False, dtype=None):
    """The elements of a view, in HBM or of a tile, and the number of instructions that making it took."""

    @nki.jit
    def kernel(x):
        tensor = nl.load(x) if on_chip else x
        view = make_view(tensor)
        out = nl.ndarray(view.shape, dtype=view.dtype, buffer=nl.shared_hbm)
        nisa.dma_copy(dst=out, src=view)
        return out

    count = sum(1 for _ in instructions(kernel.trace(x).body)) - 1 - on_chip
    return kernel(x), count


def check(make_view, x, reference=None, on_chip=False):
    found, count = seen(make_view, x, on_chip)
    np.testing.assert_array_equal(found, (reference or make_view)(x), strict=True)
    assert count == 0


def refused(rule, make_view, x, on_chip=False):
    with pytest.raises(RuleError) as caught:
        seen(make_view, x, on_chip)
    assert caught.value.rule == rule
    return caught.value


X = np.arange(6 * 4 * 10, dtype=np.float32).reshape(6, 4, 10)


@pytest.mark.parametrize(
    "shape", [(240,), (24, 10), (6, 40), (6, 2, 2, 5, 2), (1, 6, 1, 40, 1), (12, 20), (-1, 4), (6, -1)]
)
def test_reshape_in_hbm(shape):
    check(lambda t: t.reshape(shape), X)
    check(lambda t: t.reshape(*shape), X)
    check(lambda t: t.reshape(list(shape)), X)


@pytest.mark.parametrize("shape", [(6, 40), (6, 2, 20), (6, 4, 5, 2), (6, 1, 40), (6, -1)])
def test_reshape_on_chip_keeps_the_partition_axis(shape):
    check(lambda t: t.reshape(shape), X, on_chip=True)


def test_reshapes_that_are_errors():
    error = refused("tensor.reshape", lambda t: t.reshape((7, 4)), X)
    assert (error.given, error.allowed) == ("[6, 4, 10] to [7, 4]", "equally many elements")
    error = refused("reshape.partition_kept", lambda t: t.reshape((24, 10)), X, on_chip=True)
    assert error.allowed == "a shape that keeps the partition axis of size 6"
    error = refused("tensor.reshape", lambda t: t[:, :, 0:5].reshape((6, 20)), X)
    assert error.allowed == "a reshape within contiguous axes; copy the view first"
    refused("tensor.reshape", lambda t: t.reshape((-1, 7)), X)
    refused("tensor.shape", lambda t: t.reshape((6, 40.0)), X)


@pytest.mark.parametrize(
    "make_view",
    [
        lambda t: t[:, :, 0:5].reshape((6, 2, 2, 5)),
        lambda t: t[1:5].reshape((2, 2, 40)),
        lambda t: t[:, ::2].reshape((3, 2, 2, 10)),
        lambda t: t[2].reshape((40,)),
        lambda t: t[:, 0:1].reshape((6, 10)),
        lambda t: t.reshape((6, 40))[:, 3:33:3],
        lambda t: t[0:0].reshape((0, 40)),
        lambda t: t[0:0].reshape((4, 0)),
    ],
)
def test_reshape_of_a_part(make_view):
    check(make_view, X)


@pytest.mark.parametrize("shape", [(6, 4, 10), (3, 6, 4, 10), (2, 1, 6, 4, 10)])
def test_broadcast_to_in_hbm(shape):
    check(lambda t: t.broadcast_to(shape), X, lambda x: np.broadcast_to(x, shape))
    check(lambda t: t[:, 0:1].broadcast_to((6, 7, 10)), X, lambda x: np.broadcast_to(x[:, 0:1], (6, 7, 10)))


def test_broadcast_to_on_chip():
    x = X[:1, :, :1].copy()
    check(lambda t: t.broadcast_to((5, 4, 3)), x, lambda x: np.broadcast_to(x, (5, 4, 3)), on_chip=True)
    error = refused("tensor.broadcast_to", lambda t: t.broadcast_to((6, 8, 10)), X, on_chip=True)
    assert (error.given, error.allowed) == ("[6, 4, 10] to [6, 8, 10]", "axes of size 1, by NumPy's rules")
    refused("tensor.broadcast_to", lambda t: t.broadcast_to((4, 10)), X)


@pytest.mark.parametrize("axis", [1, 2, 3, -1, -2, (1, 3), (1, 2, -1), [3]])
@pytest.mark.parametrize("on_chip", [False, True])
def test_expand_dims(axis, on_chip):
    np_axis = tuple(axis) if isinstance(axis, list) else axis
    check(lambda t: t.expand_dims(axis), X, lambda x: np.expand_dims(x, np_axis), on_chip)
    if on_chip:
        check(lambda t: nl.expand_dims(t, axis), X, lambda x: np.expand_dims(x, np_axis), on_chip)


def test_expand_dims_before_the_partition_axis():
    check(lambda t: t.expand_dims(0), X, lambda x: x[None])
    error = refused("tensor.expand_dims", lambda t: t.expand_dims(0), X, on_chip=True)
    assert (error.given, error.allowed) == ("axis 0 of [6, 4, 10]", "1 to 3")
    refused("tensor.expand_dims", lambda t: t.expand_dims(4), X)
    refused("tensor.expand_dims", lambda t: t.expand_dims((0, 2)), X, on_chip=True)


TYPES = {t: jnp.dtype(t) for t in ("float32", "int32", "uint32", "float16", "bfloat16", "int16", "uint8", "int8")}


@pytest.mark.parametrize("on_chip", [False, True])
@pytest.mark.parametrize("start", ["float32", "bfloat16", "uint8"])
def test_view_reinterprets_the_bytes(start, on_chip):
    x = np.random.default_rng(0).integers(0, 120, (3, 16), np.uint8).view(TYPES[start])

    @nki.jit
    def kernel(x):
        tensor = nl.load(x) if on_chip else x
        outs = []
        for dtype in TYPES.values():
            view = tensor.view(dtype)
            outs.append(nl.ndarray(view.shape, dtype=view.dtype, buffer=nl.shared_hbm))
            nisa.dma_copy(dst=outs[-1], src=view)
        return outs

    assert sum(1 for _ in instructions(kernel.trace(x).body)) == len(TYPES) + on_chip
    for dtype, found in zip(TYPES.values(), kernel(x)):
        assert (found.shape, found.dtype) == (x.view(dtype).shape, dtype)
        np.testing.assert_array_equal(found.view(np.uint8), x.view(dtype).view(np.uint8))


def test_a_view_of_a_view_and_of_a_part():
    x = np.arange(48, dtype=np.float32).reshape(3, 16)
    for on_chip in (False, True):
        check(lambda t: t.view(np.int32)[:, 4:8].view(np.int16)[:, 2:6], x, on_chip=on_chip)
        check(lambda t: t[:, 2:6].view(np.int16).reshape((3, 2, 4)).view(np.float32), x, on_chip=on_chip)


def test_views_of_another_width_need_contiguous_divisible_rows():
    x = np.zeros((3, 15), np.uint8)
    error = refused("view.divisible", lambda t: t.view(np.int32), x)
    assert error.given == "[3, 15] uint8, last step 1"
    refused("view.divisible", lambda t: t[:, 0:12:2].view(np.int16), x)
    refused("view.divisible", lambda t: t[:, 1:13].view(np.int32), np.zeros((3, 16), np.uint8))


def test_writing_through_a_view_writes_the_tensor():
    @nki.jit
    def kernel(x):
        out = nl.ndarray((6, 4, 10), dtype=x.dtype, buffer=nl.shared_hbm)
        tile = nl.ndarray((6, 40), dtype=x.dtype, buffer=nl.sbuf)
        tile.reshape((6, 4, 10))[...] = nl.load(x)
        tile.view(nl.int32)[:, 0:1] = 0
        nisa.dma_copy(dst=out.reshape((6, 40)), src=tile)
        nl.store(out.reshape((24, 10))[3:4, 9:10], 5)
        return out

    expected = X.copy()
    expected[:, 0, 0], expected[0, 3, 9] = 0, 5
    np.testing.assert_array_equal(kernel(X), expected)


def test_astype_is_a_copy():
    @nki.jit
    def kernel(x):
        out = nl.ndarray(x.shape, dtype=nl.int32, buffer=nl.shared_hbm)
        tile = nl.load(x)
        copied = tile.astype(nl.int32)
        tile[...] = 0
        nl.store(out, copied)
        return out, x.astype(nl.bfloat16)

    x = np.array([[1.5, -2.5, 3e9]], np.float32)
    ints, halves = kernel(x)
    np.testing.assert_array_equal(ints, [[2, -2, 2**31 - 1]])
    np.testing.assert_array_equal(halves, x.astype(jnp.bfloat16), strict=True)


def test_assert_shape_gives_the_tensor_back():
    check(lambda t: t.assert_shape((6, 4, 10)).assert_shape([6, 4, 10]), X, lambda x: x)
    error = refused("tensor.assert_shape", lambda t: t.assert_shape((6, 40)), X)
    assert (error.given, error.allowed) == ("[6, 4, 10]", "[6, 40]")


def test_what_a_tensor_knows_about_itself():
    @nki.jit
    def kernel(x):
        tile = nl.load(x, dtype=nl.bfloat16)
        assert (x.shape, x.ndim, x.size, x.itemsize, x.name, len(x)) == ((6, 4, 10), 3, 240, 4, "x", 6)
        assert x.dtype == np.float32
        assert (tile.dtype, tile.itemsize) == (nl.bfloat16, 2)
        assert repr(tile) == "tensor 'tile' [6, 4, 10] bfloat16 in sbuf"
        return x

    kernel(X)


def test_a_view_of_an_indirect_access_is_not_modelled():
    with pytest.raises(NotImplementedError, match="reshape of an access with an indirect index"):
        seen(lambda t: t[nl.load(t[0:2, 0:1]), nl.arange(3)[None, :]].reshape((6,)), np.zeros((4, 3), np.int32))


@settings(max_examples=25, deadline=None, derandomize=True, database=None)
@given(data=st.data())
def test_reshape_of_any_part_agrees_with_numpy_or_refuses(data):
    """A reshape that NumPy can give without a copy is a view here, and no other is."""
    shape = tuple(data.draw(st.lists(st.sampled_from([1, 2, 3, 4]), min_size=1, max_size=3)))
    x = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    key = tuple(slice(data.draw(st.integers(0, n - 1)), n, data.draw(st.integers(1, 2))) for n in shape)
    part = x[key]
    left, new = part.size, []
    while left > 1:
        new.append(data.draw(st.sampled_from([d for d in range(1, left + 1) if left % d == 0])))
        left //= new[-1]
    new = tuple(new) or (1,)
    without_copy = np.shares_memory(part.reshape(new), x)

    @nki.jit
    def kernel(x):
        return x[key].reshape(new)

    if without_copy:
        np.testing.assert_array_equal(kernel(x), part.reshape(new), strict=True)
    else:
        with pytest.raises(RuleError, match="reshape within contiguous axes"):
            kernel(x)


def test_what_is_not_modelled_of_views_that_may_leave_their_tensor():
    rows = nl.ds(4, 4)
    with pytest.raises(NotImplementedError, match="reshape of a view that may leave its tensor"):
        seen(lambda t: t[rows].reshape((4, 40)), X)
    with pytest.raises(NotImplementedError, match="view of a view that may leave its tensor"):
        seen(lambda t: t[rows].view(np.int16), X)


def test_a_scalar_in_hbm_has_no_axis_that_could_shrink_or_grow():
    x = np.arange(4, dtype=np.float32)
    check(lambda t: t[1].view(np.int32), x)
    error = refused("view.divisible", lambda t: t[1].view(np.int16), x)
    assert error.given == "[] float32, last step 0"
    check(lambda t: t[::2][1:2].view(np.int16), x)
