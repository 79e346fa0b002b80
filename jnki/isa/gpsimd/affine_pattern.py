"""Affine values as the GpSimd Engine makes them: from `[step, number]` pairs, an offset, and a step per partition."""

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jnki.access.access import Access
from jnki.access.affine import Affine
from jnki.access.index import Index, IndexValue
from jnki.access.number import concrete
from jnki.errors import RuleError
from jnki.isa.instruction import Instruction
from jnki.isa.operands import load
from jnki.isa.rules import check_on_chip, check_type
from jnki.memory import DeviceMemory, Loops
from jnki.source import user_location

MOST_LEVELS = 4


def expression(instruction: str, pattern: Any, offset: Any, channel_multiplier: Any, partitions: int) -> IndexValue:
    """`offset + p * channel_multiplier + sum(steps[k] * i[k])` at position `(p, *i)`.

    Args:
        instruction: who asks, for messages.
        pattern: up to four `[step, number]` pairs, the slowest first.
        offset: an integer of 32 bits, or a sum of loop indices.
        channel_multiplier: an integer of 32 bits.
        partitions: how many there are.

    Raises:
        RuleError: `<instruction>.pattern`, `<instruction>.offset` or `<instruction>.channel_multiplier`.
    """
    pairs = [tuple(pair) for pair in pattern] if _is_list(pattern) and all(map(_is_list, pattern)) else None
    if pairs is None or not 0 < len(pairs) <= MOST_LEVELS or any(len(pair) != 2 for pair in pairs):
        raise _wrong(instruction, "pattern", "is no pattern", pattern, f"1 to {MOST_LEVELS} pairs of [step, number]")
    levels = [(_int32(step), _int32(number)) for step, number in pairs]
    if any(step is None or number is None or number < 1 for step, number in levels):
        raise _wrong(instruction, "pattern", "is no pattern", pattern, "integers of 32 bits, each number at least 1")
    channel = _int32(channel_multiplier)
    if channel is None:
        raise _wrong(instruction, "channel_multiplier", "is no integer", channel_multiplier, "-2^31 to 2^31 - 1")
    return IndexValue(
        _base(instruction, offset),
        (channel, *(step for step, _ in levels if step is not None)),
        (partitions, *(number for _, number in levels if number is not None)),
    )


def _base(instruction: str, offset: Any) -> Affine:
    if isinstance(offset, Index) and offset.ndim == 0:
        return offset.base
    number = _int32(offset)
    if number is None:
        raise _wrong(instruction, "offset", "is no integer", offset, "-2^31 to 2^31 - 1")
    return Affine(number)


def _is_list(value: Any) -> bool:
    return isinstance(value, (Sequence, np.ndarray)) and not isinstance(value, str)


def _int32(value: Any) -> int | None:
    number = concrete(value)
    if not isinstance(number, (int, np.integer)) or isinstance(number, bool) or not -(1 << 31) <= number < 1 << 31:
        return None
    return int(number)


def _wrong(instruction: str, argument: str, what: str, given: Any, allowed: str) -> RuleError:
    return RuleError(
        f"{instruction}.{argument}",
        f"{instruction}: '{argument}' {what}",
        given=f"{type(given).__name__} {given}"[:120],
        allowed=allowed,
        at=user_location(),
    )


def matches(expr: IndexValue, tile: Access) -> bool:
    """Whether the expression has a value for each element of the tile: equal partitions, and as many in each."""
    return expr.shape[0] == tile.shape[0] and math.prod(expr.shape) == tile.size


def check_offset(instruction: Instruction, offset: Access | None) -> None:
    """An offset that is known at run time only is one element of int32."""
    if offset is None:
        return
    check_on_chip(instruction, "offset", offset)
    check_type(instruction, "offset", offset, ("int32",))
    if offset.size != 1:
        raise instruction.error(
            f"{instruction.name}.offset", "'offset' is one number", given=str(list(offset.shape)), allowed="[1, 1]"
        )


def values(expr: IndexValue, offset: Access | None, memory: DeviceMemory, at: Loops) -> jax.Array:
    """The values of an expression in wrapping int32 arithmetic, in its shape; `offset` is added to each."""
    value: Any = jnp.asarray(_wrapped(expr.base.constant))
    for symbol, coefficient in expr.base.terms:
        value = value + _wrapped(coefficient) * jnp.asarray(at(symbol), jnp.int32)
    if offset is not None:
        value = value + load(memory, offset, at).reshape(())
    for d, step in enumerate(expr.steps):
        if step:
            value = value + _wrapped(step) * lax.broadcasted_iota(jnp.int32, expr.shape, d)
    return jnp.broadcast_to(value, expr.shape)


def _wrapped(number: int) -> Any:
    return jnp.int32((number + (1 << 31)) % (1 << 32) - (1 << 31))
