"""Instructions of the GpSimd Engine: `affine_select`."""

from typing import Any

from jnki.tiles.elementwise import affine_select as record
from jnki.tiles.tensor import Tensor


def affine_select(
    pred: Any, on_true_tile: Tensor, on_false_value: float, *, mask: Any = None, dtype: Any = None
) -> Tensor:
    """A new SBUF tile with the elements of a tile where an affine predicate holds, and a number elsewhere.

    Args:
        pred: one comparison of affine expressions of indices, such as `i_q >= i_k`, known before the kernel runs; or
            an affine expression, which holds where it is positive.
        on_true_tile: `[P, F...]`, of a float type or an integer type of 8 or 16 bits.
        on_false_value: a float32 number.
        mask: what to leave unwritten.
        dtype: element type of the result; that of `on_true_tile` by default.

    Raises:
        RuleError: docs/isa/gpsimd/affine_select.md has the rules.
    """
    return record(pred, on_true_tile, on_false_value, dtype=dtype, mask=mask)
