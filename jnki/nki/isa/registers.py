"""Registers: `register_alloc`, `register_move`, `register_load`, `register_store`."""

from typing import Any

from jnki.record.register import VirtualRegister
from jnki.tiles import registers


def register_alloc(x: Any = None) -> VirtualRegister:
    """A register of 32 bits.

    Args:
        x: None to leave it without a value, an integer that it begins with, or one element to load.
    """
    return registers.alloc(x)


def register_move(dst: VirtualRegister, src: VirtualRegister | int) -> None:
    """Puts an integer, or what another register holds, into a register."""
    registers.move(dst, src)


def register_load(dst: VirtualRegister, src: Any) -> None:
    """Puts one integer in HBM or SBUF into a register."""
    registers.load(dst, src)


def register_store(dst: Any, src: VirtualRegister) -> None:
    """Puts what a register holds into one int32 or uint32 in HBM or SBUF."""
    registers.store(dst, src)
