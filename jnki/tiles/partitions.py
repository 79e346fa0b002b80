"""Recording what goes across partitions: the reduction of the GpSimd Engine."""

from typing import Any

from jnki.access.mask import as_mask
from jnki.dtypes import element_type
from jnki.isa.gpsimd.tensor_partition_reduce import TensorPartitionReduce
from jnki.record.recorder import current
from jnki.source import user_location
from jnki.tiles.compute import made
from jnki.tiles.tensor import Tensor, as_tensor, new_tile


def tensor_partition_reduce(op: str, data: Any, *, dtype: Any = None, mask: Any = None) -> Tensor:
    """A new tile `[1, F...]` with `data` reduced across its partitions by the operator named `op`."""
    recorder = current("nisa.tensor_partition_reduce")
    source = as_tensor(data, "tensor_partition_reduce", "data").access
    predicate = as_mask(mask)
    return new_tile(
        recorder,
        (1, *source.shape[1:]),
        source.dtype if dtype is None else element_type(dtype),
        lambda dst: made(
            recorder,
            TensorPartitionReduce(dst=dst, data=source, op=op, mask=predicate, location=user_location()),
        ),
        dtype_is_explicit=dtype is not None,
    )
