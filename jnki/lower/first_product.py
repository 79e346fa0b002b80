"""A product and the loop that adds more of them to it, as one loop of all of them.

    acc = first product of x[0:128]             for k in 8:
    for k in 7:                         is         acc += product of x[k*128 : (k+1)*128], acc 0 before
        acc += product of x[(k+1)*128 : ...]

Kernels whose first product overwrites, and whose Python loop was found again behind it, are written so. All of it is
one contraction then (`widen.py`), in which nothing is added to what the accumulator held.
"""

from dataclasses import replace

from jnki.access.access import Access
from jnki.access.affine import Affine, Symbol
from jnki.access.buffer import Buffer
from jnki.isa.instruction import Instruction
from jnki.lower.widen import straight, widened
from jnki.program.program import Loop, Node


def with_first_products(nodes: tuple[Node, ...]) -> tuple[Node, ...]:
    """A block where such loops are one contraction each. What the first product's own tiles hold stays as it was."""
    found: list[Node] = []
    for node in nodes:
        one = _continuation(tuple(found[-len(node.body) :]), node) if isinstance(node, Loop) else None
        if isinstance(node, Loop) and one is not None:
            found[-len(node.body) :] = one
        else:
            found.append(node)
    return tuple(found)


def _continuation(nodes: tuple[Node, ...], loop: Loop) -> tuple[Instruction, ...] | None:
    """What comes before the loop and the loop itself as straight instructions, or None where it does not go on."""
    before, after = straight(nodes), straight(loop.body)
    if not before or after is None or len(before) != len(after):
        return None
    symbol = Symbol(loop.symbol.name, loop.symbol.trips + 1, loop.symbol.found)
    body = tuple(i.substitute(loop.symbol, Affine.of(symbol) + -1) for i in after)
    wide = widened(replace(loop, symbol=symbol, body=body))
    if wide is None:
        return None
    names: dict[str, Buffer] = {}
    own = {buffer.name for buffer in loop.buffers}
    for mine, theirs in zip(map(_overwriting, body), before):
        if not _is_alike(mine.substitute(symbol, Affine()), theirs, own, names):
            return None
    # What the loop reads from outside must not be what was written just before it.
    written = {a.buffer.name for i in before for a in i.written()}
    sums = {a.buffer.name for i in body if i.sums_partitions for a in i.written()}
    outside = {a.buffer.name for i in wide for operand in i.operands().values() for a in operand.accesses()}
    if (written - sums) & outside:
        return None
    return (*(i for i, later in zip(before, body) if not later.sums_partitions), *map(_overwriting, wide))


def _overwriting(instruction: Instruction) -> Instruction:
    """A sum that adds to nothing; what is no sum, as it is."""
    return instruction.from_nothing() if instruction.sums_partitions else instruction


def _is_alike(mine: Instruction, theirs: Instruction, own: set[str], names: dict[str, Buffer]) -> bool:
    """Whether they are one instruction, each on its own tiles."""

    def renamed(access: Access) -> Access:
        buffer = names.get(access.buffer.name)
        return access if buffer is None else replace(access, buffer=buffer)

    others = theirs.operands()
    for name, access in mine.operands().items():
        if access.buffer.name in own and name in others:
            there = others[name].buffer
            here = replace(access.buffer, name=there.name, places=there.places)
            if here != there or names.setdefault(access.buffer.name, there) != there:
                return False
    if len({buffer.name for buffer in names.values()}) != len(names):
        return False
    return mine.map_accesses(renamed) == theirs
