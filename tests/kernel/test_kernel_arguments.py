"""The arguments of a kernel: which are arrays, which are static, and which a kernel may write."""

import jax.numpy as jnp
import numpy as np
import pytest

from jnki.neuronxcc import nki
from jnki.neuronxcc.nki.typing import mutable_tensor, tensor

nl, nisa = nki.language, nki.isa

X = np.arange(12, dtype=np.float32).reshape(4, 3)


@nki.jit
def copy(x):
    """Copies."""
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    nisa.dma_copy(dst=out, src=x)
    return out


def test_every_way_to_pass_arguments():
    @nki.jit
    def kernel(a, /, b, factor=1, *more, c, scale=2, **named):
        out = nl.ndarray(a.shape, dtype=a.dtype, buffer=nl.shared_hbm)
        tile = nl.load(a) * factor + nl.load(b) * scale + nl.load(c)
        for other in (*more, *named.values()):
            tile[...] = tile + nl.load(other)
        nl.store(out, tile)
        return out

    one = X * 0 + 1
    for _ in range(2):
        np.testing.assert_array_equal(kernel(X, one, c=one), X + 3)
        np.testing.assert_array_equal(kernel(X, one, 3, c=one), 3 * X + 3)
        np.testing.assert_array_equal(kernel(X, c=one, b=X, scale=5), 6 * X + 1)
        np.testing.assert_array_equal(kernel(X, one, 1, X, X, c=one), 3 * X + 3)
        np.testing.assert_array_equal(kernel(X, one, c=one, d=X, e=one), 2 * X + 4)
    with pytest.raises(TypeError, match="kernel kernel\\(\\) is called without 'c'; it takes a, b, factor, c, scale"):
        kernel(X, one)
    with pytest.raises(TypeError):
        kernel(a=X, b=one, c=one)


def test_keyword_arguments_in_any_order_are_the_same_call():
    recorded = []

    @nki.jit
    def subtract(x, y):
        recorded.append(1)
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        nl.store(out, nl.load(x) - nl.load(y))
        return out

    for found in (subtract(X, X + 2), subtract(x=X, y=X + 2), subtract(y=X + 2, x=X), subtract(X, y=X + 2)):
        np.testing.assert_array_equal(found, X * 0 - 2)
    assert len(recorded) == 1


def test_containers_of_arrays():
    @nki.jit
    def kernel(arrays, table):
        a, (b, c) = arrays
        out = nl.ndarray(a.shape, dtype=a.dtype, buffer=nl.shared_hbm)
        nl.store(out, nl.load(a) + nl.load(b) * 2 + nl.load(c) * 3 + nl.load(table["k"]) * table["factor"])
        return out

    names = [p.buffer.name for p in kernel.trace([X, (X, X)], {"k": X, "factor": 4}).parameters]
    assert names == ["arrays_0", "arrays_1_0", "arrays_1_1", "table_k"]
    for kind in (np.asarray, jnp.asarray):
        found = kernel([kind(X), (kind(X + 1), kind(X + 2))], {"k": kind(X + 3), "factor": 4})
        np.testing.assert_array_equal(found, 10 * X + 2 + 6 + 12)
        found = kernel((kind(X), (kind(X), kind(X))), {"k": kind(X), "factor": 0})
        np.testing.assert_array_equal(found, 6 * X)


def test_arguments_whose_names_would_be_equal_are_kept_apart():
    @nki.jit
    def kernel(a, a_0, a_0_=None):
        out = nl.ndarray(a_0.shape, dtype=a_0.dtype, buffer=nl.shared_hbm)
        nl.store(out, nl.load(a[0]) * 10 + nl.load(a_0) * 100 + nl.load(a_0_))
        return out

    names = [p.buffer.name for p in kernel.trace([X], X, X).parameters]
    assert len(set(names)) == 3
    np.testing.assert_array_equal(kernel([X], X + 1, X + 2), 111 * X + 102)


def test_an_array_can_be_a_default():
    @nki.jit
    def kernel(x, y=X + 1):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        nl.store(out, nl.load(x) + nl.load(y))
        return out

    for _ in range(3):
        np.testing.assert_array_equal(kernel(X), 2 * X + 1)
        np.testing.assert_array_equal(kernel(X, X), 2 * X)


def test_none_is_an_argument_like_any_other():
    @nki.jit
    def kernel(x, bias=None):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        tile = nl.load(x)
        if bias is not None:
            tile[...] = tile + nl.load(bias)
        nl.store(out, tile)
        return out

    for _ in range(2):
        np.testing.assert_array_equal(kernel(X), X)
        np.testing.assert_array_equal(kernel(X, None), X)
        np.testing.assert_array_equal(kernel(X, X), 2 * X)
        np.testing.assert_array_equal(kernel(X, bias=None), X)


@pytest.mark.parametrize("dtype", [np.float64, np.int64, np.complex64, np.uint64])
def test_element_types_that_nki_does_not_have(dtype):
    with pytest.raises(TypeError) as caught:
        copy(X.astype(dtype))
    text = str(caught.value)
    assert text.startswith(f"argument 'x' of kernel 'copy': dtype('{np.dtype(dtype)}') is not an element type of NKI")
    assert "allowed: int8, int16, int32" in text
    narrow = {np.float64: "float32", np.int64: "int32", np.uint64: "uint32"}.get(dtype)
    assert narrow is None or text.endswith(f"\n  such as x.astype(np.{narrow})")


@pytest.mark.parametrize(
    "dtype",
    [
        "int8",
        "int16",
        "int32",
        "uint8",
        "uint16",
        "uint32",
        "bool",
        "float32",
        "bfloat16",
        "float16",
        "float8_e4m3",
        "float8_e5m2",
    ],
)
def test_element_types_that_nki_has(dtype):
    x = np.arange(6).reshape(2, 3).astype(jnp.dtype(dtype))
    np.testing.assert_array_equal(copy(x), x, strict=True)
    np.testing.assert_array_equal(copy(jnp.asarray(x)), x, strict=True)


def test_static_arguments_must_be_hashable():
    @nki.jit
    def kernel(x, options):
        return x

    with pytest.raises(
        TypeError, match="static argument 'options' of kernel 'kernel' must be hashable or an array, got set"
    ):
        kernel(X, {1, 2})
    assert kernel(X, [1, "a", {"b": 2.5}]).shape == (4, 3)


def test_python_numbers_of_equal_value_are_different_arguments():
    @nki.jit
    def kernel(x, value):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        nl.store(out, {int: 1, float: 2, bool: 3}[type(value)])
        return out

    assert [kernel(X, v)[0, 0] for v in (1, 1.0, True, 1, True)] == [1, 2, 3, 1, 3]

    @nki.jit
    def fill(x, value):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        nl.store(out, value)
        return out

    for _ in range(2):
        for value in (0.0, -0.0, np.float32(0.0), np.float32(-0.0)):
            assert np.signbit(fill(X, value)[0, 0]) == np.signbit(value)
            assert np.signbit(fill(X, value=value)[0, 0]) == np.signbit(value)


@pytest.mark.parametrize("annotation", [mutable_tensor, mutable_tensor[4, 3], "mutable_tensor", "nt.mutable_tensor"])
def test_a_mutable_parameter_is_updated_in_the_result_only(annotation):
    def kernel(x, y):
        nl.store(x[0:1], nl.load(y[1:2]))
        return x

    kernel.__annotations__ = {"x": annotation, "y": tensor}
    before = X.copy()
    found = nki.jit(kernel)(before, X + 1)
    expected = X.copy()
    expected[0] = X[1] + 1
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(before, X)


def test_several_mutable_parameters_and_containers_of_them():
    @nki.jit
    def kernel(first: mutable_tensor, *rest: mutable_tensor):
        out = nl.ndarray(first.shape, dtype=first.dtype, buffer=nl.shared_hbm)
        nl.store(out, 9)
        for number, each in enumerate((first, *rest)):
            nl.store(each[0:1], number)
        return out, first, *rest

    assert all(p.mutable for p in kernel.trace(X, X, X).parameters)
    out, *updated = kernel(X, X, X)
    assert (out == 9).all()
    for number, each in enumerate(updated):
        np.testing.assert_array_equal(each, np.concatenate([X[:1] * 0 + number, X[1:]]))


def test_a_mutable_parameter_that_is_not_written_need_not_be_returned():
    @nki.jit
    def kernel(x: mutable_tensor):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        nisa.dma_copy(dst=out, src=x)
        return out

    np.testing.assert_array_equal(kernel(X), X)
