"""The table of activation functions: values, slopes, limits, and how a function is named."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jnki import RuleError
from jnki.isa.operators import OPERATORS
from jnki.isa.scalar.activations import FUNCTIONS, activation_function
from jnki.neuronxcc.nki import language as nl
from tests.oracle import activations as oracle

NAMES = tuple(FUNCTIONS)
every_function = pytest.mark.parametrize("name", NAMES)


def inputs(name, count=2000):
    low, high = oracle.DOMAINS.get(name, (-10.0, 10.0))
    return np.random.default_rng(NAMES.index(name)).uniform(low, high, count).astype(np.float32)


def test_the_table_and_the_oracle_have_the_documented_functions():
    assert set(NAMES) == set(oracle.FUNCTIONS)
    assert len(NAMES) == 25


@every_function
def test_values(name):
    x = inputs(name)
    expected = np.array([oracle.FUNCTIONS[name](float(v)) for v in x])
    np.testing.assert_allclose(jax.jit(FUNCTIONS[name].function)(x), expected, rtol=2e-5, atol=3e-7)


@every_function
def test_the_slope_is_the_derivative(name):
    x = inputs(name)
    x = x[np.abs(x) > 2.0**-8]  # relu, abs and sign have an edge at 0
    expected = np.array([oracle.slope(name, float(v)) for v in x])
    slopes = jax.vmap(jax.grad(FUNCTIONS[name].function))(x)
    np.testing.assert_allclose(slopes, expected, rtol=1e-4, atol=2e-6)


@every_function
def test_the_slope_is_finite_where_the_function_is_smooth(name):
    low, high = FUNCTIONS[name].valid
    places = [0.0, 1.0, -1.0, 1e-30, 30.0, -30.0, 1e4, -1e4, 1e18, -1e18]
    if FUNCTIONS[name].valid_is_magnitude:
        places = [x for x in places if low <= abs(x) <= high]
    if name == "exp":
        places = [x for x in places if x < 88]
    places = [x for x in places if (low <= x <= high or FUNCTIONS[name].valid_is_magnitude)]
    assert len(places) >= 3
    slopes = jax.vmap(jax.grad(FUNCTIONS[name].function))(jnp.array(places, jnp.float32))
    assert np.isfinite(slopes).all(), dict(zip(places, np.asarray(slopes)))


LIMITS = {
    "sigmoid": (0, 1),
    "relu": (0, math.inf),
    "gelu": (0, math.inf),
    "gelu_dx": (0, 1),
    "gelu_apprx_tanh": (0, math.inf),
    "gelu_apprx_sigmoid": (0, math.inf),
    "silu": (0, math.inf),
    "silu_dx": (0, 1),
    "tanh": (-1, 1),
    "softplus": (0, math.inf),
    "mish": (0, math.inf),
    "erf": (-1, 1),
    "erf_dx": (0, 0),
    "exp": (0, math.inf),
    "arctan": (-math.pi / 2, math.pi / 2),
    "sign": (-1, 1),
    "copy": (-math.inf, math.inf),
    "square": (math.inf, math.inf),
    "abs": (math.inf, math.inf),
}


@pytest.mark.parametrize("name", LIMITS)
def test_limits_at_infinity(name):
    ends = FUNCTIONS[name].function(jnp.array([-jnp.inf, jnp.inf], jnp.float32))
    np.testing.assert_allclose(ends, LIMITS[name], rtol=1e-6)


@every_function
def test_nan_stays_nan(name):
    assert np.isnan(FUNCTIONS[name].function(jnp.float32(jnp.nan)))


@pytest.mark.parametrize("name", ["gelu", "gelu_apprx_tanh", "silu", "mish"])
def test_small_tails_keep_their_digits(name):
    x = np.linspace(-9, -4, 200).astype(np.float32)
    expected = np.array([oracle.FUNCTIONS[name](float(v)) for v in x])
    # Further out 1 + tanh has no digits left, not even in the double precision of the oracle.
    kept = expected < -1e-11 if name == "gelu_apprx_tanh" else np.ones(x.shape, bool)
    got = np.asarray(FUNCTIONS[name].function(x))
    np.testing.assert_allclose(got[kept], expected[kept], rtol=1e-4)


def test_slopes_at_edges_are_those_of_jax():
    slope = lambda name: float(jax.grad(FUNCTIONS[name].function)(0.0))  # noqa: E731
    assert (slope("relu"), slope("sign"), slope("square")) == (0, 0, 0)
    assert math.isinf(slope("sqrt"))


@pytest.mark.parametrize("name", [name for name in NAMES if name not in oracle.NOT_LEGACY])
def test_the_language_has_a_function_of_that_name(name):
    assert activation_function(getattr(nl, name), "activation").name == name


NUMPY = {
    "copy": np.copy,
    "square": np.square,
    "tanh": np.tanh,
    "exp": np.exp,
    "log": np.log,
    "sin": np.sin,
    "arctan": np.arctan,
    "sqrt": np.sqrt,
    "reciprocal": np.reciprocal,
    "sign": np.sign,
    "abs": np.abs,
}


@pytest.mark.parametrize("name", NUMPY)
def test_numpy_functions_mean_the_same(name):
    assert activation_function(NUMPY[name], "activation").name == name


def test_a_string_names_a_function_only_where_it_may():
    assert activation_function("gelu", "activation", by_name=True).name == "gelu"
    with pytest.raises(RuleError, match="not an activation function"):
        activation_function("gelu", "activation")


@pytest.mark.parametrize("op", [np.add, np.cos, nl.cos, nl.add, nl.negative, max, None, OPERATORS["invert"]])
def test_anything_else_is_refused(op):
    with pytest.raises(RuleError) as caught:
        activation_function(op, "activation")
    assert caught.value.rule == "activation.op"
    given = getattr(op, "__name__", repr(op))
    assert str(caught.value).startswith(
        f"activation.op: activation: 'op' is not an activation function\n  given:   {given}\n  allowed: copy, square"
    )
    assert "reciprocal, sign, abs" in caught.value.allowed


def test_valid_ranges():
    ranges = {name: FUNCTIONS[name].valid for name in NAMES if FUNCTIONS[name].valid[1] < math.inf}
    assert ranges == {
        "log": (2.0**-64, 2.0**64),
        "sin": (-math.pi, math.pi),
        "arctan": (-math.pi / 2, math.pi / 2),
        "sqrt": (2.0**-116, 2.0**118),
        "rsqrt": (2.0**-87, 2.0**97),
        "reciprocal": (2.0**-42, 2.0**42),
    }
    assert [name for name in NAMES if FUNCTIONS[name].valid_is_magnitude] == ["reciprocal"]
