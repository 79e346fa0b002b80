"""`neuronxcc.nki.isa` (`nisa`): the index of its names."""

from jnki.isa.enums import dge_mode, engine, nc_version, oob_mode
from jnki.neuronxcc.nki.isa.data_movement import dma_copy, iota, memset, tensor_copy
from jnki.neuronxcc.nki.isa.target import get_nc_version

tensor_engine = engine.tensor
vector_engine = engine.vector
scalar_engine = engine.scalar
gpsimd_engine = engine.gpsimd
unknown_engine = engine.unknown

__all__ = [
    "dge_mode",
    "dma_copy",
    "engine",
    "get_nc_version",
    "gpsimd_engine",
    "iota",
    "memset",
    "nc_version",
    "oob_mode",
    "scalar_engine",
    "tensor_copy",
    "tensor_engine",
    "unknown_engine",
    "vector_engine",
]
