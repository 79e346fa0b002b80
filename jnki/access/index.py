"""Index tensors: what `nl.arange`, `nl.mgrid`, loop indices and `program_id` are while a kernel is recorded."""

import operator
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from jnki.access.affine import Affine, Symbol
from jnki.access.concrete import NeedsConcrete, is_recording
from jnki.access.identity_test import asks_for_identity
from jnki.access.mask import Comparison, Mask, Test
from jnki.access.number import StandsForNumber
from jnki.errors import RuleError, not_modelled


@dataclass(frozen=True)
class IndexValue:
    """What an `Index` holds, as a plain value: it compares and hashes as data, where an `Index` builds masks."""

    base: Affine
    steps: tuple[int, ...]
    shape: tuple[int, ...]

    def substitute(self, symbol: Symbol, value: Affine) -> "IndexValue":
        return IndexValue(self.base.substitute(symbol, value), self.steps, self.shape)

    def __str__(self) -> str:
        dims = "".join(f" + {s}*d{d}" for d, s in enumerate(self.steps) if s)
        return f"{self.base}{dims}"


@dataclass(frozen=True, eq=False, repr=False)
class Index(StandsForNumber):
    """Integers that are affine in their position: element `d` has the value `base + sum(steps[k] * d[k])`.

    A loop index is the case of rank 0. Sums and differences of indices broadcast as NumPy arrays do, products
    with integers stay affine, and comparisons give a `Mask`.

    Attributes:
        base: value at position zero; affine in loop indices.
        steps: value added per step along each axis; 0 on an axis of size 1.
        shape: sizes of the axes.
    """

    base: Affine
    steps: tuple[int, ...] = ()
    shape: tuple[int, ...] = ()

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def value(self) -> IndexValue:
        return IndexValue(self.base, self.steps, self.shape)

    @staticmethod
    def of(value: IndexValue) -> "Index":
        return Index(value.base, value.steps, value.shape)

    def bounds(self) -> tuple[int, int]:
        low, high = self.base.bounds()
        for step, count in zip(self.steps, self.shape):
            reach = step * (count - 1)
            low, high = low + min(0, reach), high + max(0, reach)
        return low, high

    # Arithmetic that stays affine.

    def __add__(self, other: Any) -> Any:
        right = self._beside(other)
        if not isinstance(right, Index):
            return _absorb(self, right, "+")
        try:
            shape = np.broadcast_shapes(self.shape, right.shape)
        except ValueError:
            raise RuleError(
                "index.broadcast",
                "index tensors of these shapes do not broadcast together",
                given=f"{list(self.shape)} and {list(right.shape)}",
                allowed="shapes that broadcast as NumPy's do",
            ) from None
        steps = tuple(a + b for a, b in zip(self._steps_in(shape), right._steps_in(shape)))
        return Index(self.base + right.base, steps, shape)

    __radd__ = __add__

    def __neg__(self) -> "Index":
        return self._scaled(-1)

    def __pos__(self) -> "Index":
        return self

    def __sub__(self, other: Any) -> Any:
        right = self._beside(other)
        return self + right._scaled(-1) if isinstance(right, Index) else _absorb(self, right, "-")

    def __rsub__(self, other: Any) -> Any:
        left = self._beside(other)
        return left + self._scaled(-1) if isinstance(left, Index) else _absorb(self, left, "-")

    def __mul__(self, other: Any) -> Any:
        right = self._beside(other)
        if not isinstance(right, Index):
            return _absorb(self, right, "*")
        if right._is_number:
            return self._scaled(right.base.constant)
        if self._is_number:
            return right._scaled(self.base.constant)
        return NonAffine((self, right), "*")

    __rmul__ = __mul__

    # Arithmetic that does not: it is kept until somebody needs the value.

    def __floordiv__(self, other: Any) -> Any:
        return _fold(self, other, operator.floordiv, "//")

    def __mod__(self, other: Any) -> Any:
        return _fold(self, other, operator.mod, "%")

    def __truediv__(self, other: Any) -> Any:
        return _fold(self, other, operator.truediv, "/")

    def __pow__(self, other: Any, modulus: Any = None) -> Any:
        return _fold(self, other, operator.pow, "**") if modulus is None else super().__pow__(other, modulus)

    def __rfloordiv__(self, other: Any) -> Any:
        return NonAffine((other, self), "//")

    def __rmod__(self, other: Any) -> Any:
        return NonAffine((other, self), "%")

    # Comparisons.

    def __lt__(self, other: Any) -> Any:
        return self._compare(other, lambda a, b: b - a - 1, Test.NOT_NEGATIVE)

    def __le__(self, other: Any) -> Any:
        return self._compare(other, lambda a, b: b - a, Test.NOT_NEGATIVE)

    def __gt__(self, other: Any) -> Any:
        return self._compare(other, lambda a, b: a - b - 1, Test.NOT_NEGATIVE)

    def __ge__(self, other: Any) -> Any:
        return self._compare(other, lambda a, b: a - b, Test.NOT_NEGATIVE)

    def __eq__(self, other: object) -> Any:
        return self._compare(other, lambda a, b: a - b, Test.ZERO)

    def __ne__(self, other: object) -> Any:
        return self._compare(other, lambda a, b: a - b, Test.NOT_ZERO)

    def _compare(self, other: Any, difference: Callable[[Any, Any], Any], test: Test) -> Any:
        right = _operand(other)
        if not isinstance(right, Index):
            return _absorb(self, right, "<=>")
        value = difference(self, right)
        mask = Mask((Comparison(value.base, value.steps, value.shape, test),))
        is_one = not value.shape and is_recording()
        # The user's frame is behind this one and that of the operator.
        return mask.number() if is_one and asks_for_identity(sys._getframe(2).f_code) else mask

    # Where Python needs a number.

    @property
    def is_one(self) -> bool:
        return not self.shape

    def kind(self) -> type:
        return int

    def number(self) -> int:
        if self._is_number:
            return self.base.constant
        if self.ndim:
            raise RuleError(
                "err_control_flow_condition_depending_on_arange",
                "Python needs one number where the kernel passes nl.arange or nl.mgrid values",
                given=self.describe(),
                allowed="a loop index or an integer",
            )
        raise NeedsConcrete(self.base.symbols)

    __hash__ = StandsForNumber.__hash__

    def __bool__(self) -> bool:
        return bool(self != 0)

    # Views of the index tensor.

    def __getitem__(self, key: Any) -> "Index":
        keys = list(key if isinstance(key, tuple) else (key,))
        if Ellipsis in [k for k in keys if k is Ellipsis]:
            at = next(i for i, k in enumerate(keys) if k is Ellipsis)
            fill = self.ndim - sum(k is not None and k is not Ellipsis for k in keys)
            keys[at : at + 1] = [slice(None)] * fill
        base, steps, shape, axis = self.base, [], [], 0
        for k in keys:
            if k is None:
                steps.append(0)
                shape.append(1)
                continue
            if axis >= self.ndim:
                raise IndexError(f"too many indices for an index tensor of shape {list(self.shape)}")
            step, count = self.steps[axis], self.shape[axis]
            axis += 1
            if isinstance(k, slice):
                picked = range(*k.indices(count))
                base = base + picked.start * step
                steps.append(step * picked.step if len(picked) > 1 else 0)
                shape.append(len(picked))
            else:
                base = base + range(count)[operator.index(k)] * step
        return Index(base, (*steps, *self.steps[axis:]), (*shape, *self.shape[axis:]))

    def __setitem__(self, key: object, value: object) -> None:
        raise RuleError(
            "err_cannot_assign_to_index",
            "an index does not support item assignment",
            given=self.describe(),
            allowed="nisa.iota(expression, dtype) turns an index into a tile that can be assigned to",
        )

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("a loop index is a number and has no len()")
        return self.shape[0]

    def __iter__(self) -> Any:
        if not self.shape:
            raise TypeError("a loop index is a number and is not iterable")
        raise not_modelled("iterating over the elements of an index")

    def _beside(self, other: Any) -> Any:
        """The other operand. Beside one number a float stays one, whole or not: Python's result is a float."""
        is_float = self.base.terms and not self.shape and isinstance(other, (float, np.floating))
        return NonAffine((other,), "float") if is_float else _operand(other)

    @property
    def _is_number(self) -> bool:
        return not self.shape and self.base.is_constant

    def _scaled(self, factor: int) -> "Index":
        return Index(self.base * factor, tuple(s * factor for s in self.steps), self.shape)

    def _steps_in(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (0,) * (len(shape) - self.ndim) + self.steps

    def describe(self) -> str:
        dims = "".join(f" + {s}*d{d}" for d, s in enumerate(self.steps) if s)
        return f"index {list(self.shape)} {self.base}{dims}"


@dataclass(frozen=True, eq=False, repr=False)
class NonAffine(StandsForNumber):
    """Arithmetic on indices that left the affine family, such as `i % 2`.

    Used as a number it asks for the loop to be unrolled; used as a mask or over `nl.arange` it is an error. It is never
    computed: with numbers for the indices, Python computes.
    """

    operands: tuple[Any, ...]
    operator: str

    @property
    def symbols(self) -> tuple[Symbol, ...]:
        found: dict[Symbol, None] = {}
        for operand in self.operands:
            match operand:
                case Index():
                    found.update(dict.fromkeys(operand.base.symbols))
                case NonAffine():
                    found.update(dict.fromkeys(operand.symbols))
        return tuple(found)

    @property
    def is_one(self) -> bool:
        return bool(self.symbols)

    def number(self) -> Any:
        if not self.symbols:
            raise RuleError(
                "err_unsupported_expression_in_index",
                "an index must be an affine expression",
                given=self.describe(),
                allowed="sums of indices, and products of an index with an integer",
            )
        raise NeedsConcrete(self.symbols)

    def __index__(self) -> int:
        return int(self.number())

    def __getattr__(self, name: str) -> Any:
        """What a float has, or NumPy's array of numbers: `(index / 2).is_integer()`, `(table == index).sum()`."""
        if name.startswith("_") or name in ("operands", "operator") or not (is_recording() and self.is_one):
            raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")
        return getattr(self.number(), name)

    __hash__ = StandsForNumber.__hash__

    def _more(self, other: Any) -> "NonAffine":
        return NonAffine((self, other), self.operator)

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __floordiv__ = __mod__ = __truediv__ = _more
    __lt__ = __le__ = __gt__ = __ge__ = __eq__ = __ne__ = __and__ = __rand__ = _more  # type: ignore[assignment]

    def __neg__(self) -> "NonAffine":
        return self

    def __getitem__(self, key: object) -> "NonAffine":
        return self

    def describe(self) -> str:
        return f" {self.operator} ".join(
            f"({o.describe() if isinstance(o, StandsForNumber) else o})" for o in self.operands
        )


def scalar(value: Affine | Symbol | int) -> Index:
    """An index of rank 0."""
    return Index(Affine.of(value))


def arange(*args: int) -> Index:
    """The integers `start, ..., stop - 1` as an index of rank 1 (nl.arange: no step)."""
    start, stop = (0, *args) if len(args) == 1 else args
    base = start if isinstance(start, Index) else scalar(operator.index(start))
    length = operator.index(stop - start)
    if length < 0:
        raise RuleError("arange.bounds", "nl.arange needs start <= stop", given=f"({start}, {stop})")
    return Index(base.base, (1 if length > 1 else 0,), (length,))


def _operand(value: Any) -> Any:
    """`value` as an Index; a NonAffine absorbs; anything else is NotImplemented (a tile, for instance)."""
    match value:
        case Index() | NonAffine():
            return value
        case Mask():
            return value.number() if not value.shape else NotImplemented
        case bool() | int() | np.integer():
            return scalar(int(value))
        case np.ndarray() if value.ndim == 0 and np.issubdtype(value.dtype, np.integer):
            return scalar(int(value))
        case float() | np.floating():
            return scalar(int(value)) if float(value).is_integer() else NonAffine((value,), "float")
        case np.ndarray():
            return NonAffine((value,), "array")
        case _:
            return NotImplemented


def _absorb(index: Index, other: Any, name: str) -> Any:
    return other if other is NotImplemented else NonAffine((index, other), name)


def _fold(left: Index, right: Any, op: Callable[[Any, Any], Any], name: str) -> Any:
    number = left._beside(right)
    if number is NotImplemented:
        return NotImplemented
    if left._is_number and isinstance(number, Index) and number._is_number:
        return op(left.base.constant, number.base.constant)
    low, high = left.bounds()
    if isinstance(number, Index) and number._is_number and (divisor := number.base.constant) > 0:
        # i % n and i // n are affine after all where i never reaches n, or where n divides every coefficient.
        if name == "%" and low >= 0 and high < divisor:
            return left
        coefficients = (*left.steps, *(c for _, c in left.base.terms))
        if name == "//" and all(c % divisor == 0 for c in coefficients):
            terms = tuple((s, c // divisor) for s, c in left.base.terms)
            steps = tuple(s // divisor for s in left.steps)
            return Index(Affine(left.base.constant // divisor, terms), steps, left.shape)
    return NonAffine((left, right), name)
