"""`nki.jit` and `nki.simulate`: ways to make a kernel out of a function."""

import os
from collections.abc import Callable, Sequence
from typing import Any, ParamSpec, TypeVar

import numpy as np

from jnki.errors import raising
from jnki.isa.collectives.functional import axes_of
from jnki.kernel.entries import Entry
from jnki.kernel.kernel import Kernel as AnyKernel
from jnki.nki.dialect import CURRENT
from jnki.nki.errors import NkiValidationError
from jnki.source import warn

P = ParamSpec("P")
R = TypeVar("R")

Edge = tuple[str, str | Sequence[str]]

SIMULATOR_VARIABLE = "NKI_SIMULATOR"

# Options about the vendor's compiler and its messages: they change no value, and have no effect here.
_WITHOUT_EFFECT = {"debug_kernel", "show_compiler_tb", "experimental_flags", "additional_compile_opt", "artifacts_dir"}


class Kernel(AnyKernel[P, R]):
    """A kernel: call it with arrays, or index it with the number of cores that share it, 1 or 2.

    NumPy arrays in give NumPy arrays out, JAX arrays in give JAX arrays out, under `jax.jit`, `vmap`, `grad`, `scan`
    and `shard_map` as well. A kernel may write any array parameter. JAX arrays do not change: a kernel returns what it
    writes, and one that returns nothing returns the parameters that it writes.
    """

    def __init__(self, function: Callable[P, R], *, writes_back: bool = False, **settings: Any):
        self._writes_back = writes_back
        self._schedule: tuple[tuple[str, tuple[str, ...]], ...] = ()
        super().__init__(function, dialect=CURRENT, **settings)

    @property
    def _settings(self) -> tuple[Any, ...]:
        return *super()._settings, self._writes_back, self._schedule

    def __getitem__(self, lnc: Any) -> "Kernel[P, R]":
        """This kernel on one or two physical cores that share its HBM: `kernel[2](x)`.

        Raises:
            NkiValidationError: `lnc` is something else.
        """
        if isinstance(lnc, bool) or not isinstance(lnc, (int, np.integer)) or int(lnc) not in (1, 2):
            raise NkiValidationError(
                "spmd.lnc",
                f"NKI only supports LNC 1 or 2, but got {lnc}",
                given=repr(lnc),
                allowed="kernel[1] or kernel[2]",
            )
        most = self.target.logical_neuron_core_max
        if int(lnc) > most:
            raise NkiValidationError(
                "spmd.lnc",
                f"{self.target.name} does not join {lnc} cores",
                given=repr(lnc),
                allowed=f"at most {most}",
            )
        return self._with(_grid=(int(lnc),))  # type: ignore[return-value]

    def over(self, *axes: str) -> "Kernel[P, R]":
        """This kernel on all devices along an axis of a mesh, inside `jax.shard_map`: `nki.collectives` exchange there.

        A rank is the number of a device along the axis; with several axes, ranks count row by row.

            jax.shard_map(kernel.over("x"), mesh=mesh, in_specs=P("x"), out_specs=P())(x)

        Args:
            axes: names of axes of the mesh; none for a kernel on one device.

        Raises:
            NkiValidationError: an axis is no name, or there twice.
        """
        with raising(NkiValidationError):
            return self._with(_axes=axes_of(axes, f"kernel '{self.__name__}'"))  # type: ignore[return-value]

    def with_schedule(self, edges: Sequence[Edge]) -> "Kernel[P, R]":
        """This kernel with an order for named instructions: it changes no value, and the names are looked for.

        Args:
            edges: `(consumer, producer)`, or `(consumer, [producer, ...])`, by the `name=` of instructions.
        """
        made = tuple(
            (str(consumer), (producers,) if isinstance(producers, str) else tuple(map(str, producers)))
            for consumer, producers in edges
        )
        return self._with(_schedule=(*self._schedule, *made))  # type: ignore[return-value]

    def writing_back(self) -> "Kernel[P, R]":
        """This kernel as `nki.simulate` runs it: NumPy arrays that it writes are overwritten."""
        return self._with(_writes_back=True)  # type: ignore[return-value]

    def _updates(self, entry: Entry, arrays: Any) -> dict[int, int]:
        unseen = {output: n for output, n in entry.updated.items() if output >= entry.visible}
        for number in unseen.values():
            if not isinstance(arrays[number], np.ndarray):
                name = entry.program.parameters[number].buffer.name
                raise NkiValidationError(
                    "kernel.parameter_not_returned",
                    f"kernel '{self.__name__}' writes its parameter '{name}' and does not return it, and a JAX array "
                    "does not change",
                    given=f"'{name}' as {type(arrays[number]).__name__}",
                    allowed=f"return {name} as well; NumPy arrays are overwritten",
                )
        if self._writes_back or os.environ.get(SIMULATOR_VARIABLE, "") not in ("", "0"):
            return super()._updates(entry, arrays)
        return unseen

    def _check_entry(self, entry: Entry) -> None:
        if self._schedule:
            _check_schedule(self._schedule, entry.labels, self.__name__)


def _check_schedule(edges: tuple[tuple[str, tuple[str, ...]], ...], labels: frozenset[str], kernel: str) -> None:
    """Every name of a schedule is that of an instruction.

    Raises:
        NkiValidationError: one is not.
    """
    unknown = sorted({name for consumer, producers in edges for name in (consumer, *producers)} - labels)
    if unknown:
        raise NkiValidationError(
            "schedule.name",
            f"the schedule of kernel '{kernel}' names instructions that it does not have",
            given=", ".join(unknown),
            allowed=", ".join(sorted(labels)) or "the name= of an instruction, and none has one",
        )


def jit(fn: Callable[..., Any] | None = None, **kwargs: Any) -> Any:
    """Makes a kernel of a function; as `@nki.jit`, `@nki.jit()` or `nki.jit(function)`.

    Args:
        fn: the function.
        **kwargs: `mode`, which is deprecated and has no meaning; options about the vendor's compiler, of which a
            warning says that they have no effect.

    Raises:
        TypeError: an option that there is none of; `platform_target`, which is an environment variable here.
    """
    if fn is None:
        return lambda function: jit(function, **kwargs)
    for option in kwargs:
        if option == "platform_target":
            raise TypeError(
                "nki.jit: there is no platform_target in this dialect; set NEURON_PLATFORM_TARGET_OVERRIDE, or use "
                "kernel.on_target"
            )
        if option == "mode":
            warn("nki.jit: mode is deprecated and has no meaning", DeprecationWarning)
        elif option in _WITHOUT_EFFECT:
            warn(f"nki.jit: {option}: no effect, there is no compiler and no hardware")
        else:
            raise TypeError(f"nki.jit() got an unexpected keyword argument '{option}'")
    return Kernel(fn.function if isinstance(fn, AnyKernel) else fn)


def simulate(kernel: Any) -> Callable[..., Any]:
    """A function that runs a kernel on NumPy arrays, and overwrites those that the kernel writes.

    Args:
        kernel: a kernel, also `kernel[lnc]`, or a plain function.
    """
    made = kernel if isinstance(kernel, Kernel) else jit(kernel)
    return made.writing_back()


def not_available(name: str) -> Callable[..., Any]:
    """What stands for a function of the legacy dialect that this one does not have: importing it works.

    Raises:
        RuntimeError: when it is called.
    """

    def function(*args: Any, **kwargs: Any) -> Any:
        raise RuntimeError(
            f"nki.{name} is not available in this dialect: nki.jit makes kernels, nki.simulate runs one on NumPy arrays"
        )

    function.__name__ = function.__qualname__ = name
    function.__module__ = __package__
    return function
