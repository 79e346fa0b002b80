"""Static bounds (clause C4): does an index leave its axis anywhere that the mask leaves enabled?"""

import math
from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from jnki.access.access import Access, Bound
from jnki.access.affine import Affine, Symbol
from jnki.access.mask import Comparison, Mask, Test
from jnki.errors import RuleError, not_modelled

# Enumeration is exact; past this many points it would take seconds and hundreds of megabytes.
_MAX_POINTS = 1 << 24

Variable = Symbol | int  # a loop index, or the number of a dim
Linear = tuple[int, dict[Variable, int]]


def check_bounds(access: Access, mask: Mask | None, operand: str, masked_shape: tuple[int, ...] | None = None) -> None:
    """Every static index of `access` stays inside its axis wherever `mask` is true.

    Args:
        access: the operand.
        mask: the mask of its instruction.
        operand: what messages call it.
        masked_shape: the shape that the mask speaks of, where that is not the shape of `access`.

    Raises:
        RuleError: `err_tensor_access_out_of_bound`, with tensor, axis, index range and size.
    """
    for bound in access.unchecked:
        outside = _range_outside(bound, access.shape, mask, masked_shape or access.shape)
        if outside is not None:
            low, high = outside
            raise RuleError(
                "err_tensor_access_out_of_bound",
                f"out-of-bound access of tensor '{access.buffer.name}' ({operand}) on axis {bound.axis}",
                given=f"index range [{low}, {high}]" + (f" under the mask {mask}" if mask is not None else ""),
                allowed=f"[0, {bound.size - 1}], the axis has size {bound.size}",
            )
    if access.indirect is not None:
        check_bounds(access.indirect.index, None, f"{operand}'s index")


def _range_outside(
    bound: Bound, shape: tuple[int, ...], mask: Mask | None, masked_shape: tuple[int, ...]
) -> tuple[int, int] | None:
    expression, domain = _linear(bound.base, bound.steps, shape)
    if any(count == 0 for count in domain.values()):
        return None
    low, high = _box_range(expression, domain)
    if low >= 0 and high < bound.size:
        return None
    if mask is None:
        return low, high
    if not _speaks_of(mask, shape, masked_shape):
        raise not_modelled(f"a mask over {list(masked_shape)} for an access of {list(shape)} that may leave its tensor")
    constraints = []
    for comparison in mask.comparisons:
        constraint, extents = _aligned(comparison, shape)
        domain.update(extents)
        constraints.append((constraint, comparison.test))
    if _proved_inside(expression, constraints, domain, bound.size):
        return None
    values = _enabled_values(expression, constraints, domain)
    if values.size == 0 or (values.min() >= 0 and values.max() < bound.size):
        return None
    return int(values.min()), int(values.max())


def _speaks_of(mask: Mask, shape: tuple[int, ...], masked_shape: tuple[int, ...]) -> bool:
    """Whether dim d of the mask, which is evaluated over `masked_shape`, is dim d of `shape`."""
    if not mask.fits(shape) or len(shape) != len(masked_shape):
        return False
    varying = (1,) * (len(shape) - len(mask.shape)) + mask.shape
    return all(m == 1 or a == b for m, a, b in zip(varying, shape, masked_shape))


def _linear(base: Affine, steps: tuple[int, ...], shape: tuple[int, ...]) -> tuple[Linear, dict[Variable, int]]:
    coefficients: dict[Variable, int] = {d: s for d, s in enumerate(steps) if s}
    domain: dict[Variable, int] = {d: shape[d] for d, s in enumerate(steps) if s}
    for symbol, coefficient in base.terms:
        coefficients[symbol] = coefficient
        domain[symbol] = symbol.trips
    return (base.constant, coefficients), domain


def _aligned(comparison: Comparison, shape: tuple[int, ...]) -> tuple[Linear, dict[Variable, int]]:
    pad = len(shape) - len(comparison.steps)
    return _linear(comparison.base, (0,) * pad + comparison.steps, shape)


def _box_range(expression: Linear, domain: dict[Variable, int]) -> tuple[int, int]:
    low = high = expression[0]
    for variable, coefficient in expression[1].items():
        reach = coefficient * (domain[variable] - 1)
        low, high = low + min(0, reach), high + max(0, reach)
    return low, high


def _proved_inside(
    expression: Linear, constraints: list[tuple[Linear, Test]], domain: dict[Variable, int], size: int
) -> bool:
    """A cheap proof by relaxation: `e <= e + k*g` for any `k >= 0` wherever the mask says `g >= 0`."""
    usable = [g for g, test in constraints if test is Test.NOT_NEGATIVE]
    low, high = _box_range(expression, domain)
    top = min(
        [
            Fraction(high),
            *(_box_range_f(expression, g, k, domain)[1] for g, k in _pairs(expression, usable, 1)),
        ]
    )
    bottom = max(
        [
            Fraction(low),
            *(_box_range_f(expression, g, -k, domain)[0] for g, k in _pairs(expression, usable, -1)),
        ]
    )
    return bottom >= 0 and top < size


def _pairs(expression: Linear, constraints: list[Linear], sign: int) -> Iterator[tuple[Linear, Fraction]]:
    for g in constraints:
        for variable, coefficient in expression[1].items():
            if (other := g[1].get(variable, 0)) and (k := Fraction(-sign * coefficient, other)) > 0:
                yield g, k


def _box_range_f(e: Linear, g: Linear, k: Fraction, domain: dict[Variable, int]) -> tuple[Fraction, Fraction]:
    low = high = e[0] + k * g[0]
    for variable in {*e[1], *g[1]}:
        reach = (e[1].get(variable, 0) + k * g[1].get(variable, 0)) * (domain[variable] - 1)
        low, high = low + min(Fraction(0), reach), high + max(Fraction(0), reach)
    return low, high


def _enabled_values(
    expression: Linear, constraints: list[tuple[Linear, Test]], domain: dict[Variable, int]
) -> np.ndarray:
    variables = list(domain)
    extents = [domain[v] for v in variables]
    if math.prod(extents) > _MAX_POINTS:
        raise not_modelled("a bounds check under a mask over so many loop iterations")
    axes = {
        v: np.arange(n).reshape([-1 if k == j else 1 for k in range(len(extents))])
        for j, (v, n) in enumerate(zip(variables, extents))
    }

    def value(linear: Linear) -> np.ndarray:
        total = np.asarray(linear[0])
        for variable, coefficient in linear[1].items():
            total = total + coefficient * axes[variable]
        return total

    enabled = np.ones(extents, bool)
    for linear, test in constraints:
        enabled &= Comparison.passes(Comparison(None, (), (), test), value(linear))  # type: ignore[arg-type]
    return np.broadcast_to(value(expression), extents)[enabled]
