"""Moving tiles: `nl.load`, `nl.store`, `nl.copy`, and views that need a copy on chip."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from jnki.access.access import Access
from jnki.access.buffer import Space
from jnki.access.mask import Mask, as_mask
from jnki.dialects.naming import named
from jnki.dtypes import ElementType, element_type
from jnki.errors import RuleError
from jnki.isa.constants import as_number
from jnki.isa.dma.dma_copy import DmaCopy, is_add
from jnki.isa.dma.dma_copy import make as make_dma
from jnki.isa.enums import dge_mode, engine, oob_mode
from jnki.isa.vector.memset import Memset
from jnki.isa.vector.tensor_copy import make as make_copy
from jnki.record.recorder import Recorder, current
from jnki.source import user_location
from jnki.tiles.compute import permuted, permuted_mask
from jnki.tiles.fitting import check_stored
from jnki.tiles.tensor import Tensor, as_tensor, new_tile
from jnki.tiles.views import broadcast_access, expanded_access


def load(src: Tensor, *, mask: Any = None, dtype: Any = None, mode: oob_mode = oob_mode.error) -> Tensor:
    """A new SBUF tile with the elements of an HBM tensor; masked-off elements are unwritten.

    Args:
        src: `[P, F...]` in HBM, whole or indexed, also by an SBUF tile of row indices; `[P]` gives a tile `[P, 1]`, and
            one element a tile `[1, 1]`.
        mask: what not to read.
        dtype: element type of the tile; that of `src` by default.
        mode: what a row index out of bounds does, as in `nisa.dma_copy`.

    Raises:
        RuleError: `src` is not in HBM, spans too many partitions, or breaks a rule of a DMA.
    """
    recorder = current("nl.load")
    source = _in_space(as_tensor(src, "load", "src"), "load", "src", Space.HBM)
    for axis in range(len(source.shape), 2):
        source = expanded_access(source, axis)
    kind = source.dtype if dtype is None else element_type(dtype)
    return new_tile(
        recorder,
        source.shape,
        kind,
        lambda dst: _dma(recorder, dst, source, as_mask(mask), mode),
        dtype_is_explicit=dtype is not None,
    )


def load_transpose2d(src: Tensor, *, mask: Any = None, dtype: Any = None) -> Tensor:
    """A new SBUF tile `[F, P]` with the elements of an HBM tensor `[P, F]`; masked-off elements are unwritten.

    Args:
        src: `[P, F]` in HBM, whole or indexed; F counts partitions of the tile.
        mask: over the axes of `src`; what not to read.
        dtype: element type of the tile; that of `src` by default.

    Raises:
        RuleError: `src` is not in HBM, has not two axes or a row index of run time, or breaks a rule of a DMA.
    """
    recorder = current("nl.load_transpose2d")
    source = _in_space(as_tensor(src, "load_transpose2d", "src"), "load_transpose2d", "src", Space.HBM)
    if len(source.shape) != 2:
        raise RuleError(
            "err_exceed_max_supported_dimension",
            "load_transpose2d: 'src' does not have two dimensions",
            given=f"{list(source.shape)}",
            allowed="[P, F]; an integer on every other axis, as in x[i, 0:128, 0:64]",
        )
    if source.indirect is not None:
        raise RuleError(
            "err_indirect_indices_are_not_supported_with_nki_api",
            "load_transpose2d: 'src' has an indirect index",
            given=str(source),
            allowed="static indices; nl.load gathers rows, and nisa.nc_transpose transposes the tile",
        )
    kind = source.dtype if dtype is None else element_type(dtype)
    turned = permuted(source, (1, 0))
    predicate = permuted_mask(as_mask(mask), (1, 0))
    return new_tile(
        recorder,
        turned.shape,
        kind,
        lambda dst: _dma(recorder, dst, turned, predicate),
        dtype_is_explicit=dtype is not None,
    )


def store(dst: Tensor, value: Any, *, mask: Any = None, mode: oob_mode = oob_mode.error) -> None:
    """Writes a tile, or one number everywhere, to an HBM tensor.

    Args:
        dst: in HBM, whole or indexed.
        value: an SBUF tile of the shape of `dst`, but for axes of size 1 and for free axes that are split or joined; a
            PSUM tile takes a copy to SBUF first; a number fills.
        mask: what to leave as it was.
        mode: what a row index out of bounds does, as in `nisa.dma_copy`.

    Raises:
        RuleError: an operand is in the wrong memory, the shapes do not fit, or a rule of a DMA is broken.
    """
    recorder = current("nl.store")
    target = _in_space(as_tensor(dst, "store", "dst"), "store", "dst", Space.HBM)
    _write(recorder, target, value, as_mask(mask), mode)


def atomic_rmw(dst: Tensor, value: Any, op: Any, *, mask: Any = None) -> None:
    """Adds a tile, or one number everywhere, to rows of an HBM tensor: `dst = dst + value`, in one DMA.

    Args:
        dst: in HBM, indexed by an SBUF tile of row indices.
        value: see `store`.
        op: `np.add` or `nl.add`.
        mask: what to leave as it was.

    Raises:
        RuleError: `dst` has no row indices, the operator is another one, or a rule of `store` or a DMA is broken.
    """
    recorder = current("nl.atomic_rmw")
    target = _in_space(as_tensor(dst, "atomic_rmw", "dst"), "atomic_rmw", "dst", Space.HBM)
    if target.indirect is None:
        raise RuleError(
            "atomic_rmw.indirect_only",
            "atomic_rmw: 'dst' has no row index that is known at run time only",
            given=str(target),
            allowed="x[rows, nl.arange(n)[None, :]], where rows is a tile of indices in sbuf",
        )
    if not is_add(op):
        raise RuleError(
            "atomic_rmw.op",
            "atomic_rmw: only addition can be a read-modify-write",
            given=getattr(op, "__name__", repr(op)),
            allowed="np.add or nl.add",
        )
    _write(recorder, target, value, as_mask(mask), oob_mode.error, op)


@named("copy")
def copy(src: Tensor, *, mask: Any = None, dtype: Any = None) -> Tensor:
    """A new SBUF tile with the elements of a tile in SBUF or PSUM, cast to `dtype` where it is given."""
    recorder = current("nl.copy")
    source = as_tensor(src, "copy", "src").access
    return new_tile(
        recorder,
        source.shape,
        source.dtype if dtype is None else element_type(dtype),
        lambda dst: make_copy(dst, source, mask, engine.unknown, recorder.target),
        dtype_is_explicit=dtype is not None,
    )


def broadcast_to(src: Tensor, *, shape: Sequence[int]) -> Tensor:
    """A new SBUF tile of `shape` in which the axes of size 1 of `src` repeat; `src` itself where it fits already."""
    recorder = current("nl.broadcast_to")
    tensor = as_tensor(src, "broadcast_to", "src")
    if tensor.shape == tuple(shape):
        return tensor
    source = broadcast_access(tensor.access, tuple(shape))
    return new_tile(
        recorder,
        source.shape,
        source.dtype,
        lambda dst: make_copy(dst, source, None, engine.unknown, recorder.target),
    )


def expand_dims(data: Tensor, axis: int | Sequence[int]) -> Tensor:
    """A view of a tile with new free axes of size 1."""
    return as_tensor(data, "expand_dims", "data").expand_dims(axis)


def _dma(
    recorder: Recorder, dst: Access, src: Access, mask: Mask | None, mode: oob_mode = oob_mode.error, op: Any = None
) -> DmaCopy:
    return make_dma(dst, src, mask, op, mode, dge_mode.unknown, recorder.target)


def _write(recorder: Recorder, target: Access, value: Any, mask: Mask | None, mode: oob_mode, op: Any = None) -> None:
    """Records the DMA of a tile or a number to HBM; with `op` it adds."""
    if not isinstance(value, Tensor):
        _write_number(recorder, target, value, mask, mode, op)
        return
    source = value.access
    if source.buffer.space is Space.PSUM:
        source = copy(value).access
    if source.buffer.space is not Space.SBUF:
        raise _wrong_memory("store", "value", source, "sbuf")
    check_stored(target, source, recorder.target)
    recorder.emit(_dma(recorder, target, source, mask, mode, op))


def _write_number(recorder: Recorder, target: Access, value: Any, mask: Mask | None, mode: oob_mode, op: Any) -> None:
    """One number goes to HBM from one SBUF element per partition, repeated along the free axes."""
    if np.ndim(value) != 0:
        raise RuleError(
            "store.value",
            "store: the value must be a tile or a number",
            given=type(value).__name__,
            allowed="a tile in sbuf, or a number",
        )
    check_stored(target, None, recorder.target)
    kind: ElementType = target.dtype

    def fill(dst: Access) -> Memset:
        memset = Memset(dst=dst, value=as_number("store", value), location=user_location())
        memset.check(recorder.target)
        return memset

    tile = new_tile(recorder, (1, 1), kind, fill, name="constant")
    repeated = broadcast_access(tile.access, (1,) * (2 - len(target.shape)) + target.shape)
    recorder.emit(_dma(recorder, target, repeated, mask, mode, op))


def _in_space(tensor: Tensor, function: str, operand: str, space: Space) -> Access:
    access = tensor.access
    if access.buffer.space is not space:
        raise _wrong_memory(function, operand, access, str(space))
    return access


def _wrong_memory(function: str, operand: str, access: Access, allowed: str) -> RuleError:
    return RuleError(
        "err_unsupported_memory",
        f"operand '{operand}' of '{function}' is in the wrong memory",
        given=str(access.buffer),
        allowed=allowed,
    )
