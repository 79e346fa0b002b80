"""Instructions of the GpSimd Engine: `affine_select`, `local_gather`, `sequence_bounds`, `tensor_partition_reduce`."""

from typing import Any

from jnki.isa.operators import operator
from jnki.tiles import partitions, selection
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


def tensor_partition_reduce(op: Any, data: Tensor, *, mask: Any = None, dtype: Any = None) -> Tensor:
    """A new SBUF tile `[1, F...]` with `data` reduced across its partitions.

    Args:
        op: add, max, bitwise_or or bitwise_and.
        data: `[P, F...]` in SBUF.
        mask: over `data`; a masked-off element takes no part, a result without any enabled element is not written.
        dtype: element type of the result; that of `data` by default.

    Raises:
        RuleError: docs/isa/gpsimd/tensor_partition_reduce.md has the rules.
    """
    name = operator(op, "tensor_partition_reduce").name
    return partitions.tensor_partition_reduce(name, data, dtype=dtype, mask=mask)


def local_gather(
    src_buffer: Tensor,
    index: Tensor,
    num_elem_per_idx: int = 1,
    num_valid_indices: int | None = None,
    *,
    mask: Any = None,
) -> Tensor:
    """A new SBUF tile with elements gathered within the 16 partitions of each GpSimd core.

    Args:
        src_buffer: `[P, F...]` in SBUF; P is a multiple of 16.
        index: `[P, N...]` of uint16 in SBUF: places in the partitions of `src_buffer`.
        num_elem_per_idx: how many elements each index reads.
        num_valid_indices: how many indices each core uses; all of its 16 partitions by default.
        mask: over the result; what to leave unwritten.

    Raises:
        RuleError: docs/isa/gpsimd/local_gather.md has the rules.
    """
    return selection.local_gather(src_buffer, index, num_elem_per_idx, num_valid_indices, mask=mask)


def sequence_bounds(*, segment_ids: Tensor, dtype: Any = None) -> Tensor:
    """A new SBUF tile `[1, 2, n]` with where the segment of each element begins and ends.

    Args:
        segment_ids: `[1, n]` in SBUF, of float32 or int32; 0 is padding.
        dtype: float32 or int32; that of `segment_ids` by default.

    Raises:
        RuleError: docs/isa/gpsimd/sequence_bounds.md has the rules.
    """
    return selection.sequence_bounds(segment_ids, dtype=dtype)
