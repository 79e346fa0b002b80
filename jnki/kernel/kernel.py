"""The kernel object: it follows JAX's habits."""

import copy
import functools
import importlib
import inspect
import operator
import pickle
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from jnki.default_target import default_target
from jnki.dtypes import element_type
from jnki.errors import RuleError, misfit
from jnki.kernel.arguments import Arguments, flatten, quick_key
from jnki.kernel.cache import Cache
from jnki.kernel.edge import FaultPolicy, report
from jnki.kernel.pieces import Pieces, is_long
from jnki.kernel.progress import FirstCall
from jnki.kernel.recording import record_kernel
from jnki.lower.lowering import Lowered, lower_program
from jnki.memory import Fault
from jnki.program.program import Program
from jnki.record.annotations import check_annotations
from jnki.record.recorder import current, is_recording
from jnki.target import Target


@dataclass(frozen=True)
class Entry:
    """What one set of shapes, types, static arguments, target and grid was recorded and lowered to.

    Attributes:
        program: the recorded kernel.
        run: the jitted pure function, or one that runs a long program in pieces.
        rebuild_outputs: makes the kernel's return value from a flat tuple.
        single: whether the return value is one bare tensor.
        may_fault: whether a call has to look at the fault record.
    """

    program: Program
    run: Any
    structure: Any
    single: bool
    may_fault: bool

    def outputs(self, flat: Any) -> Any:
        return flat[0] if self.single else jax.tree.unflatten(self.structure, list(flat))


class Kernel:
    """A kernel: call it with arrays, index it with a launch grid, or look at what it records.

    NumPy arrays in give NumPy arrays out, JAX arrays in give JAX arrays out. It works under `jax.jit`, `vmap`,
    `grad`, `scan` and `shard_map`, and inside another kernel. Arguments that are not arrays are static.

    What was recorded is remembered, up to a bound, until `jax.clear_caches()`. Like a function, a kernel is pickled by
    the name of its module and its own, with its grid, target and policy; a copy of it is the kernel itself.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        grid: tuple[int, ...] = (),
        target: Target | None = None,
        policy: FaultPolicy = FaultPolicy.POISON,
    ):
        self._original = function
        self._function = check_annotations(function)
        self._signature = inspect.signature(function)
        self._grid = grid
        self._target = target
        self._policy = policy
        self._bound: tuple[Any, ...] = ()
        self._cache: Cache[Entry] = Cache()
        # Not functools.wraps: test runners look through __wrapped__ and would collect a kernel named test_...
        self.__name__ = getattr(function, "__name__", type(function).__name__)
        self.__qualname__ = getattr(function, "__qualname__", self.__name__)
        self.__module__ = function.__module__
        self.__doc__ = function.__doc__
        self.__signature__ = self._signature

    @property
    def function(self) -> Callable[..., Any]:
        """The Python function that is recorded."""
        return self._function

    @property
    def grid(self) -> tuple[int, ...]:
        return self._grid

    @property
    def target(self) -> Target:
        """What the kernel is checked against: its own target, else the default one."""
        return self._target or default_target()

    def __getitem__(self, grid: Any) -> "Kernel":
        """This kernel with an SPMD launch grid: `kernel[4, 2](x)` runs eight instances."""
        sizes = tuple(int(operator.index(n)) for n in (grid if isinstance(grid, tuple) else (grid,)))
        if any(n < 1 for n in sizes):
            raise RuleError(
                "spmd.grid",
                f"kernel '{self.__name__}' cannot be launched on such a grid",
                given=str(list(sizes)),
                allowed="sizes of 1 or more",
            )
        return self._with(_grid=sizes)

    def on_fault(self, policy: str) -> "Kernel":
        """This kernel with a policy for faults inside a transformation: "poison" (the default) or "callback".

        Raises:
            ValueError: there is no such policy.
        """
        names = [known.value for known in FaultPolicy]
        if policy not in names:
            raise ValueError(
                f"kernel '{self.__name__}': {policy!r} is not a policy for faults\n  allowed: {', '.join(names)}"
            )
        return self._with(_policy=FaultPolicy(policy))

    def _with(self, **changes: Any) -> "Kernel":
        made = object.__new__(Kernel)
        vars(made).update(vars(self), **changes)
        return made

    def __carried__(self) -> tuple[Any, ...]:
        """What a kernel that calls this one can carry in it from one iteration of a loop to the next."""
        return (self._function, *self._bound)

    def __get__(self, instance: Any, owner: Any = None) -> "Kernel":
        """In a class, a method: the instance becomes the first argument."""
        if instance is None:
            return self
        rest = tuple(self._signature.parameters.values())[1:]
        return self._with(_bound=(instance,), __signature__=self._signature.replace(parameters=rest))

    # Copying and pickling.

    def __copy__(self) -> "Kernel":
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> "Kernel":
        return self._with(_bound=copy.deepcopy(self._bound, memo)) if self._bound else self

    def __reduce__(self) -> tuple[Any, ...]:
        """By name, as a function.

        Raises:
            pickle.PicklingError: another process would not find this kernel under its name.
        """
        try:
            found = _original(_at(sys.modules[self.__module__], self.__qualname__))
        except (AttributeError, KeyError):
            found = None
        if found is not self._original:
            raise pickle.PicklingError(
                f"kernel '{self.__qualname__}' cannot be pickled: a kernel is pickled by name, as a function is, and "
                f"{self.__module__}.{self.__qualname__} is not it; define it at the top level of a module"
            )
        settings = {"_grid": self._grid, "_target": self._target, "_policy": self._policy, "_bound": self._bound}
        return _by_name, (self.__module__, self.__qualname__, settings)

    # Calling.

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The kernel's outputs.

        Raises:
            RuleError: the kernel breaks a rule (while it is recorded).
            IndexError: a row index is out of bounds and the arrays are concrete. Inside a transformation see
                `with_fault` and `on_fault`.
        """
        if is_recording():
            return self._inline(args, kwargs)
        entry, arrays = self._entry(args, kwargs)
        if not entry.may_fault:
            return entry.outputs(_like_inputs(entry.run(*arrays), arrays))
        flat, fault = entry.run(*arrays)
        if isinstance(fault.site, jax.core.Tracer):
            flat = report(flat, fault, self._policy, entry.program.name)
        else:
            fault.raise_if_any()
        return entry.outputs(_like_inputs(flat, arrays))

    def with_fault(self, *args: Any, **kwargs: Any) -> tuple[Any, Fault]:
        """The outputs and the fault record, whatever happened; nothing is raised or poisoned.

        Under `vmap` the record has one entry per case. `fault.raise_if_any()` raises what a plain call would.
        """
        entry, arrays = self._entry(args, kwargs)
        flat, fault = entry.run(*arrays) if entry.may_fault else (entry.run(*arrays), Fault())
        return entry.outputs(_like_inputs(flat, arrays)), fault

    def trace(self, *args: Any, **kwargs: Any) -> Program:
        """The recorded program for such arguments (arrays, or `jax.ShapeDtypeStruct`s). Print it."""
        return self._entry(args, kwargs)[0].program

    def lower(self, *args: Any, **kwargs: Any) -> Any:
        """The kernel lowered for such arguments: a `jax.stages.Lowered`.

        Its results are the flat outputs, or (flat outputs, fault) where the program can fault.
        """
        entry, arrays = self._entry(args, kwargs)
        run = jax.jit(entry.run) if is_long(entry.program) else entry.run
        return run.lower(*(jax.ShapeDtypeStruct(a.shape, _storage(a)) for a in arrays))

    def pure(self, *args: Any, **kwargs: Any) -> Lowered:
        """The lowered function itself: from the array arguments to (flat outputs, fault), not jitted."""
        return lower_program(self.trace(*args, **kwargs))

    def _inline(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if self._grid:
            raise RuleError(
                "err_nested_kernel_with_spmd_grid",
                f"kernel '{self.__name__}' is called with a launch grid inside another kernel",
                given=str(list(self._grid)),
                allowed="a call without a grid",
            )
        recorder = current(self.__name__)
        if self._target not in (None, recorder.target):
            raise RuleError(
                "kernel.nested_target",
                f"kernel '{self.__name__}' is called inside a kernel for another target",
                given=f"{self._target.name} in {recorder.target.name}",
                allowed="the same target, or a kernel that names none",
            )
        recorder.kernel_code.append(getattr(inspect.unwrap(self._function), "__code__", None))
        try:
            return self._function(*self._bound, *args, **kwargs)
        finally:
            recorder.kernel_code.pop()

    # The cache.

    def _entry(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Entry, Any]:
        target = self._target or default_target()
        args = (*self._bound, *args)
        quick = None if kwargs else quick_key(args)
        entry = None if quick is None else self._cache.get((quick, self._grid, target))
        if entry is not None:
            return entry, [a for a in args if isinstance(a, (np.ndarray, jax.Array))]
        bound, arguments = self._bind(args, kwargs)
        key = (arguments.key, self._grid, target)
        entry = self._cache.get(key)
        if entry is None:
            entry = self._record(bound, arguments, target)
            self._cache.put(key, entry)
        # Without binding nobody sees an array that is a default.
        if quick is not None and len(arguments.arrays) == sum(isinstance(a, (np.ndarray, jax.Array)) for a in args):
            self._cache.put((quick, self._grid, target), entry)
        return entry, arguments.arrays

    def _bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[dict[str, Any], Arguments]:
        try:
            bound = self._signature.bind(*args, **kwargs)
        except TypeError:
            raise TypeError(misfit(self._signature, f"kernel {self.__name__}", args, kwargs)) from None
        bound.apply_defaults()
        return dict(bound.arguments), flatten(dict(bound.arguments), self.__name__)

    def _record(self, bound: dict[str, Any], arguments: Arguments, target: Target) -> Entry:
        program, structure = record_kernel(self._function, self._signature, bound, arguments, self._grid, target)
        single = structure == jax.tree.structure(0)
        pieces = Pieces(program) if is_long(program) else None
        pure = lower_program(program, run=pieces)
        run = pure if program.may_fault else _outputs_only(pure)
        if pieces is None:
            run = FirstCall(jax.jit(run), f"compiling kernel {program.name}")
        return Entry(program, run, structure, single, program.may_fault)

    def __repr__(self) -> str:
        grid = f"[{', '.join(map(str, self._grid))}]" if self._grid else ""
        return f"<kernel {self.__name__}{grid}>"


def _outputs_only(pure: Lowered) -> Callable[..., Any]:
    """Four arrays of a fault record that cannot hold anything would cost more than a small kernel."""

    @functools.wraps(pure)
    def function(*arrays: Any) -> Any:
        return pure(*arrays)[0]

    return function


def _like_inputs(flat: Any, arrays: Any) -> Any:
    """NumPy arrays, writable as any result of NumPy's, where all inputs were NumPy arrays (or there were none)."""
    for array in arrays:
        if not isinstance(array, np.ndarray):
            return flat
    return [np.array(output) for output in flat] if not _traced(flat) else flat


def _traced(flat: Any) -> bool:
    return any(isinstance(output, jax.core.Tracer) for output in flat)


def _storage(array: Any) -> Any:
    return element_type(array.dtype).storage


def _original(value: Any) -> Any:
    return value._original if isinstance(value, Kernel) else value


def _at(module: Any, qualname: str) -> Any:
    return functools.reduce(getattr, qualname.split("."), module)


def _by_name(module: str, qualname: str, settings: dict[str, Any]) -> Kernel:
    """The kernel of that name, with the settings of the one that was pickled."""
    found = _at(importlib.import_module(module), qualname)
    return (found if isinstance(found, Kernel) else Kernel(found))._with(**settings)
