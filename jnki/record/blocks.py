"""The blocks of a recording: scopes, loops that stand for their iterations or are unrolled, and the launch grid."""

import re
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from jnki.access.affine import Affine, Symbol
from jnki.access.buffer import Buffer
from jnki.access.concrete import NeedsConcrete
from jnki.access.index import Index
from jnki.errors import RuleError
from jnki.isa.instruction import Instruction
from jnki.program.program import Loop, LoopKind, Node
from jnki.record.cores import Cores
from jnki.record.frame_state import FrameState
from jnki.record.passes import Passes
from jnki.record.same_body import same_body
from jnki.record.traced_once import Bodies
from jnki.source import Location, user_frame, user_location

_LOOP = re.compile(r"^for\s+(\w+)\s+in\b")


@dataclass(eq=False)
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


@dataclass(kw_only=True)
class Blocks:
    """Which blocks are open, and what stands in them.

    Attributes:
        unrolled: keys of the loops whose index must be concrete.
        unrolled_because: which loops these are, and why, in words.
        unrolls_all: whether that is so for every loop, and every axis of the grid.
        scopes: the open blocks, outermost first.
        programs: this instance's index on each axis of the grid.
        no_reorder: how many blocks of `nl.no_reorder` are open.
        signals, errors: what was raised so far, whether or not the kernel has swallowed it.
        names: how many buffers were called each name.
        cores: those of the launch, where each has a recording of its own.
    """

    unrolled: frozenset[Any] = frozenset()
    unrolls_all: bool = False
    scopes: list[Scope] = field(default_factory=lambda: [Scope([], [])])
    programs: dict[int, Index | int] = field(default_factory=dict)
    no_reorder: int = 0
    signals: list[NeedsConcrete] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)
    unrolled_because: tuple[str, ...] = ()
    names: dict[str, int] = field(default_factory=dict)
    cores: Cores | None = None
    # Iterations of unrolled loops around what is recorded now, as a fault's `Site` has them.
    iterations: tuple[tuple[int, str, int], ...] = ()
    bodies: Bodies = field(default_factory=Bodies)
    _keys: dict[Symbol, Any] = field(default_factory=dict)
    _counts: dict[str, int] = field(default_factory=dict)
    _passes: Passes = field(default_factory=Passes)
    _open: list[Symbol] = field(default_factory=list)
    _abandoned: list[Symbol] = field(default_factory=list)
    # Where the loops stand that run on the device.
    _on_device: dict[Symbol, Location | None] = field(default_factory=dict)

    @property
    def scope(self) -> Scope:
        return self.scopes[-1]

    def is_open(self, symbol: Symbol) -> bool:
        """Whether the loop of this index, or the grid, is being recorded."""
        return symbol in self._open

    def is_unrolled(self, key: Any) -> bool:
        """Whether the index of this loop, or axis of the grid, is a number."""
        return self.unrolls_all or key in self.unrolled

    # Loops.

    @property
    def device_loops(self) -> int:
        """How many loops on the device are open."""
        return sum(symbol in self._on_device for symbol in self._open)

    def loop(self, values: range, kind: LoopKind | None, key: Any) -> Iterator[Any]:
        """The indices of a loop: a symbol that stands for all of them, or the numbers themselves.

        Args:
            values: the indices.
            kind: None where the loop is unrolled by request (`static_range`).
            key: identifies the loop in the source, so that a new recording can unroll this one.

        Raises:
            NeedsConcrete: an iteration differs from the one before in more than its index.
        """
        if kind is None or self.is_unrolled(key) or len(values) <= 1:
            name = _loop_name()
            with self.bodies.loop() as body:
                for number, value in enumerate(values):
                    if kind is not None:
                        body.start()
                    with self._iteration(name, number):
                        yield value
            return
        location = user_location()
        symbol = self.new_symbol("i", len(values), key)

        def index(symbol: Symbol) -> Index:
            return Index(Affine(values.start, ((symbol, values.step),)))

        scope = yield from self._once_for_all(symbol, index, key)
        if scope.nodes:
            self.scope.nodes.append(Loop(symbol, kind, tuple(scope.nodes), tuple(scope.buffers), location))

    def on_device(
        self, trips: int, index: Callable[[Symbol], Any], key: Any, location: Location | None, body: Any = None
    ) -> Generator[Any, None, tuple[Symbol, Scope]]:
        """The body of a loop that runs on the device, recorded once: it is never unrolled.

        Args:
            trips: how many iterations there are, or a number that is as large as any.
            index: what the body is given, made in its block.
            key: identifies the loop in the source.
            location: where it stands.
            body: the function that is its body, if it is one.

        Raises:
            RuleError: `device_loop.python_state`, where an iteration differs from the one before in more than its
                index; `device_loop.no_reorder`.
        """
        symbol = self._new_on_device(trips, location)
        scope = yield from self._once_for_all(symbol, index, key, body)
        return symbol, scope

    @contextmanager
    def iteration_on_device(self, name: str, number: int, location: Location | None) -> Iterator[None]:
        """One iteration of a loop that runs on the device, where instructions run when they are recorded.

        Args:
            name: of the loop's index.
            location: where the loop stands.
        """
        symbol = self._new_on_device(1, location)
        self._open.append(symbol)
        finished = False
        try:
            with self._iteration(name, number):
                yield
            finished = True
        finally:
            if not finished:
                self._abandoned.append(symbol)
            self._open.remove(symbol)

    def _new_on_device(self, trips: int, location: Location | None) -> Symbol:
        if self.no_reorder:
            raise RuleError(
                "device_loop.no_reorder",
                "a loop on the device stands inside of nl.no_reorder()",
                allowed="nl.no_reorder() inside of the loop's body",
                at=location,
            )
        symbol = self.new_symbol("d", trips)
        self._on_device[symbol] = location
        return symbol

    def _once_for_all(
        self, symbol: Symbol, index: Callable[[Symbol], Any], key: Any, body: Any = None
    ) -> Generator[Any, None, Scope]:
        return (self._once if self._passes.is_open else self._twice)(symbol, index, key, body)

    def _twice(
        self, symbol: Symbol, index: Callable[[Symbol], Any], key: Any, body: Any
    ) -> Generator[Any, None, Scope]:
        """The body for one iteration and for the next: a loop stands for both, and so for all, if they are the same."""
        names, counts = dict(self.names), dict(self._counts)
        with self._passes.first():
            scope = yield from self._pass(symbol, index)
        after = self._python_state(body)
        # Tiles made at one place have one name in both passes, and loop indices have names that differ.
        self.names, names = names, self.names
        self._counts, counts = counts, self._counts
        again = self.new_symbol(symbol.name.rstrip("0123456789"), symbol.trips, self._keys.get(symbol), mark="'")
        if symbol in self._on_device:
            self._on_device[again] = self._on_device[symbol]
        with self._passes.second():
            other = yield from self._pass(again, index)
        self.names, self._counts = names, counts
        is_same = tuple(scope.buffers) == tuple(other.buffers) and same_body(
            tuple(scope.nodes), tuple(other.nodes), {again: symbol}
        )
        state = self._python_state(body)
        if not (is_same and after.agrees(state, within=True)):
            self._differs(symbol, after, state)
        return scope

    def _once(self, symbol: Symbol, index: Callable[[Symbol], Any], key: Any, body: Any) -> Generator[Any, None, Scope]:
        """The body for one iteration: the loop around this one runs it again, and there is no other one in between."""
        before = self._python_state(body) if self._passes.is_second else None
        scope = yield from self._pass(symbol, index)
        after = self._python_state(body)
        if not self._passes.is_as_before(key, before, after):
            self._differs(symbol, before or after, after)
        return scope

    def _differs(self, symbol: Symbol, before: FrameState, after: FrameState) -> None:
        """An iteration differs from the one before it: the loop is unrolled, or refused where it cannot be."""
        names = ", ".join(before.differing(after)) or "the instructions that it records"
        if symbol not in self._on_device:
            raise NeedsConcrete((symbol,), f"from one iteration to the next these differ: {names}")
        raise RuleError(
            "device_loop.python_state",
            "Python finds something else in each iteration of a loop that runs on the device, where its body is one",
            given=f"after one iteration and after the next, these differ: {names}",
            allowed="state in tensors and registers; a Python loop over nl.affine_range or range, which is unrolled",
            at=self._on_device[symbol],
        )

    def _pass(self, symbol: Symbol, index: Callable[[Symbol], Any]) -> Generator[Any, None, Scope]:
        scope = Scope([], [], in_loop=True)
        self._enter(scope)
        self._open.append(symbol)
        finished = False
        errors = len(self.errors)
        try:
            yield index(symbol)
            self.look_for_signals()
            # A kernel that swallows an error goes on differently in the iterations that make it and in the others.
            finished = symbol in self._on_device or len(self.errors) == errors
        finally:
            # A `break` or `return` in the body ends this generator early: the loop cannot stay symbolic.
            if not finished:
                self._abandoned.append(symbol)
            self._open.remove(symbol)
            self._close(scope)
        return scope

    def _python_state(self, body: Any = None) -> FrameState:
        frame = user_frame()
        assert frame is not None
        return FrameState(frame, self._loop_of, body)

    def _loop_of(self, symbol: Symbol) -> Any:
        """What an index stands for, whichever pass it was made in: an open loop by its depth, or one that is over."""
        return self._open.index(symbol) if symbol in self._open else ("over", self._keys.get(symbol))

    def new_symbol(self, prefix: str, trips: int, key: Any = None, mark: str = "") -> Symbol:
        number = self._counts.get(prefix, 0)
        self._counts[prefix] = number + 1
        symbol = Symbol(f"{prefix}{number}{mark or self._passes.mark}", trips)
        if key is not None:
            self._keys[symbol] = key
        return symbol

    @contextmanager
    def _iteration(self, name: str, number: int) -> Iterator[None]:
        scope = Scope(self.scope.nodes, self.scope.buffers, in_loop=True)
        self._enter(scope)
        around = self.iterations
        self.iterations = (*around, (len(self._open), name, number))
        try:
            yield
        finally:
            self.iterations = around
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

    def restart_if_abandoned(self) -> None:
        """Raises the signal that is due: a swallowed one, or that of a loop that a `break` has ended."""
        self.look_for_signals()
        self._refuse_left_early(self._abandoned)
        if self._abandoned:
            raise NeedsConcrete(tuple(self._abandoned))

    def check_finished(self) -> None:
        """Raises a signal where a loop is still open, or was left early."""
        self.restart_if_abandoned()
        self._refuse_left_early(self._open)
        if self._open:
            raise NeedsConcrete(tuple(self._open))

    def _refuse_left_early(self, symbols: list[Symbol]) -> None:
        """Refuses loops on the device that a `break`, a `return` or an exception has ended."""
        for symbol in symbols:
            if symbol in self._on_device:
                raise RuleError(
                    "device_loop.left_early",
                    "a loop that runs on the device is left before its body ends",
                    given="break, return, or an exception that somebody catches",
                    allowed="a body that runs to its end; a while loop ends where its register is 0",
                    at=self._on_device[symbol],
                )

    @property
    def left_early(self) -> tuple[Symbol, ...]:
        """Indices of the loops that an exception, a `break` or a `return` has ended."""
        return tuple(symbol for symbol in self._abandoned if symbol not in self._on_device)

    def keys_of(self, symbols: tuple[Symbol, ...]) -> frozenset[Any]:
        return frozenset(self._keys[s] for s in symbols if s in self._keys)

    # The launch grid.

    @contextmanager
    def instances(self, axis: int, program: Index | int) -> Iterator[None]:
        """Inside, the kernel runs as the instance (or all the instances) with this index on one axis of the grid."""
        self.programs[axis] = program
        if not isinstance(program, Index):
            name, nodes = f"pid{axis}", self.scope.nodes
            if self.cores is not None:
                name, nodes = "core", self.cores.start()
            scope = Scope(nodes, self.scope.buffers)
            self._enter(scope)
            around = self.iterations
            self.iterations = (*around, (len(self._open), name, program))
            try:
                yield
            except Exception as error:
                if self.cores is not None:
                    error.add_note(f"on core {program}")
                raise
            self.iterations = around
            self._close(scope)
            if self.cores is not None:
                self.cores.finish()
            return
        (symbol,) = program.base.symbols
        scope = Scope([], [])
        self._enter(scope)
        self._open.append(symbol)
        yield
        self._open.remove(symbol)
        self._close(scope)
        self.scope.nodes.append(Loop(symbol, LoopKind.GRID, tuple(scope.nodes), tuple(scope.buffers)))


def _loop_name() -> str:
    """The name that the user's `for` gives the index of an unrolled loop."""
    location: Location | None = user_location()
    found = _LOOP.match(location.text) if location is not None else None
    return found.group(1) if found else "loop"
