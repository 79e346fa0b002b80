"""`h = (a <op0> h) <op1> b` along an axis, one element after another: what a scan of the Vector Engine computes.

Each step is rounded as two operations of float32, so that a loop over NumPy's float32 gives the same bits. The
derivative is a recurrence too. Its coefficients depend on no other step, and are computed for all of them at once:

    h[i]  = (a[i] <op0> h[i-1]) <op1> b[i]                one loop: values
    s[i]  = d h[i] / d h[i-1]                             no loop: slopes, from the values
    dh[i] = s[i] * dh[i-1] + (what a[i] and b[i] add)     one loop: tangents, linear, so that it has a transpose
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_derivatives import SymbolicZero

from jnki.isa.operators import OPERATORS
from jnki.isa.slopes import Slope, slope_of, slope_of_product, times


@dataclass(frozen=True)
class Step:
    """One step of a recurrence, by the names of two binary arithmetic operators.

    Attributes:
        op0, op1: the operators.
        reverse0: whether `a` stands on the right of `op0`.
        reverse1: whether `b` stands on the left of `op1`.
    """

    op0: str
    op1: str
    reverse0: bool = False
    reverse1: bool = False

    def inner(self, a: jax.Array, state: jax.Array) -> jax.Array:
        return self._apply(self.op0, *((state, a) if self.reverse0 else (a, state)))

    def outer(self, inner: jax.Array, b: jax.Array) -> jax.Array:
        return self._apply(self.op1, *((b, inner) if self.reverse1 else (inner, b)))

    def __call__(self, a: jax.Array, state: jax.Array, b: jax.Array) -> jax.Array:
        return self.outer(self.inner(a, state), b)

    def slopes(self, a: jax.Array, state: jax.Array, b: jax.Array) -> tuple[bool, tuple[Slope, ...]]:
        """What the tangent of the state is multiplied by: whether by -1, and by which slopes one after another."""
        first = _slope_by(self.op0, 0 if self.reverse0 else 1, (state, a) if self.reverse0 else (a, state))
        inner = self.inner(a, state)
        second = _slope_by(self.op1, 1 if self.reverse1 else 0, (b, inner) if self.reverse1 else (inner, b))
        return first[0] != second[0], (*first[1], *second[1])

    @staticmethod
    def _apply(op: str, left: jax.Array, right: jax.Array) -> jax.Array:
        value = OPERATORS[op].function(left, right)
        return rounded(value) if op == "multiply" else value


def rounded(product: jax.Array) -> jax.Array:
    """`product` itself, which no compiler makes one operation of with an addition that follows.

    XLA lets LLVM contract `a * b + c` into one instruction that rounds once. A selection in between keeps them apart;
    barriers and `lax.reduce_precision` are gone by then.
    """
    return jnp.where(product == product, product, jnp.nan)


def _slope_by(op: str, at: int, operands: tuple[jax.Array, jax.Array]) -> tuple[bool, tuple[Slope, ...]]:
    """The slope of an operator by one of its operands: whether it is negated, and a factor if there is one."""
    match op:
        case "add":
            return False, ()
        case "subtract":
            return at == 1, ()
        case "multiply":
            return False, (slope_of_product(operands[1 - at]),)
    return False, (slope_of(OPERATORS[op].function, at, *operands),)


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def in_order(step: Step, a: jax.Array, b: jax.Array, start: jax.Array, on: jax.Array | None) -> jax.Array:
    """All states of the recurrence, `float32[N, P]`: the first axis is the one that is walked.

    Args:
        a, b: `float32[N, P]`.
        start: the state before the first step, `float32[P]`.
        on: `bool[N, P]`; where false, a state stays as it was. None where every step is taken.
    """

    def one(state: jax.Array, x: Any) -> tuple[jax.Array, jax.Array]:
        new = step(x[0], state, x[1])
        new = new if on is None else jnp.where(x[2], new, state)
        return new, new

    return lax.scan(one, start, (a, b, on))[1]


def _rule(step: Step, primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[jax.Array, Any]:
    a, b, start, on = primals
    da, db, dstart = (
        jnp.zeros_like(x) if isinstance(t, SymbolicZero) else t for x, t in zip((a, b, start), tangents, strict=False)
    )
    value = in_order(step, a, b, start, on)
    state = jnp.concatenate([start[None], value[:-1]])
    added = jax.jvp(lambda a, b: step(a, state, b), (a, b), (da, db))[1]
    negated, slopes = step.slopes(a, state, b)

    def one(tangent: jax.Array, x: Any) -> tuple[jax.Array, jax.Array]:
        added, slopes, on = x
        new = tangent
        for slope in slopes:
            new = times(new, slope)
        new = added - new if negated else new + added
        new = new if on is None else jnp.where(on, new, tangent)
        return new, new

    return value, lax.scan(one, dstart, (added, slopes, on))[1]


in_order.defjvp(_rule, symbolic_zeros=True)
