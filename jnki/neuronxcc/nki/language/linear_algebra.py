"""Products and transposes of tiles: `nl.matmul`, `nl.transpose`."""

from typing import Any

from jnki.tiles import matrix
from jnki.tiles.tensor import Tensor


def matmul(x: Tensor, y: Tensor, *, transpose_x: bool = False, mask: Any = None) -> Tensor:
    """A new float32 tile in PSUM with `x @ y`, or with `x.T @ y` where `x` is transposed already.

    `acc += nl.matmul(...)` adds to a tile in place.

    Args:
        x: `[M, K]` in SBUF, both at most 128; `[K, M]` with `transpose_x`, which saves an instruction.
        y: `[K, N...]` in SBUF, N at most 512.
        transpose_x: whether the contracted axis of `x` is its partition axis already.
        mask: with `transpose_x` as for `nisa.nc_matmul`; without it, of loop indices only.

    Raises:
        RuleError: the product breaks a rule of `nisa.nc_matmul` or `nisa.nc_transpose`.
    """
    return matrix.matmul(x, y, transpose_x=transpose_x, mask=mask)


def transpose(x: Tensor, *, dtype: Any = None, mask: Any = None) -> Tensor:
    """A new SBUF tile `[F, P]` with the partition axis and the free axis of `x` swapped.

    Args:
        x: `[P, F]`, both at most 128, in SBUF; in PSUM it is copied to SBUF first, unless it is [32, 32] or smaller.
        dtype: element type of the result; that of `x` by default.
        mask: over the axes of `x`; what to leave unwritten.

    Raises:
        RuleError: `x` does not have two dimensions, or breaks a rule of `nisa.nc_transpose`.
    """
    return matrix.transpose(x, dtype=dtype, mask=mask)
