"""One file per instruction: its operands, the rules it checks, and its meaning in a few lines of `jax.numpy`."""

from jnki.isa.device_print import DevicePrint
from jnki.isa.dma_copy import DmaCopy, dma_copy
from jnki.isa.enums import dge_mode, engine, nc_version, oob_mode
from jnki.isa.instruction import Instruction
from jnki.isa.iota import Iota, iota
from jnki.isa.memset import Memset, memset
from jnki.isa.tensor_copy import TensorCopy, tensor_copy

__all__ = [
    "DevicePrint",
    "DmaCopy",
    "Instruction",
    "Iota",
    "Memset",
    "TensorCopy",
    "dge_mode",
    "dma_copy",
    "engine",
    "iota",
    "memset",
    "nc_version",
    "oob_mode",
    "tensor_copy",
]
