"""The legacy dialect of NKI (`neuronxcc.nki`): spelling only. What the names mean lives in the rooms below."""

from jnki.dialects.missing import missing
from jnki.neuronxcc.nki import compiler, isa, language, typing
from jnki.neuronxcc.nki.entry import baremetal, benchmark, jit, profile, simulate_kernel, trace
from jnki.neuronxcc.nki.not_yet import TOP
from jnki.tiles.operators import Tensor as tensor

__all__ = [
    "baremetal",
    "benchmark",
    "compiler",
    "isa",
    "jit",
    "language",
    "profile",
    "simulate_kernel",
    "tensor",
    "trace",
    "typing",
]

__getattr__ = missing("neuronxcc.nki", "legacy", TOP)
