"""Recording: running a kernel once, with handles for its tensors, and keeping what it does.

The only state is the stack of kernels that are being recorded, one per thread of execution.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from jnki.access.access import Access
from jnki.access.buffer import Buffer, Place, Space
from jnki.access.concrete import NeedsConcrete
from jnki.dtypes import ElementType
from jnki.errors import OutsideKernelError, not_modelled
from jnki.isa.instruction import Instruction
from jnki.program.program import Node
from jnki.record.blocks import Blocks
from jnki.record.first_writes import FirstWrites
from jnki.record.pruning import pruned
from jnki.source import Location, user_frame, user_location
from jnki.target import Target

_ASSIGNED = re.compile(r"^(\w+)\s*(?::[^=]+)?=(?!=)")

_CURRENT: ContextVar["Recorder | None"] = ContextVar("jnki_recorder", default=None)


@dataclass(kw_only=True)
class Recorder(Blocks):
    """What has been recorded so far.

    Attributes:
        steps: whether each instruction runs when it is recorded, so that tensors have values to look at
            (`jnki.stepping`).
        target, grid: of this recording.
        axes: of the mesh, along which ranks are counted.
        handle: makes the tensors that the kernel holds, of the class that its dialect has.
        parameters: names of the parameters.
        immutable: names of those that the kernel may not write.
        constants: names of the tensors that hold constants.
        kernel_code: code objects of the kernel being recorded (and of kernels it calls).
        keeps_places: whether buffers keep the places that their author gives; `force_auto_alloc` ignores them.
        written: names of all buffers that any instruction writes.
        labels: the names that the user has given to instructions.
        first_writes: which places in PSUM have been written to.
        max_trips: how often loops run at most whose bounds are known at run time; None where nobody says.
        whiles: the `while register:` statements that are open.
    """

    steps: ClassVar[bool] = False

    target: Target
    grid: tuple[int, ...] = ()
    axes: tuple[str, ...] = ()
    handle: Callable[..., Any]
    parameters: set[str] = field(default_factory=set)
    immutable: set[str] = field(default_factory=set)
    constants: set[str] = field(default_factory=set)
    kernel_code: list[Any] = field(default_factory=list)
    keeps_places: bool = True
    written: set[str] = field(default_factory=set)
    labels: set[str] = field(default_factory=set)
    first_writes: FirstWrites = field(default_factory=FirstWrites)
    max_trips: int | None = None
    whiles: list[Any] = field(default_factory=list)
    # By number, and kept alive: the number of one that is gone could become that of another.
    _superseded: dict[int, Instruction] = field(default_factory=dict)
    _last_writer: dict[str, Instruction] = field(default_factory=dict)
    _shared: dict[Any, Buffer] = field(default_factory=dict)
    _shared_here: list[Any] = field(default_factory=list)
    _registers: dict[str, Buffer] = field(default_factory=dict)
    # How many loops on the device were around each tensor in PSUM when it was made.
    _loops_around: dict[str, int] = field(default_factory=dict)
    # Where each buffer in PSUM was made, as long as nothing writes to it: a block, and a position in it.
    _unwritten: dict[str, tuple[list[Node], int]] = field(default_factory=dict)

    def make_buffer(
        self,
        space: Space,
        shape: tuple[int, ...],
        dtype: ElementType,
        partition_axis: int = 0,
        name: str = "",
        places: tuple[Place, ...] = (),
    ) -> Buffer:
        """A new buffer in the current scope."""
        named = self._unique(name or _assigned_name() or "tile", self._mark)
        buffer = Buffer(named, space, shape, dtype, partition_axis, places)
        self.scope.buffers.append(buffer)
        if space is Space.PSUM:
            self._unwritten[buffer.name] = (self.scope.nodes, len(self.scope.nodes))
            # The body of a loop is recorded twice, and its tensors have the same names.
            self.first_writes.forget(buffer.name)
            self._loops_around[buffer.name] = self.device_loops
        return buffer

    def adds_in_psum(self, access: Access) -> bool:
        """Whether a matmul that does not say so adds to these places in PSUM: something has written to them.

        Raises:
            NotImplementedError: to some of them only; or nothing has, and they are from outside of a loop on the
                device, where the first iteration would overwrite and the others add.
        """
        adds = self.first_writes.adds(access)
        if not adds and self._loops_around.get(access.buffer.name, 0) < self.device_loops:
            raise not_modelled(
                f"a matmul without accumulate= in a loop on the device, into '{access.buffer.name}' from outside of it "
                "that nothing has written to"
            )
        return adds

    def make_shared_buffer(self, shape: tuple[int, ...], dtype: ElementType, name: str = "") -> Buffer:
        """An HBM buffer outside of all loops: the same one for every instance of the grid that gets to this line.

        Raises:
            RuleError: `spmd.shared_tensors`, where cores that are recorded one by one do not make the same ones.
        """
        line = source_key()

        def make() -> Buffer:
            buffer = Buffer(self._unique(name or _assigned_name() or "tile"), Space.HBM, shape, dtype)
            self.scopes[0].buffers.append(buffer)
            return buffer

        if self.cores is not None:
            return self.cores.share(shape, dtype, line, make)
        key = (line, self._shared_here.count(line), shape, dtype)
        self._shared_here.append(line)
        if key not in self._shared:
            self._shared[key] = make()
        return self._shared[key]

    def make_constant(
        self, shape: tuple[int, ...], dtype: ElementType, contents: Any, instruction: Callable[[Buffer], Instruction]
    ) -> Buffer:
        """An HBM buffer outside of all loops that nothing writes but `instruction`, before all others.

        It is one buffer for all that ask for the same contents.
        """
        key = (shape, dtype, contents)
        if key not in self._shared:
            # A name of its own kind: tiles of a loop have the same names whether or not the constant is a new one.
            buffer = Buffer(self._unique(f"constant:{len(self.constants)}"), Space.HBM, shape, dtype)
            self._shared[key] = buffer
            self.scopes[0].buffers.append(buffer)
            # Nothing before it can read it, so it may stand in front of what is recorded already, and of the grid.
            self._insert(self.scopes[0].nodes, 0, instruction(buffer))
            self.written.add(buffer.name)
            self.constants.add(buffer.name)
        return self._shared[key]

    def make_registers(self, name: str, shape: tuple[int, ...], dtype: ElementType) -> Buffer:
        """The registers of an engine, the same ones throughout one instance of the grid."""
        if name not in self._registers:
            scope = [s for s in self.scopes if not s.in_loop][-1]
            self._registers[name] = Buffer(self._unique(name, self._mark), Space.SBUF, shape, dtype)
            scope.buffers.append(self._registers[name])
        return self._registers[name]

    def is_outside_grid(self, buffer: Buffer) -> bool:
        """Whether the buffer is a parameter or shared by all instances of the grid."""
        shared = {b.name for b in (*self._shared.values(), *(self.cores.shared if self.cores is not None else ()))}
        return buffer.name in shared or buffer.name in self.parameters

    def start_instance(self) -> None:
        """The kernel function starts anew, as another instance of the grid."""
        self._shared_here.clear()
        self._registers.clear()

    @property
    def _mark(self) -> str:
        return self.cores.mark if self.cores is not None else ""

    def _unique(self, name: str, mark: str = "") -> str:
        count = self.names.get(name + mark, 0)
        self.names[name + mark] = count + 1
        return name + mark if count == 0 else self._unique(f"{name}.{count}", mark)

    def add_parameter(self, buffer: Buffer, mutable: bool) -> None:
        """The kernel has this parameter, and no buffer that it makes can have the same name."""
        self.names[buffer.name] = 1
        self.parameters.add(buffer.name)
        if not mutable:
            self.immutable.add(buffer.name)

    def emit(self, instruction: Instruction) -> None:
        """Appends a checked instruction to the open block.

        Raises:
            RuleError: `err_cannot_update_immutable_parameter`.
        """
        self.restart_if_abandoned()
        # An index that outlives its loop is a number, as Python has it: the loop cannot stay symbolic.
        if outlived := tuple(s for s in instruction.symbols if not self.is_open(s)):
            raise NeedsConcrete(outlived)
        written = instruction.written()
        self.first_writes.note(written)
        for access in written:
            name = access.buffer.name
            if name in self.immutable:
                raise instruction.error(
                    "err_cannot_update_immutable_parameter",
                    f"parameter '{name}' is immutable",
                    given=f"a write to {access.buffer}",
                    allowed=f"'{name}: nt.mutable_tensor', or a new tensor in nl.shared_hbm",
                )
            if name in self.constants:
                raise instruction.error(
                    "shared_constant.written",
                    f"tensor '{name}' is a constant",
                    given=f"a write to {access.buffer}",
                    allowed="a new tensor in nl.shared_hbm or nl.sbuf",
                )
            self.written.add(name)
            self._unwritten.pop(name, None)
            self._last_writer[name] = instruction
        if self.iterations and instruction.may_fault:
            # In place: who emits an instruction asks for it later by its identity.
            object.__setattr__(instruction, "unrolled", self.iterations)
        self.scope.nodes.append(instruction)
        self.scope.last = instruction

    def supersede(self, instruction: Instruction, replacement: Instruction) -> None:
        """Records `replacement`, which is `instruction` with another destination.

        The first one goes away when nothing turns out to read what it wrote: `tile[...] = nl.load(x)` is one DMA.
        """
        # What the first one writes besides its own tile, the second one writes too.
        first = instruction.only_dst()
        nodes = self.scope.nodes
        nodes[next(at for at in reversed(range(len(nodes))) if nodes[at] is instruction)] = first
        self._superseded[id(first)] = first
        self.emit(replacement)

    def assigned_name(self) -> str:
        """The variable that the user's line assigns to, or an empty string."""
        return _assigned_name()

    def start_with(self, buffer: Buffer, instruction: Instruction) -> None:
        """Puts `instruction` where `buffer` was made, if that is in PSUM and nothing has written to it yet."""
        if buffer.name not in self._unwritten:
            return
        self._insert(*self._unwritten.pop(buffer.name), instruction)

    def _insert(self, nodes: list[Node], at: int, instruction: Instruction) -> None:
        nodes.insert(at, instruction)
        for name, (others, position) in self._unwritten.items():
            if others is nodes and position >= at:
                self._unwritten[name] = (others, position + 1)

    def is_last(self, instruction: Instruction | None) -> bool:
        """Whether nothing was recorded after `instruction`, and no block opened or closed."""
        return instruction is not None and self.scope.last is instruction

    def alone_wrote(self, instruction: Instruction | None, buffer: Buffer) -> bool:
        """Whether `instruction` is the last one so far that writes to `buffer`."""
        return instruction is not None and self._last_writer.get(buffer.name) is instruction

    def writer_of(self, buffer: Buffer) -> Instruction | None:
        """The last instruction so far that writes to `buffer`."""
        return self._last_writer.get(buffer.name)

    # Values, where instructions run when they are recorded.

    def values(self, access: Access) -> np.ndarray:
        """The elements of an access now, read-only."""
        raise no_values(access)

    def number(self, access: Access) -> int:
        """What a register, or another access of one element, holds now."""
        raise no_values(access)

    def shown(self, access: Access) -> str:
        """The elements of an access as text for people."""
        raise no_values(access)

    def failed(self, fault: Any) -> None:
        """A loop on the device has a fault of its own."""
        raise TypeError("faults are found when a kernel runs, and not while it is recorded")

    @property
    def has_failed(self) -> bool:
        """Whether there was a fault that is not raised."""
        return False

    def finished_blocks(self, read_outside: set[str]) -> tuple[tuple[Node, ...], ...]:
        """All that was recorded, without the superseded instructions whose tile nobody else uses.

        Args:
            read_outside: names of buffers that are read afterwards.

        Returns:
            What all instances do, or what comes before them, and then what each of the cores does that are recorded
            one by one.
        """
        self.check_finished()
        recorded = [self.scopes[0].nodes, *(self.cores.bodies if self.cores is not None else ())]
        blocks, gone = pruned(tuple(map(tuple, recorded)), self._superseded, read_outside)
        self.scopes[0].buffers[:] = [b for b in self.scopes[0].buffers if b.name not in gone]
        return blocks


def current(function: str) -> Recorder:
    """The kernel that is being recorded.

    Raises:
        OutsideKernelError: none is.
    """
    recorder = _CURRENT.get()
    if recorder is None:
        raise OutsideKernelError(function)
    return recorder


def stepping() -> Recorder | None:
    """The recorder of the kernel that runs step by step here, or None."""
    recorder = _CURRENT.get()
    return recorder if recorder is not None and recorder.steps else None


def no_values(access: Access) -> TypeError:
    """The error of somebody who looks at a tensor that has no values."""
    return TypeError(
        f"tensor '{access.buffer.name}' has no values while its kernel is recorded; use nl and nisa functions on it, "
        "or call kernel.eager to look at values"
    )


def is_recording() -> bool:
    return _CURRENT.get() is not None


@contextmanager
def recording(recorder: Recorder) -> Iterator[None]:
    """Inside, `recorder` records; after it, no handle of this recording can be used in another one."""
    token = _CURRENT.set(recorder)
    try:
        yield
    finally:
        recorder.close()
        _CURRENT.reset(token)


def source_key() -> Any:
    """Identifies the place in the user's source that calls."""
    frame = user_frame()
    return (frame.f_code, frame.f_lasti) if frame is not None else None


def _assigned_name() -> str:
    location: Location | None = user_location()
    found = _ASSIGNED.match(location.text) if location is not None else None
    return found.group(1) if found else ""
