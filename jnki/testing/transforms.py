"""`check_transforms`: every transformation of JAX gives what plain calls give, and derivatives are derivatives."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jnki.testing.arguments import Arguments
from jnki.testing.derivatives import finite_differences, forward_and_reverse
from jnki.testing.report import describe
from jnki.testing.subject import Subject, subject_of
from jnki.testing.tolerance import Difference, Tolerance, differences

Call = Callable[..., Any]


class TransformFailure(AssertionError):
    """Two forms of one call disagree. The text names both, the case and the first element."""


@dataclass(frozen=True)
class Transformed:
    """What `check_transforms` has compared.

    Attributes:
        forms: the forms of call that agree.
        directions: how many directional derivatives were compared.
        excused: elements near a kink, whose finite differences say nothing, out of `elements`.
    """

    forms: tuple[str, ...]
    directions: int
    excused: int
    elements: int


def check_transforms(
    kernel: Any,
    *domains: Any,
    cases: int = 4,
    seed: int = 0,
    ulp: int = 0,
    rtol: float = 1e-4,
    step: float = 2.0**-8,
    differentiate: bool = True,
) -> Transformed:
    """jit, vmap (over each argument, all, nested), scan, checkpoint and the kernel amid other code agree with plain
    calls.

    Outputs and fault records are compared. Then jvp, vjp and central differences agree, per element.

    Args:
        ulp: how far forms may be apart: 0 asks for equal bits, which XLA promises for moves and not for sums.
        rtol: of an element of jvp against vjp; finite differences may be off by what rounding and curvature explain.
        step: of the finite differences.
        differentiate: False for kernels that have no derivative worth a look.

    Raises:
        TransformFailure: naming the form, the case and the first element that differs.
    """
    __tracebackhide__ = True  # for pytest and IPython: their tracebacks end at the caller
    subject, tolerance = subject_of(kernel), Tolerance(ulp=ulp)
    arguments = Arguments(domains, subject.parameters)
    drawn = [[jnp.asarray(a) for a in arguments.alone(seed, case)] for case in range(cases)]

    def call(*arrays: Any) -> Any:
        return subject.run(*arguments.assembled(arrays))

    plain = [jax.device_get(call(*arrays)) for arrays in drawn]
    forms = _forms(call, len(arguments.domains), arguments.names)
    for name, form in forms.items():
        for case, found in enumerate(form(drawn)):
            wanted = plain[case]
            if name.startswith("vmap over '"):  # the other arguments are those of case 0
                leaf = arguments.names.index(name[len("vmap over '") : -1])
                wanted = call(*(drawn[case][n] if n == leaf else a for n, a in enumerate(drawn[0])))
            _compare(subject, name, case, jax.device_get(found), jax.device_get(wanted), tolerance)
    if not differentiate:
        return Transformed(tuple(forms), 0, 0, 0)
    return _derivatives(subject, call, drawn, tuple(forms), rtol, step)


def _compare(subject: Subject, name: str, case: int, found: Any, wanted: Any, tolerance: Tolerance) -> None:
    __tracebackhide__ = True  # for pytest and IPython: their tracebacks end at the caller
    for what, tol, place in (("", tolerance, 0), (" of the fault record", Tolerance(), 1)):
        different = differences(found[place], wanted[place], tol)
        if different:
            text = difference_text(different[0])
            raise TransformFailure(
                f"{subject.describe()}\n{name} differs from plain calls in case {case}{what}: {text}"
            )


def difference_text(difference: Difference) -> str:
    return describe(difference, difference.output + 1 if difference.output else 1)


def _forms(call: Call, count: int, names: list[str]) -> dict[str, Callable[[list[list[Any]]], list[Any]]]:
    """Forms of call, each from the arguments of all cases to the results of all."""

    def stacked(drawn: list[list[Any]]) -> list[Any]:
        return [jnp.stack(leaf) for leaf in zip(*drawn)]

    def apart(results: Any, cases: int) -> list[Any]:
        return [jax.tree.map(lambda a, n=n: a[n], results) for n in range(cases)]

    def one_by_one(function: Call) -> Callable[[list[list[Any]]], list[Any]]:
        return lambda drawn: [function(*arrays) for arrays in drawn]

    def nested(drawn: list[list[Any]]) -> list[Any]:
        pairs = [jnp.stack([a, a]) for a in stacked(drawn)]
        results = jax.vmap(jax.vmap(call), in_axes=1, out_axes=1)(*pairs)
        return apart(jax.tree.map(lambda a: a[1], results), len(drawn))

    def scan(drawn: list[list[Any]]) -> list[Any]:
        _, results = lax.scan(lambda carry, xs: (carry + 1, call(*xs)), 0, stacked(drawn))
        return apart(results, len(drawn))

    def amid(*arrays: Any) -> Any:
        """Other code around: what goes in and comes out is computed, without changing it."""
        same = [jnp.where(jnp.arange(2).sum() > 0, a, jnp.zeros_like(a)) for a in arrays]
        outputs, fault = call(*same)
        extra = sum(jnp.sum(a.astype(jnp.float32)) for a in jax.tree.leaves(outputs))
        return (outputs, fault), extra

    forms: dict[str, Callable[[list[list[Any]]], list[Any]]] = {
        "jit": one_by_one(jax.jit(call)),
        "vmap": lambda drawn: apart(jax.jit(jax.vmap(call))(*stacked(drawn)), len(drawn)),
        "nested vmap": nested,
        "scan": scan,
        "checkpoint": one_by_one(jax.jit(jax.checkpoint(call))),
        "inside of another jitted program": lambda drawn: [r[0] for r in one_by_one(jax.jit(amid))(drawn)],
    }
    for leaf in range(count if count > 1 else 0):

        def over(drawn: list[list[Any]], leaf: int = leaf) -> list[Any]:
            axes = tuple(0 if n == leaf else None for n in range(count))
            arrays = [jnp.stack([case[leaf] for case in drawn]) if n == leaf else a for n, a in enumerate(drawn[0])]
            return apart(jax.jit(jax.vmap(call, in_axes=axes))(*arrays), len(drawn))

        forms[f"vmap over '{names[leaf]}'"] = over
    return forms


def _derivatives(
    subject: Subject, call: Call, drawn: list[list[Any]], forms: tuple[str, ...], rtol: float, step: float
) -> Transformed:
    __tracebackhide__ = True  # for pytest and IPython: their tracebacks end at the caller
    excused = elements = directions = 0
    for case, arrays in enumerate(drawn):
        text = forward_and_reverse(call, arrays, seed=case, rtol=rtol)
        if text:
            raise TransformFailure(f"{subject.describe()}\njvp and vjp disagree in case {case}: {text}")
        text, without, count = finite_differences(call, arrays, seed=case, step=step)
        if text:
            raise TransformFailure(f"{subject.describe()}\njvp and finite differences disagree in case {case}: {text}")
        excused, elements, directions = excused + without, elements + count, directions + (count > 0)
    if elements and excused == elements:
        raise TransformFailure(
            f"{subject.describe()}\nfinite differences cannot tell: each of {elements:,} elements is near a kink, "
            "or too steep"
        )
    return Transformed(forms, directions, excused, elements)
