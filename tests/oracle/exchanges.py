"""What two cores have after they have sent each other a tile: both are read before either is written."""

from .moves import Memory, Operand


def sendrecv(memory: Memory, *, dst: Operand, src: Operand, other_dst: Operand, other_src: Operand) -> Memory:
    """Memory after the exchange, one element at a time; `dst` and `src` are one core's, the others the other's.

    Raises:
        ValueError: the operands are not those of a legal exchange.
    """
    sides = (dst, src, other_dst, other_src)
    if len({(side.pattern.shape, side.dtype) for side in sides}) > 1:
        raise ValueError(f"shapes or types differ: {sides}")
    after = {name: array.copy() for name, array in memory.items()}
    for to, frm in ((dst, other_src), (other_dst, src)):
        source, target = memory[frm.buffer].reshape(-1), after[to.buffer].reshape(-1)
        for destination, origin in zip(to.pattern.walk(), frm.pattern.walk()):
            target[destination] = source[origin]
    return after
