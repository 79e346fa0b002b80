"""Functions on registers: allocating one, and moving numbers into it and out of it."""

import operator
from typing import Any

from jnki.isa.registers import register_load, register_move, register_store
from jnki.record.recorder import current
from jnki.record.register import VirtualRegister, new_register
from jnki.tiles.tensor import Tensor, as_tensor


def alloc(value: Any = None, name: str = "") -> VirtualRegister:
    """A register in the open block.

    Args:
        value: None to leave it without a value, an integer of 32 bits, or a tensor of one element to load.
        name: what listings call it.

    Raises:
        TypeError: `value` is none of these.
        RuleError: `register_move.src` or a rule of `register_load`.
    """
    recorder = current("nisa.register_alloc")
    register = new_register(recorder, name or recorder.assigned_name() or "register")
    if isinstance(value, Tensor):
        load(register, value)
    elif value is not None:
        move(register, value)
    return register


def move(dst: Any, src: Any) -> None:
    """Puts an integer, or what another register holds, into a register.

    Raises:
        TypeError: `dst` is no register, or `src` neither a register nor an integer.
        RuleError: `register.frozen`, `register.unwritten`, `register_move.src`.
    """
    recorder = current("nisa.register_move")
    to = _register("nisa.register_move", "dst", dst).destination
    source = src.access if isinstance(src, VirtualRegister) else _integer(src)
    recorder.emit(register_move.make(to, source, recorder.target))


def load(dst: Any, src: Any) -> None:
    """Puts one element of a tensor in HBM or SBUF into a register.

    Raises:
        TypeError: `dst` is no register.
        RuleError: `register.frozen`, and the rules of the instruction.
    """
    recorder = current("nisa.register_load")
    to = _register("nisa.register_load", "dst", dst).destination
    source = as_tensor(src, "register_load", "src").access
    recorder.emit(register_load.make(to, source, recorder.target))


def store(dst: Any, src: Any) -> None:
    """Puts what a register holds into one element of a tensor in HBM or SBUF.

    Raises:
        TypeError: `src` is no register.
        RuleError: `register.unwritten`, and the rules of the instruction.
    """
    recorder = current("nisa.register_store")
    source = _register("nisa.register_store", "src", src).access
    to = as_tensor(dst, "register_store", "dst").access
    recorder.emit(register_store.make(to, source, recorder.target))


def _register(function: str, argument: str, value: Any) -> VirtualRegister:
    if not isinstance(value, VirtualRegister):
        raise TypeError(f"{function}: {argument} must be a register, from nisa.register_alloc, got {value!r}"[:200])
    return value


def _integer(value: Any) -> int:
    if isinstance(value, bool) or not hasattr(type(value), "__index__"):
        raise TypeError(f"nisa.register_move: src must be a register or an integer, got {value!r}"[:200])
    return operator.index(value)
