"""`nki.jit` and its relatives: ways to make a kernel out of a function."""

import os
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, overload

import jax
import numpy as np

from jnki.kernel.kernel import Kernel
from jnki.kernel.options import Option
from jnki.record.tensor_annotation import TensorAnnotation
from jnki.source import warn
from jnki.target import target

MODES = ("auto", "jax", "torchxla", "baremetal", "benchmark", "simulation", "trace")

# In these a kernel that returns nothing gives out the parameters that it writes.
OUT_PARAMETER_MODES = ("baremetal", "benchmark", "trace")

# Options about messages, since jnki always shows the user's line and its own reasons; and what the vendor's compiler is
# to let pass, since jnki has one set of rules.
_MESSAGE_OPTIONS = {"show_compiler_tb", "debug_kernel", "experimental_flags"}
# Options about the vendor's compiler and its files. They change no value, and have no effect here.
_FILES = {"save_neff_name", "save_trace_name", "additional_compile_opt"}
_WITHOUT_EFFECT = {
    "nki.baremetal": _FILES | {"artifacts_dir"},
    "nki.benchmark": _FILES | {"artifacts_dir", "warmup", "iters"},
    "nki.profile": _FILES | {"overwrite", "profile_nth"},
    # It hands its options on to what the mode names.
    "nki.jit": _FILES | {"artifacts_dir", "warmup", "iters", "enable_out_of_bound_check"},
}


P = ParamSpec("P")
R = TypeVar("R")


@overload
def jit(func: Callable[P, R], mode: str = "auto", **kwargs: Any) -> Kernel[P, R]: ...


@overload
def jit(func: None = None, mode: str = "auto", **kwargs: Any) -> Callable[[Callable[P, R]], Kernel[P, R]]: ...


def jit(func: Callable[..., Any] | None = None, mode: str = "auto", **kwargs: Any) -> Any:
    """Makes a kernel of a function; as `@nki.jit`, `@nki.jit(mode=...)` or `nki.jit(function)`.

    Args:
        func: the function, or a kernel to be made anew with other settings.
        mode: one of "auto", "jax", "torchxla", "baremetal", "benchmark", "simulation" and "trace". All of them run
            here, in the same way: a mode chooses where the vendor's compiler runs a kernel, not what it means.
        **kwargs: `platform_target` ("trn1", "inf2", "trn2", "trn3"), what the kernel is checked against; and
            `show_compiler_tb`, `debug_kernel`, which ask for messages that jnki always gives; `experimental_flags`,
            for the vendor's compiler; `kernel_return=False`, for a kernel that gives out the parameters that it
            writes, as in mode "trace". A warning says of options of `baremetal` and `benchmark`, and of
            `enable_out_of_bound_check`, that they have no effect.

    Raises:
        ValueError: an unknown mode or target.
        TypeError: an option that there is none of.
    """
    if mode not in MODES:
        raise ValueError(f"nki.jit: mode is {mode!r}, allowed are {', '.join(MODES)}")
    if func is None:
        return lambda function: jit(function, mode, **kwargs)
    platform_target = kwargs.pop("platform_target", None)
    returns = kwargs.pop("kernel_return", True)
    if not isinstance(returns, bool):
        raise TypeError(f"nki.jit: kernel_return is True or False, got {returns!r}")
    _without_effect("nki.jit", {k: v for k, v in kwargs.items() if k not in _MESSAGE_OPTIONS})
    function, options = (func.function, func.options) if isinstance(func, Kernel) else (func, frozenset())
    return Kernel(
        function,
        target=None if platform_target is None else target(platform_target),
        options=options,
        out_parameters=mode in OUT_PARAMETER_MODES or not returns,
    )


def trace(func: Callable[..., Any] | None = None, **kwargs: Any) -> Any:
    """Makes a kernel that may write its parameters and need not return them, the style of older kernels.

    NumPy arrays among the arguments are overwritten with what the kernel writes to them. It is returned as well: JAX
    arrays do not change.

    Args:
        func: the function.
        **kwargs: see `jit`.
    """
    return jit(func, "trace", **kwargs)


def simulate_kernel(kernel: Any, *args: Any, **kwargs: Any) -> Any:
    """What `kernel` returns for these arrays, as NumPy arrays, which are writable.

    Args:
        kernel: a kernel, with or without a launch grid, or a plain function, which may write its parameters as
            those of `trace`.
    """
    made = kernel if isinstance(kernel, Kernel) else Kernel(kernel, out_parameters=True)
    return jax.tree.map(np.array, made(*args, **kwargs))


@overload
def baremetal(kernel: Callable[P, R], **kwargs: Any) -> Kernel[P, R]: ...


@overload
def baremetal(kernel: None = None, **kwargs: Any) -> Callable[[Callable[P, R]], Kernel[P, R]]: ...


def baremetal(kernel: Any = None, **kwargs: Any) -> Any:
    """Makes a kernel that runs on NumPy arrays without a framework; here that is what every kernel does.

    Args:
        kernel: the function.
        **kwargs: `platform_target`; and `save_neff_name`, `save_trace_name`, `additional_compile_opt` and
            `artifacts_dir`, which are about the vendor's compiler: a warning says that they have no effect.

    Raises:
        TypeError: an option that there is none of.
    """
    if kernel is None:
        return lambda function: baremetal(function, **kwargs)
    platform_target = kwargs.pop("platform_target", None)
    _without_effect("nki.baremetal", kwargs)
    return jit(kernel, mode="baremetal", platform_target=platform_target)


def benchmark(kernel: Any = None, **kwargs: Any) -> Any:
    """Makes a kernel that runs; its latency, which only hardware has, raises where it is asked for.

    Args:
        kernel: the function.
        **kwargs: `platform_target`; and options of which a warning says that they have no effect: `warmup` and
            `iters`, how often hardware would run it, and those of `baremetal`.

    Raises:
        TypeError: an option that there is none of.
        ValueError: `warmup` or `iters` is no count.
    """
    if kernel is None:
        return lambda function: benchmark(function, **kwargs)
    for count in ("warmup", "iters"):
        value = kwargs.get(count, 1)
        if not isinstance(value, int) or value < 0:
            raise ValueError(f"nki.benchmark: {count} must be a count, got {value!r}")
    platform_target = kwargs.pop("platform_target", None)
    _without_effect("nki.benchmark", kwargs)
    return Benchmarked(jit(kernel, mode="benchmark", platform_target=platform_target))


class Benchmarked:
    """A kernel made by `nki.benchmark`: calling it runs it once; annotations stand for arrays of zeros."""

    def __init__(self, kernel: Kernel):
        self.kernel = kernel

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.kernel(*map(_array, args), **{name: _array(value) for name, value in kwargs.items()})

    def __getitem__(self, grid: Any) -> "Benchmarked":
        return Benchmarked(self.kernel[grid])

    def with_option(self, option: Option) -> "Benchmarked":
        """This kernel with one option more for the vendor's compiler."""
        return Benchmarked(self.kernel.with_option(option))

    @property
    def benchmark_result(self) -> Any:
        """Not available.

        Raises:
            NotImplementedError: always; a latency is a property of hardware.
        """
        raise NotImplementedError("nki.benchmark: benchmark_result is measured on hardware, which jnki does not have")


@overload
def profile(func: Callable[P, R], **kwargs: Any) -> Kernel[P, R]: ...


@overload
def profile(func: None = None, **kwargs: Any) -> Callable[[Callable[P, R]], Kernel[P, R]]: ...


def profile(func: Any = None, **kwargs: Any) -> Any:
    """Makes a kernel that runs; the profile itself, which only hardware has, is not written, and a warning says so.

    Args:
        func: the function.
        **kwargs: `working_directory`, an absolute path; `platform_target`; and, without effect as well,
            `save_neff_name`, `save_trace_name`, `additional_compile_opt`, `overwrite`, `profile_nth`.

    Raises:
        TypeError: an option that there is none of.
        ValueError: there is no absolute `working_directory`.
    """
    if func is None:
        return lambda function: profile(function, **kwargs)
    directory = kwargs.pop("working_directory", None)
    if directory is None or not os.path.isabs(directory):
        raise ValueError(f"nki.profile: working_directory must be an absolute path, got {directory!r}")
    platform_target = kwargs.pop("platform_target", None)
    _without_effect("nki.profile", kwargs)
    warn(f"nki.profile: no profile is written to {directory}: it takes hardware")
    return jit(func, platform_target=platform_target)


def _without_effect(function: str, options: dict[str, Any]) -> None:
    """Warns of options that ask for what only the vendor's compiler or hardware has.

    Raises:
        TypeError: there is no such option.
    """
    known = _WITHOUT_EFFECT[function]
    for name in options:
        if name not in known:
            takes = ", ".join(sorted(known | {"platform_target"}))
            raise TypeError(f"{function}() got an unexpected keyword argument '{name}'; it takes {takes}")
    if options:
        names = ", ".join(sorted(options))
        warn(f"{function}: {names}: no effect, there is no compiler and no hardware; the kernel runs")


def _array(value: Any) -> Any:
    if isinstance(value, TensorAnnotation):
        return np.zeros(value.shape or (), np.dtype(value.dtype))  # type: ignore[call-overload]
    return value
