"""Masks: conjunctions of affine comparisons, known before a kernel runs (clause C13)."""

import enum
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jnki.access.affine import Affine, Symbol
from jnki.access.concrete import NeedsConcrete, is_recording
from jnki.access.number import StandsForNumber, concrete
from jnki.errors import RuleError, not_modelled


class Test(enum.Enum):
    """What a comparison asks of its expression."""

    NOT_NEGATIVE = ">= 0"
    ZERO = "== 0"
    NOT_ZERO = "!= 0"


@dataclass(frozen=True)
class Comparison:
    """`base + sum(steps[d] * index_of_dim_d)` passes `test`, over a tile of `shape`."""

    base: Affine
    steps: tuple[int, ...]
    shape: tuple[int, ...]
    test: Test

    def bounds(self) -> tuple[int, int]:
        low, high = self.base.bounds()
        for step, count in zip(self.steps, self.shape):
            reach = step * (count - 1)
            low, high = low + min(0, reach), high + max(0, reach)
        return low, high

    def decided(self) -> bool | None:
        """True or False where it holds everywhere or nowhere, None where it depends."""
        low, high = self.bounds()
        match self.test:
            case Test.NOT_NEGATIVE:
                return True if low >= 0 else False if high < 0 else None
            case Test.ZERO:
                return True if low == high == 0 else False if low > 0 or high < 0 else None
            case Test.NOT_ZERO:
                return True if low > 0 or high < 0 else False if low == high == 0 else None

    def substitute(self, symbol: Symbol, value: Affine) -> "Comparison":
        return Comparison(self.base.substitute(symbol, value), self.steps, self.shape, self.test)

    def passes(self, value: Any) -> Any:
        match self.test:
            case Test.NOT_NEGATIVE:
                return value >= 0
            case Test.ZERO:
                return value == 0
            case Test.NOT_ZERO:
                return value != 0

    def __str__(self) -> str:
        dims = [f"{s}*d{d}" if s != 1 else f"d{d}" for d, s in enumerate(self.steps) if s]
        base = [str(self.base)] if self.base != Affine() or not dims else []
        return f"{' + '.join(dims + base)} {self.test.value}"


@dataclass(frozen=True, eq=False, repr=False)
class Mask(StandsForNumber):
    """All of `comparisons` hold. Built with `<`, `<=`, `>`, `>=`, `==`, `!=` on indices and joined with `&`.

    In a kernel, one that speaks of loop indices alone stands for True or False.
    """

    comparisons: tuple[Comparison, ...]

    def __eq__(self, other: object) -> Any:
        if isinstance(other, Mask) and self.comparisons == other.comparisons:
            return True
        if self._is_truth_value and not (isinstance(other, Mask) and not other._is_truth_value):
            return self.number() == concrete(other)
        return False if isinstance(other, Mask) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.number()) if self._is_truth_value else hash(self.comparisons)

    @property
    def is_one(self) -> bool:
        return not self.shape

    @property
    def _is_truth_value(self) -> bool:
        return self.is_one and is_recording()

    def kind(self) -> type:
        return bool

    def number(self) -> bool:
        return bool(self)

    @property
    def shape(self) -> tuple[int, ...]:
        return np.broadcast_shapes(*(c.shape for c in self.comparisons))

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Whether the mask can speak of a tile of `shape`: it broadcasts to it."""
        try:
            return np.broadcast_shapes(self.shape, shape) == shape
        except ValueError:
            return False

    @property
    def symbols(self) -> tuple[Symbol, ...]:
        return tuple(dict.fromkeys(s for c in self.comparisons for s in c.base.symbols))

    def __and__(self, other: object) -> Any:
        if not isinstance(other, Mask):
            if isinstance(other, (bool, np.bool_)):
                return self if other else NEVER
            if self._is_truth_value and isinstance(other, (int, np.integer, StandsForNumber)):
                return super().__and__(other)
            raise _not_a_mask(other)
        joined = Mask(self.comparisons + other.comparisons)
        try:
            joined.shape  # noqa: B018
        except ValueError:
            raise RuleError(
                "index.broadcast",
                "the masks that are joined do not broadcast together",
                given=f"{list(self.shape)} and {list(other.shape)}",
                allowed="shapes that broadcast as NumPy's do",
            ) from None
        return joined

    __rand__ = __and__

    def __or__(self, other: object) -> Any:
        if self._is_truth_value and not (isinstance(other, Mask) and other.shape):
            return super().__or__(other)
        raise RuleError(
            "err_unsupported_expression_in_mask",
            "masks are joined with & only",
            given="|",
            allowed="(a) & (b)",
        )

    __ror__ = __or__

    def __xor__(self, other: object) -> Any:
        return super().__xor__(other) if self._is_truth_value else self.__or__(other)

    def __invert__(self) -> "Mask":
        raise RuleError(
            "err_unsupported_expression_in_mask",
            "a mask cannot be negated",
            given="~mask",
            allowed="the opposite comparison, such as i >= n for ~(i < n)",
        )

    def __bool__(self) -> bool:
        verdicts = [c.decided() for c in self.comparisons]
        if False in verdicts:
            return False
        if all(verdicts):
            return True
        if any(step for c in self.comparisons for step in c.steps):
            raise RuleError(
                "err_control_flow_condition_depending_on_arange",
                "control flow (if, while, and, or, not) cannot depend on nl.arange or nl.mgrid",
                given=self.describe(),
                allowed="mask=(...) on the instruction, joined with & rather than 'and'",
            )
        raise NeedsConcrete(self.symbols)

    def __setitem__(self, key: object, value: object) -> None:
        raise RuleError(
            "err_cannot_assign_to_index",
            "a mask does not support item assignment",
            allowed="nisa.iota(expression, dtype) turns an index into a tile that can be assigned to",
        )

    def substitute(self, symbol: Symbol, value: Affine) -> "Mask":
        return Mask(tuple(c.substitute(symbol, value) for c in self.comparisons))

    def simplified(self) -> "Mask | None":
        """The comparisons that are not always true: None where nothing is masked, NEVER where everything is."""
        open_ones = []
        for comparison in self.comparisons:
            match comparison.decided():
                case False:
                    return NEVER
                case None:
                    open_ones.append(comparison)
                case True:
                    pass
        return Mask(tuple(dict.fromkeys(open_ones))) if open_ones else None

    def evaluate(self, shape: tuple[int, ...], value_of: Callable[[Symbol], Any]) -> jax.Array:
        """The mask as booleans of `shape`, computed from iotas (never a constant array: those compile slowly)."""
        result = jnp.ones((), jnp.bool_)
        for c in self.comparisons:
            low, high = c.bounds()
            if low < -(1 << 31) or high >= 1 << 31:
                raise not_modelled(f"a mask whose expression leaves 32 bits, from {low} to {high},")
            value: Any = c.base.evaluate(value_of)
            pad = len(shape) - len(c.steps)
            for d, step in enumerate(c.steps):
                if step:
                    value = value + step * lax.broadcasted_iota(jnp.int32, shape, pad + d)
            result = result & jnp.asarray(c.passes(value))
        return jnp.broadcast_to(result, shape)

    def box(self, shape: tuple[int, ...]) -> tuple[tuple[int, int], ...] | None:
        """The half-open range per dim that this mask enables, where it is exactly a box; else None."""
        ranges = [(0, n) for n in shape]
        for c in self.comparisons:
            moving = [d for d, step in enumerate(c.steps) if step and c.shape[d] > 1]
            if c.base.terms or c.test is not Test.NOT_NEGATIVE or len(moving) > 1:
                return None
            if not moving:
                if c.base.constant < 0:
                    return tuple((0, 0) for _ in shape)
                continue
            step, dim = c.steps[moving[0]], len(shape) - len(c.steps) + moving[0]
            low, high = ranges[dim]
            if step > 0:
                low = max(low, math.ceil(-c.base.constant / step))
            else:
                high = min(high, c.base.constant // -step + 1)
            ranges[dim] = (low, max(low, high))
        return tuple(ranges)

    def describe(self) -> str:
        return " & ".join(map(str, self.comparisons))


NEVER = Mask((Comparison(Affine(-1), (), (), Test.NOT_NEGATIVE),))


def as_mask(mask: object) -> Mask | None:
    """`mask` as a `Mask`, or None where it masks nothing.

    Raises:
        RuleError: `err_unsupported_expression_in_mask`, for anything but affine comparisons joined by `&`.
    """
    match mask:
        case None | True:
            return None
        case False:
            return NEVER
        case Mask():
            return mask.simplified()
        case np.bool_():
            return as_mask(bool(mask))
        case _:
            raise _not_a_mask(mask)


def _not_a_mask(given: object) -> RuleError:
    return RuleError(
        "err_unsupported_expression_in_mask",
        "a mask must be known before the kernel runs",
        given=f"{type(given).__name__} {given}"[:120],
        allowed="comparisons of affine expressions of nl.arange, nl.mgrid, loop indices and nl.program_id, joined by &",
    )
