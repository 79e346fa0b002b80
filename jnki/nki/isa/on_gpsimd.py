"""Instructions of the GpSimd Engine: `affine_select`, gathers, reductions across partitions."""

from collections.abc import Sequence
from typing import Any

from jnki.errors import RuleError
from jnki.isa.constants import as_number
from jnki.isa.gpsimd.affine_pattern import expression
from jnki.isa.gpsimd.affine_select import COMPARISONS, AffineSelect
from jnki.isa.gpsimd.local_gather import LocalGather, counts
from jnki.isa.gpsimd.nc_n_gather import NcNGather
from jnki.isa.gpsimd.nonzero_with_count import NonzeroWithCount
from jnki.isa.gpsimd.sequence_bounds import SequenceBounds
from jnki.isa.gpsimd.tensor_partition_reduce import TensorPartitionReduce
from jnki.isa.gpsimd.topk import Topk
from jnki.isa.operators import name_of, operator
from jnki.nki.isa.data_movement import affine_offset
from jnki.nki.isa.instruction import NkiInstruction, operand, recorded
from jnki.nki.isa.rules import check_partitions
from jnki.nki.language.binary import equal
from jnki.source import user_location


def affine_select(
    dst: Any,
    pattern: Sequence[Sequence[int]],
    channel_multiplier: int,
    on_true_tile: Any,
    on_false_value: float,
    cmp_op: Any = equal,
    offset: Any = 0,
    name: str | None = None,
) -> NkiInstruction:
    """Writes elements of a tile where an affine value of their place compares with 0, and a number elsewhere.

    The value is `offset + p * channel_multiplier + sum(step * place)`.

    Args:
        dst, on_true_tile: `[P, F...]` of one shape.
        pattern: up to four `[step, count]`, slowest first, whose counts make up the free elements of a partition.
        channel_multiplier: what each partition adds.
        on_false_value: a number.
        cmp_op: a comparison, such as `nl.greater_equal`.
        offset: an integer, or a register.
    """
    function = "affine_select"
    to, source = operand(dst, function, "dst"), operand(on_true_tile, function, "on_true_tile")
    check_partitions(function, dst=to, on_true_tile=source)
    compare = name_of(cmp_op) or ""
    if compare not in COMPARISONS:
        raise RuleError(
            f"{function}.cmp_op",
            f"{function}: 'cmp_op' is no comparison",
            given=getattr(cmp_op, "__name__", repr(cmp_op)),
            allowed=", ".join(COMPARISONS),
        )
    number, at_run_time = affine_offset(offset)
    instruction = AffineSelect(
        dst=to,
        on_true=source,
        on_false=float(as_number(function, on_false_value)),
        expr=expression(function, pattern, number, channel_multiplier, source.shape[0]),
        cmp_op=compare,
        offset=at_run_time,
        location=user_location(),
    )
    return recorded(instruction, name)


def nc_n_gather(dst: Any, data: Any, indices: Any, name: str | None = None) -> NkiInstruction:
    """Writes elements that each partition picks of its own.

    Args:
        dst: `[P, I...]` of the type of `data`.
        data: `[P, F...]` in SBUF; its free axes are taken as one.
        indices: `[P, I...]` of uint32 in SBUF. One that is out of bounds is a fault.
    """
    function = "nc_n_gather"
    to, source, places = (
        operand(tensor, function, argument) for tensor, argument in ((dst, "dst"), (data, "data"), (indices, "indices"))
    )
    check_partitions(function, dst=to, data=source, indices=places)
    return recorded(NcNGather(dst=to, data=source, indices=places, location=user_location()), name)


def nonzero_with_count(
    dst: Any, src: Any, index_offset: int = 0, padding_val: int = -1, name: str | None = None
) -> NkiInstruction:
    """Writes the places of nonzero elements, padding, and last their number, in partitions 0, 16, ..., 112.

    Args:
        dst: `[P, T + 1]` of int32 in SBUF.
        src: `[P, T]` of float32 or int32 in SBUF.
        index_offset: what each place is larger by.
        padding_val: what stands between the places and the count.
    """
    function = "nonzero_with_count"
    to, source = operand(dst, function, "dst"), operand(src, function, "src")
    check_partitions(function, dst=to, src=source)
    offset, padding = (as_number(function, value) for value in (index_offset, padding_val))
    if not isinstance(offset, int) or not isinstance(padding, int):
        raise RuleError(
            f"{function}.integers",
            f"{function}: 'index_offset' and 'padding_val' are integers",
            given=f"{index_offset!r}, {padding_val!r}",
            allowed="integers of 32 bits",
        )
    instruction = NonzeroWithCount(
        dst=to, src=source, index_offset=offset, padding_val=padding, location=user_location()
    )
    return recorded(instruction, name)


def topk(val_dst: Any, idx_dst: Any, src: Any, n: int, name: str | None = None) -> NkiInstruction:
    """Writes the largest elements of each 16 partitions, smallest first, and their numbers.

    Elements and results wind through the partitions: number i is in partition `i % 16` and column `i // 16`.

    Args:
        val_dst: `[P, K]` of bfloat16 in SBUF: K results of each group, in its first columns.
        idx_dst: `[P, K]` of uint32 in SBUF.
        src: `[P, X]` of bfloat16 in SBUF.
        n: how many elements of each group count.
    """
    function = "topk"
    values, places, source = (
        operand(tensor, function, argument)
        for tensor, argument in ((val_dst, "val_dst"), (idx_dst, "idx_dst"), (src, "src"))
    )
    check_partitions(function, val_dst=values, idx_dst=places, src=source)
    return recorded(Topk(val_dst=values, idx_dst=places, src=source, n=n, location=user_location()), name)


def local_gather(
    dst: Any,
    src_buffer: Any,
    index: Any,
    num_elem_per_idx: int = 1,
    num_valid_indices: int | None = None,
    name: str | None = None,
) -> NkiInstruction:
    """Writes elements that the 16 partitions of each core of the engine pick with one list of indices.

    Args:
        dst: `[P, N * E]`, N indices and E elements for each.
        src_buffer: `[P, F...]`.
        index: `[P, K]` of uint16; 16 partitions hold one list, partitions first.
        num_elem_per_idx: how many elements one index stands for.
        num_valid_indices: how many indices count; all by default.
    """
    function = "local_gather"
    to, source, indices = (
        operand(tensor, function, argument)
        for tensor, argument in ((dst, "dst"), (src_buffer, "src_buffer"), (index, "index"))
    )
    check_partitions(function, dst=to, src_buffer=source, index=indices)
    width, valid = counts(indices, num_elem_per_idx, num_valid_indices)
    instruction = LocalGather(
        dst=to,
        src_buffer=source,
        index=indices,
        num_elem_per_idx=width,
        num_valid_indices=valid,
        location=user_location(),
    )
    return recorded(instruction, name)


def sequence_bounds(dst: Any, segment_ids: Any, name: str | None = None) -> NkiInstruction:
    """Writes where the segment of each element begins and ends.

    Args:
        dst: `[1, 2, n]`.
        segment_ids: `[1, n]` of float32 or int32; 0 is padding.
    """
    to, ids = operand(dst, "sequence_bounds", "dst"), operand(segment_ids, "sequence_bounds", "segment_ids")
    check_partitions("sequence_bounds", dst=to, segment_ids=ids)
    return recorded(SequenceBounds(dst=to, segment_ids=ids, location=user_location()), name)


def tensor_partition_reduce(dst: Any, op: Any, data: Any, name: str | None = None) -> NkiInstruction:
    """Writes `data` reduced across partitions.

    Args:
        dst: `[1, F...]`.
        op: `nl.add`, `nl.average`, `nl.max`, `nl.bitwise_or` or `nl.bitwise_and`.
        data: `[P, F...]`.
    """
    function = "tensor_partition_reduce"
    to, source = operand(dst, function, "dst"), operand(data, function, "data")
    check_partitions(function, dst=to, data=source)
    kind = "average" if name_of(op) == "average" else operator(op, function).name
    return recorded(TensorPartitionReduce(dst=to, data=source, op=kind, location=user_location()), name)
