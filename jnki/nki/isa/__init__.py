"""`nki.isa`: one function for each instruction, which writes to `dst`."""

from jnki.dialects.calls import publish
from jnki.dialects.missing import missing
from jnki.nki.errors import NkiValidationError
from jnki.nki.hints import HINTS
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
from jnki.nki.isa.on_cores import core_barrier, sendrecv
from jnki.nki.isa.on_gpsimd import affine_select, local_gather, sequence_bounds, tensor_partition_reduce
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
from jnki.nki.isa.on_vector_selections import (
    max8,
    nc_find_index8,
    nc_match_replace8,
    nc_stream_shuffle,
    range_select,
    select_reduce,
    tensor_copy_predicated,
)
from jnki.nki.isa.registers import register_alloc, register_load, register_move, register_store
from jnki.nki.isa.version import get_nc_sub_version, get_nc_version
from jnki.nki.not_yet import GONE_FROM_ISA, ISA
from jnki.record.register import VirtualRegister

__all__ = [
    "NkiInstruction",
    "NkiValidationError",
    "VirtualRegister",
    "activation",
    "activation_reduce",
    "affine_select",
    "bn_aggr",
    "bn_stats",
    "core_barrier",
    "dge_mode",
    "dma_copy",
    "dma_engine",
    "engine",
    "get_nc_sub_version",
    "get_nc_version",
    "gpsimd_engine",
    "iota",
    "local_gather",
    "matmul_perf_mode",
    "max8",
    "memset",
    "nc_find_index8",
    "nc_match_replace8",
    "nc_matmul",
    "nc_stream_shuffle",
    "nc_transpose",
    "nc_version",
    "oob_mode",
    "range_select",
    "reciprocal",
    "reduce_cmd",
    "register_alloc",
    "register_load",
    "register_move",
    "register_store",
    "scalar_engine",
    "scalar_tensor_tensor",
    "select_reduce",
    "sendrecv",
    "sequence_bounds",
    "tensor_copy",
    "tensor_copy_predicated",
    "tensor_engine",
    "tensor_partition_reduce",
    "tensor_reduce",
    "tensor_scalar",
    "tensor_tensor",
    "tensor_tensor_scan",
    "unknown_engine",
    "vector_engine",
]

_FUNCTIONS = [
    "activation",
    "activation_reduce",
    "affine_select",
    "bn_aggr",
    "bn_stats",
    "core_barrier",
    "dma_copy",
    "get_nc_sub_version",
    "get_nc_version",
    "iota",
    "local_gather",
    "max8",
    "memset",
    "nc_find_index8",
    "nc_match_replace8",
    "nc_matmul",
    "nc_stream_shuffle",
    "nc_transpose",
    "range_select",
    "reciprocal",
    "register_alloc",
    "register_load",
    "register_move",
    "register_store",
    "scalar_tensor_tensor",
    "select_reduce",
    "sendrecv",
    "sequence_bounds",
    "tensor_copy",
    "tensor_copy_predicated",
    "tensor_partition_reduce",
    "tensor_reduce",
    "tensor_scalar",
    "tensor_tensor",
    "tensor_tensor_scan",
]

publish(globals(), "nisa", _FUNCTIONS, HINTS)

__getattr__ = missing("nki.isa", "current", ISA, gone=GONE_FROM_ISA)
