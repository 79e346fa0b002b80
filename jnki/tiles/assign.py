"""`tile[...] = value`: copying into a view, or writing an instruction's result straight into it."""

from typing import Any

import numpy as np

from jnki.access.access import Access, Dim
from jnki.access.affine import ZERO
from jnki.access.buffer import Buffer, Space
from jnki.access.mask import Mask
from jnki.dtypes import ElementType
from jnki.errors import RuleError, forget
from jnki.isa import engine as Engine
from jnki.isa.constants import as_number
from jnki.isa.dma.dma_copy import make as make_dma
from jnki.isa.enums import dge_mode, oob_mode
from jnki.isa.instruction import Instruction
from jnki.isa.vector.memset import Memset
from jnki.isa.vector.tensor_copy import make as make_copy
from jnki.record.recorder import Recorder, current
from jnki.source import user_location
from jnki.tiles.fitting import fitted
from jnki.tiles.tensor import Tensor, new_tile, whole


def assign(dst: Tensor, value: Any) -> None:
    """Records `dst[...] = value`.

    A tile that the last instruction just made is not copied: that instruction writes to `dst` itself, in the type
    of `dst`, under its own mask, so that masked-off elements of `dst` stay as they were.

    Raises:
        RuleError: the memories, the shapes or the kind of index do not allow it.
    """
    recorder = current("assignment")
    if isinstance(value, Tensor):
        if value.access == dst.access:
            return
        _assign_tensor(recorder, dst, value)
    elif np.ndim(value) == 0 and not isinstance(value, Mask):
        fill(recorder, dst.access, value)
    else:
        raise RuleError(
            "assignment.value",
            f"cannot assign to tensor '{dst.name}'",
            given=f"{type(value).__name__}",
            allowed="a tile or a number",
        )


def fill(recorder: Recorder, dst: Access, value: Any) -> None:
    """Records a memset of `dst`."""
    _on_chip(dst, "destination")
    memset = Memset(dst=dst, value=as_number("assignment", value), location=user_location())
    memset.check(recorder.target)
    recorder.emit(memset)


def zeroed(buffer: Buffer) -> Memset:
    """A memset of all blocks of an on-chip buffer, as one tile with the block axes among its free axes."""
    strides, axis = buffer.strides, buffer.partition_axis
    order = (axis, *range(axis), *range(axis + 1, len(buffer.shape)))
    dims = tuple(Dim(strides[d], buffer.shape[d]) for d in order)
    return Memset(dst=Access(buffer, ZERO, dims), value=0, location=user_location())


def _assign_tensor(recorder: Recorder, dst: Tensor, value: Tensor) -> None:
    to, source = dst.access, value.access
    producer = value._producer
    for access, role in ((to, "destination"), (source, "source")):
        if access.indirect is not None:
            raise RuleError(
                "err_copy_dynamic_indirect_indices_not_natively_supported",
                f"assignment cannot copy through an index that is known only at run time ({role})",
                given=str(access),
                allowed="nisa.dma_copy or nl.load and nl.store for HBM, nisa.tensor_copy_dynamic_src on chip",
            )
    _on_chip(to, "destination")
    # A type that was asked for is rounded to first, and then to the type of `dst`: two steps, unless both are one.
    is_fresh = recorder.is_last(producer) and (not value._dtype_is_explicit or source.dtype == to.dtype)
    if producer is not None and is_fresh and to.shape == source.shape and _write_in_place(recorder, producer, to):
        return
    _on_chip(source, "source")
    recorder.emit(make_copy(to, fitted(to, source), written_part(recorder, value), Engine.unknown, recorder.target))


def _write_in_place(recorder: Recorder, producer: Instruction, to: Access) -> bool:
    """Whether the instruction can write to that memory itself; if so, it does."""
    redirected = producer.redirected(to)
    try:
        redirected.check(recorder.target)
    except RuleError as error:
        if error.rule == "err_unsupported_memory":
            forget(error)
            return False
        raise
    recorder.supersede(producer, redirected)
    return True


def written_part(recorder: Recorder, value: Tensor) -> Mask | None:
    """The mask of the instruction that made `value`, as long as nothing else can have written the rest."""
    is_alone = value._scope is recorder.scope and recorder.alone_wrote(value._producer, value._access.buffer)
    return value._mask if is_alone else None


def _on_chip(access: Access, role: str) -> None:
    if not access.buffer.space.on_chip:
        raise RuleError(
            "err_unsupported_memory",
            f"the {role} of an assignment is in the wrong memory",
            given=str(access.buffer),
            allowed="sbuf | psum; nl.load and nl.store move between HBM and SBUF",
        )


def copied(tensor: Tensor, dtype: ElementType) -> Tensor:
    """A new tensor in the same memory with the elements of `tensor` cast to `dtype`."""
    recorder = current("astype")
    source = tensor.access
    if source.buffer.space is Space.HBM:
        buffer = recorder.make_buffer(Space.HBM, source.shape, dtype)
        made = make_dma(Access.whole(buffer), source, None, None, oob_mode.error, dge_mode.unknown, recorder.target)
        recorder.emit(made)
        return whole(recorder, buffer, recorder.scope)
    return new_tile(
        recorder,
        source.shape,
        dtype,
        lambda dst: make_copy(dst, source, None, Engine.unknown, recorder.target),
        space=source.buffer.space,
        dtype_is_explicit=True,
    )


def copied_to_sbuf(tensor: Tensor) -> Tensor:
    """A new SBUF tile with the elements of an on-chip tile."""
    recorder = current("copy")
    source = tensor.access
    return new_tile(
        recorder, source.shape, source.dtype, lambda dst: make_copy(dst, source, None, Engine.unknown, recorder.target)
    )
