"""Recording: running a kernel once, with handles for its tensors, and keeping what it does.

The only state is the stack of kernels that are being recorded, one per thread of execution.
"""

import math
import re
from collections.abc import Callable, Collection, Generator, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, TypeVar

from jnki.access.affine import Affine, Symbol
from jnki.access.buffer import Buffer, Space
from jnki.access.concrete import NeedsConcrete, keeping_signals
from jnki.access.index import Index
from jnki.dtypes import ElementType
from jnki.errors import OutsideKernelError, RuleError, keeping_errors
from jnki.isa.instruction import Instruction
from jnki.program.program import Loop, LoopKind, Node
from jnki.record.frame_state import FrameState
from jnki.record.passes import Passes
from jnki.record.same_body import same_body
from jnki.source import Location, user_frame, user_location
from jnki.target import Target

_LOOP = re.compile(r"^for\s+(\w+)\s+in\b")
_ASSIGNED = re.compile(r"^(\w+)\s*(?::[^=]+)?=(?!=)")

# Of a rule that is broken in a loop of more trips, all iterations are told without a look at each.
_TRIPS_TO_SEE = 1024

R = TypeVar("R")

_CURRENT: ContextVar["Recorder | None"] = ContextVar("jnki_recorder", default=None)


@dataclass
class Scope:
    """A block that is open: tensors made in it die when it closes."""

    nodes: list[Node]
    buffers: list[Buffer]
    is_open: bool = True
    in_loop: bool = False
    depth: int = 0
    # What this block itself recorded last; None after a block inside of it.
    last: Instruction | None = None

    def __carried__(self) -> tuple[Any, ...]:
        """What tells this block from others that are open: two recordings of one block are alike."""
        return (self.depth,)


@dataclass
class Recorder:
    """What has been recorded so far.

    Attributes:
        target, grid: of this recording.
        handle: makes the tensors that the kernel holds, of the class that its dialect has.
        unrolled: keys of the loops whose index must be concrete.
        parameters: names of the parameters.
        immutable: names of those that the kernel may not write.
        kernel_code: code objects of the kernel being recorded (and of kernels it calls).
        written: names of all buffers that any instruction writes.
        programs: this instance's index on each axis of the grid.
        signals, errors: what was raised so far, whether or not the kernel has swallowed it.
    """

    target: Target
    grid: tuple[int, ...] = ()
    handle: Callable[..., Any] = field(kw_only=True)
    unrolled: frozenset[Any] = frozenset()
    parameters: set[str] = field(default_factory=set)
    immutable: set[str] = field(default_factory=set)
    kernel_code: list[Any] = field(default_factory=list)
    scopes: list[Scope] = field(default_factory=lambda: [Scope([], [])])
    written: set[str] = field(default_factory=set)
    programs: dict[int, Index | int] = field(default_factory=dict)
    signals: list[NeedsConcrete] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)
    _names: dict[str, int] = field(default_factory=dict)
    _keys: dict[Symbol, Any] = field(default_factory=dict)
    _counts: dict[str, int] = field(default_factory=dict)
    _passes: Passes = field(default_factory=Passes)
    _open: list[Symbol] = field(default_factory=list)
    _unrolled: tuple[tuple[int, str, int], ...] = ()
    _abandoned: list[Symbol] = field(default_factory=list)
    # By number, and kept alive: the number of one that is gone could become that of another.
    _superseded: dict[int, Instruction] = field(default_factory=dict)
    _last_writer: dict[str, Instruction] = field(default_factory=dict)
    _shared: dict[Any, Buffer] = field(default_factory=dict)
    _shared_here: list[Any] = field(default_factory=list)
    _registers: dict[str, Buffer] = field(default_factory=dict)

    # Tensors and instructions.

    @property
    def scope(self) -> Scope:
        return self.scopes[-1]

    def make_buffer(
        self,
        space: Space,
        shape: tuple[int, ...],
        dtype: ElementType,
        partition_axis: int = 0,
        name: str = "",
    ) -> Buffer:
        """A new buffer in the current scope."""
        buffer = Buffer(self._unique(name or _assigned_name() or "tile"), space, shape, dtype, partition_axis)
        self.scope.buffers.append(buffer)
        return buffer

    def make_shared_buffer(self, shape: tuple[int, ...], dtype: ElementType, name: str = "") -> Buffer:
        """An HBM buffer outside of all loops: the same one for every instance of the grid that gets to this line."""
        line = source_key()
        key = (line, self._shared_here.count(line), shape, dtype)
        self._shared_here.append(line)
        if key not in self._shared:
            unique = self._unique(name or _assigned_name() or "tile")
            self._shared[key] = Buffer(unique, Space.HBM, shape, dtype)
            self.scopes[0].buffers.append(self._shared[key])
        return self._shared[key]

    def make_registers(self, name: str, shape: tuple[int, ...], dtype: ElementType) -> Buffer:
        """The registers of an engine, the same ones throughout one instance of the grid."""
        if name not in self._registers:
            scope = [s for s in self.scopes if not s.in_loop][-1]
            self._registers[name] = Buffer(self._unique(name), Space.SBUF, shape, dtype)
            scope.buffers.append(self._registers[name])
        return self._registers[name]

    def is_outside_grid(self, buffer: Buffer) -> bool:
        """Whether the buffer is a parameter or shared by all instances of the grid."""
        shared = {b.name for b in self._shared.values()}
        return buffer.name in shared or buffer.name in self.parameters

    def start_instance(self) -> None:
        """The kernel function starts anew, as another instance of the grid."""
        self._shared_here.clear()
        self._registers.clear()

    def _unique(self, name: str) -> str:
        count = self._names.get(name, 0)
        self._names[name] = count + 1
        return name if count == 0 else self._unique(f"{name}.{count}")

    def add_parameter(self, buffer: Buffer, mutable: bool) -> None:
        """The kernel has this parameter, and no buffer that it makes can have the same name."""
        self._names[buffer.name] = 1
        self.parameters.add(buffer.name)
        if not mutable:
            self.immutable.add(buffer.name)

    def emit(self, instruction: Instruction) -> None:
        """Appends a checked instruction to the open block.

        Raises:
            RuleError: `err_cannot_update_immutable_parameter`.
        """
        self._restart_if_abandoned()
        # An index that outlives its loop is a number, as Python has it: the loop cannot stay symbolic.
        if outlived := tuple(s for s in instruction.symbols if s not in self._open):
            raise NeedsConcrete(outlived)
        for access in instruction.written():
            name = access.buffer.name
            if name in self.immutable:
                raise instruction.error(
                    "err_cannot_update_immutable_parameter",
                    f"parameter '{name}' is immutable",
                    given=f"a write to {access.buffer}",
                    allowed=f"'{name}: nt.mutable_tensor', or a new tensor in nl.shared_hbm",
                )
            self.written.add(name)
            self._last_writer[name] = instruction
        if self._unrolled and instruction.may_fault:
            # In place: who emits an instruction asks for it later by its identity.
            object.__setattr__(instruction, "unrolled", self._unrolled)
        self.scope.nodes.append(instruction)
        self.scope.last = instruction

    def supersede(self, instruction: Instruction, replacement: Instruction) -> None:
        """Records `replacement`, which is `instruction` with another destination.

        The first one goes away when nothing turns out to read what it wrote: `tile[...] = nl.load(x)` is one DMA.
        """
        # What the first one writes besides its own tile, the second one writes too.
        first = instruction.only_dst()
        self.scope.nodes[-1] = first
        self._superseded[id(first)] = first
        self.emit(replacement)

    def is_last(self, instruction: Instruction | None) -> bool:
        """Whether nothing was recorded after `instruction`, and no block opened or closed."""
        return instruction is not None and self.scope.last is instruction

    def alone_wrote(self, instruction: Instruction | None, buffer: Buffer) -> bool:
        """Whether `instruction` is the last one so far that writes to `buffer`."""
        return instruction is not None and self._last_writer.get(buffer.name) is instruction

    def finished_body(self, read_outside: set[str]) -> tuple[Node, ...]:
        """All that was recorded, without the superseded instructions whose tile nobody else uses.

        Args:
            read_outside: names of buffers that are read afterwards.
        """
        self._restart_if_abandoned()
        if self._open:
            raise NeedsConcrete(tuple(self._open))
        used, dead = set(read_outside), set[str]()
        for node in _walk(self.scopes[0].nodes):
            if id(node) in self._superseded:
                dead.update(a.buffer.name for a in node.written())
                used.update(a.buffer.name for a in node.reads())
            else:
                used.update(a.buffer.name for operand in node.operands().values() for a in operand.accesses())
        dead -= used
        idle = _unread_registers(self.scopes[0].nodes)
        self.scopes[0].buffers[:] = [b for b in self.scopes[0].buffers if b.name not in dead | idle]
        return _pruned(tuple(self.scopes[0].nodes), self._superseded, dead, idle)

    # Loops.

    def loop(self, values: range, kind: LoopKind | None, key: Any) -> Iterator[Any]:
        """The indices of a loop: a symbol that stands for all of them, or the numbers themselves.

        Args:
            values: the indices.
            kind: None where the loop is unrolled by request (`static_range`).
            key: identifies the loop in the source, so that a new recording can unroll this one.

        Raises:
            NeedsConcrete: an iteration differs from the one before in more than its index.
        """
        if kind is None or key in self.unrolled or len(values) <= 1:
            name = _loop_name()
            for number, value in enumerate(values):
                with self._iteration(name, number):
                    yield value
            return
        location = user_location()
        symbol = self.new_symbol("i", len(values), key)
        passes = self._passes
        scope = yield from (self._once if passes.is_open else self._twice)(symbol, values, key)
        if scope.nodes:
            self.scope.nodes.append(Loop(symbol, kind, tuple(scope.nodes), tuple(scope.buffers), location))

    def _twice(self, symbol: Symbol, values: range, key: Any) -> Generator[Any, None, Scope]:
        """The body for one iteration and for the next: a loop stands for both, and so for all, if they are the same."""
        names, counts = dict(self._names), dict(self._counts)
        with self._passes.first():
            scope = yield from self._pass(symbol, values)
        after = self._python_state()
        # Tiles made at one place have one name in both passes, and loop indices have names that differ.
        self._names, names = names, self._names
        self._counts, counts = counts, self._counts
        again = self.new_symbol("i", len(values), key, mark="'")
        with self._passes.second():
            other = yield from self._pass(again, values)
        self._names, self._counts = names, counts
        is_same = tuple(scope.buffers) == tuple(other.buffers) and same_body(
            tuple(scope.nodes), tuple(other.nodes), {again: symbol}
        )
        if not (is_same and after.agrees(self._python_state(), within=True)):
            raise NeedsConcrete((symbol,))
        return scope

    def _once(self, symbol: Symbol, values: range, key: Any) -> Generator[Any, None, Scope]:
        """The body for one iteration: the loop around this one runs it again, and there is no other one in between."""
        before = self._python_state() if self._passes.is_second else None
        scope = yield from self._pass(symbol, values)
        if not self._passes.is_as_before(key, before, self._python_state()):
            raise NeedsConcrete((symbol,))
        return scope

    def _pass(self, symbol: Symbol, values: range) -> Generator[Any, None, Scope]:
        scope = Scope([], [], in_loop=True)
        self._enter(scope)
        self._open.append(symbol)
        finished = False
        errors = len(self.errors)
        try:
            yield Index(Affine(values.start, ((symbol, values.step),)))
            self.look_for_signals()
            # A kernel that swallows an error goes on differently in the iterations that make it and in the others.
            finished = len(self.errors) == errors
        finally:
            # A `break` or `return` in the body ends this generator early: the loop cannot stay symbolic.
            if not finished:
                self._abandoned.append(symbol)
            self._open.remove(symbol)
            self._close(scope)
        return scope

    def _python_state(self) -> FrameState:
        frame = user_frame()
        assert frame is not None
        return FrameState(frame, self._loop_of)

    def _loop_of(self, symbol: Symbol) -> Any:
        """What an index stands for, whichever pass it was made in: an open loop by its depth, or one that is over."""
        return self._open.index(symbol) if symbol in self._open else ("over", self._keys.get(symbol))

    def new_symbol(self, prefix: str, trips: int, key: Any, mark: str = "") -> Symbol:
        number = self._counts.get(prefix, 0)
        self._counts[prefix] = number + 1
        symbol = Symbol(f"{prefix}{number}{mark or self._passes.mark}", trips)
        self._keys[symbol] = key
        return symbol

    @contextmanager
    def _iteration(self, name: str, number: int) -> Iterator[None]:
        scope = Scope(self.scope.nodes, self.scope.buffers, in_loop=True)
        self._enter(scope)
        around = self._unrolled
        self._unrolled = (*around, (len(self._open), name, number))
        try:
            yield
        finally:
            self._unrolled = around
            self._close(scope)

    def _enter(self, scope: Scope) -> None:
        scope.depth = len(self.scopes)
        self.scopes.append(scope)

    def _close(self, scope: Scope) -> None:
        if scope not in self.scopes:  # an exception has closed an outer loop before this one
            return
        while self.scopes[-1] is not scope:
            self.scopes.pop().is_open = False
        self.scopes.pop().is_open = False
        self.scope.last = None

    def close(self) -> None:
        """Nothing more is recorded, and no handle of this recording can be used in another one."""
        for scope in self.scopes:
            scope.is_open = False

    def look_for_signals(self) -> None:
        """Raises a signal again that somebody has swallowed (`except:`, `contextlib.suppress`)."""
        if self.signals:
            raise self.signals[0]

    def _restart_if_abandoned(self) -> None:
        self.look_for_signals()
        if self._abandoned:
            raise NeedsConcrete(tuple(self._abandoned))

    @property
    def left_early(self) -> tuple[Symbol, ...]:
        """Indices of the loops that an exception, a `break` or a `return` has ended."""
        return tuple(self._abandoned)

    def keys_of(self, symbols: tuple[Symbol, ...]) -> frozenset[Any]:
        return frozenset(self._keys[s] for s in symbols if s in self._keys)

    # The launch grid.

    @contextmanager
    def instances(self, axis: int, program: Index | int) -> Iterator[None]:
        """Inside, the kernel runs as the instance (or all the instances) with this index on one axis of the grid."""
        self.programs[axis] = program
        if isinstance(program, int):
            scope = Scope(self.scope.nodes, self.scope.buffers)
            self._enter(scope)
            around = self._unrolled
            self._unrolled = (*around, (len(self._open), f"pid{axis}", program))
            yield
            self._unrolled = around
            self._close(scope)
            return
        (symbol,) = program.base.symbols
        scope = Scope([], [])
        self._enter(scope)
        self._open.append(symbol)
        yield
        self._open.remove(symbol)
        self._close(scope)
        self.scope.nodes.append(Loop(symbol, LoopKind.GRID, tuple(scope.nodes), tuple(scope.buffers)))


def current(function: str) -> Recorder:
    """The kernel that is being recorded.

    Raises:
        OutsideKernelError: none is.
    """
    recorder = _CURRENT.get()
    if recorder is None:
        raise OutsideKernelError(function)
    return recorder


def is_recording() -> bool:
    return _CURRENT.get() is not None


def record(
    attempt: Callable[[Recorder], R], make: Callable[[frozenset[Any]], Recorder], put_back: Callable[[], None]
) -> R:
    """What `attempt` returns, run again with one more loop unrolled each time it needs a concrete index.

    A rule that is broken inside a loop which stands for many iterations may hold in each that Python gets to: the
    loops around it are unrolled to see, if they are short.

    Args:
        attempt: runs the kernel.
        make: a recorder that unrolls these loops.
        put_back: undoes what the kernel did to Python, before it runs again.
    """
    unrolled: frozenset[Any] = frozenset()
    broken: RuleError | None = None
    while True:
        recorder = make(unrolled)
        token = _CURRENT.set(recorder)
        try:
            with keeping_signals() as recorder.signals, keeping_errors() as recorder.errors:
                result = attempt(recorder)
                recorder.look_for_signals()
                return result
        except BaseException as error:
            # Whatever became of the signal on its way (NumPy replaces it by errors of its own), it was raised.
            symbols = recorder.signals[0].symbols if recorder.signals else recorder.left_early
            keys = recorder.keys_of(symbols) - unrolled
            if recorder.signals:
                if not keys:
                    raise RuleError(
                        "loop.index", f"a loop index is used after its loop: {recorder.signals[0]}"
                    ) from None
            elif not isinstance(error, (RuleError, NotImplementedError)):
                raise
            elif broken is not None and getattr(error, "rule", None) == broken.rule:
                raise broken from None
            elif not keys or math.prod(s.trips for s in symbols) > _TRIPS_TO_SEE:
                raise
            elif isinstance(error, RuleError):
                broken = error
        finally:
            recorder.close()
            _CURRENT.reset(token)
        unrolled |= keys
        put_back()


def source_key() -> Any:
    """Identifies the place in the user's source that calls."""
    frame = user_frame()
    return (frame.f_code, frame.f_lasti) if frame is not None else None


def _assigned_name() -> str:
    location: Location | None = user_location()
    found = _ASSIGNED.match(location.text) if location is not None else None
    return found.group(1) if found else ""


def _loop_name() -> str:
    """The name that the user's `for` gives the index of an unrolled loop."""
    location: Location | None = user_location()
    found = _LOOP.match(location.text) if location is not None else None
    return found.group(1) if found else "loop"


def _walk(nodes: Any) -> Iterator[Instruction]:
    for node in nodes:
        if isinstance(node, Loop):
            yield from _walk(node.body)
        else:
            yield node


def _unread_registers(nodes: Any) -> set[str]:
    """Names of registers that instructions leave something in and none reads."""
    held, read = set[str](), set[str]()
    for node in _walk(nodes):
        held.update(a.buffer.name for operand, a in node.operands().items() if operand in node.registers)
        read.update(a.buffer.name for a in node.reads())
    return held - read


def _pruned(nodes: tuple[Node, ...], superseded: Collection[int], dead: set[str], idle: set[str]) -> tuple[Node, ...]:
    kept: list[Node] = []
    for node in nodes:
        if isinstance(node, Loop):
            buffers = tuple(b for b in node.buffers if b.name not in dead | idle)
            body = _pruned(node.body, superseded, dead, idle)
            kept.append(Loop(node.symbol, node.kind, body, buffers, node.location))
        elif not (id(node) in superseded and all(a.buffer.name in dead for a in node.written())):
            unused = any(a.buffer.name in idle for a in node.written())
            kept.append(node.without_registers() if unused else node)
    return tuple(kept)
