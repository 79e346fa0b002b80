"""Recording: running a kernel once, with handles for its tensors, and keeping what it does.

The only state is the stack of kernels that are being recorded, one per thread of execution.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, TypeVar

from jnki.access.affine import Affine, Symbol
from jnki.access.buffer import Buffer, Space
from jnki.access.concrete import NeedsConcrete
from jnki.access.index import Index
from jnki.dtypes import ElementType
from jnki.errors import OutsideKernelError, RuleError
from jnki.isa.instruction import Instruction
from jnki.program.program import Loop, LoopKind, Node
from jnki.source import Location, user_frame, user_location
from jnki.target import Target

_ASSIGNED = re.compile(r"^(\w+)\s*(?::[^=]+)?=(?!=)")

R = TypeVar("R")

_CURRENT: ContextVar["Recorder | None"] = ContextVar("jnki_recorder", default=None)


@dataclass
class Scope:
    """A block that is open: tensors made in it die when it closes."""

    nodes: list[Node]
    buffers: list[Buffer]
    is_open: bool = True
    in_loop: bool = False


@dataclass
class Recorder:
    """What has been recorded so far.

    Attributes:
        target, grid: of this recording.
        unrolled: keys of the loops whose index must be concrete.
        immutable: parameters that the kernel may not write.
        kernel_code: code objects of the kernel being recorded (and of kernels it calls).
    """

    target: Target
    grid: tuple[int, ...] = ()
    unrolled: frozenset[Any] = frozenset()
    immutable: dict[Buffer, str] = field(default_factory=dict)
    kernel_code: list[Any] = field(default_factory=list)
    scopes: list[Scope] = field(default_factory=lambda: [Scope([], [])])
    written: set[Buffer] = field(default_factory=set)
    programs: list[Index | int] = field(default_factory=list)
    _names: dict[str, int] = field(default_factory=dict)
    _keys: dict[Symbol, Any] = field(default_factory=dict)
    _abandoned: list[Symbol] = field(default_factory=list)
    _superseded: set[int] = field(default_factory=set)

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
        kernel_level: bool = False,
    ) -> Buffer:
        """A new buffer in the current scope (or outside of all loops, for `shared_hbm`)."""
        scope = self.scopes[0] if kernel_level else self.scope
        buffer = Buffer(self._unique(name or _assigned_name() or "tile"), space, shape, dtype, partition_axis)
        scope.buffers.append(buffer)
        return buffer

    def _unique(self, name: str) -> str:
        count = self._names.get(name, 0)
        self._names[name] = count + 1
        return name if count == 0 else self._unique(f"{name}.{count}")

    def reserve(self, name: str) -> None:
        self._names[name] = self._names.get(name, 0) + 1

    def emit(self, instruction: Instruction) -> None:
        """Appends a checked instruction to the open block.

        Raises:
            RuleError: `err_cannot_update_immutable_parameter`.
        """
        self._restart_if_abandoned()
        for access in instruction.written():
            if access.buffer in self.immutable:
                name = self.immutable[access.buffer]
                raise instruction.error(
                    "err_cannot_update_immutable_parameter",
                    f"parameter '{name}' is immutable",
                    given=f"a write to {access.buffer}",
                    allowed=f"'{name}: nt.mutable_tensor', or a new tensor in nl.shared_hbm",
                )
            self.written.add(access.buffer)
        self.scope.nodes.append(instruction)

    def supersede(self, instruction: Instruction, replacement: Instruction) -> None:
        """Records `replacement`, which is `instruction` with another destination.

        The first one goes away when nothing turns out to read what it wrote: `tile[...] = nl.load(x)` is one DMA.
        """
        self._superseded.add(id(instruction))
        self.emit(replacement)

    def is_last(self, instruction: Instruction | None) -> bool:
        nodes = self.scope.nodes
        return instruction is not None and bool(nodes) and nodes[-1] is instruction

    def finished_body(self, read_outside: set[Buffer]) -> tuple[Node, ...]:
        """All that was recorded, without the superseded instructions whose tile nobody reads."""
        self._restart_if_abandoned()
        read = set(read_outside)
        for node in _walk(self.scopes[0].nodes):
            read.update(access.buffer for access in node.reads())
        dead: set[Buffer] = set()
        for node in _walk(self.scopes[0].nodes):
            if id(node) in self._superseded:
                dead.update(a.buffer for a in node.written() if a.buffer not in read)
        self.scopes[0].buffers[:] = [b for b in self.scopes[0].buffers if b not in dead]
        return _pruned(tuple(self.scopes[0].nodes), self._superseded, dead)

    # Loops.

    def loop(self, start: int, stop: int, step: int, kind: LoopKind | None, key: Any) -> Iterator[Any]:
        """The indices of a loop: one symbol with the body recorded once, or the numbers themselves.

        Args:
            kind: None where the loop is unrolled by request (`static_range`).
            key: identifies the loop in the source, so that a new recording can unroll this one.
        """
        values = range(start, stop, step)
        if kind is None or key in self.unrolled or len(values) <= 1:
            for value in values:
                with self._iteration():
                    yield value
            return
        symbol = self.new_symbol("i", len(values), key)
        scope = Scope([], [], in_loop=True)
        location = user_location()
        self.scopes.append(scope)
        finished = False
        try:
            yield Index(Affine(start, ((symbol, step),)))
            finished = True
        finally:
            # A `break` or `return` in the body ends this generator early: the loop cannot stay symbolic.
            if not finished:
                self._abandoned.append(symbol)
            self._close(scope)
            loop = Loop(symbol, kind, tuple(scope.nodes), tuple(scope.buffers), location)
            if scope.nodes:
                self.scope.nodes.append(loop)

    def new_symbol(self, prefix: str, trips: int, key: Any) -> Symbol:
        symbol = Symbol(f"{prefix}{sum(s.name.startswith(prefix) for s in self._keys)}", trips)
        self._keys[symbol] = key
        return symbol

    @contextmanager
    def _iteration(self) -> Iterator[None]:
        scope = Scope(self.scope.nodes, self.scope.buffers, in_loop=True)
        self.scopes.append(scope)
        try:
            yield
        finally:
            self._close(scope)

    def _close(self, scope: Scope) -> None:
        while self.scopes[-1] is not scope:
            self.scopes.pop().is_open = False
        self.scopes.pop().is_open = False

    def _restart_if_abandoned(self) -> None:
        if self._abandoned:
            raise NeedsConcrete(tuple(self._abandoned))

    def keys_of(self, symbols: tuple[Symbol, ...]) -> frozenset[Any]:
        return frozenset(self._keys[s] for s in symbols if s in self._keys)

    @contextmanager
    def grid_loops(self) -> Iterator[None]:
        """Inside, the kernel runs as one instance of the grid; afterwards the body is wrapped in the grid's loops."""
        opened: list[tuple[Scope, Symbol]] = []
        for axis, size in enumerate(self.grid):
            if size == 1:
                self.programs.append(0)
                continue
            symbol = self.new_symbol("pid", size, ("grid", axis))
            self.programs.append(Index(Affine.of(symbol)))
            scope = Scope([], [])
            self.scopes.append(scope)
            opened.append((scope, symbol))
        yield
        for scope, symbol in reversed(opened):
            while self.scopes[-1] is not scope:
                self.scopes.pop()
            self.scopes.pop()
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


def record(attempt: Callable[[Recorder], R], make: Callable[[frozenset[Any]], Recorder]) -> R:
    """What `attempt` returns, run again with one more loop unrolled each time it needs a concrete index."""
    unrolled: frozenset[Any] = frozenset()
    while True:
        recorder = make(unrolled)
        token = _CURRENT.set(recorder)
        try:
            return attempt(recorder)
        except NeedsConcrete as need:
            keys = recorder.keys_of(need.symbols)
            if not keys - unrolled:
                raise RuleError("loop.index", f"a loop index is used after its loop: {need}") from None
            unrolled |= keys
        finally:
            _CURRENT.reset(token)


def loop_key() -> Any:
    """Identifies the place in the user's source that opens a loop."""
    frame = user_frame()
    return (frame.f_code, frame.f_lasti) if frame is not None else None


def _assigned_name() -> str:
    location: Location | None = user_location()
    found = _ASSIGNED.match(location.text) if location is not None else None
    return found.group(1) if found else ""


def _walk(nodes: Any) -> Iterator[Instruction]:
    for node in nodes:
        if isinstance(node, Loop):
            yield from _walk(node.body)
        else:
            yield node


def _pruned(nodes: tuple[Node, ...], superseded: set[int], dead: set[Buffer]) -> tuple[Node, ...]:
    kept: list[Node] = []
    for node in nodes:
        if isinstance(node, Loop):
            buffers = tuple(b for b in node.buffers if b not in dead)
            kept.append(Loop(node.symbol, node.kind, _pruned(node.body, superseded, dead), buffers, node.location))
        elif not (id(node) in superseded and all(a.buffer in dead for a in node.written())):
            kept.append(node)
    return tuple(kept)
