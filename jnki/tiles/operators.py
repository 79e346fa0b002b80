"""Python's operators on tiles: each records an instruction and gives a new tile; the in-place ones write to theirs."""

from typing import Any, Self

import numpy as np

from jnki.access.dynamic_index import DynamicIndex
from jnki.access.index import Index
from jnki.dtypes import ElementType, bool_, element_type
from jnki.source import calling
from jnki.tiles.array_like import ArrayLike
from jnki.tiles.assign import assign, copied
from jnki.tiles.compute import binary, in_place, unary_alu
from jnki.tiles.loop_reduce import LoopReduction
from jnki.tiles.tensor import Tensor as Handle


class Tensor(ArrayLike):
    """A tensor on which Python's operators and assignments work, as the legacy dialect has it.

    Assigning to a view (`t[...] = tile`) records a copy into it.
    """

    __slots__ = ()

    def __setitem__(self, key: Any, value: Any) -> None:
        if isinstance(value, LoopReduction):
            value.into(self[key])
            return
        assign(self[key], value)

    def astype(self, dtype: Any) -> Any:
        """A copy with elements of `dtype`."""
        return copied(self, element_type(dtype))

    def _typed(self, number: int) -> Any:
        """`number` in the type of the tensor, so that arithmetic with it keeps that type."""
        kind = self._access.dtype
        return kind.storage.type(number) if kind.is_signed else number

    def _binary(self, op: str, other: Any, reverse: bool = False, result: ElementType | None = None) -> Any:
        if not isinstance(other, Handle) and np.ndim(other) != 0:
            return NotImplemented
        operands = (other, self) if reverse else (self, other)
        with calling(f"nl.{op}, by an operator"):
            return binary(op, *operands, result=result, broadcast_partitions=False)

    def _in_place(self, op: str, other: Any) -> Self:
        with calling(f"nl.{op}, in place"):
            in_place(op, self, other)
        return self

    def __add__(self, other: Any) -> Any:
        return self._moving(other) or self._binary("add", other)

    def __radd__(self, other: Any) -> Any:
        return self._moving(other) or self._binary("add", other, reverse=True)

    def _moving(self, other: Any) -> DynamicIndex | None:
        """Beside an index tensor a tile is a dynamic index, such as in `t[p, offset[0, i] + f]`."""
        return DynamicIndex(self.access, other) if isinstance(other, Index) and other.ndim else None

    def __sub__(self, other: Any) -> Any:
        return self._binary("subtract", other)

    def __rsub__(self, other: Any) -> Any:
        return self._binary("subtract", other, reverse=True)

    def __mul__(self, other: Any) -> Any:
        return self._binary("multiply", other)

    def __rmul__(self, other: Any) -> Any:
        return self._binary("multiply", other, reverse=True)

    def __truediv__(self, other: Any) -> Any:
        return self._binary("divide", other)

    def __rtruediv__(self, other: Any) -> Any:
        return self._binary("divide", other, reverse=True)

    def __pow__(self, other: Any) -> Any:
        return self._binary("power", other)

    def __rpow__(self, other: Any) -> Any:
        return self._binary("power", other, reverse=True)

    def __and__(self, other: Any) -> Any:
        return self._binary("bitwise_and", other)

    def __or__(self, other: Any) -> Any:
        return self._binary("bitwise_or", other)

    def __xor__(self, other: Any) -> Any:
        return self._binary("bitwise_xor", other)

    def __lshift__(self, other: Any) -> Any:
        return self._binary("left_shift", other)

    def __rshift__(self, other: Any) -> Any:
        return self._binary("right_shift", other)

    def __lt__(self, other: Any) -> Any:
        return self._binary("less", other, result=bool_)

    def __le__(self, other: Any) -> Any:
        return self._binary("less_equal", other, result=bool_)

    def __gt__(self, other: Any) -> Any:
        return self._binary("greater", other, result=bool_)

    def __ge__(self, other: Any) -> Any:
        return self._binary("greater_equal", other, result=bool_)

    def __eq__(self, other: object) -> Any:
        return NotImplemented if other is None else self._binary("equal", other, result=bool_)

    def __ne__(self, other: object) -> Any:
        return NotImplemented if other is None else self._binary("not_equal", other, result=bool_)

    def __neg__(self) -> Any:
        return self._binary("multiply", self._typed(-1))

    def __invert__(self) -> Any:
        return unary_alu("logical_not" if self._access.dtype == bool_ else "invert", self)

    def __iadd__(self, other: Any) -> Self:
        return self._in_place("add", other)

    def __isub__(self, other: Any) -> Self:
        return self._in_place("subtract", other)

    def __imul__(self, other: Any) -> Self:
        return self._in_place("multiply", other)

    def __itruediv__(self, other: Any) -> Self:
        return self._in_place("divide", other)

    __hash__ = object.__hash__
