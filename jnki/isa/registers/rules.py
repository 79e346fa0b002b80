"""Rules that register instructions share."""

from jnki.access.access import Access
from jnki.access.buffer import Space
from jnki.errors import not_modelled
from jnki.isa.instruction import Instruction

# What a register can hold as a number. It is an int32: of a uint32 it holds the bits.
_INTEGERS = ("int32", "uint32", "int16", "uint16", "int8", "uint8")


def check_register(instruction: Instruction, operand: str, access: Access) -> None:
    """The operand is a register."""
    if access.buffer.space is not Space.REGISTER:
        raise instruction.error(
            f"{instruction.name}.{operand}",
            f"'{operand}' is no register",
            given=str(access.buffer),
            allowed="a register, from nisa.register_alloc",
        )


def check_one_element(instruction: Instruction, operand: str, access: Access) -> None:
    """The operand is one element in HBM or SBUF, and an integer."""
    if access.buffer.space not in (Space.HBM, Space.SBUF):
        raise instruction.error(
            "err_unsupported_memory",
            f"'{operand}' is in the wrong memory",
            given=str(access.buffer),
            allowed="hbm | sbuf",
        )
    if access.size != 1:
        raise instruction.error(
            f"{instruction.name}.one_element",
            f"'{operand}' must be one element",
            given=f"{list(access.shape)} of {access.buffer}",
            allowed="[1] or [1, 1]",
        )
    if access.dtype.name not in _INTEGERS:
        raise not_modelled(f"{access.dtype} in a register")
