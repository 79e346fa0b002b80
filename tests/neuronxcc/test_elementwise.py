"""`nl` functions of one tile: values in every float type, types, masks, and the names that `nki.isa` takes as `op`."""

import inspect

import numpy as np
import pytest

from jnki import RuleError
from jnki.isa.operators import name_of
from jnki.neuronxcc import nki
from jnki.neuronxcc.nki import language as nl
from tests.isa.computations import assert_stands_for, tame
from tests.neuronxcc.on_tiles import on_tiles
from tests.oracle import activations as oracle
from tests.oracle.casts import STORAGE

ACTIVATIONS = tuple(name for name in oracle.FUNCTIONS if name not in ("copy", *oracle.NOT_LEGACY))
OTHERS = {"ceil": np.ceil, "floor": np.floor, "trunc": np.trunc, "cos": np.cos, "tan": np.tan, "negative": np.negative}
# Tangent is too steep near its poles for a common tolerance.
NAMES = tuple(name for name in (*ACTIVATIONS, *OTHERS) if name != "tan")
LOADED = ("float32", "bfloat16", "float16", "float8_e4m3", "float8_e5m2")


def drawn(name, dtype):
    low, high = oracle.DOMAINS.get(name, (-4.0, 4.0))
    low, high = max(low, 0.125) if low > 0 else low, min(high, 100.0)
    return tame(np.random.default_rng(3), (16, 40), dtype, low, high)


def expected(name, x):
    x = x.astype(np.float64)
    return OTHERS[name](x) if name in OTHERS else np.vectorize(oracle.FUNCTIONS[name])(x)


@pytest.mark.parametrize("dtype", LOADED)
def test_values_have_the_type_of_the_tile(dtype):
    inputs = [drawn(name, dtype) for name in NAMES]
    results = on_tiles(lambda *tiles: [getattr(nl, n)(t) for n, t in zip(NAMES, tiles)], *inputs)
    for name, x, got in zip(NAMES, inputs, results):
        assert got.dtype == STORAGE[dtype], name
        assert_stands_for(got, expected(name, x), dtype, steps=256, scale=1.0)


def test_dtype():
    inputs = [drawn(name, "bfloat16") for name in NAMES]
    results = on_tiles(lambda *tiles: [getattr(nl, n)(t, dtype=nl.float32) for n, t in zip(NAMES, tiles)], *inputs)
    for name, x, got in zip(NAMES, inputs, results):
        assert got.dtype == np.float32, name
        assert_stands_for(got, expected(name, x), "float32", steps=256, scale=1.0)


def test_tangent():
    x = tame(np.random.default_rng(0), (4, 50), "float32", -1.4, 1.4)
    np.testing.assert_allclose(on_tiles(nl.tan, x), np.tan(x.astype(np.float64)), rtol=1e-5)


def test_bits_and_logic():
    x = np.array([[0, 1, -3, 2**31 - 1]], np.int32)
    assert (on_tiles(nl.invert, x) == ~x).all()
    logical = on_tiles(nl.logical_not, x)
    assert logical.dtype == np.bool_ and logical.tolist() == [[True, False, False, False]]
    assert on_tiles(lambda t: nl.logical_not(t, dtype=nl.float32), x).tolist() == [[1, 0, 0, 0]]


@pytest.mark.parametrize("name", [*ACTIVATIONS, *OTHERS, "logical_not"])
def test_masked_off_elements_of_a_new_tile_are_unwritten_and_of_an_old_one_stay(name):
    x = np.full((4, 6), 0.5, np.float32)
    on = np.add.outer(np.arange(4), np.arange(6)) < 5

    def both(tile):
        mask = nl.arange(4)[:, None] + nl.arange(6)[None, :] < 5
        function = getattr(nl, name)
        old = nl.full((4, 6), 7.0, nl.float32)
        old[...] = function(tile, mask=mask)
        return function(tile, mask=mask, dtype=nl.float32), old

    new, old = on_tiles(both, x)
    value = float(on_tiles(lambda t: getattr(nl, name)(t, dtype=nl.float32), x)[0, 0])
    assert (new[on] == value).all() and np.isnan(new[~on]).all()
    assert (old[on] == value).all() and (old[~on] == 7).all()


@pytest.mark.parametrize("name", [*ACTIVATIONS, *OTHERS, "invert", "logical_not"])
def test_signatures(name):
    function = getattr(nl, name)
    parameters = inspect.signature(function).parameters
    assert list(parameters) == ["x", "dtype", "mask"]
    assert [p.kind.name for p in parameters.values()] == ["POSITIONAL_OR_KEYWORD", "KEYWORD_ONLY", "KEYWORD_ONLY"]
    assert parameters["dtype"].default is (bool if name == "logical_not" else None)
    assert function.__name__ == name and function.__doc__.strip()


def test_which_functions_name_an_operator():
    assert {name: name_of(getattr(nl, name)) for name in ACTIVATIONS} == {name: name for name in ACTIVATIONS}
    assert name_of(nl.invert) == "invert" and name_of(nl.logical_not) == "logical_not" and name_of(nl.copy) == "copy"
    assert [name_of(getattr(nl, name)) for name in OTHERS] == [None] * len(OTHERS)


def test_errors():
    for wrong, text in (
        (lambda x: nl.exp(3.0), "activation.data: operand 'data' of 'nl.exp' must be a tensor of the kernel"),
        (
            lambda x: nl.exp(x),
            "err_unsupported_memory: nl.exp: tensor 'x' is in the wrong memory\n  given:   hbm tensor",
        ),
        (lambda x: nl.floor(x), "err_unsupported_memory: nl.floor: tensor 'x' is in the wrong memory"),
        (lambda x: nl.invert(nl.load(x)), "tensor_scalar.bitvec: tensor_scalar: 'invert' works on bits"),
    ):

        @nki.jit
        def kernel(x, wrong=wrong):
            wrong(x)

        with pytest.raises(RuleError) as caught:
            kernel(np.ones((2, 2), np.float32))
        assert str(caught.value).startswith(text)


def test_outside_of_a_kernel():
    with pytest.raises(RuleError, match="err_nki_api_outside_of_nki_kernel"):
        nl.exp(None)


def test_constants():
    assert nl.fp32.min == np.finfo(np.float32).min
    assert np.float32(nl.fp32.min).view(np.uint32) == 0xFF7FFFFF
    assert np.array(nl.bfp16.min, nl.bfloat16).view(np.uint16) == 0xFF80
