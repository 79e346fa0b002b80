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
from jnki.lower.widen import widened
from jnki.program.program import Loop, Node


def with_first_products(nodes: tuple[Node, ...]) -> tuple[Node, ...]:
    """A block where such loops are one contraction each. What the first product's own tiles hold stays as it was."""
    if not any(isinstance(node, Loop) for node in nodes):
        return nodes
    found: list[Node] = []
    for node in nodes:
        before = tuple(found[-len(node.body) :]) if isinstance(node, Loop) else ()
        one = _continuation(before, node) if isinstance(node, Loop) else None
        if one is None:
            found.append(node)
        else:
            found[len(found) - len(before) :] = one
    return tuple(found)


def _continuation(before: tuple[Node, ...], loop: Loop) -> tuple[Node, ...] | None:
    """What comes before the loop and the loop itself as straight instructions, or None where it does not go on."""
    if len(before) != len(loop.body) or not all(isinstance(node, Instruction) for node in (*before, *loop.body)):
        return None
    whole = _from_one_earlier(loop)
    wide = widened(whole)
    if wide is None:
        return None
    firsts = [i.from_nothing() if i.sums_partitions else i for i in whole.body if isinstance(i, Instruction)]
    at_zero = [i.substitute(whole.symbol, Affine()) for i in firsts]
    names: dict[str, Buffer] = {}
    for mine, theirs in zip(at_zero, before):
        if not isinstance(theirs, Instruction) or not _is_alike(mine, theirs, {b.name for b in loop.buffers}, names):
            return None
    # What the loop reads from outside must not be what was written just before it.
    written = {a.buffer.name for i in before if isinstance(i, Instruction) for a in i.written()}
    sums = {a.buffer.name for i in whole.body if isinstance(i, Instruction) and i.sums_partitions for a in i.written()}
    outside = {a.buffer.name for i in wide for operand in i.operands().values() for a in operand.accesses()}
    if (written - sums) & outside:
        return None
    kept = tuple(i for i, own in zip(before, whole.body) if isinstance(own, Instruction) and not own.sums_partitions)
    return (*kept, *(i.from_nothing() if i.sums_partitions else i for i in wide))


def _from_one_earlier(loop: Loop) -> Loop:
    """The loop with one iteration more, in front."""
    symbol = Symbol(loop.symbol.name, loop.symbol.trips + 1, loop.symbol.found)
    body = tuple(
        i.substitute(loop.symbol, Affine.of(symbol) + -1) if isinstance(i, Instruction) else i for i in loop.body
    )
    return replace(loop, symbol=symbol, body=body)


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
