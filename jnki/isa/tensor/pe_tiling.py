"""PE tiling: the part of the Tensor Engine's array of processing elements that a matmul occupies."""

import operator
from typing import Any

from jnki.errors import RuleError
from jnki.isa.instruction import Instruction
from jnki.target import Target

_STEP = 32  # nki.isa page, nc_matmul: positions and sizes are multiples of it


def pair_of_integers(value: Any, argument: str, instruction: str = "nc_matmul") -> tuple[int, ...]:
    """`(row, column)` as integers, or `()` where it is not given. A loop index gets its number: the loop is unrolled.

    Raises:
        RuleError: it is neither.
    """
    if value is None or (isinstance(value, (tuple, list)) and not value):
        return ()
    try:
        numbers = tuple(operator.index(n) for n in value)
    except TypeError:
        numbers = ()
    if len(numbers) != 2:
        raise RuleError(
            f"{instruction}.{argument}",
            f"{instruction}: '{argument}' is a row and a column",
            given=str(value),
            allowed="two integers or affine expressions of loop indices, or () for none",
        )
    return numbers


def check_pe_tiling(
    instruction: Instruction, position: tuple[int, ...], size: tuple[int, ...], rows: int, columns: int, target: Target
) -> None:
    """The PE tile exists on the target and holds the stationary tile.

    Args:
        instruction: the matmul, for messages.
        position, size: `(row, column)` each, or both `()`.
        rows, columns: partitions and free elements of the stationary tile.
        target: how many rows and columns there are, and how finely they are cut.
    """
    if bool(position) != bool(size):
        raise instruction.error(
            f"{instruction.name}.tile_position",
            "one of 'tile_position' and 'tile_size' is set without the other",
            given=f"tile_position {position}, tile_size {size}",
            allowed="both, or neither",
        )
    if not position:
        return
    for argument, numbers in (("tile_position", position), ("tile_size", size)):
        if any(n % _STEP or n < 0 for n in numbers):
            raise instruction.error(
                f"{instruction.name}.{argument}",
                f"'{argument}' is not on the grid of PE tiles",
                given=str(numbers),
                allowed=f"multiples of {_STEP} from 0 on",
            )
    if size[0] < rows or size[1] < columns:
        raise instruction.error(
            f"{instruction.name}.tile_size",
            "the PE tile is smaller than the stationary tile",
            given=f"tile_size {size}, stationary of {rows} partitions and {columns} elements in each",
            allowed="a tile_size that holds the stationary tile",
        )
    if _STEP in size and target.neuron_core_version < 3:
        raise instruction.error(
            f"{instruction.name}.tile_size",
            f"the target has no PE tiles of {_STEP} rows or columns",
            given=f"tile_size {size} on {target.name}",
            allowed="64 or 128 rows and columns; 32 from NeuronCore-v3 on",
        )
    limits = (target.partition_count, target.gemm_stationary_fmax)
    if any(p + s > limit for p, s, limit in zip(position, size, limits)):
        raise instruction.error(
            f"{instruction.name}.tile_size",
            "the PE tile leaves the array of processing elements",
            given=f"tile_position {position}, tile_size {size}",
            allowed=f"an end within {limits[0]} rows and {limits[1]} columns",
        )


def check_whole_tiles(instruction: Instruction, position: tuple[int, ...], size: tuple[int, ...]) -> None:
    """By the rules of the current dialect a PE tile is one of those that the array is cut into.

    Raises:
        RuleError: `<instruction>.tile_size`, `<instruction>.tile_position`.
    """
    if any(n not in (_STEP, 2 * _STEP, 4 * _STEP) for n in size):
        raise instruction.error(
            f"{instruction.name}.tile_size",
            "the array is not cut into such tiles",
            given=f"tile_size {size}",
            allowed="32, 64 or 128 rows and columns",
        )
    if any(start % n for start, n in zip(position, size)):
        raise instruction.error(
            f"{instruction.name}.tile_position",
            "a PE tile starts at a multiple of its size",
            given=f"tile_position {position}, tile_size {size}",
            allowed="multiples of tile_size",
        )
