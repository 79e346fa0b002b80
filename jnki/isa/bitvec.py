"""The bitvec operators: bits in, bits out, whatever numbers they spell.

Operands of different widths are brought to the wider one, each extended as its own type is (a sign, or zeros). The
result has the wider type, and of two types of one width the unsigned one; a bool is a byte of 0 or 1 beside an integer.
Stored in a type of the same width the result keeps its bits, in a narrower one the low bits, in a wider one it is
extended. Nothing saturates, and no bit goes through float32.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jnki.dtypes import ElementType
from jnki.isa.operators import Operator

_SHIFTS = ("left_shift", "right_shift")


def on_bits(
    op: Operator, a: jax.Array, a_type: ElementType, b: jax.Array, b_type: ElementType
) -> tuple[jax.Array, ElementType]:
    """`a <op> b` and the type that it is in: the wider one, or, for a shift, that of what is shifted."""
    if op.name in _SHIFTS:
        # A count is a number: one that is negative, or beyond the width, shifts everything out.
        count = lax.bitcast_convert_type(as_bits_of(b, b_type, _word(4, b_type)), np.uint32)
        most = np.uint32(8 * a_type.size_bytes)
        return op.function(a, jnp.minimum(count, most).astype(a_type.storage)), a_type
    common = max(a_type, b_type, key=lambda t: (t.size_bytes, t.is_integer, not t.is_signed))
    return op.function(as_bits_of(a, a_type, common), as_bits_of(b, b_type, common)), common


def as_bits_of(x: jax.Array, src: ElementType, dst: ElementType | np.dtype) -> jax.Array:
    """The bits of `x` in the width of another integer type: cut off, or extended as the type of `x` is."""
    storage = dst.storage if isinstance(dst, ElementType) else dst
    if x.dtype == storage:
        return x
    if storage == np.bool_:
        return x != 0
    if src.storage == np.bool_:
        return x.astype(storage)
    own = _word(storage.itemsize, src)
    return lax.bitcast_convert_type(x.astype(own), storage)


def _word(size_bytes: int, like: ElementType) -> np.dtype:
    """The integer type of that size that is signed if `like` is."""
    return np.dtype(f"{'i' if like.is_signed else 'u'}{size_bytes}")


def immediate(value: Any, kind: ElementType) -> jax.Array | None:
    """The bits of a number in a type: None where it is no integer, or has more bits than the type."""
    width = 8 * kind.size_bytes
    if not isinstance(value, int) or not -(1 << (width - 1)) <= value < 1 << width:
        return None
    if kind.storage == np.bool_:
        return jnp.asarray(value != 0) if value in (0, 1) else None
    bits = np.array(value % (1 << width), np.uint64).astype(f"u{kind.size_bytes}")
    return jnp.asarray(bits.view(kind.storage))
