"""Affine integer expressions of loop indices: `constant + sum(coefficient * symbol)`."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Symbol:
    """A loop index, or a program id: it counts 0, 1, ..., `trips - 1`.

    The start and step of the user's range live in the `Affine` that the loop yields, so that every symbol
    has the same simple domain.
    """

    name: str
    trips: int
    # Whether the source has no such loop: it was found in what an unrolled one recorded, and faults do not tell it.
    found: bool = False

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Affine:
    """A frozen affine expression. `terms` is sorted by symbol name and has no zero coefficient."""

    constant: int = 0
    terms: tuple[tuple[Symbol, int], ...] = ()

    @staticmethod
    def of(value: "Affine | Symbol | int") -> "Affine":
        match value:
            case Affine():
                return value
            case Symbol():
                return Affine(0, ((value, 1),))
            case _:
                return Affine(int(value))

    @property
    def is_constant(self) -> bool:
        return not self.terms

    @property
    def symbols(self) -> tuple[Symbol, ...]:
        return tuple(symbol for symbol, _ in self.terms)

    def coefficient(self, symbol: Symbol) -> int:
        return next((c for s, c in self.terms if s == symbol), 0)

    def without(self, symbol: Symbol) -> "Affine":
        return Affine(self.constant, tuple(t for t in self.terms if t[0] != symbol))

    def __add__(self, other: "Affine | int") -> "Affine":
        if isinstance(other, int):
            return Affine(self.constant + other, self.terms) if other else self
        if not other.terms:
            return self + other.constant
        if not self.terms:
            return other + self.constant
        merged = dict(self.terms)
        for symbol, coefficient in other.terms:
            merged[symbol] = merged.get(symbol, 0) + coefficient
        return Affine(self.constant + other.constant, _canonical(merged.items()))

    __radd__ = __add__

    def __neg__(self) -> "Affine":
        return self * -1

    def __sub__(self, other: "Affine | int") -> "Affine":
        return self + (other * -1)

    def __mul__(self, factor: int) -> "Affine":
        if factor == 0:
            return ZERO
        if factor == 1:
            return self
        return Affine(self.constant * factor, tuple((s, c * factor) for s, c in self.terms))

    __rmul__ = __mul__

    def bounds(self) -> tuple[int, int]:
        """The least and greatest value over all iterations (of loops that run at least once)."""
        low = high = self.constant
        for symbol, coefficient in self.terms:
            reach = coefficient * (symbol.trips - 1)
            low, high = low + min(0, reach), high + max(0, reach)
        return low, high

    def substitute(self, symbol: Symbol, value: "Affine") -> "Affine":
        """This expression with `symbol` replaced by `value`."""
        coefficient = self.coefficient(symbol)
        return self if coefficient == 0 else self.without(symbol) + value * coefficient

    def evaluate(self, value_of: Callable[[Symbol], Any]) -> Any:
        """The value where each symbol has the value that `value_of` gives: an int, or a traced int32."""
        total: Any = self.constant
        for symbol, coefficient in self.terms:
            total = total + coefficient * value_of(symbol)
        return total

    def __str__(self) -> str:
        parts = [symbol.name if c == 1 else f"{c}*{symbol.name}" for symbol, c in self.terms]
        if self.constant or not parts:
            parts.append(str(self.constant))
        return " + ".join(parts).replace("+ -", "- ")


def _canonical(items: Iterable[tuple[Symbol, int]]) -> tuple[tuple[Symbol, int], ...]:
    return tuple(sorted(((s, c) for s, c in items if c), key=lambda item: item[0].name))


ZERO = Affine()
