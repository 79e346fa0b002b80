"""Activation functions of one number, in double precision, from Python's own `math`.

Derivatives are central differences of the function, not formulas of their own.
"""

import math
from collections.abc import Callable
from types import MappingProxyType

_STEP = 2.0**-14


def _ignoring_overflow(function: Callable[[float], float]) -> Callable[[float], float]:
    def safe(x: float) -> float:
        try:
            return function(x)
        except OverflowError:
            return math.inf

    return safe


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def _softplus(x: float) -> float:
    return x + math.log1p(math.exp(-x)) if x > 0 else math.log1p(math.exp(x))


def _gelu(x: float) -> float:
    return x * math.erfc(-x / math.sqrt(2)) / 2


def _slope(function: Callable[[float], float]) -> Callable[[float], float]:
    """The derivative, with an error of the order of the step's fourth power."""

    def slope(x: float) -> float:
        near = (function(x + _STEP) - function(x - _STEP)) / (2 * _STEP)
        far = (function(x + 2 * _STEP) - function(x - 2 * _STEP)) / (4 * _STEP)
        return (4 * near - far) / 3

    return slope


def _silu(x: float) -> float:
    return x * _sigmoid(x)


FUNCTIONS: MappingProxyType[str, Callable[[float], float]] = MappingProxyType(
    {
        "copy": lambda x: x,
        "square": lambda x: x * x,
        "sigmoid": _sigmoid,
        "relu": lambda x: x if x > 0 else 0.0,
        "gelu": _gelu,
        "gelu_dx": _slope(_gelu),
        "gelu_apprx_tanh": lambda x: x * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))) / 2,
        "gelu_apprx_sigmoid": lambda x: x * _sigmoid(1.702 * x),
        "gelu_apprx_sigmoid_dx": _slope(lambda x: x * _sigmoid(1.702 * x)),
        "silu": _silu,
        "silu_dx": _slope(_silu),
        "tanh": math.tanh,
        "softplus": _softplus,
        "mish": lambda x: x * math.tanh(_softplus(x)),
        "erf": math.erf,
        "erf_dx": _slope(math.erf),
        "exp": _ignoring_overflow(math.exp),
        "log": math.log,
        "sin": math.sin,
        "arctan": math.atan,
        "sqrt": math.sqrt,
        "rsqrt": lambda x: 1 / math.sqrt(x),
        "reciprocal": lambda x: 1 / x,
        "sign": lambda x: math.copysign(1.0, x) if x else 0.0,
        "abs": abs,
    }
)

NOT_LEGACY = ("gelu_apprx_sigmoid_dx",)
"""Functions that only the current dialect has."""

DOMAINS: MappingProxyType[str, tuple[float, float]] = MappingProxyType(
    {"log": (1e-3, 1e3), "sqrt": (1e-3, 1e3), "rsqrt": (1e-3, 1e3), "reciprocal": (1e-2, 1e2), "sin": (-3.1, 3.1)}
)
"""Where to draw inputs from; -10 to 10 for all others."""


def slope(function: str, x: float) -> float:
    """The derivative of a function at `x`."""
    return _slope(FUNCTIONS[function])(x)
