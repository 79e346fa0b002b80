"""`t[key] = value`: copying into a view."""

from typing import Any

from jnki.access.buffer import Space
from jnki.isa.dma.dma_copy import make as make_dma
from jnki.isa.enums import dge_mode, oob_mode
from jnki.record.recorder import current
from jnki.tiles.assign import assign
from jnki.tiles.tensor import Tensor


def assigned(dst: Tensor, value: Any) -> None:
    """Records `dst[...] = value`: a copy on chip, a DMA where either side is in HBM, a fill with a number.

    Raises:
        RuleError: the memories, the shapes or the kind of value do not allow it.
    """
    recorder = current("assignment")
    if isinstance(value, Tensor) and Space.HBM in (dst.access.buffer.space, value.access.buffer.space):
        if value.access != dst.access:
            recorder.emit(
                make_dma(dst.access, value.access, None, None, oob_mode.error, dge_mode.unknown, recorder.target)
            )
        return
    assign(dst, value)
