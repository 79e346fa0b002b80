"""`nki.isa`: one function for each instruction, which writes to `dst`."""

from jnki.dialects.calls import publish
from jnki.nki.errors import NkiValidationError
from jnki.nki.isa.data_movement import dma_copy, iota, memset, tensor_copy
from jnki.nki.isa.enums import (
    dge_mode,
    dma_engine,
    engine,
    gpsimd_engine,
    matmul_perf_mode,
    nc_version,
    oob_mode,
    reduce_cmd,
    scalar_engine,
    tensor_engine,
    unknown_engine,
    vector_engine,
)
from jnki.nki.isa.instruction import NkiInstruction
from jnki.nki.isa.on_scalar import activation, activation_reduce
from jnki.nki.isa.on_tensor import nc_matmul, nc_transpose
from jnki.nki.isa.on_vector import (
    bn_aggr,
    bn_stats,
    reciprocal,
    scalar_tensor_tensor,
    tensor_reduce,
    tensor_scalar,
    tensor_tensor,
    tensor_tensor_scan,
)
from jnki.nki.isa.version import get_nc_sub_version, get_nc_version

FUNCTIONS = [
    "activation",
    "activation_reduce",
    "bn_aggr",
    "bn_stats",
    "dma_copy",
    "get_nc_sub_version",
    "get_nc_version",
    "iota",
    "memset",
    "nc_matmul",
    "nc_transpose",
    "reciprocal",
    "scalar_tensor_tensor",
    "tensor_copy",
    "tensor_reduce",
    "tensor_scalar",
    "tensor_tensor",
    "tensor_tensor_scan",
]

__all__ = [
    "NkiInstruction",
    "NkiValidationError",
    "activation",
    "activation_reduce",
    "bn_aggr",
    "bn_stats",
    "dge_mode",
    "dma_copy",
    "dma_engine",
    "engine",
    "get_nc_sub_version",
    "get_nc_version",
    "gpsimd_engine",
    "iota",
    "matmul_perf_mode",
    "memset",
    "nc_matmul",
    "nc_transpose",
    "nc_version",
    "oob_mode",
    "reciprocal",
    "reduce_cmd",
    "scalar_engine",
    "scalar_tensor_tensor",
    "tensor_copy",
    "tensor_engine",
    "tensor_reduce",
    "tensor_scalar",
    "tensor_tensor",
    "tensor_tensor_scan",
    "unknown_engine",
    "vector_engine",
]

publish(globals(), "nisa", FUNCTIONS)
