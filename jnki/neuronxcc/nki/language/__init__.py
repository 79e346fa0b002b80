"""`neuronxcc.nki.language` (`nl`): the index of its names."""

from jnki.neuronxcc.nki.language.creation import empty_like, full, ndarray, ones, zeros, zeros_like
from jnki.neuronxcc.nki.language.dtypes import (
    bfloat16,
    bool_,
    float8_e4m3,
    float8_e5m2,
    float16,
    float32,
    int8,
    int16,
    int32,
    tfloat32,
    uint8,
    uint16,
    uint32,
)
from jnki.neuronxcc.nki.language.indexing import arange, ds, mgrid
from jnki.neuronxcc.nki.language.loops import affine_range, sequential_range, static_range
from jnki.neuronxcc.nki.language.memory import (
    hbm,
    par_dim,
    private_hbm,
    psum,
    sbuf,
    shared_hbm,
)
from jnki.neuronxcc.nki.language.moves import broadcast_to, copy, expand_dims, load, store
from jnki.neuronxcc.nki.language.printing import device_print
from jnki.neuronxcc.nki.language.spmd import nc, num_programs, program_id, program_ndim, spmd_dim
from jnki.neuronxcc.nki.language.tile_size import tile_size

__all__ = [
    "affine_range",
    "arange",
    "bfloat16",
    "bool_",
    "broadcast_to",
    "copy",
    "device_print",
    "ds",
    "empty_like",
    "expand_dims",
    "float8_e4m3",
    "float8_e5m2",
    "float16",
    "float32",
    "full",
    "hbm",
    "int8",
    "int16",
    "int32",
    "load",
    "mgrid",
    "nc",
    "ndarray",
    "num_programs",
    "ones",
    "par_dim",
    "private_hbm",
    "program_id",
    "program_ndim",
    "psum",
    "sbuf",
    "sequential_range",
    "shared_hbm",
    "spmd_dim",
    "static_range",
    "store",
    "tfloat32",
    "tile_size",
    "uint8",
    "uint16",
    "uint32",
    "zeros",
    "zeros_like",
]
