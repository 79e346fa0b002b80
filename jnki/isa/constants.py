"""Numbers that a kernel writes into an instruction: what they may be, and what they are in an element type."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from jnki.access.number import concrete
from jnki.dtypes import ElementType, cast, float32, int32
from jnki.errors import RuleError


def constant(value: float | int | bool, dtype: ElementType) -> Any:
    """`value` as a scalar of `dtype`: integers that int32 holds keep every bit, all else goes through float32."""
    if isinstance(value, int) and not isinstance(value, bool):
        if dtype.name == "uint32" and 0 <= value < 1 << 32:
            return jnp.uint32(value)
        if -(1 << 31) <= value < 1 << 31:
            return cast(jnp.int32(value), int32, dtype)
    with np.errstate(over="ignore"):  # beyond float32 is infinity
        number = np.float32(value)
    return cast(jnp.asarray(number), float32, dtype)


def as_number(instruction: str, value: Any) -> float | int | bool:
    """A Python number from a scalar argument.

    Raises:
        RuleError: the argument is no scalar constant.
    """
    match concrete(value):
        case bool() | int() | float() as number:
            return number
        case np.bool_() as number:
            return bool(number)
        case np.integer() as number:
            return int(number)
        case np.generic() | np.ndarray() as number if np.ndim(number) == 0:
            return float(number)
        case _:
            raise RuleError(
                f"{instruction}.value",
                f"{instruction}: the value must be a constant number",
                given=f"{type(value).__name__} {value}"[:120],
                allowed="a Python or NumPy scalar",
            )
