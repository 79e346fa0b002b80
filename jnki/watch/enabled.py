"""Which elements of an operand an instruction uses, under its mask and its indices of run time."""

import math
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from jnki.access.access import Access
from jnki.access.mask import Mask
from jnki.isa.dma.indexed import indexed, moving
from jnki.memory import DeviceMemory, Loops


@dataclass(frozen=True)
class Share:
    """How an operand shares the dims of a mask.

    Attributes:
        shape: of what the mask speaks.
        dims: for each dim of the operand the dim of the mask that it is, or None where it is none; or None where the
            elements of both are the same ones in row-major order.
    """

    shape: tuple[int, ...]
    dims: tuple[int | None, ...] | None


def enabled_elements(
    memory: DeviceMemory, access: Access, others: tuple[Access, ...], mask: Mask | None, share: Share | None, at: Loops
) -> tuple[jax.Array | None, jax.Array | None]:
    """Booleans that broadcast to the shape of an operand, None for all of it; and its row indices.

    Args:
        others: the other operands with an index of run time. Where one of theirs is out of bounds, nothing moves.
        mask, share: the mask and what the operand has to do with it.
    """
    own = indexed(memory, "src", access, at)
    sides = (own, *(indexed(memory, "other", other, at) for other in others))
    masked: Any = None
    if mask is not None and share is not None:
        masked = _over_operand(mask.evaluate(share.shape, at), access.shape, share)
    return moving(sides, access.shape, masked), own.rows


def _over_operand(mask: jax.Array, shape: tuple[int, ...], share: Share) -> jax.Array:
    """An element is used if any of those is enabled that it has a part in."""
    mask = jnp.broadcast_to(mask, share.shape)
    if share.dims is None:
        return mask.reshape(shape)
    gone = tuple(d for d in range(len(share.shape)) if d not in share.dims)
    kept = [d for d in range(len(share.shape)) if d in share.dims]
    mask = mask.any(axis=gone)
    order = [kept.index(d) for d in share.dims if d is not None]
    mask = mask.transpose(order)
    return mask.reshape(tuple(1 if d is None else n for d, n in zip(share.dims, shape)))


def elementwise(shape: tuple[int, ...], masked: tuple[int, ...]) -> Share | None:
    """The share of an operand whose dims are those of the mask, or of size 1 beside them; None if they are not."""
    if shape == masked or math.prod(shape) == math.prod(masked):
        return Share(masked, None)
    padded = (*shape, *(1,) * (len(masked) - len(shape)))
    if len(padded) != len(masked) or any(n not in (1, m) for n, m in zip(padded, masked)):
        return None
    return Share(masked, tuple(d if n == masked[d] else None for d, n in enumerate(shape)))


def by_partition(shape: tuple[int, ...], masked: tuple[int, ...]) -> Share | None:
    """The share of an operand that has only the partitions in common with the mask."""
    if shape == masked:
        return Share(masked, None)
    if not shape or shape[0] not in (1, masked[0]):
        return None
    return Share(masked, (0 if shape[0] == masked[0] else None, *(None,) * (len(shape) - 1)))
