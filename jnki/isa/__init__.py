"""One file per instruction: its operands, the rules it checks, and its meaning in a few lines of `jax.numpy`."""

from jnki.isa.device_print import DevicePrint
from jnki.isa.dma.dma_copy import DmaCopy, dma_copy
from jnki.isa.enums import dge_mode, engine, nc_version, oob_mode, reduce_cmd
from jnki.isa.gpsimd.affine_select import AffineSelect, affine_select
from jnki.isa.gpsimd.gather_flattened import GatherFlattened, gather_flattened
from jnki.isa.gpsimd.iota import Iota, iota
from jnki.isa.instruction import Instruction
from jnki.isa.scalar.activation import Activation, activation
from jnki.isa.scalar.activation_reduce import ActivationReduce, activation_reduce
from jnki.isa.shared_constant import SharedConstant
from jnki.isa.tensor.nc_matmul import NcMatmul, nc_matmul
from jnki.isa.tensor.nc_transpose import NcTranspose, nc_transpose
from jnki.isa.vector.memset import Memset, memset
from jnki.isa.vector.reciprocal import Reciprocal, reciprocal
from jnki.isa.vector.select import Select, select
from jnki.isa.vector.tensor_copy import TensorCopy, tensor_copy
from jnki.isa.vector.tensor_reduce import TensorReduce, tensor_reduce
from jnki.isa.vector.tensor_scalar import TensorScalar, tensor_scalar
from jnki.isa.vector.tensor_tensor import TensorTensor, tensor_tensor

__all__ = [
    "Activation",
    "ActivationReduce",
    "AffineSelect",
    "DevicePrint",
    "DmaCopy",
    "GatherFlattened",
    "Instruction",
    "Iota",
    "Memset",
    "NcMatmul",
    "NcTranspose",
    "Reciprocal",
    "Select",
    "SharedConstant",
    "TensorCopy",
    "TensorReduce",
    "TensorScalar",
    "TensorTensor",
    "activation",
    "activation_reduce",
    "affine_select",
    "dge_mode",
    "dma_copy",
    "engine",
    "gather_flattened",
    "iota",
    "memset",
    "nc_matmul",
    "nc_transpose",
    "nc_version",
    "oob_mode",
    "reciprocal",
    "reduce_cmd",
    "select",
    "tensor_copy",
    "tensor_reduce",
    "tensor_scalar",
    "tensor_tensor",
]
