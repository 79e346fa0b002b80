"""Recording what walks along the free axes of tiles: the scan, and the statistics of batch normalization."""

from typing import Any

from jnki.access.mask import as_mask
from jnki.isa.constants import as_number
from jnki.isa.operands import as_column
from jnki.isa.promotion import promote
from jnki.isa.vector.bn_aggr import BnAggr
from jnki.isa.vector.bn_stats import STATISTICS, BnStats
from jnki.isa.vector.tensor_tensor_scan import TensorTensorScan
from jnki.record.recorder import current
from jnki.source import user_location
from jnki.tiles.compute import filled
from jnki.tiles.tensor import Tensor, as_tensor


def tensor_tensor_scan(
    data0: Any,
    data1: Any,
    initial: Any,
    op0: str,
    op1: str,
    reverse0: bool,
    reverse1: bool,
    *,
    dtype: Any = None,
    mask: Any = None,
) -> Tensor:
    """A new tile with the states of `h = (data0 <op0> h) <op1> data1`, in the promoted type unless `dtype` says."""
    recorder = current("nisa.tensor_tensor_scan")
    first = as_tensor(data0, "tensor_tensor_scan", "data0").access
    second = as_tensor(data1, "tensor_tensor_scan", "data1").access
    rank = len(first.dims)
    if isinstance(initial, Tensor):
        start: Any = as_column(initial.access, rank)
    else:
        start = as_number("tensor_tensor_scan", initial)
    predicate = as_mask(mask)
    return filled(
        recorder,
        first.shape,
        dtype,
        promote(first.dtype, second.dtype),
        lambda dst: TensorTensorScan(
            dst=dst,
            data0=first,
            data1=second,
            initial=start,
            op0=op0,
            op1=op1,
            reverse0=bool(reverse0),
            reverse1=bool(reverse1),
            mask=predicate,
            location=user_location(),
        ),
    )


def bn_stats(data: Any, *, dtype: Any = None, mask: Any = None) -> Tensor:
    """A new tile `[P, 6]` with the statistics of the even and of the odd elements of each partition."""
    return _per_partition(BnStats, data, STATISTICS, dtype, mask)


def bn_aggr(data: Any, *, dtype: Any = None, mask: Any = None) -> Tensor:
    """A new tile `[P, 2]` with the mean and the variance that statistics stand for."""
    return _per_partition(BnAggr, data, 2, dtype, mask)


def _per_partition(instruction: type[BnStats | BnAggr], data: Any, results: int, dtype: Any, mask: Any) -> Tensor:
    recorder = current(f"nisa.{instruction.name}")
    source = as_tensor(data, instruction.name, "data").access
    predicate = as_mask(mask)
    return filled(
        recorder,
        (source.shape[0], results),
        dtype,
        source.dtype,
        lambda dst: instruction(dst=dst, data=source, mask=predicate, location=user_location()),
    )
