"""Views by dimension, against NumPy's own strided views of the same storage: generated chains, and each rule."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jnki.access.buffer import Space
from jnki.errors import RuleError
from tests.nki.kernels import addresses, tensor


def storage(shape):
    return np.arange(np.prod(shape)).reshape(shape)


def without_copy(array, shape):
    """NumPy's reshape; None where it would have to copy."""
    view = array.view()
    try:
        view.shape = shape
    except AttributeError:
        return None
    return view


class Chain:
    """One view, as jnki has it and as NumPy has it."""

    def __init__(self, shape, space):
        self.view, self.array, self.on_chip = tensor(shape, space=space), storage(shape), space.on_chip

    def step(self, draw):
        """One more view of both."""
        rank, shape = self.array.ndim, self.array.shape
        dim = draw(st.integers(1 if self.on_chip else 0, rank - 1))
        size = shape[dim]
        match draw(st.sampled_from(("slice", "select", "permute", "expand", "broadcast", "split", "merge", "index"))):
            case "slice":
                start = draw(st.integers(0, size - 1))
                end, step = draw(st.integers(start + 1, size)), draw(st.integers(1, 3))
                self.view = self.view.slice(dim, start, end, step)
                self.array = self.array[(slice(None),) * dim + (slice(start, end, step),)]
            case "select" if rank > 2:
                at = draw(st.integers(0, size - 1))
                self.view, self.array = self.view.select(dim, at), self.array.take(at, axis=dim)
            case "permute":
                order = draw(st.permutations(range(1, rank) if self.on_chip else range(rank)))
                order = [0, *order] if self.on_chip else list(order)
                self.view, self.array = self.view.permute(order), self.array.transpose(order)
            case "expand" if rank < 5:
                self.view, self.array = self.view.expand_dim(dim), np.expand_dims(self.array, dim)
            case "broadcast" if size == 1:
                to = (*shape[:dim], 3, *shape[dim + 1 :])
                self.view, self.array = self.view.broadcast(dim, 3), np.broadcast_to(self.array, to)
            case "split" if rank < 5 and size > 1:
                first = draw(st.sampled_from([n for n in range(1, size + 1) if size % n == 0]))
                sizes = (first, -1) if draw(st.booleans()) else (first, size // first)
                self.view = self.view.reshape_dim(dim, sizes)
                self.array = self.array.reshape(*shape[:dim], first, size // first, *shape[dim + 1 :])
            case "merge" if dim + 1 < rank:
                to = (*shape[:dim], size * shape[dim + 1], *shape[dim + 2 :])
                merged = without_copy(self.strided(), to)
                if merged is None:
                    with pytest.raises(RuleError, match=r"view\.contiguous"):
                        self.view.flatten_dims(dim, dim + 1)
                else:
                    self.view, self.array = self.view.flatten_dims(dim, dim + 1), merged
            case "index":
                at, key = draw(st.integers(-size, size - 1)), [slice(None)] * rank
                key[dim] = at
                self.view, self.array = self.view[tuple(key)], self.indexed(dim, at)

    def indexed(self, dim, at):
        """What `t[..., at, ...]` is: the last free axis stays where nothing else would."""
        keeps = self.array.ndim == (2 if self.on_chip else 1)
        taken = self.array.take(at, axis=dim)
        return np.expand_dims(taken, dim) if keeps else taken

    def strided(self):
        """The array as NumPy's own view of the storage, with the steps that it really has."""
        flat = np.arange(10_000)
        steps = [
            8 * int(np.diff(self.array.take([0, 1], axis=axis), axis=axis).flat[0]) if size > 1 else 8
            for axis, size in enumerate(self.array.shape)
        ]
        return np.lib.stride_tricks.as_strided(flat[self.array.flat[0] :], self.array.shape, steps)


@settings(max_examples=400, deadline=None)
@given(data=st.data(), space=st.sampled_from((Space.HBM, Space.SBUF)))
def test_a_chain_of_views_names_the_elements_that_numpy_does(data, space):
    shape = data.draw(st.lists(st.integers(1, 6), min_size=2, max_size=4))
    chain = Chain(tuple(shape), space)
    for _ in range(data.draw(st.integers(1, 6))):
        chain.step(data.draw)
        assert chain.view.shape == chain.array.shape
        np.testing.assert_array_equal(addresses(chain.view), chain.array)


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_a_reshape_is_numpys_or_an_error(data):
    shape = tuple(data.draw(st.lists(st.integers(1, 6), min_size=2, max_size=4)))
    chain = Chain(shape, Space.HBM)
    for _ in range(2):
        chain.step(data.draw)
    size = chain.array.size
    first = data.draw(st.sampled_from([n for n in range(1, size + 1) if size % n == 0]))
    to = (first, size // first)
    found = without_copy(chain.strided(), to)
    if found is None:
        with pytest.raises(RuleError, match=r"view\.contiguous"):
            chain.view.reshape(to)
    else:
        np.testing.assert_array_equal(addresses(chain.view.reshape(to)), found)


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_basic_indexing_is_numpys(data):
    shape = tuple(data.draw(st.lists(st.integers(2, 6), min_size=1, max_size=4)))
    key = []
    for size in shape[: data.draw(st.integers(1, len(shape)))]:
        start = data.draw(st.integers(0, size - 1))
        end = data.draw(st.integers(start + 1, size))
        key.append(
            data.draw(st.sampled_from((start, start - size, slice(start, end), slice(None), slice(start, None))))
        )
    if data.draw(st.booleans()):
        key.insert(data.draw(st.integers(0, len(key))) if len(key) == len(shape) else len(key), Ellipsis)
    expected = storage(shape)[tuple(key)]
    found = addresses(tensor(shape)[tuple(key)])
    np.testing.assert_array_equal(found, expected.reshape(found.shape))
    assert found.ndim == max(1, expected.ndim)


def test_rearrange_splits_permutes_and_merges():
    t, array = tensor((4, 24, 3)), storage((4, 24, 3)).reshape(4, 4, 6, 3)
    source, sizes = ("a", ("h", "w"), "c"), {"h": 4}
    for result, expected in (
        (("c", "w", ("a", "h")), array.transpose(3, 2, 0, 1).reshape(3, 6, 16)),
        (("c", "w", "h", "a"), array.transpose(3, 2, 1, 0)),
        (("a", "h", ("w", "c")), array.reshape(4, 4, 18)),
        (("a", (), "h", "w", "c"), array[:, None]),
    ):
        np.testing.assert_array_equal(addresses(t.rearrange(source, result, sizes)), expected)


REFUSED = {
    "a slice that is too long": (
        lambda t: t[:, 0:9],
        r"Out-of-bound access for tensor `t` on dimension 1: index range "
        r"\[0, 8\] exceed dimension size of 8\.",
    ),
    "an index outside": (lambda t: t[:, 8], r"Out-of-bound access for tensor `t` on dimension 1: index 8 exceed dim"),
    "a negative index outside": (lambda t: t[:, -9], r"on dimension 1: index -9 exceed dimension size of 8"),
    "a dynamic slice outside": (lambda t: t.slice(1, 4, 12), r"index range \[4, 11\] exceed dimension size of 8"),
    "an empty slice": (lambda t: t[:, 3:3], r"slice\.bounds: a slice of tensor 't' on dimension 1 is empty"),
    "a negative step": (lambda t: t[:, ::-1], r"slice\.bounds: a slice needs a positive step"),
    "too many indices": (lambda t: t[0, 0, 0], r"index\.rank: too many indices for tensor 't'"),
    "None": (lambda t: t[:, None], r"index\.kind: tensor 't' cannot be indexed with NoneType"),
    "an array": (lambda t: t[np.arange(3)], r"index\.kind: tensor 't' cannot be indexed with ndarray"),
    "no such dimension": (lambda t: t.slice(2, 0, 1), r"view\.dim: slice: tensor 't' has no such dimension"),
    "no permutation": (lambda t: t.permute((0, 0)), r"view\.permutation: permute takes each dimension once"),
    "a broadcast of more than one": (lambda t: t.broadcast(1, 3), r"view\.broadcast: broadcast repeats a dimension of"),
    "a squeeze of more than one": (lambda t: t.squeeze_dim(1), r"view\.squeeze: squeeze_dim removes a dimension of"),
    "a split into other sizes": (
        lambda t: t.reshape_dim(1, (3, 3)),
        r"view\.split: the sizes do not make up dimension 1",
    ),
    "other element counts": (lambda t: t.reshape((4, 9)), r"reshape\.element_count: tensor 't' cannot be reshaped"),
    "names that do not fit": (lambda t: t.rearrange(("a", "b"), ("a", "c")), r"view\.rearrange: tensor 't' cannot be"),
    "sizes that do not fit": (lambda t: t.rearrange(("a", ("b", "c")), ("a", "b", "c"), {"b": 3}), r"view\.rearrange"),
    "a group without sizes": (lambda t: t.rearrange(("a", ("b", "c")), ("a", "b", "c")), r"view\.rearrange"),
}
ON_CHIP = {
    "a permuted partition dim": (lambda t: t.permute((1, 0)), r"view\.partition: permute cannot change dimension 0 of"),
    "a removed partition dim": (
        lambda t: t.select(0, 0),
        r"view\.partition: select cannot change dimension 0 of tensor",
    ),
    "a new dim in front": (lambda t: t.expand_dim(0), r"view\.partition: expand_dim cannot change dimension 0"),
    "a split partition dim": (lambda t: t.reshape_dim(0, (2, 2)), r"view\.partition: reshape_dim cannot change dim"),
    "a merged partition dim": (lambda t: t.flatten_dims(0, 1), r"view\.partition: flatten_dims cannot change dim"),
    "another number of partitions": (lambda t: t.reshape((2, 16)), r"Partition dim size must be preserved, got 4 -> 2"),
    "a pattern over partitions": (
        lambda t: t.ap([[16, 2], [1, 8]]),
        r"ap\(\) pattern has invalid partition stride\. Partition step 16 must equal tensor free dimension size 8",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.parametrize("space", (Space.HBM, Space.SBUF))
def test_a_view_that_there_is_none_of_is_an_error(case, space):
    view, text = REFUSED[case]
    with pytest.raises(RuleError, match=text):
        view(tensor((4, 8), space=space))


@pytest.mark.parametrize("case", ON_CHIP)
def test_the_partition_dim_stays(case):
    view, text = ON_CHIP[case]
    with pytest.raises(RuleError, match=text):
        view(tensor((4, 8), space=Space.SBUF))


@pytest.mark.parametrize(("key", "shape"), [((0, 3), (1, 1)), ((slice(None), 3), (4, 1)), ((0,), (1, 8)), (2, (1, 8))])
def test_on_chip_a_tile_keeps_two_dims(key, shape):
    assert tensor((4, 8), space=Space.PSUM)[key].shape == shape


def test_a_trivial_split_of_the_partition_dim_is_allowed():
    assert tensor((4, 8), space=Space.SBUF).reshape_dim(0, (4,)).shape == (4, 8)


def test_queries():
    t = tensor((4, 6, 8), space=Space.SBUF)
    assert (t.strides, t.offset, t.ndim, t.size) == ((48, 8, 1), 0, 3, 192)
    assert t.get_pattern() == [[48, 4], [8, 6], [1, 8]]
    assert t.is_contiguous()
    assert t[:, 2].is_contiguous()
    assert not t[:, :, 2].is_contiguous()
    assert not t[:, 0:6:2].is_contiguous()
    assert t[1:3, 2, 3].offset == 48 + 16 + 3
    assert not t.is_indirect()
    assert not tensor((4, 6, 8))[1:, 0:2].is_contiguous()
    t.get_pattern()[0][1] = 7
    assert t.get_pattern()[0] == [48, 4]


def test_a_shape_equals_a_list_too():
    shape = tensor((4, 8)).shape
    assert shape == (4, 8)
    assert shape == [4, 8]
    assert shape != [4, 9]
    assert hash(shape) == hash((4, 8))


def test_a_tensor_is_true_and_equals_itself_alone():
    t = tensor((4, 8))
    assert t
    assert t == t
    assert t != tensor((4, 8))
    assert t != None  # noqa: E711


def test_views_of_other_types_scale_the_last_dim():
    t = tensor((4, 8))
    assert (t.view("uint8").shape, t.view("int32").shape) == ((4, 32), (4, 8))
    assert tensor((4, 8), "uint8").view("float32").shape == (4, 2)
    assert t.reinterpret_cast("bfloat16").dtype == "bfloat16"
    with pytest.raises(RuleError, match=r"view\.divisible"):
        tensor((4, 6), "uint8").view("float32")


def test_a_pattern_is_over_the_storage_whatever_the_view():
    t = tensor((4, 8))
    np.testing.assert_array_equal(addresses(t.ap([[1, 8], [8, 4]])), storage((4, 8)).T)
    np.testing.assert_array_equal(
        addresses(t.permute((1, 0)).ap([[8, 2], [1, 3]], offset=9)), [[9, 10, 11], [17, 18, 19]]
    )
    np.testing.assert_array_equal(addresses(t[1:3].ap([[1, 4]])), [8, 9, 10, 11])
    np.testing.assert_array_equal(addresses(t[1:3].ap([[1, 4]], offset=2)), [10, 11, 12, 13])
    np.testing.assert_array_equal(addresses(t.ap([[2, 4], [1, 2]], dtype="int16")), np.arange(8).reshape(4, 2))
    with pytest.raises(RuleError, match=r"ap\.bounds: the pattern leaves tensor 't'"):
        t.ap([[8, 5], [1, 8]]).reshape((40,))


def test_the_base_of_a_view_is_the_tensor_that_it_is_a_view_of():
    x = tensor((4, 8, 6))
    assert x[1:3, 2].base_tensor.shape == (4, 8, 6) and x[1:3, 2].base_tensor.access == x.access
    bits = x.view("int16")[0].base_tensor
    assert bits.dtype == "int16" and bits.shape == (4, 8, 12)
