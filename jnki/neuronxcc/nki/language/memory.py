"""Memories as `buffer=` arguments, and the mark of the partition axis."""

from dataclasses import dataclass

from jnki.access.buffer import Space
from jnki.access.partition import par_dim as par_dim


@dataclass(frozen=True)
class Region:
    """A kind of memory that a tensor can be made in.

    Attributes:
        name: NKI's name.
        space: the memory.
        at_kernel_level: whether such a tensor is shared by all instances of the launch grid, and so can only be made
            outside of loops and helper functions.
    """

    name: str
    space: Space
    at_kernel_level: bool = False

    def __str__(self) -> str:
        return self.name


hbm = Region("hbm", Space.HBM)
private_hbm = Region("private_hbm", Space.HBM)
shared_hbm = Region("shared_hbm", Space.HBM, at_kernel_level=True)
sbuf = Region("sbuf", Space.SBUF)
psum = Region("psum", Space.PSUM)
