"""One file per instruction: its operands, the rules it checks, and its meaning in a few lines of `jax.numpy`."""

from jnki.isa.device_print import DevicePrint
from jnki.isa.dma.dma_compute import DmaCompute, dma_compute
from jnki.isa.dma.dma_copy import DmaCopy, dma_copy
from jnki.isa.dma.dma_transpose import DmaTranspose, dma_transpose
from jnki.isa.enums import dge_mode, engine, nc_version, oob_mode, reduce_cmd
from jnki.isa.gpsimd.affine_select import AffineSelect, affine_select
from jnki.isa.gpsimd.gather_flattened import GatherFlattened, gather_flattened
from jnki.isa.gpsimd.iota import Iota, iota
from jnki.isa.gpsimd.local_gather import LocalGather, local_gather
from jnki.isa.gpsimd.sequence_bounds import SequenceBounds, sequence_bounds
from jnki.isa.gpsimd.tensor_partition_reduce import TensorPartitionReduce, tensor_partition_reduce
from jnki.isa.instruction import Instruction
from jnki.isa.scalar.activation import Activation, activation
from jnki.isa.scalar.activation_reduce import ActivationReduce, activation_reduce
from jnki.isa.shared_constant import SharedConstant
from jnki.isa.tensor.nc_matmul import NcMatmul, nc_matmul
from jnki.isa.tensor.nc_matmul_mx import NcMatmulMx, nc_matmul_mx
from jnki.isa.tensor.nc_transpose import NcTranspose, nc_transpose
from jnki.isa.vector.bn_aggr import BnAggr, bn_aggr
from jnki.isa.vector.bn_stats import BnStats, bn_stats
from jnki.isa.vector.dropout import Dropout, dropout
from jnki.isa.vector.max8 import Max8, max8
from jnki.isa.vector.memset import Memset, memset
from jnki.isa.vector.nc_find_index8 import NcFindIndex8, nc_find_index8
from jnki.isa.vector.nc_match_replace8 import NcMatchReplace8, nc_match_replace8
from jnki.isa.vector.nc_stream_shuffle import NcStreamShuffle, nc_stream_shuffle
from jnki.isa.vector.quantize_mx import QuantizeMx, quantize_mx
from jnki.isa.vector.rand import Rand, rand
from jnki.isa.vector.random_seed import RandomSeed, random_seed
from jnki.isa.vector.range_select import RangeSelect, range_select
from jnki.isa.vector.reciprocal import Reciprocal, reciprocal
from jnki.isa.vector.scalar_tensor_tensor import ScalarTensorTensor, scalar_tensor_tensor
from jnki.isa.vector.select import Select, select
from jnki.isa.vector.select_reduce import SelectReduce, select_reduce
from jnki.isa.vector.tensor_copy import TensorCopy, tensor_copy
from jnki.isa.vector.tensor_copy_dynamic import (
    TensorCopyDynamicDst,
    TensorCopyDynamicSrc,
    tensor_copy_dynamic_dst,
    tensor_copy_dynamic_src,
)
from jnki.isa.vector.tensor_copy_predicated import TensorCopyPredicated, tensor_copy_predicated
from jnki.isa.vector.tensor_reduce import TensorReduce, tensor_reduce
from jnki.isa.vector.tensor_scalar import TensorScalar, tensor_scalar
from jnki.isa.vector.tensor_scalar_reduce import TensorScalarReduce, tensor_scalar_reduce
from jnki.isa.vector.tensor_tensor import TensorTensor, tensor_tensor
from jnki.isa.vector.tensor_tensor_scan import TensorTensorScan, tensor_tensor_scan

__all__ = [
    "Activation",
    "ActivationReduce",
    "AffineSelect",
    "BnAggr",
    "BnStats",
    "DevicePrint",
    "DmaCompute",
    "DmaCopy",
    "DmaTranspose",
    "Dropout",
    "GatherFlattened",
    "Instruction",
    "Iota",
    "LocalGather",
    "Max8",
    "Memset",
    "NcFindIndex8",
    "NcMatchReplace8",
    "NcMatmul",
    "NcMatmulMx",
    "NcStreamShuffle",
    "NcTranspose",
    "QuantizeMx",
    "Rand",
    "RandomSeed",
    "RangeSelect",
    "Reciprocal",
    "ScalarTensorTensor",
    "Select",
    "SelectReduce",
    "SequenceBounds",
    "SharedConstant",
    "TensorCopy",
    "TensorCopyDynamicDst",
    "TensorCopyDynamicSrc",
    "TensorCopyPredicated",
    "TensorPartitionReduce",
    "TensorReduce",
    "TensorScalar",
    "TensorScalarReduce",
    "TensorTensor",
    "TensorTensorScan",
    "activation",
    "activation_reduce",
    "affine_select",
    "bn_aggr",
    "bn_stats",
    "dge_mode",
    "dma_compute",
    "dma_copy",
    "dma_transpose",
    "dropout",
    "engine",
    "gather_flattened",
    "iota",
    "local_gather",
    "max8",
    "memset",
    "nc_find_index8",
    "nc_match_replace8",
    "nc_matmul",
    "nc_matmul_mx",
    "nc_stream_shuffle",
    "nc_transpose",
    "nc_version",
    "oob_mode",
    "quantize_mx",
    "rand",
    "random_seed",
    "range_select",
    "reciprocal",
    "reduce_cmd",
    "scalar_tensor_tensor",
    "select",
    "select_reduce",
    "sequence_bounds",
    "tensor_copy",
    "tensor_copy_dynamic_dst",
    "tensor_copy_dynamic_src",
    "tensor_copy_predicated",
    "tensor_partition_reduce",
    "tensor_reduce",
    "tensor_scalar",
    "tensor_scalar_reduce",
    "tensor_tensor",
    "tensor_tensor_scan",
]
