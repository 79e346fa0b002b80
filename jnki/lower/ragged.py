"""Ragged edges: splitting off the iteration at which a mask starts to matter.

    for i in 33:  copy(x[i*128 + p], mask = i*128 + p < 4100)
becomes
    for i in 32:  copy(x[i*128 + p])             no mask, no ragged access
    once, i = 32: copy(x[4096 : 4100])           the box that the mask leaves
"""

from dataclasses import replace

from jnki.access.affine import Affine, Symbol
from jnki.access.coordinates import inside
from jnki.isa.instruction import Instruction
from jnki.program.program import DeviceLoop, Loop, Node, instructions


def split_edges(loop: Loop) -> list[Loop | int]:
    """The loop in pieces, in order: loops whose masks the index does not decide, and numbers of single iterations."""
    if loop.symbol.trips < 2 or not _undecided(loop.body, loop.symbol):
        return [loop]
    last = loop.symbol.trips - 1
    if last == 1:
        return [0, 1]
    main = _shifted(loop, last, 0)
    if not _undecided(main.body, main.symbol):
        return [main, last]
    rest = _shifted(loop, last, 1)
    # A fault tells the number of the iteration; a loop that starts at the second one would tell one too few.
    may_fault = any(i.may_fault for i in instructions(loop.body))
    if not may_fault and not _undecided(rest.body, rest.symbol):
        return [0, rest]
    return [loop]


def at_iteration(loop: Loop, number: int) -> tuple[Node, ...]:
    """The body of one iteration, its masks decided as far as the number decides them."""
    return substitute(loop.body, loop.symbol, Affine(number))


def substitute(nodes: tuple[Node, ...], symbol: Symbol, value: Affine) -> tuple[Node, ...]:
    """The block with a loop index replaced by another expression."""
    return tuple(
        replace(node, body=substitute(node.body, symbol, value))
        if isinstance(node, (Loop, DeviceLoop))
        else _substituted(node, symbol, value)
        for node in nodes
    )


def _substituted(instruction: Instruction, symbol: Symbol, value: Affine) -> Instruction:
    return instruction.substitute(symbol, value) if symbol in instruction.symbols else instruction


def _shifted(loop: Loop, trips: int, start: int) -> Loop:
    symbol = replace(loop.symbol, trips=trips)
    return replace(loop, symbol=symbol, body=substitute(loop.body, loop.symbol, Affine(start, ((symbol, 1),))))


def _undecided(nodes: tuple[Node, ...], symbol: Symbol) -> bool:
    """Whether a mask, or an access that leaves its buffer, depends on the loop index."""
    for instruction in instructions(nodes):
        if instruction.mask is not None and symbol in instruction.mask.symbols:
            return True
        for operand in instruction.operands().values():
            if any(symbol in a.offset.symbols and not inside(a) for a in operand.accesses()):
                return True
    return False
