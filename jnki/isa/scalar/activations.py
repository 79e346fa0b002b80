"""The activation functions of the Scalar Engine, as data: what each one computes and where the hardware is valid.

Source: the table of activation functions on NKI's common-fields page. The hardware approximates them by piecewise
polynomials; here they are computed as mathematics says, in float32, also outside of the valid input range. Limits at
infinity are the mathematical ones.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jnki.errors import RuleError
from jnki.isa.operators import name_of
from jnki.isa.slopes import dead_is_zero, multiply

# Beyond this argument every gate below is 0 or 1 in float32, and so is its slope.
_FLAT = 200.0


@dataclass(frozen=True)
class ActivationFunction:
    """A function that `nki.isa.activation` applies to each element.

    Attributes:
        name: NKI's name (`nki.language.<name>`).
        function: on float32 arrays, element by element.
        valid: smallest and largest input for which the hardware's result is valid.
        valid_is_magnitude: whether `valid` bounds the absolute value of the input.
        aliases: NumPy functions that mean the same and have another name.
    """

    name: str
    function: Callable[[jax.Array], jax.Array] = field(compare=False)
    valid: tuple[float, float] = (-math.inf, math.inf)
    valid_is_magnitude: bool = False
    aliases: tuple[str, ...] = ()


def _gated(gate: Callable[[jax.Array], jax.Array]) -> Callable[[jax.Array], jax.Array]:
    """`x * gate(x)` for a gate from 0 to 1; finite at -inf, where it is 0 times infinity as written."""
    return lambda x: jnp.maximum(x, -_FLAT) * gate(_clipped(x))


def _clipped(x: jax.Array) -> jax.Array:
    return jnp.clip(x, -_FLAT, _FLAT)


def _normal_cdf(x: jax.Array) -> jax.Array:
    return 0.5 * lax.erfc(-x * math.sqrt(0.5))


def _normal_pdf(x: jax.Array) -> jax.Array:
    return math.sqrt(0.5 / math.pi) * jnp.exp(-0.5 * x * x)


def _gelu_dx(x: jax.Array) -> jax.Array:
    x = _clipped(x)
    return _normal_cdf(x) + x * _normal_pdf(x)


def _tanh_gate(x: jax.Array) -> jax.Array:
    # (1 + tanh(u)) / 2 without the cancellation at negative u.
    return jax.nn.sigmoid(2 * math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x))


def _gelu_apprx_sigmoid_dx(x: jax.Array) -> jax.Array:
    x = _clipped(x)
    gate = jax.nn.sigmoid(1.702 * x)
    return gate * (1 + 1.702 * x * jax.nn.sigmoid(-1.702 * x))


def _silu_dx(x: jax.Array) -> jax.Array:
    x = _clipped(x)
    return jax.nn.sigmoid(x) * (1 + x * jax.nn.sigmoid(-x))


def _erf_dx(x: jax.Array) -> jax.Array:
    x = _clipped(x)
    return 2 / math.sqrt(math.pi) * jnp.exp(-x * x)


_ALL_FUNCTIONS = (
    ActivationFunction("copy", lambda x: x),
    ActivationFunction("square", lambda x: multiply(x, x)),
    ActivationFunction("sigmoid", jax.nn.sigmoid),
    ActivationFunction("relu", jax.nn.relu),
    ActivationFunction("gelu", _gated(_normal_cdf)),
    ActivationFunction("gelu_dx", _gelu_dx),
    ActivationFunction("gelu_apprx_tanh", _gated(_tanh_gate)),
    ActivationFunction("gelu_apprx_sigmoid", _gated(lambda x: jax.nn.sigmoid(1.702 * x))),
    ActivationFunction("gelu_apprx_sigmoid_dx", _gelu_apprx_sigmoid_dx),
    ActivationFunction("silu", _gated(jax.nn.sigmoid)),
    ActivationFunction("silu_dx", _silu_dx),
    ActivationFunction("tanh", jnp.tanh),
    ActivationFunction("softplus", jax.nn.softplus),
    ActivationFunction("mish", _gated(lambda x: jnp.tanh(jax.nn.softplus(x)))),
    ActivationFunction("erf", lax.erf),
    ActivationFunction("erf_dx", _erf_dx),
    ActivationFunction("exp", jnp.exp),
    ActivationFunction("log", jnp.log, (2.0**-64, 2.0**64)),
    ActivationFunction("sin", jnp.sin, (-math.pi, math.pi)),
    ActivationFunction("arctan", jnp.arctan, (-math.pi / 2, math.pi / 2)),
    ActivationFunction("sqrt", jnp.sqrt, (2.0**-116, 2.0**118)),
    ActivationFunction("rsqrt", lax.rsqrt, (2.0**-87, 2.0**97)),
    ActivationFunction("reciprocal", lambda x: 1 / x, (2.0**-42, 2.0**42), valid_is_magnitude=True),
    ActivationFunction("sign", jnp.sign),
    ActivationFunction("abs", jnp.abs, aliases=("absolute", "fabs")),
)

# Their slopes are finite everywhere, or guarded already.
_UNGUARDED = ("copy", "square", "relu", "sign", "abs")

FUNCTIONS = MappingProxyType(
    {f.name: f if f.name in _UNGUARDED else replace(f, function=dead_is_zero(f.function)) for f in _ALL_FUNCTIONS}
)

_BY_ALIAS = MappingProxyType({alias: function.name for function in _ALL_FUNCTIONS for alias in function.aliases})


def activation_function(op: Any, instruction: str, *, by_name: bool = False) -> ActivationFunction:
    """The activation function that `op` stands for.

    Args:
        op: a function of a dialect's language module, or NumPy's function of that name.
        instruction: who asks, for the message.
        by_name: whether a string may name the function.

    Raises:
        RuleError: `<instruction>.op`, for anything but a documented activation function.
    """
    name = op if by_name and isinstance(op, str) else name_of(op)
    found = FUNCTIONS.get(_BY_ALIAS.get(name or "", name or ""))
    if name == "prelu":
        raise RuleError(
            f"{instruction}.op",
            f"{instruction}: 'prelu' has a parameter, its slope below zero, and {instruction} has no argument for it",
            allowed="nisa.activate2, on NeuronCore-v4 and newer",
        )
    if found is None:
        raise RuleError(
            f"{instruction}.op",
            f"{instruction}: 'op' is not an activation function",
            given=getattr(op, "__name__", repr(op)),
            allowed=", ".join(FUNCTIONS),
        )
    return found
