"""Recording what goes across partitions: the reduction of the GpSimd Engine."""

from typing import Any

from jnki.access.mask import as_mask
from jnki.isa.gpsimd.tensor_partition_reduce import TensorPartitionReduce
from jnki.record.recorder import current
from jnki.source import user_location
from jnki.tiles.compute import filled
from jnki.tiles.tensor import Tensor, as_tensor


def tensor_partition_reduce(op: str, data: Any, *, dtype: Any = None, mask: Any = None) -> Tensor:
    """A new tile `[1, F...]` with `data` reduced across its partitions by the operator named `op`."""
    recorder = current("nisa.tensor_partition_reduce")
    source = as_tensor(data, "tensor_partition_reduce", "data").access
    predicate = as_mask(mask)
    return filled(
        recorder,
        (1, *source.shape[1:]),
        dtype,
        source.dtype,
        lambda dst: TensorPartitionReduce(dst=dst, data=source, op=op, mask=predicate, location=user_location()),
    )
