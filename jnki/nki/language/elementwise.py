"""Functions of each element: `nl.exp(tile)` records one, `nisa.activation(op=nl.exp)` only asks for the name."""

from typing import Any, Protocol

from jnki.dialects.naming import named, public
from jnki.nki.language.dtypes import wished_type
from jnki.tiles import compute, elementwise


class Unary(Protocol):
    """A function of each element of a tile."""

    def __call__(self, x: Any, dtype: Any = None) -> Any: ...


def _activation(op: str, summary: str) -> Unary:
    """The function that records an activation, on the Scalar Engine."""

    @named(op)
    def function(x: Any, dtype: Any = None) -> Any:
        """
        Args:
            x: a tile in SBUF or PSUM.
            dtype: element type of the result; that of `x` by default. Arithmetic is in float32.
        """
        return elementwise.activation(op, x, dtype=wished_type(dtype))

    return public(function, op, summary)


def _composed(op: str, summary: str) -> Unary:
    """The function that records what no single instruction computes."""

    @named(op)
    def function(x: Any, dtype: Any = None) -> Any:
        """
        Args:
            x: a tile in SBUF or PSUM.
            dtype: element type of the result; that of `x` by default. Arithmetic is in float32.
        """
        return elementwise.language_function(op, x, dtype=wished_type(dtype))

    return public(function, op, summary)


abs = _activation("abs", "Absolute value.")
arctan = _activation("arctan", "Inverse tangent.")
erf = _activation("erf", "Error function.")
erf_dx = _activation("erf_dx", "Derivative of the error function.")
exp = _activation("exp", "`e` to the power of `x`.")
gelu = _activation("gelu", "`x * Phi(x)`, where `Phi` is the cumulative normal distribution.")
gelu_apprx_sigmoid = _activation("gelu_apprx_sigmoid", "`x * sigmoid(1.702 * x)`.")
gelu_apprx_tanh = _activation("gelu_apprx_tanh", "`x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x**3))) / 2`.")
gelu_apprx_sigmoid_dx = _activation("gelu_apprx_sigmoid_dx", "Derivative of `gelu_apprx_sigmoid`.")
gelu_dx = _activation("gelu_dx", "Derivative of `gelu`.")
log = _activation("log", "Natural logarithm.")
mish = _activation("mish", "`x * tanh(softplus(x))`.")
relu = _activation("relu", "`max(0, x)`.")
rsqrt = _activation("rsqrt", "One over the square root.")
sigmoid = _activation("sigmoid", "`1 / (1 + exp(-x))`.")
sign = _activation("sign", "-1, 0 or 1.")
silu = _activation("silu", "`x * sigmoid(x)`.")
silu_dx = _activation("silu_dx", "Derivative of `silu`.")
sin = _activation("sin", "Sine.")
softplus = _activation("softplus", "`log(1 + exp(x))`.")
sqrt = _activation("sqrt", "Square root.")
square = _activation("square", "`x * x`.")
tanh = _activation("tanh", "Hyperbolic tangent.")

ceil = _composed("ceil", "The smallest integer that is not less than `x`.")
cos = _composed("cos", "Cosine.")
floor = _composed("floor", "The largest integer that is not greater than `x`.")
tan = _composed("tan", "Tangent.")
trunc = _composed("trunc", "The integer part of `x`: rounded towards zero.")


@named("reciprocal")
def reciprocal(x: Any, dtype: Any = None) -> Any:
    """One over `x`, on the Vector Engine."""
    return elementwise.reciprocal(x, dtype=wished_type(dtype))


def negative(x: Any, dtype: Any = None) -> Any:
    """`-x`, in float32."""
    return compute.negative(x, dtype=wished_type(dtype))


@named("invert")
def invert(x: Any, dtype: Any = None) -> Any:
    """Every bit of an integer tile the other way."""
    return compute.unary_alu("invert", x, dtype=wished_type(dtype))


@named("logical_not")
def logical_not(x: Any, dtype: Any = None) -> Any:
    """1 where `x` is zero, else 0, in the type of `x` unless `dtype` says."""
    return compute.unary_alu("logical_not", x, dtype=wished_type(dtype))
