"""The operators of `nki.isa`, as data: which engine runs one, whether it reduces, and what it computes.

Source: the tables of math operators and activation functions on NKI's common-fields page. Arithmetic is in float32;
the bitvec operators work on the bits of integers.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jnki.dtypes import zero_or_one
from jnki.errors import RuleError
from jnki.isa.enums import engine as Engine
from jnki.isa.slopes import dead_is_zero, divide, multiply

VECTOR, SCALAR, GPSIMD = Engine.vector, Engine.scalar, Engine.gpsimd


@dataclass(frozen=True)
class Operator:
    """A math operator of the Vector, Scalar or GpSimd Engine.

    Attributes:
        name: NKI's name (`nki.language.<name>`).
        arity: 1 or 2 operands.
        function: on float32 arrays; on integer arrays for a bitvec operator.
        engines: which engines run it.
        is_bitvec: whether it works on bits, of integers only.
        reduction: `jax.numpy` reduction along axes, where the operator is a legal one.
        identity: what a masked-off element contributes to a reduction.
        masked_reduction: of an array, its mask and axes, for an operator without a neutral element on the left.
        aliases: NumPy functions that mean the same, by name.
        least_version: the first NeuronCore that has it.
    """

    name: str
    arity: int
    function: Callable[..., jax.Array] = field(compare=False)
    engines: tuple[Engine, ...] = (VECTOR,)
    is_bitvec: bool = False
    reduction: Callable[..., jax.Array] | None = field(default=None, compare=False)
    identity: float | int = 0
    masked_reduction: Callable[..., jax.Array] | None = field(default=None, compare=False)
    aliases: tuple[str, ...] = ()
    least_version: int = 2


def _flag(function: Callable[..., Any]) -> Callable[..., jax.Array]:
    """A predicate as the numbers 1.0 and 0.0."""
    return lambda *operands: zero_or_one(function(*operands))


def _fold(function: Callable[[Any, Any], Any], start: int) -> Callable[..., jax.Array]:
    """A reduction along the trailing axes, for operators that jax.numpy does not reduce with."""

    def reduce(x: jax.Array, axis: tuple[int, ...]) -> jax.Array:
        return lax.reduce(x, jnp.asarray(np.asarray(start).astype(x.dtype)), function, axis)

    return reduce


def _subtract_all(x: jax.Array, axis: tuple[int, ...]) -> jax.Array:
    """The first element of each row, minus the second, minus the third: in order, as floats are not associative."""
    flat = x.reshape(*x.shape[: min(axis)], -1)
    return _less(flat[..., 0], flat[..., 1:])


def _subtract_enabled(x: jax.Array, enabled: jax.Array, axis: tuple[int, ...]) -> jax.Array:
    """The first enabled element of each row, minus all other enabled ones in order; the others are zero in `x`."""
    flat = x.reshape(*x.shape[: min(axis)], -1)
    first = jnp.argmax(enabled.reshape(flat.shape), axis=-1, keepdims=True)
    rest = jnp.where(lax.broadcasted_iota(first.dtype, flat.shape, flat.ndim - 1) == first, 0, flat)
    return _less(jnp.take_along_axis(flat, first, axis=-1)[..., 0], rest)


def _less(start: jax.Array, rest: jax.Array) -> jax.Array:
    """`start - rest[..., 0] - rest[..., 1] - ...`; a zero in `rest` changes nothing."""
    total, _ = lax.scan(lambda so_far, x: (so_far - x, None), start, jnp.moveaxis(rest, -1, 0))
    return total


def _logical_shift_right(x: jax.Array, n: jax.Array) -> jax.Array:
    return lax.shift_right_logical(x, n.astype(x.dtype))


def _abs_max(x: jax.Array, y: jax.Array) -> jax.Array:
    """Whichever has the larger magnitude, with its sign; `y` where neither has."""
    return jnp.where(jnp.abs(x) > jnp.abs(y), x, y)


def _abs_min(x: jax.Array, y: jax.Array) -> jax.Array:
    return jnp.where(jnp.abs(x) < jnp.abs(y), x, y)


def _any(x: jax.Array, axis: tuple[int, ...]) -> jax.Array:
    return zero_or_one(jnp.any(x != 0, axis=axis))


def _all(x: jax.Array, axis: tuple[int, ...]) -> jax.Array:
    return zero_or_one(jnp.all(x != 0, axis=axis))


def _odd(x: jax.Array, axis: tuple[int, ...]) -> jax.Array:
    return zero_or_one(jnp.sum((x != 0).astype(jnp.int32), axis=axis) % 2 == 1)


_ALL_OPERATORS = (
    Operator("invert", 1, jnp.invert, is_bitvec=True, aliases=("bitwise_not",)),
    Operator("bitwise_and", 2, jnp.bitwise_and, is_bitvec=True, reduction=_fold(lax.bitwise_and, -1), identity=-1),
    Operator("bitwise_or", 2, jnp.bitwise_or, is_bitvec=True, reduction=_fold(lax.bitwise_or, 0)),
    Operator("bitwise_xor", 2, jnp.bitwise_xor, is_bitvec=True, reduction=_fold(lax.bitwise_xor, 0)),
    Operator("left_shift", 2, jnp.left_shift, is_bitvec=True),
    Operator("right_shift", 2, _logical_shift_right, is_bitvec=True),
    Operator("add", 2, jnp.add, (VECTOR, GPSIMD, SCALAR), reduction=jnp.sum, aliases=("sum",)),
    Operator("subtract", 2, jnp.subtract, reduction=_subtract_all, masked_reduction=_subtract_enabled),
    Operator("multiply", 2, multiply, (VECTOR, GPSIMD, SCALAR), reduction=jnp.prod, identity=1, aliases=("prod",)),
    Operator("divide", 2, divide, aliases=("true_divide",)),
    Operator("maximum", 2, jnp.maximum, reduction=jnp.max, identity=-np.inf, aliases=("max", "amax")),
    Operator("minimum", 2, jnp.minimum, reduction=jnp.min, identity=np.inf, aliases=("min", "amin")),
    Operator("equal", 2, _flag(jnp.equal)),
    Operator("not_equal", 2, _flag(jnp.not_equal)),
    Operator("greater_equal", 2, _flag(jnp.greater_equal)),
    Operator("greater", 2, _flag(jnp.greater)),
    Operator("less_equal", 2, _flag(jnp.less_equal)),
    Operator("less", 2, _flag(jnp.less)),
    Operator("logical_not", 1, _flag(jnp.logical_not)),
    Operator("logical_and", 2, _flag(jnp.logical_and), reduction=_all, identity=1),
    Operator("logical_or", 2, _flag(jnp.logical_or), reduction=_any),
    Operator("logical_xor", 2, _flag(jnp.logical_xor), reduction=_odd),
    Operator("rsqrt", 1, dead_is_zero(lax.rsqrt), (GPSIMD, SCALAR)),
    Operator("reciprocal", 1, dead_is_zero(lambda x: 1 / x), (VECTOR, SCALAR)),
    Operator("abs", 1, jnp.abs, (VECTOR, SCALAR), aliases=("absolute", "fabs")),
    Operator("power", 2, dead_is_zero(jnp.power), (GPSIMD,), aliases=("pow", "float_power")),
    Operator("abs_max", 2, _abs_max, least_version=4),
    Operator("abs_min", 2, _abs_min, identity=np.inf, least_version=4),
    Operator("square", 1, lambda x: multiply(x, x), least_version=4),
    Operator("relu", 1, jax.nn.relu, least_version=4),
)

OPERATORS = MappingProxyType({operator.name: operator for operator in _ALL_OPERATORS})

_BY_ALIAS = MappingProxyType({alias: operator.name for operator in _ALL_OPERATORS for alias in operator.aliases})


def name_of(op: Any) -> str | None:
    """The NKI name that a dialect's function, a NumPy function or an operator stands for; None for anything else."""
    named = getattr(op, "nki_op", None)
    if named is not None:
        return str(named)
    if isinstance(op, Operator):
        return op.name
    is_numpy = isinstance(op, np.ufunc) or getattr(op, "__module__", "").startswith("numpy")
    return op.__name__ if is_numpy and hasattr(op, "__name__") else None


def operator(op: Any, instruction: str, argument: str = "op", *, by_name: bool = False) -> Operator:
    """The operator that `op` stands for.

    Args:
        op: a dialect's function, a NumPy function, or, with `by_name`, a string.
        instruction, argument: who asks, for the message.

    Raises:
        RuleError: it is none of the documented ones.
    """
    name = op if by_name and isinstance(op, str) else name_of(op)
    found = OPERATORS.get(_BY_ALIAS.get(name or "", name or ""))
    if found is None:
        raise RuleError(
            f"{instruction}.{argument}",
            f"{instruction}: '{argument}' is not a math operator",
            given=getattr(op, "__name__", repr(op)),
            allowed=", ".join(OPERATORS),
        )
    return found
