"""One file per instruction: its operands, the rules it checks, and its meaning in a few lines of `jax.numpy`."""

from jnki.isa.activation import Activation, activation
from jnki.isa.activation_reduce import ActivationReduce, activation_reduce
from jnki.isa.affine_select import AffineSelect, affine_select
from jnki.isa.device_print import DevicePrint
from jnki.isa.dma_copy import DmaCopy, dma_copy
from jnki.isa.enums import dge_mode, engine, nc_version, oob_mode, reduce_cmd
from jnki.isa.instruction import Instruction
from jnki.isa.iota import Iota, iota
from jnki.isa.memset import Memset, memset
from jnki.isa.nc_matmul import NcMatmul, nc_matmul
from jnki.isa.nc_transpose import NcTranspose, nc_transpose
from jnki.isa.reciprocal import Reciprocal, reciprocal
from jnki.isa.select import Select, select
from jnki.isa.tensor_copy import TensorCopy, tensor_copy
from jnki.isa.tensor_reduce import TensorReduce, tensor_reduce
from jnki.isa.tensor_scalar import TensorScalar, tensor_scalar
from jnki.isa.tensor_tensor import TensorTensor, tensor_tensor

__all__ = [
    "Activation",
    "ActivationReduce",
    "AffineSelect",
    "DevicePrint",
    "DmaCopy",
    "Instruction",
    "Iota",
    "Memset",
    "NcMatmul",
    "NcTranspose",
    "Reciprocal",
    "Select",
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
