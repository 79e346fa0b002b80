"""Elementwise functions whose derivative sends nothing where nothing is asked: zero times an infinite slope is zero.

The value of an instruction may be overwritten, masked off or never used; its cotangent is then zero, whatever the
slope at the old value. IEEE arithmetic makes NaN of zero times an infinite or NaN slope. A selection by `t == 0`
would not be linear in `t`, so JAX could not transpose it; multiplying by two finite numbers whose product overflows
is: it takes zero to zero and all else, down to 2**-100, to infinity, forward and backward.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.custom_derivatives import SymbolicZero

from jnki.isa.apart import product
from jnki.isa.quotient import quotient

# An infinite slope is the product of these two; sums of a few of the former are still finite.
_LARGE = 2.0**100
_HUGE = float(np.finfo(np.float32).max)

Function = Callable[..., jax.Array]


def dead_is_zero(function: Function) -> Function:
    """`function`, with the derivatives JAX gives it, but for one law: a zero (co)tangent passes as zero.

    An infinite or NaN slope still shows as such where the (co)tangent is not zero. The function and its derivatives
    of every order obey the law, in every transformation.

    Args:
        function: of one or more float32 arrays that broadcast, element by element.
    """
    return _with_terms(function, lambda i, primals, tangent: _scaled(_slope(function, i), primals, tangent))


def _with_terms(function: Function, term: Callable[[int, tuple[Any, ...], Any], jax.Array]) -> Function:
    """`function`, whose tangent is the sum of what `term` makes of each operand's tangent that is not zero."""

    @jax.custom_jvp
    @wraps(function)
    def differentiable(*operands: Any) -> jax.Array:
        return function(*operands)

    def rule(primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[jax.Array, Any]:
        terms = [term(i, primals, t) for i, t in enumerate(tangents) if not isinstance(t, SymbolicZero)]
        value = differentiable(*primals)
        return value, jnp.broadcast_to(sum(terms[1:], terms[0]), value.shape) if terms else jnp.zeros_like(value)

    differentiable.defjvp(rule, symbolic_zeros=True)
    return differentiable


def _slope(function: Function, i: int) -> Function:
    """The partial derivative of an elementwise function by operand `i`."""

    def slope(*operands: jax.Array) -> jax.Array:
        def of_one(operand: jax.Array) -> jax.Array:
            return function(*operands[:i], operand, *operands[i + 1 :])

        return jax.jvp(of_one, (operands[i],), (jnp.ones_like(operands[i]),))[1]

    return slope


def _scaled(slope: Function, primals: tuple[jax.Array, ...], tangent: jax.Array) -> jax.Array:
    """`tangent` times the slope, linear in `tangent`, and zero where it is zero."""
    return _times(_bounded(slope), lax.stop_gradient(slope(*primals)), primals, tangent)


def _times(bounded: Function, slope: jax.Array, primals: tuple[jax.Array, ...], tangent: jax.Array) -> jax.Array:
    """`tangent` times a slope at `primals`, whose derivatives are those of `bounded`.

    What the products are made of is computed again where a gradient needs it: one array is kept, as for an ordinary
    product, not one for each factor.
    """

    def scaled(slope: jax.Array, tangent: jax.Array, *primals: jax.Array) -> jax.Array:
        return _blown_up(tangent, bounded(slope, *primals), slope, jnp.isfinite(slope))

    return jax.checkpoint(scaled, prevent_cse=False)(slope, tangent, *primals)


def _blown_up(tangent: Any, bounded: jax.Array, slope: jax.Array, is_number: jax.Array) -> jax.Array:
    """`tangent * bounded`, beyond all numbers where `is_number` is false, and NaN where the slope is."""
    # Equal halves, but where the slope is NaN: there they overflow to opposite infinities, whose sum is NaN.
    opposite = jnp.where(jnp.isnan(slope), -bounded, bounded)
    beyond = jnp.where(is_number, jnp.float32(0.5), _HUGE)
    tangent = _whole(tangent, bounded)
    return tangent * bounded * beyond + tangent * opposite * beyond


def _whole(tangent: Any, bounded: jax.Array) -> jax.Array:
    """`tangent`, selected by what always holds.

    Going backwards the selection comes last, behind the products. XLA takes products that a sum follows into the loop
    of the sum, but no selections: it would write each of the factors to memory instead of the one product.
    """
    return jnp.where(jnp.abs(lax.stop_gradient(bounded)) <= _HUGE, tangent, 0)


def _bounded(function: Function) -> Function:
    """Of the value of an elementwise function and its operands: the value, infinities and NaN as large numbers.

    So are all its derivatives, which are those of the function by its operands.
    """

    def value_alone(value: jax.Array, *operands: jax.Array) -> jax.Array:
        return jnp.nan_to_num(value, nan=_LARGE, posinf=_LARGE, neginf=-_LARGE)

    def term(i: int, primals: tuple[Any, ...], tangent: Any) -> jax.Array:
        _, *operands = primals
        slope = _slope(function, i - 1)
        return tangent * _bounded(slope)(lax.stop_gradient(slope(*operands)), *operands)

    return _with_terms(value_alone, term)


def _multiply_term(i: int, primals: tuple[Any, ...], tangent: Any) -> jax.Array:
    """Multiplication is what kernels do most, so it has one product per operand instead of two: the derivative by what
    NaN was multiplied with is infinite, not NaN.
    """

    def scaled(other: Any, tangent: Any) -> jax.Array:
        bounded = _OTHER(lax.stop_gradient(other), other)
        return _whole(tangent, bounded) * bounded * jnp.where(jnp.isfinite(other), jnp.float32(1), _HUGE)

    return jax.checkpoint(scaled, prevent_cse=False)(primals[1 - i], tangent)


def _divide_term(i: int, primals: tuple[Any, ...], tangent: Any) -> jax.Array:
    """The quotient is a factor of the second slope, and an output: nothing of its size is kept beside it."""
    a, b = primals
    if i == 0:
        return _scaled(jnp.reciprocal, (b,), tangent)

    def scaled(value: jax.Array, inverse: jax.Array, tangent: jax.Array, a: Any, b: Any) -> jax.Array:
        is_number = jnp.isfinite(value)
        # An infinite quotient stays so beside an inverse that rounds to zero.
        factor = jnp.where(is_number, _INVERSE(inverse, b), jnp.copysign(jnp.float32(1), inverse))
        is_number &= jnp.isfinite(inverse)
        return _blown_up(tangent, _QUOTIENT(value, a, b), value, is_number) * -factor

    value, inverse = (lax.stop_gradient(x) for x in (quotient(a, b), jnp.reciprocal(b)))
    return jax.checkpoint(scaled, prevent_cse=False)(value, inverse, tangent, a, b)


_OTHER, _QUOTIENT, _INVERSE = (_bounded(f) for f in (lambda x: x, jnp.divide, jnp.reciprocal))

multiply = _with_terms(product, _multiply_term)
divide = _with_terms(quotient, _divide_term)
