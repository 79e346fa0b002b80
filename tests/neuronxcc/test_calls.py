"""Errors name the function as the user's line spells it: wrong arguments, and operands in a memory out of reach."""

import inspect
import warnings

import numpy as np
import pytest

from jnki import RuleError
from jnki.errors import misfit
from jnki.neuronxcc import nki

nl, nisa = nki.language, nki.isa
X = np.ones((4, 4), np.float32)


def refused(error, body):
    @nki.jit
    def kernel(x):
        body(x, nl.load(x))

    with pytest.raises(error) as caught:
        kernel(X)
    return str(caught.value)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (
            lambda x, t: nisa.dma_copy(t, x),
            "nisa.dma_copy() takes 0 positional arguments but 2 were given; dst= and src= are given by name: "
            "nisa.dma_copy(dst=..., src=...)",
        ),
        (
            lambda x, t: nl.add(t, t, nl.float32),
            "nl.add() takes 2 positional arguments but 3 were given; dtype= is given by name: "
            "nl.add(..., ..., dtype=...)",
        ),
        (
            lambda x, t: nisa.activation_reduce(nl.exp, t, nl.add, t),
            "nisa.activation_reduce() takes 2 positional arguments but 4 were given; reduce_op= and reduce_res= are "
            "given by name: nisa.activation_reduce(..., ..., reduce_op=..., reduce_res=...)",
        ),
        (lambda x, t: nl.store(x), "nl.store() is called without 'value'; it takes dst, value, mask, mode"),
        (lambda x, t: nl.expand_dims(t, 1, 2), "nl.expand_dims() takes 2 positional arguments but 3 were given"),
        (
            lambda x, t: nl.store(x, t, dst=x),
            "nl.store() got multiple values for one argument; it takes dst, value, mask, mode",
        ),
        (
            lambda x, t: nl.copy(t, engine=1),
            "nl.copy() got an unexpected keyword argument 'engine'; it takes src, mask, dtype",
        ),
        (
            lambda x, t: nisa.tensor_copy(dst=t, src=t),
            "nisa.tensor_copy() got an unexpected keyword argument 'dst'; it takes src, mask, dtype, engine; it "
            "returns its result, as all of the legacy dialect but dma_copy and store do",
        ),
        (
            lambda x, t: nl.static_range(4, precise_schedule=True),
            "nl.static_range() got an unexpected keyword argument 'precise_schedule'; it takes no argument by name",
        ),
    ],
)
def test_arguments_that_do_not_fit(body, text):
    found = refused(TypeError, body).splitlines()
    assert found[0] == text
    assert found[1].startswith(f"  at {__file__}:") and found[1].endswith(" in <lambda>")


def test_an_error_inside_of_a_function_stays_what_it_is():
    assert "'bad' is not an element type of NKI" in refused(TypeError, lambda x, t: nl.copy(t, dtype="bad"))
    assert misfit(inspect.signature(nl.add), "nl.add", (1, 2), {}) is None


LOAD = "sbuf | psum; nl.load brings a tensor from hbm to sbuf"


@pytest.mark.parametrize(
    ("body", "message", "allowed"),
    [
        (lambda x, t: nl.add(t, x), "nl.add: tensor 'x'", LOAD),
        (lambda x, t: nl.add(x, 1), "nl.add: tensor 'x'", LOAD),
        (lambda x, t: nl.square(x), "nl.square: tensor 'x'", LOAD),
        (lambda x, t: nl.softmax(x, axis=1), "nl.softmax: tensor 'x'", LOAD),
        (lambda x, t: nl.max(x, axis=1), "nl.max: tensor 'x'", LOAD),
        (lambda x, t: nl.where(t, x, 0), "nl.where: tensor 'x'", LOAD),
        (lambda x, t: nl.transpose(x), "nl.transpose: tensor 'x'", LOAD),
        (lambda x, t: nl.matmul(t, x), "nl.matmul: tensor 'x'", "sbuf; nl.load brings a tensor from hbm to sbuf"),
        (lambda x, t: t + x, "nl.add, by an operator: tensor 'x'", LOAD),
        (lambda x, t: nisa.tensor_tensor(t, x, np.add), "nisa.tensor_tensor: 'data2'", LOAD),
        (lambda x, t: nisa.activation(np.exp, x), "nisa.activation: 'data'", LOAD),
        (
            lambda x, t: nisa.nc_matmul(t, x),
            "nisa.nc_matmul: 'moving'",
            "sbuf; nl.load brings a tensor from hbm to sbuf",
        ),
    ],
)
def test_an_operand_in_hbm_is_loaded_first(body, message, allowed):
    found = refused(RuleError, body).splitlines()
    assert found[0].startswith(f"err_unsupported_memory: {message} is in the wrong memory")
    assert found[1:3] == ["  given:   hbm tensor 'x' [4, 4] float32", f"  allowed: {allowed}"]


def test_functions_keep_their_names_and_signatures():
    assert nl.add.__name__ == "add" and nisa.dma_copy.__name__ == "dma_copy"
    assert list(inspect.signature(nl.store).parameters) == ["dst", "value", "mask", "mode"]


def test_names_that_do_not_exist_and_names_that_are_not_modelled():
    assert refused(AttributeError, lambda x, t: nl.fori_loop(0)).startswith(
        "module 'neuronxcc.nki.language' has no attribute 'fori_loop': it is no name of the legacy dialect\n  at "
    )
    assert refused(NotImplementedError, lambda x, t: nisa.builtin_custom_op()).startswith(
        "jnki does not model neuronxcc.nki.isa.builtin_custom_op: it runs a compiled library of the vendor"
    )
    assert refused(NotImplementedError, lambda x, t: nki.FrameworkKernel).startswith(
        "jnki does not model neuronxcc.nki.FrameworkKernel yet\n  at "
    )
    assert refused(AttributeError, lambda x, t: nki.jitt).startswith(
        "module 'neuronxcc.nki' has no attribute 'jitt': it"
    )
    assert not hasattr(nl, "fori_loop") and not hasattr(nisa, "builtin_custom_op")


def test_warnings_are_at_the_line_of_the_user():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        nki.baremetal(lambda x: x, artifacts_dir="/tmp/a")
        nki.profile(lambda x: x, working_directory="/tmp/a")
    here = inspect.currentframe().f_lineno
    assert [(w.filename, w.lineno) for w in caught] == [(__file__, here - 2), (__file__, here - 1)]


def test_the_dma_engines_run_no_instruction():
    @nki.jit
    def kernel(x):
        nisa.tensor_copy(nl.load(x), engine=nisa.dma_engine)

    with pytest.raises(RuleError, match=r"tensor_copy.engine: (.|\n)*given:   dma\n"):
        kernel(np.zeros((1, 1), np.float32))


def test_a_vendor_library_is_not_to_come_and_says_why():
    with pytest.raises(NotImplementedError, match=r"builtin_custom_op: it runs a compiled library of the vendor"):
        _ = nisa.builtin_custom_op


def test_a_call_may_have_a_name():
    """Public kernels name their instructions for the profiler; messages show it."""

    @nki.jit
    def kernel(x):
        out = nl.ndarray(x.shape, x.dtype, buffer=nl.shared_hbm)
        tile = nisa.tensor_scalar(nl.load(x, name="load-x"), nl.add, 1.0, name="one more")
        nl.store(out, tile, name="store-x")
        return out

    np.testing.assert_array_equal(kernel(X), X + 1)
    text = refused(RuleError, lambda x, t: nisa.tensor_reduce(np.add, 3, axis=1, name="largest"))
    assert "operand 'data' of 'nisa.tensor_reduce 'largest'' must be a tensor" in text
    text = refused(TypeError, lambda x, t: nisa.tensor_copy(t, name=3))
    assert text.startswith("nisa.tensor_copy() got an unexpected keyword argument 'name'")
