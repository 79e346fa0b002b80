"""From flat offsets to one affine index per axis of the buffer.

A hardware pattern is flat: an offset and steps in elements. XLA moves data by axes. Where every dim of a pattern
walks along axes without carrying from one into the next, the pattern *is* a tuple of axis indices, and a move is a
slice rather than a gather. Axis indices also stay below 2^31 where flat offsets may not.
"""

from dataclasses import dataclass
from functools import lru_cache

from jnki.access.access import Access
from jnki.access.affine import Affine, Symbol


@dataclass(frozen=True, slots=True)
class AxisIndex:
    """Position on one axis: `start + sum(steps[d] * d)`."""

    start: Affine
    steps: tuple[int, ...]

    def bounds(self, shape: tuple[int, ...]) -> tuple[int, int]:
        low, high = self.start.bounds()
        for step, count in zip(self.steps, shape):
            reach = step * (count - 1)
            low, high = low + min(0, reach), high + max(0, reach)
        return low, high


def split(value: int, strides: tuple[int, ...]) -> list[int]:
    """The digits of a flat distance in the mixed radix of `strides`; a negative distance has negative digits."""
    sign, rest, digits = (-1 if value < 0 else 1), abs(value), []
    for stride in strides:
        digit, rest = divmod(rest, stride) if stride else (0, rest)
        digits.append(sign * digit)
    return digits


@lru_cache(maxsize=65536)
def coordinates(access: Access) -> tuple[AxisIndex, ...]:
    """The axis indices whose flat address is that of `access`, its dynamic offset left aside.

    They always name the same addresses; they name positions inside the axes exactly where `inside` says so.
    """
    shape, strides = access.buffer.shape, access.buffer.strides
    constants = split(access.offset.constant, strides)
    terms: list[list[tuple[Symbol, int]]] = [[] for _ in shape]
    for symbol, coefficient in access.offset.terms:
        for axis, digit in enumerate(split(coefficient, strides)):
            if digit:
                terms[axis].append((symbol, digit))
    steps = [split(dim.step if dim.count > 1 else 0, strides) for dim in access.dims]
    return tuple(
        AxisIndex(Affine(constants[a], tuple(terms[a])), tuple(s[a] for s in steps)) for a in range(len(shape))
    )


@lru_cache(maxsize=65536)
def inside(access: Access) -> bool:
    """Whether every axis index stays on its axis for every element and iteration."""
    for axis, (index, size) in enumerate(zip(coordinates(access), access.buffer.shape)):
        low, high = index.bounds(access.shape)
        if access.indirect is not None and axis == access.indirect.axis:
            low, high = low - min(low, 0), min(high, size - 1)
        if low < 0 or high >= size:
            return False
    return True
