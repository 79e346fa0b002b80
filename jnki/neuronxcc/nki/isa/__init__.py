"""`neuronxcc.nki.isa` (`nisa`): the index of its names."""

from jnki.dialects.calls import publish
from jnki.dialects.missing import missing
from jnki.isa import enums
from jnki.isa.enums import dge_mode, engine, nc_version, oob_mode, reduce_cmd
from jnki.neuronxcc.nki.hints import HINTS
from jnki.neuronxcc.nki.isa.data_movement import (
    dma_copy,
    dma_transpose,
    iota,
    memset,
    tensor_copy,
    tensor_copy_dynamic_dst,
    tensor_copy_dynamic_src,
    tensor_copy_predicated,
)
from jnki.neuronxcc.nki.isa.on_gpsimd import affine_select, local_gather, sequence_bounds, tensor_partition_reduce
from jnki.neuronxcc.nki.isa.on_scalar import activation, activation_reduce
from jnki.neuronxcc.nki.isa.on_tensor import nc_matmul, nc_transpose
from jnki.neuronxcc.nki.isa.on_vector import (
    dropout,
    max8,
    nc_find_index8,
    nc_match_replace8,
    nc_stream_shuffle,
    reciprocal,
    scalar_tensor_tensor,
    tensor_reduce,
    tensor_scalar,
    tensor_scalar_reduce,
    tensor_tensor,
)
from jnki.neuronxcc.nki.isa.on_vector_scans import bn_aggr, bn_stats, tensor_tensor_scan
from jnki.neuronxcc.nki.isa.on_vector_selections import range_select, select_reduce
from jnki.neuronxcc.nki.isa.target import get_nc_version
from jnki.neuronxcc.nki.language.constants import fp32
from jnki.neuronxcc.nki.not_yet import ISA, REASONS

dma_engine = enums.dma_engine.dma
tensor_engine = engine.tensor
vector_engine = engine.vector
scalar_engine = engine.scalar
gpsimd_engine = engine.gpsimd
unknown_engine = engine.unknown

__all__ = [
    "activation",
    "activation_reduce",
    "affine_select",
    "bn_aggr",
    "bn_stats",
    "dge_mode",
    "dma_copy",
    "dma_engine",
    "dma_transpose",
    "dropout",
    "engine",
    "fp32",
    "get_nc_version",
    "gpsimd_engine",
    "iota",
    "local_gather",
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
    "scalar_engine",
    "scalar_tensor_tensor",
    "select_reduce",
    "sequence_bounds",
    "tensor_copy",
    "tensor_copy_dynamic_dst",
    "tensor_copy_dynamic_src",
    "tensor_copy_predicated",
    "tensor_engine",
    "tensor_partition_reduce",
    "tensor_reduce",
    "tensor_scalar",
    "tensor_scalar_reduce",
    "tensor_tensor",
    "tensor_tensor_scan",
    "unknown_engine",
    "vector_engine",
]

publish(globals(), "nisa", __all__, HINTS)

__getattr__ = missing("neuronxcc.nki.isa", "legacy", ISA, REASONS)
