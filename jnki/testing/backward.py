"""`check_backward`: a hand-written backward kernel against the derivative of the forward one.

`chex.assert_numerical_grads` is not used here: its tolerance grows with the size of the argument, so that a gradient of
zeros passes for a large one. Here each element has a tolerance of its own, and wrong cotangents are planted to see that
they are rejected.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jnki.testing.arguments import Arguments
from jnki.testing.derivatives import float_places, inner, small_integers, smooth_part
from jnki.testing.report import VacuousCheck, describe
from jnki.testing.subject import Subject, subject_of
from jnki.testing.tolerance import Difference, Tolerance, differences

LARGEST_JACOBIAN = 2**20
PLANTED = ("zeros", "scaled by 1.001", "largest element missing", "negated")


class BackwardFailure(AssertionError):
    """A backward kernel is wrong. The text names the cotangent, the case and the first element."""


@dataclass(frozen=True)
class Backward:
    """What `check_backward` has measured, per cotangent.

    Attributes:
        ulps: the largest distance from the derivative.
        relative: the largest relative error of an element.
        jacobian: whether the forward function only moves elements, and all of its Jacobian of 0 and 1 was compared.
    """

    ulps: tuple[int, ...]
    relative: tuple[float, ...]
    jacobian: bool


def check_backward(
    forward: Any,
    backward: Any,
    *domains: Any,
    reference: Callable[..., Any] | None = None,
    cases: int = 32,
    seed: int = 0,
    rtol: float = 1e-5,
    atol: float = 1e-6,
    accept: Sequence[str] = (),
) -> Backward:
    """`backward(*args, *outputs, *cotangents)` gives the cotangents of the float arguments of `forward(*args)`.

    That is the convention of `jnki.with_backward`.

    Args:
        forward: a kernel or function; its arguments are drawn from `domains`.
        backward: takes the arguments, the outputs, and the cotangent of each float output; gives one array per float
            argument, bare where there is one. A lambda fits any other order.
        reference: the same as `forward` in plain JAX, whose derivative is compared too.
        rtol, atol: of each element, never times the size.
        accept: planted wrong cotangents that this check may accept: of "zeros", "scaled by 1.001", "largest element
            missing" and "negated".

    Raises:
        BackwardFailure: a cotangent is wrong, or breaks `<w, J v> = <backward(..., w), v>`.
        VacuousCheck: a planted wrong cotangent is accepted in each case: the check cannot tell.
    """
    __tracebackhide__ = True  # for pytest and IPython: their tracebacks end at the caller
    subject, hand = subject_of(forward), subject_of(backward)
    arguments = Arguments(domains, subject.parameters)
    tolerance, check = Tolerance(rtol=rtol, atol=atol), _Check(subject, hand, arguments, reference)
    survived = dict.fromkeys(PLANTED, True)
    furthest: list[int] = []
    relative: list[float] = []
    for case in range(cases):
        arrays = [jnp.asarray(a) for a in arguments.alone(seed, case)]
        given, wanted, other, tangents, direction, cotangent = check.run(arrays, case)
        check.compare("jax.vjp of the forward function", given, wanted, tolerance, case)
        if other is not None:
            check.compare("jax.vjp of the reference", given, other, tolerance, case)
        left, left_size = inner(cotangent, tangents)
        right, right_size = inner(given, direction)
        if not np.isclose(left, right, rtol=0, atol=(rtol * max(left_size, right_size) + atol), equal_nan=True):
            raise BackwardFailure(
                f"{hand.describe()}\ncase {case}: <w, J v> = {left:.9g}, and <{hand.name}(w), v> = {right:.9g}"
            )
        for name in PLANTED:
            survived[name] &= not any(differences([_planted(name, g)], [w], tolerance) for g, w in zip(given, wanted))
        furthest, relative = _larger(furthest, relative, given, wanted)
    kept = [name for name in PLANTED if survived[name] and name not in accept]
    if kept:
        raise VacuousCheck(
            f"{hand.name}: the check cannot tell: a cotangent that is wrong ({', '.join(kept)}) would be accepted in "
            f"each of {cases} cases (rtol={rtol:g}, atol={atol:g})"
        )
    return Backward(tuple(furthest), tuple(relative), check.whole_jacobian(seed))


class _Check:
    """The compiled parts, shared by all cases."""

    def __init__(self, subject: Subject, hand: Subject, arguments: Arguments, reference: Any):
        self._hand, self._arguments = hand, arguments
        self._names = [arguments.names[p] for p in float_places(arguments.shapes())]
        if not self._names:
            raise ValueError(f"{subject.name} has no float argument, and so no cotangent")
        self._call = lambda *a: subject.run(*arguments.assembled(a))
        self._reference = None if reference is None else lambda *a: (reference(*arguments.assembled(a)), None)
        self._run = jax.jit(self._both)

    def given(self, arrays: list[Any], cotangent: list[Any]) -> list[Any]:
        """What the backward kernel says."""
        outputs, _ = self._call(*arrays)
        parts = outputs if isinstance(outputs, (tuple, list)) else (outputs,)
        found, _ = self._hand.run(*self._arguments.assembled(arrays), *parts, *cotangent)
        leaves = jax.tree.leaves(found)
        floats = [arrays[p] for p in float_places(arrays)]
        if [a.shape for a in leaves] != [a.shape for a in floats]:
            raise TypeError(
                f"{self._hand.name} gives {[list(a.shape) for a in leaves]}; the float arguments are "
                f"{[list(a.shape) for a in floats]}: one cotangent each, in their order"
            )
        return leaves

    def _both(self, arrays: list[Any], cotangent: list[Any], direction: list[Any]) -> Any:
        floats = [arrays[p] for p in float_places(arrays)]
        function = smooth_part(self._call, arrays)
        wanted = list(jax.vjp(function, *floats)[1](cotangent))
        other = None
        if self._reference is not None:
            other = list(jax.vjp(smooth_part(self._reference, arrays), *floats)[1](cotangent))
        tangents = jax.jvp(function, tuple(floats), tuple(direction))[1]
        return self.given(arrays, cotangent), wanted, other, tangents

    def run(self, arrays: list[Any], case: int) -> Any:
        floats = [arrays[p] for p in float_places(arrays)]
        outputs = jax.eval_shape(smooth_part(self._call, arrays), *floats)
        cotangent, direction = small_integers(2 * case, outputs), small_integers(2 * case + 1, floats)
        given, wanted, other, tangents = jax.device_get(self._run(arrays, cotangent, direction))
        return given, wanted, other, tangents, direction, cotangent

    def compare(self, name: str, given: Any, wanted: Any, tolerance: Tolerance, case: int) -> None:
        __tracebackhide__ = True  # for pytest and IPython: their tracebacks end at the caller
        lines = []
        for difference in differences(given, wanted, tolerance):
            lines.append(f"  cotangent of '{self._names[difference.output]}': {_described(difference)}")
        if lines:
            head = f"{self._hand.describe()}\ncase {case}: {self._hand.name} differs from {name} ({tolerance})"
            raise BackwardFailure("\n".join([head, *lines]))

    def whole_jacobian(self, seed: int) -> bool:
        """Where the forward function only moves elements, the backward kernel gives its Jacobian, bit for bit."""
        __tracebackhide__ = True  # for pytest and IPython: their tracebacks end at the caller
        arrays = [jnp.asarray(a) for a in self._arguments.alone(seed, 0)]
        floats = [arrays[p] for p in float_places(arrays)]
        function = smooth_part(self._call, arrays)
        outputs = jax.eval_shape(function, *floats)
        rows = sum(math.prod(o.shape) for o in outputs)
        if rows * sum(f.size for f in floats) > LARGEST_JACOBIAN:
            return False
        basis = _basis(outputs)
        wanted = jax.device_get(jax.jit(jax.vmap(lambda w: list(jax.vjp(function, *floats)[1](w))))(basis))
        if not all(np.isin(np.asarray(w, np.float32), (0, 1)).all() for w in wanted):
            return False
        given = jax.device_get(jax.jit(jax.vmap(lambda w: self.given(arrays, w)))(basis))
        self.compare("the Jacobian of 0 and 1", given, wanted, Tolerance(rtol=0.0), 0)
        return True


def _basis(outputs: list[Any]) -> list[Any]:
    sizes = [math.prod(o.shape) for o in outputs]
    whole = np.eye(sum(sizes), dtype=np.float32)
    parts = np.split(whole, np.cumsum(sizes)[:-1], axis=1)
    return [jnp.asarray(p.reshape(-1, *o.shape), o.dtype) for p, o in zip(parts, outputs)]


def _planted(name: str, cotangent: np.ndarray) -> np.ndarray:
    wide = np.asarray(cotangent, np.float32)
    with np.errstate(all="ignore"):
        match name:
            case "zeros":
                wide = np.zeros_like(wide)
            case "scaled by 1.001":
                wide = wide * np.float32(1.001)
            case "negated":
                wide = -wide
            case _:
                wide = wide.copy()
                wide.reshape(-1)[np.argmax(np.abs(np.nan_to_num(wide)))] = 0
    return wide.astype(cotangent.dtype)


def _larger(furthest: list[int], relative: list[float], given: Any, wanted: Any) -> tuple[list[int], list[float]]:
    ulps, shares = [], []
    for one, other in zip(given, wanted):
        found = differences([one], [other], Tolerance())
        ulps.append(found[0].largest_ulps or 0 if found else 0)
        a, b = np.asarray(one, np.float64), np.asarray(other, np.float64)
        with np.errstate(all="ignore"):
            share = np.abs(a - b) / np.abs(b)
        shares.append(float(np.max(share[np.isfinite(share)], initial=0)))
    if not furthest:
        return ulps, shares
    return [max(p) for p in zip(furthest, ulps)], [max(p) for p in zip(relative, shares)]


def _described(difference: Difference) -> str:
    text = describe(difference, 1).removeprefix("output")
    expected, actual = float(difference.expected), float(difference.actual)
    return text + (f"; relative error {abs(actual - expected) / abs(expected):.2g}" if expected else "")
