"""`h = (a <op0> h) <op1> b` along an axis, one element after another: what a scan of the Vector Engine computes."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jnki.isa.operators import OPERATORS


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

    def __call__(self, a: jax.Array, state: jax.Array, b: jax.Array) -> jax.Array:
        inner = OPERATORS[self.op0].function(*((state, a) if self.reverse0 else (a, state)))
        return OPERATORS[self.op1].function(*((b, inner) if self.reverse1 else (inner, b)))


def in_order(
    step: Callable[..., jax.Array], a: jax.Array, b: jax.Array | None, start: jax.Array, on: jax.Array | None = None
) -> jax.Array:
    """All states of the recurrence, `float32[N, P]`: the first axis is the one that is walked.

    The bits are those of a loop over NumPy's float32. A step of the reverse pass computes its slopes again from `a`,
    `b` and the state before it: a few operations, where keeping them took two more arrays of the size of `a`.

    Args:
        step: of `a`, the state and `b`.
        a, b: `float32[N, P]`; `b` may be None, for a step without it.
        start: the state before the first step, `float32[P]`.
        on: `bool[N, P]`; where false, a state stays as it was. None where every step is taken.
    """

    @partial(jax.checkpoint, prevent_cse=False)
    def one(state: jax.Array, x: Any) -> tuple[jax.Array, jax.Array]:
        a, b, on = x
        new = step(a, state, b)
        new = new if on is None else jnp.where(on, new, state)
        return new, new

    return lax.scan(one, start, (a, b, on))[1]
