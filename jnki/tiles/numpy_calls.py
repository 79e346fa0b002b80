"""NumPy's functions on a tensor: they compute on values, and a tensor has none while its kernel is recorded."""

from collections.abc import Callable
from typing import Any

from jnki.isa.operators import OPERATORS
from jnki.isa.scalar.activations import FUNCTIONS
from jnki.source import user_location

# `np.float32(2) - tile` asks NumPy first, and NumPy asks the tile.
_REFLECTED = {
    "add": "__radd__",
    "subtract": "__rsub__",
    "multiply": "__rmul__",
    "divide": "__rtruediv__",
    "true_divide": "__rtruediv__",
    "power": "__rpow__",
    "less": "__gt__",
    "less_equal": "__ge__",
    "greater": "__lt__",
    "greater_equal": "__le__",
    "equal": "__eq__",
    "not_equal": "__ne__",
}
_OF_THE_SAME_NAME = {"all", "broadcast_to", "copy", "expand_dims", "matmul", "max", "mean", "min", "prod", "sum"}
_OF_THE_SAME_NAME |= {"transpose", "var", "where"}
_OF_ANOTHER_NAME = {
    "absolute": "abs",
    "add.reduce": "sum",
    "amax": "max",
    "amin": "min",
    "maximum.reduce": "max",
    "minimum.reduce": "min",
    "multiply.reduce": "prod",
    "remainder": "mod",
    "true_divide": "divide",
}


class RefusesNumpy:
    """What NumPy's functions find in a tensor."""

    __slots__ = ()

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        name = _REFLECTED.get(ufunc.__name__)
        is_operator = method == "__call__" and len(inputs) == 2 and not kwargs
        if name is not None and hasattr(self, name) and is_operator and not isinstance(inputs[0], RefusesNumpy):
            result = getattr(self, name)(inputs[0])
            if result is not NotImplemented:
                return result
        raise _refusal(ufunc.__name__ if method == "__call__" else f"{ufunc.__name__}.{method}", self)

    def __array_function__(self, function: Callable[..., Any], *_: Any) -> Any:
        raise _refusal(function.__name__, self)


def _refusal(function: str, tensor: Any) -> TypeError:
    name = _OF_ANOTHER_NAME.get(function, function)
    is_known = name in OPERATORS or name in FUNCTIONS or name in _OF_THE_SAME_NAME
    instead = f"nl.{name} records it" if is_known else "use the functions of nl and nisa"
    at = user_location()
    return TypeError(
        f"np.{function} is called on {tensor.describe()}, which has no values while its kernel is recorded: {instead}"
        + (f"\n  at {at.describe()}" if at is not None else "")
    )
