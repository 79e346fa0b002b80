"""One file per instruction: its operands, the rules it checks, and its meaning in a few lines of `jax.numpy`."""

from jnki.isa.collectives.all_gather import AllGather, all_gather
from jnki.isa.collectives.all_gather_v import AllGatherV, all_gather_v
from jnki.isa.collectives.all_reduce import AllReduce, all_reduce
from jnki.isa.collectives.all_to_all import AllToAll, all_to_all
from jnki.isa.collectives.all_to_all_v import AllToAllV, all_to_all_v
from jnki.isa.collectives.collective_permute import CollectivePermute, collective_permute
from jnki.isa.collectives.collective_permute_implicit import CollectivePermuteImplicit, collective_permute_implicit
from jnki.isa.collectives.collective_permute_implicit_reduce import (
    CollectivePermuteImplicitReduce,
    collective_permute_implicit_reduce,
)
from jnki.isa.collectives.rank_id import RankId, rank_id
from jnki.isa.collectives.reduce_scatter import ReduceScatter, reduce_scatter
from jnki.isa.device_print import DevicePrint
from jnki.isa.dma.dma_compute import DmaCompute, dma_compute
from jnki.isa.dma.dma_copy import DmaCopy, dma_copy
from jnki.isa.dma.dma_transpose import DmaTranspose, dma_transpose
from jnki.isa.dma.sendrecv import SendRecv, sendrecv
from jnki.isa.enums import dge_mode, engine, nc_version, oob_mode, reduce_cmd
from jnki.isa.gpsimd.affine_select import AffineSelect, affine_select
from jnki.isa.gpsimd.core_barrier import CoreBarrier
from jnki.isa.gpsimd.gather_flattened import GatherFlattened, gather_flattened
from jnki.isa.gpsimd.iota import Iota, iota
from jnki.isa.gpsimd.local_gather import LocalGather, local_gather
from jnki.isa.gpsimd.nc_n_gather import NcNGather, nc_n_gather
from jnki.isa.gpsimd.nonzero_with_count import NonzeroWithCount, nonzero_with_count
from jnki.isa.gpsimd.sequence_bounds import SequenceBounds, sequence_bounds
from jnki.isa.gpsimd.tensor_partition_reduce import TensorPartitionReduce, tensor_partition_reduce
from jnki.isa.gpsimd.topk import Topk, topk
from jnki.isa.instruction import Instruction
from jnki.isa.registers.cores_agree import CoresAgree
from jnki.isa.registers.register_load import RegisterLoad, register_load
from jnki.isa.registers.register_move import RegisterMove, register_move
from jnki.isa.registers.register_store import RegisterStore, register_store
from jnki.isa.scalar.activate2 import Activate2, activate2
from jnki.isa.scalar.activation import Activation, activation
from jnki.isa.scalar.activation_reduce import ActivationReduce, activation_reduce
from jnki.isa.shared_constant import SharedConstant
from jnki.isa.tensor.nc_matmul import NcMatmul, nc_matmul
from jnki.isa.tensor.nc_matmul_mx import NcMatmulMx, nc_matmul_mx
from jnki.isa.tensor.nc_transpose import NcTranspose, nc_transpose
from jnki.isa.vector.bn_aggr import BnAggr, bn_aggr
from jnki.isa.vector.bn_stats import BnStats, bn_stats
from jnki.isa.vector.dropout import Dropout, dropout
from jnki.isa.vector.exponential import Exponential, exponential
from jnki.isa.vector.max8 import Max8, max8
from jnki.isa.vector.memset import Memset, memset
from jnki.isa.vector.nc_find_index8 import NcFindIndex8, nc_find_index8
from jnki.isa.vector.nc_match_replace8 import NcMatchReplace8, nc_match_replace8
from jnki.isa.vector.nc_stream_shuffle import NcStreamShuffle, nc_stream_shuffle
from jnki.isa.vector.quantize_mx import QuantizeMx, quantize_mx
from jnki.isa.vector.rand import Rand, rand
from jnki.isa.vector.rand2 import Rand2, rand2
from jnki.isa.vector.rand_get_state import RandGetState, rand_get_state
from jnki.isa.vector.rand_set_state import RandSetState, rand_set_state
from jnki.isa.vector.random_seed import RandomSeed, random_seed
from jnki.isa.vector.range_select import RangeSelect, range_select
from jnki.isa.vector.reciprocal import Reciprocal, reciprocal
from jnki.isa.vector.rng import Rng, rng
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
from jnki.isa.vector.tensor_scalar_cumulative import TensorScalarCumulative, tensor_scalar_cumulative
from jnki.isa.vector.tensor_scalar_reduce import TensorScalarReduce, tensor_scalar_reduce
from jnki.isa.vector.tensor_tensor import TensorTensor, tensor_tensor
from jnki.isa.vector.tensor_tensor_scan import TensorTensorScan, tensor_tensor_scan

__all__ = [
    "Activate2",
    "Activation",
    "ActivationReduce",
    "AffineSelect",
    "AllGather",
    "AllGatherV",
    "AllReduce",
    "AllToAll",
    "AllToAllV",
    "BnAggr",
    "BnStats",
    "CollectivePermute",
    "CollectivePermuteImplicit",
    "CollectivePermuteImplicitReduce",
    "CoreBarrier",
    "CoresAgree",
    "DevicePrint",
    "DmaCompute",
    "DmaCopy",
    "DmaTranspose",
    "Dropout",
    "Exponential",
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
    "NcNGather",
    "NcStreamShuffle",
    "NcTranspose",
    "NonzeroWithCount",
    "QuantizeMx",
    "Rand",
    "Rand2",
    "RandGetState",
    "RandSetState",
    "RandomSeed",
    "RangeSelect",
    "RankId",
    "Reciprocal",
    "ReduceScatter",
    "RegisterLoad",
    "RegisterMove",
    "RegisterStore",
    "Rng",
    "ScalarTensorTensor",
    "Select",
    "SelectReduce",
    "SendRecv",
    "SequenceBounds",
    "SharedConstant",
    "TensorCopy",
    "TensorCopyDynamicDst",
    "TensorCopyDynamicSrc",
    "TensorCopyPredicated",
    "TensorPartitionReduce",
    "TensorReduce",
    "TensorScalar",
    "TensorScalarCumulative",
    "TensorScalarReduce",
    "TensorTensor",
    "TensorTensorScan",
    "Topk",
    "activate2",
    "activation",
    "activation_reduce",
    "affine_select",
    "all_gather",
    "all_gather_v",
    "all_reduce",
    "all_to_all",
    "all_to_all_v",
    "bn_aggr",
    "bn_stats",
    "collective_permute",
    "collective_permute_implicit",
    "collective_permute_implicit_reduce",
    "dge_mode",
    "dma_compute",
    "dma_copy",
    "dma_transpose",
    "dropout",
    "engine",
    "exponential",
    "gather_flattened",
    "iota",
    "local_gather",
    "max8",
    "memset",
    "nc_find_index8",
    "nc_match_replace8",
    "nc_matmul",
    "nc_matmul_mx",
    "nc_n_gather",
    "nc_stream_shuffle",
    "nc_transpose",
    "nc_version",
    "nonzero_with_count",
    "oob_mode",
    "quantize_mx",
    "rand",
    "rand2",
    "rand_get_state",
    "rand_set_state",
    "random_seed",
    "range_select",
    "rank_id",
    "reciprocal",
    "reduce_cmd",
    "reduce_scatter",
    "register_load",
    "register_move",
    "register_store",
    "rng",
    "scalar_tensor_tensor",
    "select",
    "select_reduce",
    "sendrecv",
    "sequence_bounds",
    "tensor_copy",
    "tensor_copy_dynamic_dst",
    "tensor_copy_dynamic_src",
    "tensor_copy_predicated",
    "tensor_partition_reduce",
    "tensor_reduce",
    "tensor_scalar",
    "tensor_scalar_cumulative",
    "tensor_scalar_reduce",
    "tensor_tensor",
    "tensor_tensor_scan",
    "topk",
]
