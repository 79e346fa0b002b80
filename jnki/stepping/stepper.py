"""`Stepper`: a recorder that runs each instruction when it is recorded, on memory that holds values.

What a recorder does to instructions that it has recorded already, it does to memory here: what an instruction wrote
that another one supersedes is taken back, and one that is put in front of others runs at once, since nothing that
stands behind it has touched the tensor that it writes.
"""

from collections.abc import Callable
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from typing import Any, TypeVar

import jax
import numpy as np

from jnki.access.access import Access
from jnki.access.bounds import check_bounds
from jnki.isa.instruction import Instruction
from jnki.isa.operands import row_indices
from jnki.lower.trim import trimmed
from jnki.memory import NO_LOOPS, DeviceMemory, Fault
from jnki.memory.gather import read
from jnki.memory.rows import rows_in_bounds
from jnki.memory.sites import NO_SITE
from jnki.program.program import Node
from jnki.record.blocks import Scope
from jnki.record.recorder import Recorder
from jnki.stepping.kinds import Key, run_step, step_of
from jnki.stepping.shown import text_of
from jnki.stepping.unwritten import unwritten_elements

T = TypeVar("T")


@dataclass(kw_only=True)
class Stepper(Recorder):
    """A recording that runs as it goes. All loops are unrolled, and instances of the grid run one after the other.

    Attributes:
        arrays: what memory holds.
        fault: the first fault so far, where faults are not raised.
        raises: whether a fault is raised at once, as what it is in a plain call.
    """

    unrolls_all: bool = True
    arrays: dict[Key, Any] = field(default_factory=dict)
    fault: Fault = field(default_factory=Fault)
    raises: bool = True
    # Arrays that somebody else has too: no instruction may overwrite them.
    _theirs: set[Key] = field(default_factory=set)
    _writers: dict[str, list[Instruction]] = field(default_factory=dict)
    _made: dict[int, list[Key]] = field(default_factory=dict)
    # What the last instruction wrote besides its result, as it was before.
    _before: tuple[Instruction | None, dict[Key, Any]] = (None, {})
    # Instructions mean the same whether or not a kernel is being recorded, but numbers do not: a mask may be one.
    _outside: Context = field(default_factory=copy_context)

    def put(self, name: str, array: Any) -> None:
        """The tensor of this name in HBM holds this array, which stays as it is."""
        key = next(k for k in self._keys_of(name))
        self.arrays[key] = array
        self._theirs.add(key)
