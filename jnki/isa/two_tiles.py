"""Rules of instructions that combine two tiles, element by element, into a third."""

import math

from jnki.access.access import Access
from jnki.access.buffer import Space
from jnki.isa.instruction import Instruction


def check_equal_elements(
    instruction: Instruction, tiles: dict[str, Access], *, instead_of_partitions: str = "", instead_of_free: str = ""
) -> None:
    """The tiles have equally many partitions, and equally many elements in each.

    Args:
        tiles: by operand, in the order in which the message tells their shapes.
        instead_of_partitions, instead_of_free: what the message proposes besides.
    """
    given = ", ".join(f"{name} {list(access.shape)}" for name, access in tiles.items())
    if len({access.shape[0] for access in tiles.values()}) != 1:
        raise instruction.error(
            "err_num_partition_mismatch",
            "the operands span different numbers of partitions",
            given=given,
            allowed=f"the same size of axis 0{instead_of_partitions}",
        )
    if len({math.prod(access.shape[1:]) for access in tiles.values()}) != 1:
        raise instruction.error(
            f"{instruction.name}.element_count",
            "the operands have different numbers of elements per partition",
            given=given,
            allowed=f"equally many elements per partition{instead_of_free}",
        )


def check_not_both_in_psum(instruction: Instruction, first: str, second: str) -> None:
    """At most one of the two operands, told by name, is in PSUM."""
    operands = instruction.operands()
    one, other = operands[first], operands[second]
    if one.buffer.space is other.buffer.space is Space.PSUM:
        raise instruction.error(
            "err_unsupported_memory",
            f"{first} and {second} cannot both be in PSUM",
            given=f"{one.buffer}, {other.buffer}",
            allowed="at most one of the two in psum",
        )
