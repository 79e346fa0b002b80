"""jnki: AWS NKI kernels as pure, differentiable JAX functions.

The functional interface is here: `DeviceMemory`, references `hbm`, `sbuf`, `psum`, and one function per instruction.
Kernels come through a dialect: `jnki.neuronxcc.nki`, or the unmodified script under `python -m jnki`. What concerns
all of them is here too: `use_target`, `use_fault_policy`, `eager`, `with_backward`, and the errors `RuleError` and
`FaultError`.

Names are loaded when they are first used, so that `import jnki` alone does not import JAX.
"""

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from jnki.access.index import arange as arange
    from jnki.access.mesh_grid import mgrid as mgrid
    from jnki.access.ref import hbm as hbm
    from jnki.access.ref import psum as psum
    from jnki.access.ref import register as register
    from jnki.access.ref import sbuf as sbuf
    from jnki.analysis.finding import Finding as Finding
    from jnki.analysis.finding import Findings as Findings
    from jnki.analysis.finding import Severity as Severity
    from jnki.default_target import use_target as use_target
    from jnki.errors import RuleError as RuleError
    from jnki.isa.collectives.all_gather import all_gather as all_gather
    from jnki.isa.collectives.all_gather_v import all_gather_v as all_gather_v
    from jnki.isa.collectives.all_reduce import all_reduce as all_reduce
    from jnki.isa.collectives.all_to_all import all_to_all as all_to_all
    from jnki.isa.collectives.all_to_all_v import all_to_all_v as all_to_all_v
    from jnki.isa.collectives.collective_permute import collective_permute as collective_permute
    from jnki.isa.collectives.collective_permute_implicit import (
        collective_permute_implicit as collective_permute_implicit,
    )
    from jnki.isa.collectives.collective_permute_implicit_reduce import (
        collective_permute_implicit_reduce as collective_permute_implicit_reduce,
    )
    from jnki.isa.collectives.rank_id import rank_id as rank_id
    from jnki.isa.collectives.reduce_scatter import reduce_scatter as reduce_scatter
    from jnki.isa.dma.dma_compute import dma_compute as dma_compute
    from jnki.isa.dma.dma_copy import dma_copy as dma_copy
    from jnki.isa.dma.dma_transpose import dma_transpose as dma_transpose
    from jnki.isa.dma.sendrecv import sendrecv as sendrecv
    from jnki.isa.enums import dge_mode as dge_mode
    from jnki.isa.enums import engine as engine
    from jnki.isa.enums import oob_mode as oob_mode
    from jnki.isa.enums import reduce_cmd as reduce_cmd
    from jnki.isa.gpsimd.affine_select import affine_select as affine_select
    from jnki.isa.gpsimd.gather_flattened import gather_flattened as gather_flattened
    from jnki.isa.gpsimd.iota import iota as iota
    from jnki.isa.gpsimd.local_gather import local_gather as local_gather
    from jnki.isa.gpsimd.nc_n_gather import nc_n_gather as nc_n_gather
    from jnki.isa.gpsimd.nonzero_with_count import nonzero_with_count as nonzero_with_count
    from jnki.isa.gpsimd.sequence_bounds import sequence_bounds as sequence_bounds
    from jnki.isa.gpsimd.tensor_partition_reduce import tensor_partition_reduce as tensor_partition_reduce
    from jnki.isa.gpsimd.topk import topk as topk
    from jnki.isa.registers.register_load import register_load as register_load
    from jnki.isa.registers.register_move import register_move as register_move
    from jnki.isa.registers.register_store import register_store as register_store
    from jnki.isa.rule_set import RuleSet as RuleSet
    from jnki.isa.scalar.activate2 import activate2 as activate2
    from jnki.isa.scalar.activation import activation as activation
    from jnki.isa.scalar.activation_reduce import activation_reduce as activation_reduce
    from jnki.isa.tensor.nc_matmul import nc_matmul as nc_matmul
    from jnki.isa.tensor.nc_matmul_mx import nc_matmul_mx as nc_matmul_mx
    from jnki.isa.tensor.nc_transpose import nc_transpose as nc_transpose
    from jnki.isa.vector.bn_aggr import bn_aggr as bn_aggr
    from jnki.isa.vector.bn_stats import bn_stats as bn_stats
    from jnki.isa.vector.dropout import dropout as dropout
    from jnki.isa.vector.exponential import exponential as exponential
    from jnki.isa.vector.max8 import max8 as max8
    from jnki.isa.vector.memset import memset as memset
    from jnki.isa.vector.nc_find_index8 import nc_find_index8 as nc_find_index8
    from jnki.isa.vector.nc_match_replace8 import nc_match_replace8 as nc_match_replace8
    from jnki.isa.vector.nc_stream_shuffle import nc_stream_shuffle as nc_stream_shuffle
    from jnki.isa.vector.quantize_mx import quantize_mx as quantize_mx
    from jnki.isa.vector.rand import rand as rand
    from jnki.isa.vector.rand2 import rand2 as rand2
    from jnki.isa.vector.rand_get_state import rand_get_state as rand_get_state
    from jnki.isa.vector.rand_set_state import rand_set_state as rand_set_state
    from jnki.isa.vector.random_seed import random_seed as random_seed
    from jnki.isa.vector.range_select import range_select as range_select
    from jnki.isa.vector.reciprocal import reciprocal as reciprocal
    from jnki.isa.vector.rng import rng as rng
    from jnki.isa.vector.scalar_tensor_tensor import scalar_tensor_tensor as scalar_tensor_tensor
    from jnki.isa.vector.select import select as select
    from jnki.isa.vector.select_reduce import select_reduce as select_reduce
    from jnki.isa.vector.tensor_copy import tensor_copy as tensor_copy
    from jnki.isa.vector.tensor_copy_dynamic import tensor_copy_dynamic_dst as tensor_copy_dynamic_dst
    from jnki.isa.vector.tensor_copy_dynamic import tensor_copy_dynamic_src as tensor_copy_dynamic_src
    from jnki.isa.vector.tensor_copy_predicated import tensor_copy_predicated as tensor_copy_predicated
    from jnki.isa.vector.tensor_reduce import tensor_reduce as tensor_reduce
    from jnki.isa.vector.tensor_scalar import tensor_scalar as tensor_scalar
    from jnki.isa.vector.tensor_scalar_cumulative import tensor_scalar_cumulative as tensor_scalar_cumulative
    from jnki.isa.vector.tensor_scalar_reduce import tensor_scalar_reduce as tensor_scalar_reduce
    from jnki.isa.vector.tensor_tensor import tensor_tensor as tensor_tensor
    from jnki.isa.vector.tensor_tensor_scan import tensor_tensor_scan as tensor_tensor_scan
    from jnki.kernel.eager import eager as eager
    from jnki.kernel.fault_policy import use_fault_policy as use_fault_policy
    from jnki.kernel.with_backward import with_backward as with_backward
    from jnki.memory import DeviceMemory as DeviceMemory
    from jnki.memory import Fault as Fault
    from jnki.memory import FaultError as FaultError
    from jnki.target import INF2 as INF2
    from jnki.target import TRN1 as TRN1
    from jnki.target import TRN2 as TRN2
    from jnki.target import TRN3 as TRN3
    from jnki.target import Target as Target
    from jnki.watch.run_findings import RunFindings as RunFindings

_HOME = {
    "DeviceMemory": "jnki.memory",
    "Fault": "jnki.memory",
    "FaultError": "jnki.memory",
    "Finding": "jnki.analysis.finding",
    "Findings": "jnki.analysis.finding",
    "INF2": "jnki.target",
    "RuleError": "jnki.errors",
    "Severity": "jnki.analysis.finding",
    "RunFindings": "jnki.watch.run_findings",
    "RuleSet": "jnki.isa.rule_set",
    "TRN1": "jnki.target",
    "TRN2": "jnki.target",
    "TRN3": "jnki.target",
    "Target": "jnki.target",
    "activate2": "jnki.isa",
    "activation": "jnki.isa",
    "activation_reduce": "jnki.isa",
    "affine_select": "jnki.isa",
    "all_gather": "jnki.isa",
    "all_gather_v": "jnki.isa",
    "all_reduce": "jnki.isa",
    "all_to_all": "jnki.isa",
    "all_to_all_v": "jnki.isa",
    "collective_permute": "jnki.isa",
    "collective_permute_implicit": "jnki.isa",
    "collective_permute_implicit_reduce": "jnki.isa",
    "rank_id": "jnki.isa",
    "reduce_scatter": "jnki.isa",
    "arange": "jnki.access.index",
    "bn_aggr": "jnki.isa",
    "bn_stats": "jnki.isa",
    "dge_mode": "jnki.isa",
    "dma_compute": "jnki.isa",
    "dma_copy": "jnki.isa",
    "dma_transpose": "jnki.isa",
    "dropout": "jnki.isa",
    "eager": "jnki.kernel.eager",
    "engine": "jnki.isa",
    "exponential": "jnki.isa",
    "hbm": "jnki.access.ref",
    "gather_flattened": "jnki.isa",
    "iota": "jnki.isa",
    "local_gather": "jnki.isa",
    "max8": "jnki.isa",
    "memset": "jnki.isa",
    "mgrid": "jnki.access.mesh_grid",
    "nc_find_index8": "jnki.isa",
    "nc_match_replace8": "jnki.isa",
    "nc_matmul": "jnki.isa.tensor.nc_matmul",
    "nc_n_gather": "jnki.isa",
    "nc_matmul_mx": "jnki.isa",
    "nc_stream_shuffle": "jnki.isa",
    "nc_transpose": "jnki.isa.tensor.nc_transpose",
    "nonzero_with_count": "jnki.isa",
    "oob_mode": "jnki.isa",
    "psum": "jnki.access.ref",
    "rand2": "jnki.isa",
    "rand_get_state": "jnki.isa",
    "rand_set_state": "jnki.isa",
    "quantize_mx": "jnki.isa",
    "range_select": "jnki.isa",
    "rand": "jnki.isa",
    "random_seed": "jnki.isa",
    "reciprocal": "jnki.isa",
    "reduce_cmd": "jnki.isa",
    "rng": "jnki.isa",
    "register": "jnki.access.ref",
    "register_load": "jnki.isa",
    "register_move": "jnki.isa",
    "register_store": "jnki.isa",
    "sbuf": "jnki.access.ref",
    "scalar_tensor_tensor": "jnki.isa",
    "select": "jnki.isa",
    "select_reduce": "jnki.isa",
    "sendrecv": "jnki.isa",
    "tensor_copy": "jnki.isa",
    "tensor_partition_reduce": "jnki.isa",
    "sequence_bounds": "jnki.isa",
    "tensor_copy_dynamic_dst": "jnki.isa",
    "tensor_copy_dynamic_src": "jnki.isa",
    "tensor_copy_predicated": "jnki.isa",
    "tensor_reduce": "jnki.isa",
    "tensor_scalar": "jnki.isa",
    "tensor_scalar_cumulative": "jnki.isa",
    "tensor_scalar_reduce": "jnki.isa",
    "tensor_tensor": "jnki.isa",
    "use_fault_policy": "jnki.kernel.fault_policy",
    "use_target": "jnki.default_target",
    "with_backward": "jnki.kernel.with_backward",
    "tensor_tensor_scan": "jnki.isa",
    "topk": "jnki.isa",
}

__all__ = list(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'jnki' has no attribute '{name}'")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(["__version__", *_HOME])
