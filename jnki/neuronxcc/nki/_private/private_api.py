"""`neuronxcc.nki._private.private_api`: names of the vendor's that kernels in use import.

One of them has a meaning here. The others can be imported, and raise where they are used.
"""

from typing import Any

from jnki.errors import not_modelled
from jnki.neuronxcc.absent import REASONS, Absent
from jnki.record.recorder import current


def core_barrier(data: Any, cores: Any) -> None:
    """Every core gets here before one goes on: nothing, for a kernel that runs on one.

    Args:
        data: a tensor that the cores share.
        cores: their numbers.

    Raises:
        NotImplementedError: the kernel has a launch grid, whose instances run one after the other here.
    """
    grid = current("core_barrier").grid
    if any(size != 1 for size in grid):
        raise not_modelled(f"core_barrier in a launch grid {list(grid)}, whose instances run one after the other,")


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    return Absent(f"neuronxcc.nki._private.private_api.{name}", REASONS["nki._private"])
