"""What `max8`, `nc_find_index8` and `nc_match_replace8` share: eight values of each partition."""

import math

import jax
import jax.numpy as jnp

from jnki.access.access import Access
from jnki.dtypes import cast, float32
from jnki.isa.instruction import Instruction
from jnki.isa.operands import load
from jnki.isa.rules import check_compute_tile
from jnki.memory import DeviceMemory, Loops
from jnki.target import Target

EIGHT = 8
MOST_ELEMENTS = 16384


def check_data(instruction: Instruction, operand: str, data: Access, target: Target, *, least: int = EIGHT) -> None:
    """A tile of rank 5 at most, with as many elements per partition as the instruction takes."""
    check_compute_tile(instruction, operand, data, target)
    _check_rank(instruction, operand, data, 5)
    count = math.prod(data.shape[1:])
    if not least <= count <= MOST_ELEMENTS:
        raise instruction.error(
            f"{instruction.name}.element_count",
            f"'{operand}' has the wrong number of elements per partition",
            given=f"{count} ({list(data.shape)})",
            allowed=f"{least} to {MOST_ELEMENTS}",
        )


def check_eight(instruction: Instruction, operand: str, tile: Access, data: Access, target: Target) -> None:
    """A tile of rank 3 at most with eight elements in each partition of `data`."""
    check_compute_tile(instruction, operand, tile, target)
    _check_rank(instruction, operand, tile, 3)
    if tile.shape[0] != data.shape[0]:
        raise instruction.error(
            "err_num_partition_mismatch",
            f"'{operand}' and the data span different numbers of partitions",
            given=f"{operand} {list(tile.shape)}, data {list(data.shape)}",
            allowed="the same size of axis 0",
        )
    if math.prod(tile.shape[1:]) != EIGHT:
        raise instruction.error(
            f"{instruction.name}.eight",
            f"'{operand}' does not have eight elements per partition",
            given=str(list(tile.shape)),
            allowed=f"[{data.shape[0]}, {EIGHT}]",
        )


def check_data_mask(instruction: Instruction, operand: str, data: Access) -> None:
    """The mask, if any, speaks of the data."""
    if instruction.mask is not None and not instruction.mask.fits(data.shape):
        raise instruction.error(
            f"{instruction.name}.mask",
            f"the mask does not fit '{operand}'",
            given=f"mask {list(instruction.mask.shape)}, {operand} {list(data.shape)}",
            allowed=f"a shape that broadcasts to that of {operand}",
        )


def _check_rank(instruction: Instruction, operand: str, tile: Access, most: int) -> None:
    if len(tile.shape) > most:
        raise instruction.error(
            "err_exceed_max_supported_dimension",
            f"'{operand}' has too many axes",
            given=str(list(tile.shape)),
            allowed=f"at most {most}",
        )


def rows(memory: DeviceMemory, tile: Access, at: Loops) -> jax.Array:
    """The float32 elements of each partition in a row: `[P, N]`."""
    values = cast(load(memory, tile, at), tile.dtype, float32)
    return values.reshape(tile.shape[0], -1)


def enabled_rows(instruction: Instruction, data: Access, at: Loops) -> jax.Array | None:
    """Which elements of `data` the mask leaves on, `bool[P, N]`; None for all."""
    if instruction.mask is None:
        return None
    return instruction.mask.evaluate(data.shape, at).reshape(data.shape[0], -1)


def first_match(
    data: jax.Array, value: jax.Array, enabled: jax.Array | None, after: jax.Array | None = None
) -> tuple[jax.Array, jax.Array]:
    """Where each row of `[P, N]` first equals its element of `value` (`[P]`), and whether it does at all.

    Args:
        after: how many such places are passed over, `int32[P]`.
    """
    same = data == value[:, None]
    if enabled is not None:
        same &= enabled
    if after is not None:
        same &= jnp.cumsum(same, axis=1, dtype=jnp.int32) == after[:, None] + 1
    return jnp.argmax(same, axis=1).astype(jnp.int32), jnp.any(same, axis=1)
