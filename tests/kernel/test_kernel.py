"""The kernel object: what a call gives back, what it says about itself, and kernels inside kernels."""

import functools
import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jnki.errors import RuleError
from jnki.memory import Fault
from jnki.neuronxcc import nki
from jnki.neuronxcc.nki.typing import tensor
from jnki.program.program import Program

nl, nisa = nki.language, nki.isa

X = np.arange(12, dtype=np.float32).reshape(4, 3)


@nki.jit
def copy(x):
    """Copies."""
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    nisa.dma_copy(dst=out, src=x)
    return out


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
