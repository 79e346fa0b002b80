"""What a dialect decides about recording a kernel and calling it; everything else is one for all."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from jnki.default_target import default_target
from jnki.dtypes import ALL, ElementType
from jnki.target import Target
from jnki.tiles import operators


@dataclass(frozen=True)
class Dialect:
    """The choices of one dialect.

    Attributes:
        name: the package that users import.
        handle: the class of the tensors that a kernel holds.
        default_target: what a kernel is checked against that names no target.
        writes_parameters: whether a kernel may write any array parameter; what it writes and does not return is an
            output that only NumPy callers see.
        shares_outputs: whether an output must be a tensor in `nl.shared_hbm`, or a parameter.
        numbers_programs: whether `program_id` is a number, and each instance of the grid is recorded by itself.
        types: the element types that an array argument may have.
        recording: what stands around a recording.
    """

    name: str
    handle: Callable[..., Any]
    default_target: Callable[[], Target] = default_target
    writes_parameters: bool = False
    shares_outputs: bool = False
    numbers_programs: bool = False
    types: tuple[ElementType, ...] = ALL
    recording: Callable[[], AbstractContextManager[Any]] = nullcontext


LEGACY = Dialect("neuronxcc.nki", operators.Tensor)
