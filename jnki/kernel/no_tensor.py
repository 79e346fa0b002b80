"""A list or a number where a kernel needs a tensor: what Python says of it does not name the argument."""

import traceback
from collections.abc import Callable
from typing import Any

from jnki.source import Location
from jnki.tiles.tensor import Tensor


def no_tensor(error: AttributeError, arguments: dict[str, Any], function: Callable[..., Any]) -> TypeError | None:
    """The error of a static argument that the kernel uses as a tensor, from that of an attribute that only those have.

    Args:
        arguments: what the kernel was called with, by parameter name.
    """
    value = error.obj
    name = next((name for name, argument in arguments.items() if argument is value), None)
    is_static = isinstance(value, (list, tuple, int, float, complex, str))
    if name is None or not is_static or not hasattr(Tensor, error.name or ""):
        return None
    *_, (frame, line) = traceback.walk_tb(error.__traceback__)
    at = Location(frame.f_code.co_filename, line, frame.f_code.co_name)
    kernel = getattr(function, "__name__", type(function).__name__)
    return TypeError(
        f"argument '{name}' of kernel '{kernel}' is used as a tensor (.{error.name}), and is a {type(value).__name__}\n"
        f"  allowed: an array, such as np.array({name})\n"
        f"  at {at.describe()}"
    )
