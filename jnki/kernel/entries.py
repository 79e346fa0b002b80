"""What a kernel has recorded, and lowered, for each kind of call."""

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np

from jnki.access.access import Access
from jnki.access.buffer import Buffer, Space
from jnki.errors import misfit
from jnki.kernel.arguments import Arguments, flatten, quick_key
from jnki.kernel.cache import Cache
from jnki.kernel.concrete import memory_of
from jnki.kernel.dialect import LEGACY, Dialect
from jnki.kernel.eager import not_concrete
from jnki.kernel.log import RECORD, timed
from jnki.kernel.observed import observed
from jnki.kernel.options import Options
from jnki.kernel.pieces import Pieces, is_long
from jnki.kernel.progress import FirstCall, progress
from jnki.kernel.recording import record_kernel
from jnki.lower.lowering import Lowered, lower_program
from jnki.memory import Fault
from jnki.program.program import Program
from jnki.stepping.stepper import Stepper
from jnki.target import Target
from jnki.watch.unwritten import WatchedProgram, watched


@dataclass(frozen=True)
class Entry:
    """What one set of shapes, types, static arguments, target and grid was recorded and lowered to.

    Attributes:
        program: the recorded kernel.
        run: the jitted pure function, or one that runs a long program in pieces.
        structure: that of the kernel's return value, of which the outputs are the leaves.
        single: whether the return value is one bare tensor.
        may_fault: whether a call has to look at the fault record.
        updated: from the number of an output to that of the array argument that it is the new value of.
        labels: the names that the user has given to instructions.
        visible: how many outputs the kernel returns; those behind them are parameters that it wrote besides.
    """

    program: Program
    run: Any
    structure: Any
    single: bool
    may_fault: bool
    updated: Mapping[int, int] = field(default_factory=dict)
    visible: int = 0
    labels: frozenset[str] = frozenset()

    @functools.cached_property
    def watched(self) -> tuple[WatchedProgram, Any]:
        """The program that watches itself, and what runs it: outputs, of which the last one is the tally, and fault."""
        program = watched(self.program)
        return program, _runner(program.program, with_fault=True)

    def outputs(self, flat: Any) -> Any:
        return flat[0] if self.single else jax.tree.unflatten(self.structure, list(flat[: self.visible]))


class Entries:
    """The entries of one function: recorded when they are first asked for, and kept up to a bound.

    Args:
        name: the kernel's, for messages.
        out_parameters: whether a kernel that returns nothing gives out the parameters that it writes.
        dialect: what the function is written in.
    """

    def __init__(
        self, function: Callable[..., Any], name: str, out_parameters: bool = False, dialect: Dialect = LEGACY
    ):
        self._function = function
        self._signature = inspect.signature(function)
        self._name = name
        self._out_parameters = out_parameters
        self._dialect = dialect
        self._cache: Cache[Entry] = Cache()

    def __len__(self) -> int:
        return len(self._cache)

    def find(
        self,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        grid: tuple[int, ...],
        target: Target,
        options: Options,
        axes: tuple[str, ...] = (),
    ) -> tuple[Entry, Any]:
        """The entry for a call, and the arrays among its arguments.

        Args:
            axes: of the mesh, along which ranks are counted.

        Raises:
            RuleError: the kernel breaks a rule (while it is recorded).
            TypeError: the function does not take such arguments.
        """
        settings = grid, target, options, axes
        quick = None if kwargs else quick_key(args)
        entry = None if quick is None else self._cache.get((quick, *settings))
        if entry is not None:
            return entry, [a for a in args if isinstance(a, (np.ndarray, jax.Array))]
        bound, arguments = self._bind(args, kwargs)
        key = (arguments.key, *settings)
        entry = self._cache.get(key)
        if entry is None:
            entry = self._record(bound, arguments, *settings)
            self._cache.put(key, entry)
        # Without binding nobody sees an array that is a default.
        if quick is not None and len(arguments.arrays) == sum(isinstance(a, (np.ndarray, jax.Array)) for a in args):
            self._cache.put((quick, *settings), entry)
        return entry, arguments.arrays

    def _bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[dict[str, Any], Arguments]:
        try:
            bound = self._signature.bind(*args, **kwargs)
        except TypeError:
            raise TypeError(misfit(self._signature, f"kernel {self._name}", args, kwargs)) from None
        bound.apply_defaults()
        return dict(bound.arguments), flatten(dict(bound.arguments), self._name, self._dialect.types)

    def _record(
        self,
        bound: dict[str, Any],
        arguments: Arguments,
        grid: tuple[int, ...],
        target: Target,
        options: Options,
        axes: tuple[str, ...],
    ) -> Entry:
        settings = grid, target, options, axes
        program, structure, labels = self._recorded(bound, arguments, settings)
        return self._entry(program, _runner(program, program.may_fault), structure, labels)

    def _recorded(
        self,
        bound: dict[str, Any],
        arguments: Arguments,
        settings: tuple[tuple[int, ...], Target, Options, tuple[str, ...]],
        **how: Any,
    ) -> tuple[Program, Any, frozenset[str]]:
        """The recording, of which those who observe are told."""
        grid, target, options, axes = settings
        text = f"recording kernel {self._name}"
        with observed(self._name) as tell, progress(lambda: text), timed(RECORD, text):
            recorded = record_kernel(
                self._function,
                self._signature,
                bound,
                arguments,
                grid,
                target,
                options,
                out_parameters=self._out_parameters,
                dialect=self._dialect,
                axes=axes,
                **how,
            )
        tell(recorded[0])
        return recorded

    def step(
        self,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        grid: tuple[int, ...],
        target: Target,
        options: Options,
        axes: tuple[str, ...] = (),
        *,
        raises: bool,
    ) -> tuple[Entry, Any, tuple[jax.Array, ...], Fault]:
        """What a call gives that runs step by step: its entry, which cannot be run, the arrays among its arguments, the
        flat outputs and the fault record.

        Args:
            raises: whether a fault is raised where it happens.

        Raises:
            RuleError: the kernel breaks a rule; `eager.traced`, where the arrays have no values.
            TypeError: the function does not take such arguments.
            FaultError: a row index is out of bounds, and `raises`.
        """
        bound, arguments = self._bind(args, kwargs)
        buffers = (Buffer(n, Space.HBM, s.shape, s.dtype) for n, s in zip(arguments.names, arguments.specs))
        start = memory_of(zip(buffers, arguments.arrays), lambda given: not_concrete(self._name, given))
        stepper: Stepper | None = None

        def make(**settings: Any) -> Stepper:
            nonlocal stepper
            stepper = Stepper(**settings, arrays=dict(start), raises=raises)
            return stepper

        settings = grid, target, options, axes
        program, structure, labels = self._recorded(bound, arguments, settings, recorder_of=make)
        assert stepper is not None
        flat = tuple(map(stepper.array_of, program.outputs))
        return self._entry(program, None, structure, labels), arguments.arrays, flat, stepper.fault

    def _entry(self, program: Program, run: Any, structure: Any, labels: frozenset[str]) -> Entry:
        single = structure == jax.tree.structure(0)
        updated: dict[int, int] = {}
        if self._out_parameters or self._dialect.writes_parameters:
            numbers = {p.buffer: number for number, p in enumerate(program.parameters) if p.mutable}
            whole = [at for at, a in enumerate(program.outputs) if a == Access.whole(a.buffer)]
            found = {at: numbers.get(program.outputs[at].buffer) for at in whole}
            updated = {at: number for at, number in found.items() if number is not None}
        return Entry(program, run, structure, single, program.may_fault, updated, structure.num_leaves, labels)


def _runner(program: Program, with_fault: bool) -> Any:
    """What runs a program, jitted or in pieces: to its outputs, or to these and the fault record."""
    pieces = Pieces(program) if is_long(program) else None
    pure = lower_program(program, run=pieces)
    run: Any = pure if with_fault else _outputs_only(pure)
    return run if pieces is not None else FirstCall(jax.jit(run), f"compiling kernel {program.name}")


def _outputs_only(pure: Lowered) -> Callable[..., Any]:
    """Four arrays of a fault record that cannot hold anything would cost more than a small kernel."""

    @functools.wraps(pure)
    def function(*arrays: Any) -> Any:
        return pure(*arrays)[0]

    return function
