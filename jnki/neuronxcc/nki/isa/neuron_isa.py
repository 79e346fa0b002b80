"""`neuronxcc.nki.isa.neuron_isa`: the names of `nki.isa`, where the vendor defines them."""

from typing import Any

from jnki.neuronxcc.nki import isa


def __getattr__(name: str) -> Any:
    return getattr(isa, name)
