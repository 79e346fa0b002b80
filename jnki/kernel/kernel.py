"""The kernel object: it follows JAX's habits."""

import copy
import functools
import importlib
import inspect
import operator
import pickle
import sys
from collections.abc import Callable
from typing import Any, Generic, ParamSpec, TypeVar, cast

import jax
import numpy as np

from jnki.dtypes import EVERY, element_type
from jnki.errors import RuleError
from jnki.kernel.debugger import Debugger
from jnki.kernel.dialect import LEGACY, Dialect
from jnki.kernel.eager import is_eager
from jnki.kernel.edge import report
from jnki.kernel.entries import Entries, Entry
from jnki.kernel.fault_policy import FaultPolicy, PolicyName, default_fault_policy, fault_policy
from jnki.kernel.inspection import Inspection
from jnki.kernel.nonfinite import run_naming_nans
from jnki.kernel.options import Option, Options, max_trips_of, with_max_trips, with_option
from jnki.kernel.pieces import is_long
from jnki.kernel.with_fault import WithFault
from jnki.kernel.with_findings import WithFindings
from jnki.kernel.written_back import check_writable, written_back
from jnki.lower.lowering import Lowered, lower_program
from jnki.memory import Fault
from jnki.program.program import Program
from jnki.record.annotations import check_annotations
from jnki.record.recorder import current, is_recording
from jnki.target import Target
from jnki.target import target as target_named
from jnki.watch.run_findings import RunFindings

P = ParamSpec("P")
R = TypeVar("R")


class Kernel(Inspection, Generic[P, R]):
    """A kernel: call it with arrays, index it with a launch grid, or look at what it records.

    NumPy arrays in give NumPy arrays out, JAX arrays in give JAX arrays out. It works under `jax.jit`, `vmap`,
    `grad`, `scan` and `shard_map`, and inside another kernel. Arguments that are not arrays are static.

    With `out_parameters` it may write its parameters, and where it returns nothing, those that it writes are its
    outputs: they are returned, and NumPy arrays among the arguments are overwritten with them.

    What was recorded is remembered, up to a bound, until `jax.clear_caches()`. Like a function, a kernel is pickled by
    the name of its module and its own, with its grid, target and policy; a copy of it is the kernel itself, and so is
    a kernel with the same grid, target and policy: `kernel[4] is kernel[4]`.
    """

    def __init__(
        self,
        function: Callable[P, R],
        *,
        grid: tuple[int, ...] = (),
        target: Target | None = None,
        policy: FaultPolicy | None = None,
        options: Options = frozenset(),
        out_parameters: bool = False,
        dialect: Dialect = LEGACY,
    ):
        self._original = function
        self._function = check_annotations(function)
        self._signature = inspect.signature(function)
        self._grid = grid
        self._target = target
        self._policy = policy
        self._options = options
        self._axes: tuple[str, ...] = ()
        self._eager = False
        self._bound: tuple[Any, ...] = ()
        # Not functools.wraps: test runners look through __wrapped__ and would collect a kernel named test_...
        self.__name__ = getattr(function, "__name__", type(function).__name__)
        self.__qualname__ = getattr(function, "__qualname__", self.__name__)
        self.__module__ = function.__module__
        self.__doc__ = function.__doc__
        self.__signature__ = self._signature
        self._dialect = dialect
        self._entries = Entries(self._function, self.__name__, out_parameters, dialect)
        # JAX remembers what it has compiled by the object that it was given: the same grid must be the same object.
        self._variants: dict[Any, Kernel[P, R]] = {self._settings: self}

    @property
    def function(self) -> Callable[P, R]:
        """The Python function that is recorded."""
        return self._function

    @property
    def grid(self) -> tuple[int, ...]:
        return self._grid

    @property
    def target(self) -> Target:
        """What the kernel is checked against: its own target, else the default one."""
        return self._target or self._dialect.default_target()

    @property
    def options(self) -> Options:
        """What decorators of NKI ask of the vendor's compiler: they change what is checked, and no value."""
        return self._options

    def with_option(self, option: Option) -> "Kernel[P, R]":
        """This kernel with one option more; it is recorded anew.

        Raises:
            RuleError: the option does not go with the others.
        """
        return self._with(_options=with_option(self._options, option, self.__name__))

    def __getitem__(self, grid: Any) -> "Kernel[P, R]":
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

    def on_fault(self, policy: PolicyName) -> "Kernel[P, R]":
        """This kernel with a policy for faults inside a transformation, whatever `use_fault_policy` says.

        Raises:
            ValueError: there is no such policy.
        """
        return self._with(_policy=fault_policy(policy, f"kernel '{self.__name__}'"))

    def on_target(self, spec: Target | str) -> "Kernel[P, R]":
        """This kernel checked against a target, a `Target` or its name: `kernel.on_target("trn1")(x)`.

        Raises:
            ValueError: no target has that name.
        """
        return self._with(_target=target_named(spec))

    @property
    def eager(self) -> "Kernel[P, R]":
        """This kernel run step by step: each instruction runs when Python gets to it, so that tiles have values.

            kernel.eager(x)

        In it `print(tile)` and `breakpoint()` show them, `np.asarray(tile)` has them. The results are those of a plain
        call, which takes less time.
        """
        return self._with(_eager=True)

    def max_trips(self, number: int) -> "Kernel[P, R]":
        """This kernel with a bound: no loop whose length is known at run time only runs more than `number` times.

        Such a loop has derivatives backwards too. It always takes the time of that many iterations; one that goes on
        after them is a fault.

        Raises:
            RuleError: `kernel.max_trips`, for what is no positive integer.
        """
        return self._with(_options=with_max_trips(self._options, number, self.__name__))

    def _with(self, **changes: Any) -> "Kernel[P, R]":
        made: Kernel[P, R] = object.__new__(type(self))
        vars(made).update(vars(self), **changes)
        # What is found there depends on the settings.
        vars(made).pop("with_fault", None)
        vars(made).pop("with_findings", None)
        return made if made._bound else self._variants.setdefault(made._settings, made)

    @property
    def _settings(self) -> tuple[Any, ...]:
        return self._grid, self._target, self._policy, self._options, self._axes, self._eager

    def __carried__(self) -> tuple[Any, ...]:
        """What tells this kernel from others: in a call's key, and where a loop carries it to the next iteration."""
        return (self._function, *self._settings, *self._bound)

    def __get__(self, instance: Any, owner: Any = None) -> "Kernel[..., R]":
        """In a class, a method: the instance becomes the first argument."""
        if instance is None:
            return self
        rest = tuple(self._signature.parameters.values())[1:]
        return self._with(_bound=(instance,), __signature__=self._signature.replace(parameters=rest))

    # Copying and pickling.

    def __copy__(self) -> "Kernel[P, R]":
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> "Kernel[P, R]":
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
        kept = ("_grid", "_target", "_policy", "_options", "_axes", "_eager", "_bound")
        settings = {name: getattr(self, name) for name in kept}
        return _by_name, (self.__module__, self.__qualname__, settings)

    # Calling.

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """The kernel's outputs.

        Raises:
            RuleError: the kernel breaks a rule (while it is recorded).
            FaultError: a row index is out of bounds and the arrays are concrete. Inside a transformation see
                `with_fault` and `on_fault`.
        """
        return cast(R, self._inline(args, kwargs) if is_recording() else self._call(args, kwargs))

    def _call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if self._eager or is_eager():
            return self._step(args, kwargs, raises=True)[0]
        entry, arrays = self._entry(args, kwargs)
        updates = self._updates(entry, arrays)
        if updates:
            check_writable(entry, updates, arrays, self.__name__)
        if not entry.may_fault:
            flat = run_naming_nans(entry.run, entry.program, arrays)
            return entry.outputs(written_back(updates, _like_inputs(flat, arrays), arrays))
        flat, fault = run_naming_nans(entry.run, entry.program, arrays)
        if isinstance(fault.site, jax.core.Tracer):
            policy = self._policy or default_fault_policy()
            flat = report(flat, fault, policy, entry.program.name, max_trips_of(self._options))
        else:
            fault.raise_if_any()
        return entry.outputs(written_back(updates, _like_inputs(flat, arrays), arrays))

    def _step(self, args: tuple[Any, ...], kwargs: dict[str, Any], *, raises: bool) -> tuple[Any, Fault]:
        """The outputs and the fault record of a call that runs step by step."""
        entry, arrays, flat, fault = self._entries.step(
            (*self._bound, *args), kwargs, *self._recorded_for, raises=raises
        )
        self._check_entry(entry)
        if not raises:
            return entry.outputs(_like_inputs(flat, arrays)), fault
        updates = self._updates(entry, arrays)
        check_writable(entry, updates, arrays, self.__name__)
        return entry.outputs(written_back(updates, _like_inputs(flat, arrays), arrays)), fault

    def _updates(self, entry: Entry, arrays: Any) -> dict[int, int]:
        """From outputs to the NumPy arrays among the arguments that are overwritten with them, by number."""
        return {output: n for output, n in entry.updated.items() if isinstance(arrays[n], np.ndarray)}

    @functools.cached_property
    def with_fault(self) -> WithFault[P, R]:
        """A function of the same arguments: the outputs and the fault record, whatever happened.

        Nothing is raised or poisoned. Under `vmap` the record has one entry per case, and `fault.raise_if_any()` raises
        what a plain call would.
        """
        return WithFault(self, self._call_with_fault)

    def _call_with_fault(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Fault]:
        if self._eager or is_eager():
            return self._step(args, kwargs, raises=False)
        entry, arrays = self._entry(args, kwargs)
        flat, fault = entry.run(*arrays) if entry.may_fault else (entry.run(*arrays), Fault())
        return entry.outputs(_like_inputs(flat, arrays)), fault

    @functools.cached_property
    def with_findings(self) -> WithFindings[P, R]:
        """A function of the same arguments: the outputs, the fault record, and what was found while the kernel ran.

        Nothing is raised, and the outputs are those of a plain call. Under `vmap` there are findings of each case. It
        counts what was read and never written; the kernel runs as it is lowered, also where it is `eager`.
        """
        return WithFindings(self, self._call_with_findings)

    def _call_with_findings(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Fault, RunFindings]:
        entry, arrays = self._entry(args, kwargs)
        program, run = entry.watched
        (*flat, tally), fault = run(*arrays)
        found = RunFindings(tally, program.places, program.unjudged)
        return entry.outputs(_like_inputs(flat, arrays)), fault, found

    def debug(self, *args: P.args, **kwargs: P.kwargs) -> Debugger:
        """The steps of a call, one instruction of the listing after the other, each run when it is asked for.

            for step in kernel.debug(x):
                print(step)

        Raises:
            RuleError: the kernel breaks a rule; `debug.traced`, where the arrays have no values.
            NotImplementedError: the kernel exchanges data with other devices.
        """
        entry, arrays = self._entry(args, kwargs)
        return Debugger(entry.program, arrays, lambda flat: entry.outputs(_like_inputs(flat, arrays)))

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
        if self._eager and not recorder.steps:
            raise RuleError(
                "eager.nested",
                f"kernel '{self.__name__}' is to run step by step, inside a kernel that is recorded",
                given=f"{self.__name__}.eager",
                allowed="the outer kernel's eager: what it calls runs step by step as well",
            )
        if self._target not in (None, recorder.target):
            raise RuleError(
                "kernel.nested_target",
                f"kernel '{self.__name__}' is called inside a kernel for another target",
                given=f"{self._target.name} in {recorder.target.name}",
                allowed="the same target, or a kernel that names none",
            )
        if self._axes not in ((), recorder.axes):
            raise RuleError(
                "kernel.nested_axes",
                f"kernel '{self.__name__}' is called inside a kernel over other axes",
                given=f"over {_quoted(self._axes)} in a kernel over {_quoted(recorder.axes)}",
                allowed="the same axes, or a kernel that names none",
            )
        recorder.kernel_code.append(getattr(inspect.unwrap(self._function), "__code__", None))
        around = recorder.keeps_places
        recorder.keeps_places = around and Option.FORCE_AUTO_ALLOC not in self._options
        try:
            return self._function(*self._bound, *args, **kwargs)
        finally:
            recorder.keeps_places = around
            recorder.kernel_code.pop()

    def _entry(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Entry, Any]:
        entry, arrays = self._entries.find((*self._bound, *args), kwargs, *self._recorded_for)
        self._check_entry(entry)
        return entry, arrays

    @property
    def _recorded_for(self) -> tuple[Any, ...]:
        """What a recording depends on besides the arguments."""
        return self._grid, self.target, self._options, self._axes

    def _check_entry(self, entry: Entry) -> None:
        """Says no where what was recorded is not what was asked for."""

    def __repr__(self) -> str:
        grid = f"[{', '.join(map(str, self._grid))}]" if self._grid else ""
        return f"<kernel {self.__name__}{grid}>"


def _like_inputs(flat: Any, arrays: Any) -> Any:
    """NumPy arrays, writable as any result of NumPy's, where all inputs were NumPy arrays (or there were none)."""
    for array in arrays:
        if not isinstance(array, np.ndarray):
            return flat
    return [np.array(output) for output in flat] if not _traced(flat) else flat


def _traced(flat: Any) -> bool:
    return any(isinstance(output, jax.core.Tracer) for output in flat)


def _storage(array: Any) -> Any:
    kind = element_type(array.dtype, EVERY)
    return array.dtype if kind.is_opaque else kind.storage


def _quoted(axes: tuple[str, ...]) -> str:
    return ", ".join(map(repr, axes)) or "none"


def _original(value: Any) -> Any:
    return value._original if isinstance(value, Kernel) else value


def _at(module: Any, qualname: str) -> Any:
    return functools.reduce(getattr, qualname.split("."), module)


def _by_name(module: str, qualname: str, settings: dict[str, Any]) -> Kernel[..., Any]:
    """The kernel of that name, with the settings of the one that was pickled."""
    found = _at(importlib.import_module(module), qualname)
    return (found if isinstance(found, Kernel) else Kernel(found))._with(**settings)
