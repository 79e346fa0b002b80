"""`check_variants`: a kernel under the variants of chex."""

import unittest
from collections.abc import Callable
from typing import Any

import chex
import jax

from jnki.testing.arguments import Arguments
from jnki.testing.subject import subject_of
from jnki.testing.tolerance import Tolerance, differences
from jnki.testing.transforms import TransformFailure, difference_text


def check_variants(kernel: Any, *domains: Any, cases: int = 2, seed: int = 0, ulp: int = 0) -> list[str]:
    """`kernel` gives the same under `chex.variants`: with and without jit, with and without arrays on the device.

    Args:
        cases: how many cases each variant runs, one after the other.
        ulp: how far variants may be apart; 0 asks for equal bits.

    Returns:
        The names of the variants that ran.

    Raises:
        TransformFailure: two variants differ; the text names them, the case and the first element.
    """
    __tracebackhide__ = True  # for pytest and IPython: their tracebacks end at the caller
    subject, tolerance = subject_of(kernel), Tolerance(ulp=ulp)
    arguments = Arguments(domains, subject.parameters)
    drawn = [arguments.alone(seed, case) for case in range(cases)]
    results: dict[str, list[Any]] = {}

    def function(*arrays: Any) -> Any:
        return subject.run(*arguments.assembled(arrays))

    class Variants(chex.TestCase):
        @chex.variants(with_jit=True, without_jit=True, with_device=True, without_device=True)
        def test(self) -> None:
            run: Callable[..., Any] = self.variant(function)
            results[self.id().rsplit(".", 1)[1]] = [jax.device_get(run(*arrays)) for arrays in drawn]

    outcome = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(Variants).run(outcome)
    for _, text in (*outcome.errors, *outcome.failures):
        raise TransformFailure(f"{subject.name} fails under a variant of chex\n{text}")
    names = sorted(results)
    for name in names[1:]:
        for case in range(cases):
            found = differences(results[name][case], results[names[0]][case], tolerance)
            if found:
                raise TransformFailure(
                    f"{subject.name}: {name} and {names[0]} differ in case {case}: {difference_text(found[0])}"
                )
    return names
