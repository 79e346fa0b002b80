"""Decorators of kernels that speak to the vendor's compiler. They change what is checked, and no value."""

from collections.abc import Callable
from typing import Any

from jnki.kernel.kernel import Kernel
from jnki.kernel.options import Option
from jnki.neuronxcc.nki.entry import Benchmarked


def skip_middle_end_transformations(func: Any = None) -> Any:
    """The kernel, whose instructions the vendor's compiler is to leave as they are: here they always are.

    Args:
        func: a kernel; without one, what decorates one.
    """
    return _decorated(func, Option.SKIP_MIDDLE_END)


def enable_stack_allocator(func: Any = None, log_level: int = 50) -> Any:
    """The kernel, whose tensors without a place the vendor's compiler puts on a stack.

    Tensors with and without places may then stand side by side.

    Args:
        func: a kernel that `skip_middle_end_transformations` has decorated; without one, what decorates one.
        log_level: of the vendor's allocator, as Python's `logging` has levels; there is nothing to log here.
    """
    if isinstance(log_level, bool) or not isinstance(log_level, int):
        raise TypeError(f"nki.compiler.enable_stack_allocator: log_level is a level of logging, got {log_level!r}")
    return _decorated(func, Option.STACK_ALLOCATOR)


def force_auto_alloc(func: Any = None) -> Any:
    """The kernel with all of its tensors allocated automatically: places that it gives by hand are ignored.

    Args:
        func: a kernel; without one, what decorates one.
    """
    return _decorated(func, Option.FORCE_AUTO_ALLOC)


def _decorated(kernel: Any, option: Option) -> Any:
    if kernel is None:
        decorate: Callable[[Any], Any] = lambda function: _with(function, option)  # noqa: E731
        return decorate
    return _with(kernel, option)


def _with(kernel: Any, option: Option) -> Any:
    if not isinstance(kernel, (Kernel, Benchmarked)):
        raise TypeError(
            f"nki.compiler.{option.value} decorates a kernel, above nki.jit or one of its relatives; "
            f"got {type(kernel).__name__} {getattr(kernel, '__name__', kernel)}"
        )
    return kernel.with_option(option)
