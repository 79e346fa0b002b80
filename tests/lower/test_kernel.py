"""The kernel object: what it takes and gives, what it says about itself, and when it records."""

import functools
import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jnki.default_target import use_target
from jnki.errors import RuleError
from jnki.memory import Fault
from jnki.neuronxcc import nki
from jnki.neuronxcc.nki.typing import mutable_tensor, tensor
from jnki.program.program import Program
from jnki.target import TRN1, TRN2, TRN3

nl, nisa = nki.language, nki.isa

X = np.arange(12, dtype=np.float32).reshape(4, 3)


@nki.jit
def copy(x):
    """Copies."""
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    nisa.dma_copy(dst=out, src=x)
    return out


# What goes in and what comes out.


def test_numpy_in_numpy_out_and_jax_in_jax_out():
    out = copy(X)
    assert isinstance(out, np.ndarray)
    np.testing.assert_array_equal(out, X, strict=True)
    out = copy(jnp.asarray(X))
    assert isinstance(out, jax.Array)
    np.testing.assert_array_equal(out, X)


def test_one_jax_array_is_enough_for_jax_arrays():
    @nki.jit
    def both(x, y):
        a = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        nl.store(a, nl.load(x) + nl.load(y))
        return a

    assert isinstance(both(X, jnp.asarray(X)), jax.Array)
    assert isinstance(both(jnp.asarray(X), X), jax.Array)
    assert isinstance(both(X, X), np.ndarray)


def test_a_kernel_without_arrays_gives_numpy():
    @nki.jit
    def ones(rows, columns=2):
        out = nl.ndarray((rows, columns), dtype=nl.float32, buffer=nl.shared_hbm)
        nl.store(out, 1)
        return out

    out = ones(3)
    assert isinstance(out, np.ndarray)
    np.testing.assert_array_equal(out, np.ones((3, 2), np.float32), strict=True)
    assert ones(3, columns=4).shape == (3, 4)


@pytest.mark.parametrize("returned", ["bare", "tuple of one", "tuple", "list", "dict", "nested", "twice", "input"])
def test_the_structure_of_what_is_returned_is_kept(returned):
    def pick(a, b, x):
        return {
            "bare": a,
            "tuple of one": (a,),
            "tuple": (a, b),
            "list": [a, b],
            "dict": {"second": b, "first": a},
            "nested": (a, [b, (a,)], None),
            "twice": (a, a),
            "input": (x, a),
        }[returned]

    @nki.jit
    def kernel(x):
        a = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        b = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        nl.store(a, 1)
        nl.store(b, 2)
        return pick(a, b, x)

    expected = pick(X * 0 + 1, X * 0 + 2, X)
    found = kernel(X)
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    jax.tree.map(np.testing.assert_array_equal, found, expected)


def test_a_part_of_a_tensor_can_be_returned():
    @nki.jit
    def kernel(x):
        out = nl.ndarray((2, 4, 3), dtype=x.dtype, buffer=nl.shared_hbm)
        nl.store(out[1], nl.load(x))
        return out[1, 1:3], out[1].reshape((12,)), out[1].view(nl.int32)

    part, flat, bits = kernel(X)
    np.testing.assert_array_equal(part, X[1:3], strict=True)
    np.testing.assert_array_equal(flat, X.reshape(12), strict=True)
    np.testing.assert_array_equal(bits, X.view(np.int32), strict=True)


def test_a_part_that_depends_on_the_instance_cannot_be_returned():
    @nki.jit
    def kernel(x):
        out = nl.ndarray((2, 4, 3), dtype=x.dtype, buffer=nl.shared_hbm)
        pid = nl.program_id(0)
        nl.store(out[pid], nl.load(x))
        return out[pid]

    with pytest.raises(RuleError, match="toplevel.output_view: the part of tensor 'out' that is returned") as caught:
        kernel[2](X)
    assert caught.value.location.text == "def kernel(x):"


@pytest.mark.parametrize(
    "value, rule, given",
    [
        (lambda x: nl.load(x), "toplevel.hbm_only", "sbuf tensor 'tile' [4, 3] float32"),
        (
            lambda x: nl.zeros((4, 3), nl.float32, buffer=nl.psum),
            "toplevel.hbm_only",
            "psum tensor 'tile' [4, 3] float32",
        ),
        (lambda x: 3, "toplevel.hbm_only", "int 3"),
        (lambda x: (x, "text"), "toplevel.hbm_only", "str text"),
        (lambda x: None, "err_tensor_output_not_written_to", "it returns nothing"),
        (lambda x: (), "err_tensor_output_not_written_to", "it returns nothing"),
    ],
)
def test_what_a_kernel_cannot_return(value, rule, given):
    @nki.jit
    def kernel(x):
        return value(x)

    with pytest.raises(RuleError) as caught:
        kernel(X)
    assert (caught.value.rule, caught.value.given) == (rule, given)
    assert caught.value.location.text == "def kernel(x):"


# Arguments.


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
    with pytest.raises(TypeError, match="missing a required"):
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
    assert text.startswith(f"argument 'x' of a kernel: dtype('{np.dtype(dtype)}') is not an element type of NKI")
    assert "allowed: int8, int16, int32" in text


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

    with pytest.raises(TypeError, match="static argument 'options' of a kernel must be hashable or an array, got set"):
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


# Parameters that the kernel may write.


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


# Recording once.


def counting():
    recorded = []

    @nki.jit
    def kernel(x, value=1):
        recorded.append((x.shape, str(x.dtype), value))
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        nl.store(out[nl.program_id(0)], value)
        return out

    return kernel, recorded


def test_equal_calls_are_recorded_once():
    kernel, recorded = counting()
    for x in (X, X + 1, jnp.asarray(X), X[::-1], np.asfortranarray(X)):
        kernel(x)
        kernel(x, 1)
        kernel(x=x)
        kernel(x, value=1)
        kernel.trace(x)
        kernel.with_fault(x)
        jax.jit(kernel)(x)
    kernel.lower(X).compile()
    kernel.lower(jax.ShapeDtypeStruct((4, 3), np.float32))
    assert len(recorded) == 1


def test_different_calls_are_recorded_apart():
    kernel, recorded = counting()
    kernel(X)
    for count, call in enumerate(
        [
            lambda: kernel(X[:2]),
            lambda: kernel(X.astype(np.float16)),
            lambda: kernel(X, 2),
            lambda: kernel(X, 1.0),
            lambda: kernel[2](X),
            lambda: kernel[2, 1](X),
        ],
        2,
    ):
        call()
        call()
        assert len(recorded) == count, f"call {count}"
    kernel(X)
    assert len(recorded) == 7


def test_the_default_target_is_part_of_the_call():
    seen = []

    @nki.jit
    def kernel(x):
        seen.append(nisa.get_nc_version())
        return x

    for name in ("trn1", "trn2", "trn3", "trn1", "trn2"):
        with use_target(name):
            kernel(X)
            assert kernel.trace(X).target.name == name
    assert [int(v) for v in seen] == [2, 3, 4]
    assert nki.jit(kernel, platform_target="trn1").target is TRN1


def test_a_kernel_has_its_own_target_or_the_default_one():
    assert nki.jit(copy.function, platform_target="trn3").target is TRN3
    assert copy.target is TRN2
    with use_target("trn1"):
        assert copy.target is TRN1


def test_grids_and_policies_share_what_was_recorded():
    kernel, recorded = counting()
    kernel[2](X)
    kernel[2].on_fault("callback")(X)
    kernel.on_fault("poison")[2](X)
    assert len(recorded) == 1


# What it says about itself.


def test_a_kernel_looks_like_its_function():
    assert (copy.__name__, copy.__doc__, copy.__module__) == ("copy", "Copies.", __name__)
    assert copy.__qualname__ == "copy"
    assert str(inspect.signature(copy)) == "(x)"
    assert callable(copy.function)
    assert copy.grid == ()
    assert repr(copy) == "<kernel copy>"
    assert repr(copy[2, nl.nc(2)]) == "<kernel copy[2, 2]>"


def test_a_kernel_can_be_a_method_and_a_partial_function():
    class Model:
        factor = 3

        @nki.jit
        def scale(self, x):
            out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
            nl.store(out, nl.load(x) * self.factor)
            return out

    np.testing.assert_array_equal(Model().scale(X), 3 * X)
    assert Model.scale.__name__ == "scale"

    def twice(x, factor):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        nl.store(out, nl.load(x) * factor)
        return out

    np.testing.assert_array_equal(nki.jit(functools.partial(twice, factor=2))(X), 2 * X)


def test_trace_takes_shapes_and_gives_the_program():
    for arrays in ((X,), (jax.ShapeDtypeStruct((4, 3), np.float32),), (tensor[[4, 3], np.float32],)):
        program = copy.trace(*arrays)
        assert isinstance(program, Program)
        assert program == copy.trace(X)
    assert str(program).splitlines()[0] == "kernel copy on trn2"


def test_lower_and_compile():
    shape = jax.ShapeDtypeStruct((4, 3), np.float32)
    for _ in range(2):
        lowered = copy.lower(shape)
        assert "func.func public @main" in lowered.as_text()
        (out,) = lowered.compile()(X)
        np.testing.assert_array_equal(out, X)


def test_the_pure_function():
    outputs, fault = copy.pure(X)(X)
    np.testing.assert_array_equal(outputs[0], X)
    assert isinstance(fault, Fault)
    assert not fault.occurred


def test_with_fault_of_a_kernel_that_cannot_fault():
    out, fault = copy.with_fault(X)
    np.testing.assert_array_equal(out, X, strict=True)
    assert not fault.occurred
    assert fault.details() == []
    fault.raise_if_any()


# Inside another kernel.


def test_a_kernel_inside_a_kernel_is_recorded_in_place():
    @nki.jit
    def inner(tile, factor):
        return nl.copy(tile) * factor

    @nki.jit
    def outer(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        for i in nl.affine_range(2):
            part = nl.load(x[nl.ds(2 * i, 2)])
            nl.store(out[nl.ds(2 * i, 2)], inner(part, 3))
        return copy(out), out

    first, second = outer(X)
    np.testing.assert_array_equal(first, 3 * X)
    np.testing.assert_array_equal(second, 3 * X)
    assert [p.buffer.name for p in outer.trace(X).parameters] == ["x"]


def test_a_kernel_inside_a_kernel_has_the_same_target():
    inner = nki.jit(lambda x: x, platform_target="trn1")

    @nki.jit(platform_target="trn2")
    def outer(x):
        return inner(x)

    with pytest.raises(RuleError) as caught:
        outer(X)
    assert caught.value.rule == "kernel.nested_target"
    assert caught.value.given == "trn1 in trn2"
    np.testing.assert_array_equal(nki.jit(lambda x: inner(x), platform_target="trn1")(X), X)


def test_same_inputs_same_bits():
    @nki.jit
    def kernel(x, rows):
        out = nl.ndarray(x.shape, dtype=nl.bfloat16, buffer=nl.shared_hbm)
        nl.store(out, 0)
        index = nl.load(rows)
        nisa.dma_copy(dst=out[index, nl.arange(64)[None, :]], src=nl.load(x), dst_rmw_op=np.add)
        return out

    rng = np.random.default_rng(0)
    x, rows = rng.normal(size=(128, 64)).astype(np.float32), rng.integers(0, 5, (128, 1)).astype(np.int32)
    first = kernel(x, rows).view(np.uint16)
    for _ in range(3):
        np.testing.assert_array_equal(kernel(x, rows).view(np.uint16), first)
