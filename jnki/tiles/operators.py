"""Python's operators on tiles: each records an instruction and gives a new tile; the in-place ones write to theirs."""

from abc import ABC, abstractmethod
from typing import Any, Self, cast

import numpy as np

from jnki.dtypes import ElementType, bool_
from jnki.source import calling


class TensorOperators(ABC):
    """The operators of `Tensor`, which brings its element type."""

    __slots__ = ()

    @property
    @abstractmethod
    def _element_type(self) -> ElementType: ...

    def _typed(self, number: int) -> Any:
        """`number` in the type of the tensor, so that arithmetic with it keeps that type."""
        return self._element_type.storage.type(number) if self._element_type.is_signed else number

    def _binary(self, op: str, other: Any, reverse: bool = False, result: ElementType | None = None) -> Any:
        from jnki.tiles.compute import binary

        if not isinstance(other, TensorOperators) and np.ndim(other) != 0:
            return NotImplemented
        operands = (other, self) if reverse else (self, other)
        with calling(f"nl.{op}, by an operator"):
            return binary(op, *operands, result=result, broadcast_partitions=False)

    def _in_place(self, op: str, other: Any) -> Self:
        from jnki.tiles.compute import in_place

        with calling(f"nl.{op}, in place"):
            in_place(op, cast(Any, self), other)
        return self

    def __add__(self, other: Any) -> Any:
        return self._binary("add", other)

    def __radd__(self, other: Any) -> Any:
        return self._binary("add", other, reverse=True)

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
        from jnki.tiles.compute import unary_alu

        return unary_alu("logical_not" if self._element_type == bool_ else "invert", self)

    def __iadd__(self, other: Any) -> Self:
        return self._in_place("add", other)

    def __isub__(self, other: Any) -> Self:
        return self._in_place("subtract", other)

    def __imul__(self, other: Any) -> Self:
        return self._in_place("multiply", other)

    def __itruediv__(self, other: Any) -> Self:
        return self._in_place("divide", other)

    __hash__ = object.__hash__
