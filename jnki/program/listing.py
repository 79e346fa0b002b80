"""The text form of a program: one line per instruction, loops indented, every buffer declared where it is made.

kernel copy[2] on trn2
  in  x: hbm float32[256, 512]
  out y: hbm float32[256, 512]
  for i0 in 2:  # affine_range
    tile: sbuf float32[128, 512]
    tile = dma_copy(src=x(65536*i0: [512,128] [1,512]))   # kernel.py:12 dge=hwdge
    y(65536*i0: [512,128] [1,512]) = dma_copy(src=tile)   # kernel.py:13 dge=hwdge
"""

from collections.abc import Iterator

from jnki.access.buffer import Buffer
from jnki.isa.dma_copy import DmaCopy
from jnki.program.program import Loop, Node, Program
from jnki.target import Target

_COMMENT_COLUMN = 72


def listing(program: Program) -> str:
    """The program as text."""
    grid = f"[{', '.join(map(str, program.grid))}]" if program.grid else ""
    lines = [f"kernel {program.name}{grid} on {program.target.name}"]
    outputs = {access.buffer for access in program.outputs}
    for parameter in program.parameters:
        role = "inout" if parameter.mutable else "in"
        lines.append(f"  {role} {_declaration(parameter.buffer)}")
    for buffer in program.buffers:
        role = "out " if buffer in outputs else ""
        lines.append(f"  {role}{_declaration(buffer)}")
    lines.extend(_block(program.body, "  ", program.target))
    lines.append("  return " + ", ".join(map(str, program.outputs)))
    return "\n".join(lines)


def _declaration(buffer: Buffer) -> str:
    shape = ", ".join(
        f"par_dim({n})" if axis == buffer.partition_axis and axis else str(n) for axis, n in enumerate(buffer.shape)
    )
    return f"{buffer.name}: {buffer.space} {buffer.dtype}[{shape}]"


def _block(nodes: tuple[Node, ...], indent: str, target: Target) -> Iterator[str]:
    for node in nodes:
        match node:
            case Loop():
                yield f"{indent}for {node.symbol} in {node.symbol.trips}:  # {node.kind.value}"
                for buffer in node.buffers:
                    yield f"{indent}  {_declaration(buffer)}"
                yield from _block(node.body, indent + "  ", target)
            case _:
                text = indent + node.listing()
                notes = []
                if node.location is not None:
                    notes.append(node.location.short())
                if isinstance(node, DmaCopy):
                    notes.append(f"dge={node.chosen_dge(target)[0].name}")
                yield f"{text:<{_COMMENT_COLUMN}}  # {' '.join(notes)}" if notes else text
