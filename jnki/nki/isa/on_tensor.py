"""Instructions of the Tensor Engine: `nc_matmul`, `nc_transpose`."""

from typing import Any

from jnki.access.buffer import Space
from jnki.errors import RuleError
from jnki.isa.tensor.nc_matmul import make as make_matmul
from jnki.isa.tensor.nc_matmul import perf_mode_named
from jnki.isa.tensor.nc_transpose import NcTranspose
from jnki.nki.isa.enums import core_member, engine, matmul_perf_mode, member
from jnki.nki.isa.instruction import NkiInstruction, emitted, operand, recorded
from jnki.nki.isa.rules import check_memory, check_partitions
from jnki.record.recorder import current
from jnki.source import user_location

_Engine = engine


def nc_matmul(
    dst: Any,
    stationary: Any,
    moving: Any,
    is_stationary_onezero: bool = False,
    is_moving_onezero: bool = False,
    is_transpose: bool = False,
    accumulate: bool | None = None,
    tile_position: Any = (),
    tile_size: Any = (),
    perf_mode: matmul_perf_mode = matmul_perf_mode.none,
    name: str | None = None,
) -> NkiInstruction:
    """Writes `stationary.T @ moving` to PSUM, or adds it to what is there.

    Args:
        dst: `[M, N...]` in PSUM.
        stationary, moving: `[K, M]` and `[K, N...]` in SBUF.
        is_stationary_onezero, is_moving_onezero: hints that the operand holds zeros and ones; they change no value.
        is_transpose: whether this is a transpose, bit for bit, from NeuronCore-v3 on.
        accumulate: False overwrites, True adds; None overwrites what nothing has written to since the tensor was made,
            and adds to the rest.
        tile_position, tile_size: which rows and columns of the engine are used.
        perf_mode: `double_row` contracts two rows of 8-bit floats at once.

    Raises:
        RuleError: docs/isa/tensor/nc_matmul.md has the rules.
    """
    recorder = current("nisa.nc_matmul")
    to, x, y = (
        operand(tensor, "nc_matmul", argument)
        for tensor, argument in ((dst, "dst"), (stationary, "stationary"), (moving, "moving"))
    )
    check_memory("nc_matmul", "dst", to, Space.PSUM)
    check_memory("nc_matmul", "stationary", x, Space.SBUF)
    check_memory("nc_matmul", "moving", y, Space.SBUF)
    _check_shapes(x, y, recorder.target)
    check_partitions("nc_matmul", dst=to)
    chosen = member(perf_mode, matmul_perf_mode, "nc_matmul", "perf_mode")
    adds = recorder.adds_in_psum(to) if accumulate is None else bool(accumulate)
    mode = None if chosen is matmul_perf_mode.none else chosen.value
    matmul = make_matmul(
        to,
        x,
        y,
        recorder.target,
        accumulate=adds,
        is_stationary_onezero=is_stationary_onezero,
        is_moving_onezero=is_moving_onezero,
        is_transpose=is_transpose,
        tile_position=tile_position or (),
        tile_size=tile_size or (),
        perf_mode=perf_mode_named(mode),
    )
    return emitted(matmul, name)


def _check_shapes(x: Any, y: Any, target: Any) -> None:
    limit = target.partition_count
    if x.shape[0] != y.shape[0]:
        raise RuleError(
            "nc_matmul.contraction",
            f"Matmul contraction dimension mismatch: stationary[0]={x.shape[0]} != moving[0]={y.shape[0]}",
            given=f"stationary {list(x.shape)}, moving {list(y.shape)}",
            allowed="the same partitions",
        )
    if x.shape[0] > limit:
        raise RuleError(
            "nc_matmul.contraction",
            f"Matmul contraction dimension {x.shape[0]} exceeds pmax={limit}",
            given=f"stationary {list(x.shape)}",
            allowed=f"at most {limit}",
        )
    free = 1
    for count in x.shape[1:]:
        free *= count
    if len(x.shape) == 2 and free > target.gemm_stationary_fmax:
        raise RuleError(
            "nc_matmul.stationary",
            f"Matmul stationary free dimension {free} exceeds gemm_stationary_fmax={target.gemm_stationary_fmax}",
            given=f"stationary {list(x.shape)}",
            allowed=f"at most {target.gemm_stationary_fmax}",
        )


def nc_transpose(dst: Any, data: Any, engine: engine = engine.unknown, name: str | None = None) -> NkiInstruction:
    """Writes the elements of `[P, F...]`, its free axes taken as one, to `[F, P]`.

    Args:
        dst: in PSUM where the Tensor Engine runs it, else in SBUF or PSUM; of the type of `data`.
        data: at most 128x128 in SBUF for the Tensor Engine, 32x32 for the Vector Engine.
        engine: tensor, vector or unknown.
    """
    to, source = operand(dst, "nc_transpose", "dst"), operand(data, "nc_transpose", "data")
    check_partitions("nc_transpose", dst=to, data=source)
    if to.dtype != source.dtype:
        raise RuleError(
            "nc_transpose.dtype",
            "nc_transpose: dst has the type of data",
            given=f"dst {to.dtype}, data {source.dtype}",
            allowed=f"{source.dtype}",
        )
    runs_on = core_member(engine, _Engine, "nc_transpose", "engine")
    return recorded(NcTranspose(dst=to, data=source, engine=runs_on, location=user_location()), name)
