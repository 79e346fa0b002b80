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
from jax.custom_derivatives import SymbolicZero

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
    inner = _of_equal_shapes(function)

    @wraps(function)
    def outer(*operands: Any) -> jax.Array:
        return inner(*jnp.broadcast_arrays(*operands))

    return outer


def _of_equal_shapes(function: Function) -> Function:
    @jax.custom_jvp
    def differentiable(*operands: jax.Array) -> jax.Array:
        return function(*operands)

    def rule(primals: tuple[jax.Array, ...], tangents: tuple[Any, ...]) -> tuple[jax.Array, Any]:
        terms = [
            _scaled(_slope(function, i), primals, tangent)
            for i, tangent in enumerate(tangents)
            if not isinstance(tangent, SymbolicZero)
        ]
        value = differentiable(*primals)
        return value, sum(terms[1:], terms[0]) if terms else jnp.zeros_like(value)

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

    # Two halves: equal, but where the slope is NaN. There they overflow to opposite infinities, whose sum is NaN.
    up, down = (_bounded(slope, nan)(*primals) for nan in (_LARGE, -_LARGE))
    beyond = _beyond(slope(*primals), 0.5)
    return tangent * up * beyond + tangent * down * beyond


def _beyond(slope: jax.Array, otherwise: float) -> jax.Array:
    """What takes a bounded slope back beyond all numbers, where it came from there."""
    return jnp.where(jnp.isfinite(slope), jnp.float32(otherwise), _HUGE)


def _bounded(function: Function, nan: float) -> Function:
    """An elementwise function with infinities as large numbers and NaN as `nan`; so all of its derivatives."""

    @jax.custom_jvp
    def bounded(*operands: jax.Array) -> jax.Array:
        return jnp.nan_to_num(function(*operands), nan=nan, posinf=_LARGE, neginf=-_LARGE)

    def rule(primals: tuple[jax.Array, ...], tangents: tuple[Any, ...]) -> tuple[jax.Array, Any]:
        terms = [
            tangent * _bounded(_slope(function, i), nan)(*primals)
            for i, tangent in enumerate(tangents)
            if not isinstance(tangent, SymbolicZero)
        ]
        value = bounded(*primals)
        return value, sum(terms[1:], terms[0]) if terms else jnp.zeros_like(value)

    bounded.defjvp(rule, symbolic_zeros=True)
    return bounded


@jax.custom_jvp
def multiply(a: Any, b: Any) -> jax.Array:
    """`a * b` with the same law, for operands that broadcast.

    Multiplication is what kernels do most, so it has one product per operand instead of two: the derivative by what
    NaN was multiplied with is infinite, not NaN.
    """
    return jnp.multiply(a, b)


def _multiply_rule(primals: tuple[Any, Any], tangents: tuple[Any, Any]) -> tuple[jax.Array, Any]:
    value = multiply(*primals)
    terms = [
        tangent * _bounded(lambda x: x, _LARGE)(other) * _beyond(other, 1.0)
        for other, tangent in zip(reversed(primals), tangents)
        if not isinstance(tangent, SymbolicZero)
    ]
    total = sum(terms[1:], terms[0]) if terms else jnp.zeros_like(value)
    return value, jnp.broadcast_to(total, value.shape)


multiply.defjvp(_multiply_rule, symbolic_zeros=True)
