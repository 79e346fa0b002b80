"""Recording what the Tensor Engine does: products and transposes of tiles."""

import math
from typing import Any

from jnki.access.access import Access
from jnki.access.buffer import Space
from jnki.access.mask import as_mask
from jnki.dtypes import element_type, float32
from jnki.errors import RuleError, not_modelled
from jnki.isa.enums import engine as Engine
from jnki.isa.tensor.nc_matmul import NcMatmul, layout_of, perf_mode_named
from jnki.isa.tensor.nc_matmul import make as make_matmul
from jnki.isa.tensor.nc_transpose import engine_for
from jnki.isa.tensor.nc_transpose import make as make_transpose
from jnki.record.recorder import current
from jnki.source import called
from jnki.tiles.assign import copied_to_sbuf
from jnki.tiles.masked import MaskedOperand, unmasked
from jnki.tiles.tensor import Tensor, as_tensor, new_tile


def nc_matmul(
    stationary: Any,
    moving: Any,
    *,
    mask: Any = None,
    perf_mode: str | None = None,
    names: tuple[str, str, str] = ("nc_matmul", "stationary", "moving"),
    **options: Any,
) -> Tensor:
    """A new float32 tile in PSUM with `stationary.T @ moving`; both operands may be masked.

    Args:
        mask: comparisons over the axes of the operands.
        perf_mode: as the user names it.
        names: what messages call the function and its operands.
        options: further arguments of `jnki.isa.tensor.nc_matmul.make`.
    """
    recorder = current(f"nisa.{names[0]}")
    (left, left_mask), (right, right_mask) = unmasked(stationary), unmasked(moving)
    x, y = as_tensor(left, names[0], names[1]).access, as_tensor(right, names[0], names[2]).access
    mode = perf_mode_named(perf_mode)

    def make(dst: Access) -> NcMatmul:
        return make_matmul(
            dst,
            x,
            y,
            recorder.target,
            mask=as_mask(mask),
            stationary_mask=left_mask,
            moving_mask=right_mask,
            perf_mode=mode,
            **options,
        )

    return new_tile(recorder, layout_of(x, y, mode).result, float32, make, space=Space.PSUM)


def nc_transpose(data: Any, *, mask: Any = None, dtype: Any = None, engine: Engine = Engine.unknown) -> Tensor:
    """A new tile `[F, P]`: in PSUM where the Tensor Engine is asked for, else in SBUF.

    Args:
        mask: over the axes of `data`.
        dtype: element type of the result; that of `data` by default.
    """
    recorder = current("nisa.nc_transpose")
    source = as_tensor(data, "nc_transpose", "data").access
    return new_tile(
        recorder,
        (math.prod(source.shape[1:]), source.shape[0]),
        source.dtype if dtype is None else element_type(dtype),
        lambda dst: make_transpose(dst, source, as_mask(mask), engine, recorder.target),
        space=Space.PSUM if engine is Engine.tensor else Space.SBUF,
        dtype_is_explicit=dtype is not None,
    )


def matmul(x: Any, y: Any, *, transpose_x: bool = False, mask: Any = None) -> Tensor:
    """A new float32 tile in PSUM with `x @ y`, or `x.T @ y` where `transpose_x` says that `x` is transposed already.

    Raises:
        NotImplementedError: `mask` speaks of axes and `x` is still to be transposed.
    """
    current("nl.matmul")
    names = ("matmul", "x", "y")
    if transpose_x:
        return nc_matmul(x, y, mask=mask, names=names)
    predicate = as_mask(mask)
    if predicate is not None and any(any(c.steps) for c in predicate.comparisons):
        raise not_modelled("nl.matmul's mask over axes without transpose_x=True; x[i < n] and y[i < n] are modelled")
    tile, on_x = unmasked(x)
    tensor = as_tensor(tile, "matmul", "x")
    if tensor.space is not Space.SBUF:
        raise RuleError(
            "err_unsupported_memory",
            f"{called() or 'matmul'}: tensor '{tensor.name}' is in the wrong memory",
            given=str(tensor.access.buffer),
            allowed="sbuf" + ("; nl.load brings a tensor from hbm to sbuf" if tensor.space is Space.HBM else ""),
        )
    both: Any = (True if on_x is None else on_x) & (True if predicate is None else predicate)
    stationary = nc_transpose(tensor, mask=both)
    return nc_matmul(MaskedOperand(stationary, stationary._mask), y, mask=predicate, names=names)


def transpose(x: Any, *, dtype: Any = None, mask: Any = None) -> Tensor:
    """A new SBUF tile `[F, P]` with the elements of a two-dimensional tile; one in PSUM takes a copy to SBUF first.

    Raises:
        RuleError: `err_exceed_max_supported_dimension`, or a rule of `nc_transpose`.
    """
    recorder = current("nl.transpose")
    tensor = as_tensor(x, "transpose", "x")
    if len(tensor.shape) != 2:
        raise RuleError(
            "err_exceed_max_supported_dimension",
            "transpose: 'x' does not have two dimensions",
            given=f"{list(tensor.shape)}",
            allowed="[P, F]; nisa.nc_transpose takes several free axes as one",
        )
    on_tensor_engine = engine_for(tensor.shape, Engine.unknown, recorder.target) is Engine.tensor
    if tensor.space is Space.PSUM and on_tensor_engine:
        tensor = copied_to_sbuf(tensor)
    return nc_transpose(tensor, dtype=dtype, mask=mask)
