"""What Python asks of a number, asked of something that stands for one while a kernel is recorded.

A loop index is symbolic as long as all that happens to it is affine. Whatever else Python does with a number (bits,
text, keys, tables, `abs`) needs the number itself. Then the recorder is told, and records the loop anew with numbers.
"""

import math
import operator
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np

from jnki.access.concrete import is_recording


class StandsForNumber(ABC):
    """An object that stands for a number. Everything here asks for the number; subclasses know what stays symbolic."""

    @abstractmethod
    def number(self) -> Any:
        """The number that this stands for.

        Raises:
            NeedsConcrete: it depends on a loop index.
            RuleError: it stands for many.
        """

    @abstractmethod
    def describe(self) -> str:
        """Text for messages, whatever it stands for."""

    def __index__(self) -> int:
        return operator.index(self.number())

    def __int__(self) -> int:
        return int(self.number())

    def __float__(self) -> float:
        return float(self.number())

    def __bool__(self) -> bool:
        return bool(self.number())

    def __hash__(self) -> int:
        return hash(self.number())

    @property
    def is_one(self) -> bool:
        """Whether this stands for one number, and not for one per element of a tile."""
        return True

    def kind(self) -> type:
        """The type of the number, as far as it is known without the number."""
        return type(self.number())

    # Outside of a recording nobody can be told; a debugger may look.

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        """What `isinstance` and `case int():` ask beside the type, so that they find the number's."""
        return self.kind() if is_recording() and self.is_one else type(self)

    def __str__(self) -> str:
        return str(self.number()) if is_recording() and self.is_one else self.describe()

    def __repr__(self) -> str:
        return repr(self.number()) if is_recording() and self.is_one else self.describe()

    def __format__(self, spec: str) -> str:
        return format(self.number(), spec) if is_recording() and self.is_one else self.describe()

    def __getattr__(self, name: str) -> Any:
        """What an int has, such as `bit_length`."""
        if name.startswith("__") or not hasattr(int, name):
            raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")
        return getattr(self.number(), name)

    # NumPy on the left: `np.int64(7) - index` is `7 - index`, and `table[index]` takes the number.

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        function = _FUNCTIONS.get(ufunc.__name__)
        operands = [_plain(x) for x in inputs]
        if method == "__call__" and not kwargs and function is not None and not any(map(_is_array, operands)):
            return function(*operands)
        return getattr(ufunc, method)(*map(concrete, inputs), **kwargs)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.number(), dtype=dtype)

    # Arithmetic.

    def __add__(self, other: Any) -> Any:
        return self.number() + concrete(other)

    def __radd__(self, other: Any) -> Any:
        return concrete(other) + self.number()

    def __sub__(self, other: Any) -> Any:
        return self.number() - concrete(other)

    def __rsub__(self, other: Any) -> Any:
        return concrete(other) - self.number()

    def __mul__(self, other: Any) -> Any:
        return self.number() * concrete(other)

    def __rmul__(self, other: Any) -> Any:
        return concrete(other) * self.number()

    def __truediv__(self, other: Any) -> Any:
        return self.number() / concrete(other)

    def __rtruediv__(self, other: Any) -> Any:
        return concrete(other) / self.number()

    def __floordiv__(self, other: Any) -> Any:
        return self.number() // concrete(other)

    def __rfloordiv__(self, other: Any) -> Any:
        return concrete(other) // self.number()

    def __mod__(self, other: Any) -> Any:
        return self.number() % concrete(other)

    def __rmod__(self, other: Any) -> Any:
        return concrete(other) % self.number()

    def __divmod__(self, other: Any) -> Any:
        return divmod(self.number(), concrete(other))

    def __rdivmod__(self, other: Any) -> Any:
        return divmod(concrete(other), self.number())

    def __pow__(self, other: Any, modulus: Any = None) -> Any:
        return pow(self.number(), concrete(other), concrete(modulus))

    def __rpow__(self, other: Any) -> Any:
        return pow(concrete(other), self.number())

    def __neg__(self) -> Any:
        return -self.number()

    def __pos__(self) -> Any:
        return +self.number()

    def __abs__(self) -> Any:
        return abs(self.number())

    def __round__(self, digits: int | None = None) -> Any:
        return round(self.number(), digits)

    def __trunc__(self) -> int:
        return math.trunc(self.number())

    def __floor__(self) -> int:
        return math.floor(self.number())

    def __ceil__(self) -> int:
        return math.ceil(self.number())

    # Bits.

    def __and__(self, other: Any) -> Any:
        return self.number() & concrete(other)

    def __rand__(self, other: Any) -> Any:
        return concrete(other) & self.number()

    def __or__(self, other: Any) -> Any:
        return self.number() | concrete(other)

    def __ror__(self, other: Any) -> Any:
        return concrete(other) | self.number()

    def __xor__(self, other: Any) -> Any:
        return self.number() ^ concrete(other)

    def __rxor__(self, other: Any) -> Any:
        return concrete(other) ^ self.number()

    def __lshift__(self, other: Any) -> Any:
        return self.number() << concrete(other)

    def __rlshift__(self, other: Any) -> Any:
        return concrete(other) << self.number()

    def __rshift__(self, other: Any) -> Any:
        return self.number() >> concrete(other)

    def __rrshift__(self, other: Any) -> Any:
        return concrete(other) >> self.number()

    def __invert__(self) -> Any:
        return ~self.number()

    # Comparisons.

    def __lt__(self, other: Any) -> Any:
        return self.number() < concrete(other)

    def __le__(self, other: Any) -> Any:
        return self.number() <= concrete(other)

    def __gt__(self, other: Any) -> Any:
        return self.number() > concrete(other)

    def __ge__(self, other: Any) -> Any:
        return self.number() >= concrete(other)


def concrete(value: Any) -> Any:
    """The number that `value` stands for; anything else comes back as it is."""
    return value.number() if isinstance(value, StandsForNumber) else value


def _plain(value: Any) -> Any:
    """A NumPy scalar as Python's number; anything else comes back as it is."""
    is_scalar = isinstance(value, np.generic) or (isinstance(value, np.ndarray) and value.ndim == 0)
    return value.item() if is_scalar and value.dtype.kind in "biuf" else value


def _is_array(value: Any) -> bool:
    return isinstance(value, (np.ndarray, np.generic))


# NumPy's functions that are an operator of Python.
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "divide": operator.truediv,
    "true_divide": operator.truediv,
    "floor_divide": operator.floordiv,
    "remainder": operator.mod,
    "power": operator.pow,
    "negative": operator.neg,
    "positive": operator.pos,
    "absolute": operator.abs,
    "less": operator.lt,
    "less_equal": operator.le,
    "greater": operator.gt,
    "greater_equal": operator.ge,
    "equal": operator.eq,
    "not_equal": operator.ne,
    "bitwise_and": operator.and_,
    "bitwise_or": operator.or_,
    "bitwise_xor": operator.xor,
    "left_shift": operator.lshift,
    "right_shift": operator.rshift,
    "invert": operator.invert,
}
