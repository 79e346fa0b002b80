"""Instructions of the Tensor Engine: `nc_matmul`, `nc_transpose`."""

from typing import Any

from jnki.isa.enums import engine
from jnki.tiles import matrix
from jnki.tiles.tensor import Tensor


def nc_matmul(
    stationary: Tensor,
    moving: Tensor,
    *,
    is_stationary_onezero: bool = False,
    is_moving_onezero: bool = False,
    is_transpose: bool = False,
    tile_position: Any = (),
    tile_size: Any = (),
    mask: Any = None,
    perf_mode: str | None = None,
) -> Tensor:
    """A new float32 tile in PSUM with `stationary.T @ moving`.

    `acc += nisa.nc_matmul(...)` adds to a tile in place, and `tile[...] = nisa.nc_matmul(...)` overwrites one, in the
    type of that tile.

    Args:
        stationary: `[K, M]` in SBUF, K and M at most 128; several free axes count as one.
        moving: `[K, N...]` in SBUF, N at most 512; the result is `[M, N...]`.
        is_stationary_onezero, is_moving_onezero: a promise that the tile holds ones and zeros only; no value
            depends on it.
        is_transpose: a promise that `moving` is an identity; from NeuronCore-v3 on NaN and infinities of `stationary`
            then arrive where they belong.
        tile_position, tile_size: `(row, column)` of the PE tile, multiples of 32; integers, or expressions of loop
            indices, whose loops are then unrolled.
        mask: comparisons along one axis each. Where both operands have an axis of that size, a mask on the operand that
            is meant: `stationary[i < n]`.
        perf_mode: "double_row" or "double_row_gen3" for `[K, 2, M]` and `[K, 2, N]` of float8, contracted over K and 2.

    Raises:
        RuleError: the matmul breaks a rule. docs/isa/tensor/nc_matmul.md has them all.
        NotImplementedError: another `perf_mode`.
    """
    return matrix.nc_matmul(
        stationary,
        moving,
        mask=mask,
        perf_mode=perf_mode,
        is_stationary_onezero=is_stationary_onezero,
        is_moving_onezero=is_moving_onezero,
        is_transpose=is_transpose,
        tile_position=tile_position,
        tile_size=tile_size,
    )


def nc_transpose(data: Tensor, *, mask: Any = None, dtype: Any = None, engine: engine = engine.unknown) -> Tensor:
    """A new tile `[F, P]` with the partition axis and the free axis of `data` swapped, bit for bit.

    Args:
        data: `[P, F]`; several free axes count as one.
        mask: over the axes of `data`; what to leave unwritten.
        dtype: element type of the result; that of `data` by default.
        engine: `tensor` takes up to [128, 128] from SBUF and gives a tile in PSUM; `vector` takes up to [32, 32] from
            SBUF or PSUM and gives one in SBUF; unknown picks by shape and gives a tile in SBUF, where the operands of
            a matmul have to be.

    Raises:
        RuleError: the transpose breaks a rule. docs/isa/tensor/nc_transpose.md has them all.
    """
    return matrix.nc_transpose(data, mask=mask, dtype=dtype, engine=engine)
