"""Whether the tiles of an instruction fit on chip together.

All operands of an instruction are in their memories while it runs: where they do not fit, no schedule helps. What else
is live at that moment is another matter, since the vendor's compiler reorders and spills: kernels of its own tutorials
hold more between their loops than PSUM has. Of a tensor with block axes an instruction takes one block.
"""

import math

from jnki.access.buffer import Buffer, Space
from jnki.errors import RuleError
from jnki.isa.instruction import Instruction
from jnki.program.program import Node, instructions
from jnki.target import Target


def bytes_per_partition(buffer: Buffer) -> int:
    """What one block of an on-chip buffer takes in each of its partitions."""
    return math.prod(buffer.shape[buffer.partition_axis + 1 :]) * buffer.dtype.size_bytes


def check_capacity(nodes: tuple[Node, ...], target: Target) -> None:
    """The operands of each instruction fit in SBUF and in PSUM.

    Raises:
        RuleError: `capacity.sbuf` or `capacity.psum`, with the bytes of each tile and the limit of the target.
    """
    known: dict[str, int] = {}
    for instruction in instructions(nodes):
        sbuf: dict[str, int] = {}
        psum: dict[str, int] = {}
        for name, operand in instruction.operands().items():
            if name in instruction.registers:
                continue
            for access in operand.accesses():
                buffer = access.buffer
                if buffer.space.on_chip:
                    size = known.get(buffer.name)
                    if size is None:
                        size = known[buffer.name] = bytes_per_partition(buffer)
                    (sbuf if buffer.space is Space.SBUF else psum)[buffer.name] = size
        if sum(sbuf.values()) > target.sbuf_bytes_per_partition:
            raise _too_much(instruction, Space.SBUF, sbuf, target)
        if sum(psum.values()) > target.psum_bytes_per_partition:
            raise _too_much(instruction, Space.PSUM, psum, target)


def _too_much(instruction: Instruction, space: Space, tiles: dict[str, int], target: Target) -> RuleError:
    each = ", ".join(f"'{name}' {size}" for name, size in sorted(tiles.items(), key=lambda tile: -tile[1]))
    limit, banks = target.sbuf_bytes_per_partition, ""
    if space is Space.PSUM:
        limit = target.psum_bytes_per_partition
        banks = f", {target.psum_bank_count} banks of {target.psum_bank_bytes}"
    return RuleError(
        f"capacity.{space}",
        f"the tiles of one {instruction.name} do not fit in {space} together",
        given=f"{sum(tiles.values())} bytes per partition: {each}",
        allowed=f"at most {limit} bytes per partition on {target.name}{banks}",
        at=instruction.location,
    )
