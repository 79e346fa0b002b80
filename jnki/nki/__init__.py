"""The current dialect of NKI (`import nki`): spelling only. What the names mean lives in the rooms below."""

from jnki.nki import collectives, isa, language
from jnki.nki import dtype as dtype
from jnki.nki.entry import Kernel, jit, not_available, simulate

baremetal = not_available("baremetal")
benchmark = not_available("benchmark")
profile = not_available("profile")
simulate_kernel = not_available("simulate_kernel")

__all__ = ["Kernel", "collectives", "isa", "jit", "language", "simulate"]
