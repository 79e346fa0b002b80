"""`Stepper`: a recorder that runs each instruction when it is recorded, on memory that holds values.

What a recorder does to instructions that it has recorded already, it does to memory here: what an instruction wrote
besides its result is taken back where another one supersedes it, and what is put in front of others runs at once,
since none of those has touched the tensor that it writes.
"""

from collections.abc import Callable
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

import jax
import numpy as np

from jnki.access.access import Access
from jnki.access.bounds import check_bounds
from jnki.access.buffer import Buffer, Place, Space
from jnki.dtypes import ElementType
from jnki.errors import not_modelled
from jnki.isa.dma.sendrecv import SendRecv
from jnki.isa.gpsimd.core_barrier import CoreBarrier
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
from jnki.stepping.kinds import Key, run_on, step_of
from jnki.stepping.shown import text_of
from jnki.stepping.unwritten import unwritten_elements

T = TypeVar("T")


@dataclass(kw_only=True)
class Stepper(Recorder):
    """A recording that runs as it goes. All loops are unrolled, and instances of the grid run one after the other.

    Attributes:
        arrays: what memory holds. No instruction overwrites those that it starts with.
        fault: the first fault so far, where faults are not raised.
        raises: whether a fault is raised at once, as what it is in a plain call.
    """

    steps: ClassVar[bool] = True

    unrolls_all: bool = True
    arrays: dict[Key, Any] = field(default_factory=dict)
    fault: Fault = field(default_factory=Fault)
    raises: bool = True
    _ours: set[Key] = field(default_factory=set)
    _writers: dict[str, list[Instruction]] = field(default_factory=dict)
    _made: dict[int, list[Key]] = field(default_factory=dict)
    # What the last instruction wrote besides its result, as it was before.
    _before: tuple[Instruction | None, dict[Key, Any]] = (None, {})
    # Instructions run as if no kernel were recorded: while one is, a mask may stand for a number.
    _outside: Context = field(default_factory=copy_context)

    # What a recorder does, done to memory too.

    def emit(self, instruction: Instruction) -> None:
        super().emit(instruction)
        if self.cores is not None and isinstance(instruction, (SendRecv, CoreBarrier)):
            raise not_modelled(f"{instruction.name} between two cores step by step: they run one after the other")
        self._run(instruction)

    def supersede(self, instruction: Instruction, replacement: Instruction) -> None:
        last, before = self._before
        if last is instruction:
            kept = {_key(access.buffer) for access in instruction.only_dst().written()}
            for key, array in before.items():
                if key not in kept:
                    self._put(key, array)
        super().supersede(instruction, replacement)

    def _insert(self, nodes: list[Node], at: int, instruction: Instruction) -> None:
        super()._insert(nodes, at, instruction)
        self._run(instruction)

    def make_buffer(
        self,
        space: Space,
        shape: tuple[int, ...],
        dtype: ElementType,
        partition_axis: int = 0,
        name: str = "",
        places: tuple[Place, ...] = (),
    ) -> Buffer:
        buffer = super().make_buffer(space, shape, dtype, partition_axis, name, places)
        self._made.setdefault(id(self.scope), []).append(_key(buffer))
        return buffer

    def _close(self, scope: Scope) -> None:
        open_before = list(self.scopes)
        super()._close(scope)
        for closed in open_before[len(self.scopes) :]:
            for key in self._made.pop(id(closed), ()):
                self.arrays.pop(key, None)

    # Running.

    def _run(self, instruction: Instruction) -> None:
        for access in instruction.written():
            self._writers.setdefault(access.buffer.name, []).append(instruction)
        self._as_outside(lambda: self._execute(instruction))

    def _execute(self, instruction: Instruction) -> None:
        if instruction.has_side_effect:
            self._set(instruction.execute(self._memory()))
            jax.effects_barrier()
            return
        step = step_of(trimmed(instruction))
        old = tuple(map(self.arrays.get, step.written))
        # The next instruction may supersede this one, and take back what it wrote besides its result.
        results = {_key(access.buffer) for name, access in instruction.operands().items() if name == "dst"}
        besides = {key: array for key, array in zip(step.written, old) if key not in results}
        overwrite = not besides and not instruction.may_fault and self._ours.issuperset(step.written)
        written, fault = run_on(instruction, step, self.arrays, overwrite)
        if fault is not None and int(fault.site) != NO_SITE:
            self._fails(instruction)
        self._before = instruction, besides
        for key, array in zip(step.written, written):
            self._put(key, array)
            self._ours.add(key)

    def _fails(self, instruction: Instruction) -> None:
        """The instruction again, for what its fault says of the tensor, the line and the iteration."""
        self.failed(instruction.execute(self._memory().with_fault(Fault())).fault)

    def failed(self, fault: Fault) -> None:
        if self.raises:
            fault.raise_if_any()
        self.fault = self.fault.or_else(fault)

    @property
    def has_failed(self) -> bool:
        return int(self.fault.site) != NO_SITE

    def _memory(self) -> DeviceMemory:
        return DeviceMemory(self.arrays, self.fault)

    def _set(self, memory: DeviceMemory) -> None:
        self.arrays, self.fault = dict(memory.arrays), memory.fault

    def _put(self, key: Key, array: Any) -> None:
        if array is None:
            self.arrays.pop(key, None)
        else:
            self.arrays[key] = array

    def _as_outside(self, function: Callable[[], T]) -> T:
        return self._outside.copy().run(function)

    # Looking.

    def array_of(self, access: Access) -> jax.Array:
        """The elements of an access, as a JAX array of its shape.

        Raises:
            RuleError: `err_tensor_access_out_of_bound`, where a part of it is outside of its tensor.
            NotImplementedError: an index for each column moves it.
        """
        check_bounds(access, None, "what is looked at")
        return self._as_outside(lambda: self._read(access))

    def _read(self, access: Access) -> jax.Array:
        memory = self._memory()
        rows = None
        if access.indirect is not None:
            if access.indirect.columns > 1:
                raise not_modelled("looking at a view with an index for each column")
            rows = row_indices(memory, access, NO_LOOPS)
            assert rows is not None
            if not bool(rows_in_bounds(access, rows, NO_LOOPS).all()):
                raise IndexError(f"the index of this view of tensor '{access.buffer.name}' is out of bounds")
        return read(memory.get(access.buffer), access, NO_LOOPS, rows)

    def values(self, access: Access) -> np.ndarray:
        found = np.array(self.array_of(access))
        found.flags.writeable = False
        return found

    def number(self, access: Access) -> int:
        return int(self.array_of(access).reshape(()))

    def shown(self, access: Access) -> str:
        try:
            values = self.values(access)
        except (ValueError, IndexError, NotImplementedError) as error:
            return f"not shown: {error}"
        unwritten = np.zeros(access.shape, bool)
        if access.indirect is None and access.buffer.name not in self.parameters:
            writers = self._writers.get(access.buffer.name, ())
            unwritten = self._as_outside(lambda: unwritten_elements(access, values, writers))
        return text_of(values, access.dtype, unwritten)


def _key(buffer: Buffer) -> Key:
    return buffer.space, buffer.name
