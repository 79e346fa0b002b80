"""`check`: a kernel on many random cases in a few calls, compared with a reference."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from jnki.testing.arguments import Arguments, Token
from jnki.testing.batches import MEMORY_BYTES, Batches, Verdicts
from jnki.testing.expected_faults import Policy, check_policy, row_domains
from jnki.testing.failures import failures_of
from jnki.testing.hazards import check_hazards
from jnki.testing.options import options
from jnki.testing.reference import Raised, in_numpy, reference_of
from jnki.testing.report import CheckFailure, Report, VacuousCheck
from jnki.testing.shrink import shrink_report
from jnki.testing.subject import subject_of
from jnki.testing.tolerance import Tolerance, check_shapes

SHOWN = 3
"""Failing cases that a report describes."""
MOST_KEPT = 10_000
"""Failing cases whose numbers are kept."""


@dataclass(frozen=True)
class Checked:
    """What a check that found nothing has measured.

    Attributes:
        cases: how many cases ran, and how many of them faulted as they must.
        ulps_peak, ulps_p99, ulps_p50: the largest distance of an element from the reference, in each case: the peak,
            and what 99 and 50 in a hundred cases stay within; from 256 on rounded up by less than one part in 128.
    """

    cases: int
    faulted: int
    ulps_peak: int
    ulps_p99: int
    ulps_p50: int


def check(
    kernel: Any,
    *domains: Any,
    against: Any = None,
    cases: int = 1000,
    seed: int | None = None,
    ulp: int | None = None,
    rtol: float | None = None,
    atol: float | None = None,
    bound: int | None = None,
    magnitude: Callable[..., Any] | None = None,
    equal_nan: bool = True,
    faults: Policy = "match",
    batched: bool = False,
    trivial: Sequence[str] = (),
    shrink: bool = True,
    mesh: Mesh | None = None,
    memory_bytes: int = MEMORY_BYTES,
    poisons: int = 1,
    orders: int = 0,
    around: Callable[..., Any] | None = None,
) -> Checked:
    """Nothing is wrong with `kernel` on `cases` random cases.

    Case `n` has the same arguments whatever the chunks, the devices and the number of cases.

    Args:
        kernel: a kernel, `kernel[grid]`, `kernel.with_fault`, or a function of JAX's.
        domains: one per argument; see `testing.floats` and its neighbours.
        against: the reference: a function of JAX's, which is vmapped, or of NumPy's, which runs case by case
            (`testing.numpy_reference(f)` for one that JAX could trace too). Without one only faults are checked.
        seed: 0, or what `pytest --jnki-seed` says.
        ulp, rtol, atol, bound, magnitude, equal_nan: see `Tolerance`; bit for bit without any of them.
        faults: "match": a case faults if and only if an index of a `rows` domain is out of bounds, or the reference
            raises an IndexError, and it names such an index and its bound. "never". Or a function of a case's arguments
            (NumPy's arrays) that answers a boolean, None, an index, or (index, bound). A reference that is a kernel
            decides itself. Outputs of a case that must fault are not compared.
        batched: `against` takes all cases at once: arrays with a case axis in front.
        trivial: "zero" or "input", where it is right that each case gives zeros, or an input unchanged.
        shrink: whether a failing case is made simpler.
        mesh: the devices to share the cases among; all devices without one.
        memory_bytes: what the arrays of one chunk may take on each device.
        poisons: 2 fills memory that was never written with a second pattern: outputs must not differ.
        orders: how many other orders of parallel iterations run, and of two cores one: outputs must not differ.
        around: from a function to one of the same arguments and outputs, with other code around the call; compiled
            together, outputs must not differ.

    Raises:
        CheckFailure: a case is wrong. The text says which, how, and how to run it alone.
        VacuousCheck: zeros, or an input returned unchanged, would have been accepted in each case, or no case was
            compared.
    """
    __tracebackhide__ = True  # for pytest and IPython: their tracebacks end at the caller
    if cases < 1:
        raise ValueError(f"a check needs a case, not cases={cases}")
    if against is None and faults == "match" and not any(row_domains(Arguments(domains))):
        raise VacuousCheck(
            "without against= and without row indices there is nothing to check; faults='never' asks for that"
        )
    batches = batches_of(
        kernel,
        domains,
        against,
        Tolerance(ulp, rtol, atol, bound, magnitude, equal_nan),
        faults,
        batched,
        mesh,
        memory_bytes,
    )
    asked = options()
    chosen = asked.seed if seed is None else seed
    if asked.case is not None:
        return _only(batches, asked.case, shrink)
    tally = _Tally(batches)
    for start, verdicts in batches.run(chosen, cases):
        tally.add(start, verdicts)
    if tally.wrong:
        raise failure(batches, chosen, cases, tally.wrong, shrink, tally.wrong_count)
    tally.refuse_if_vacuous(cases, trivial)
    check_hazards(batches, chosen, cases, poisons, orders, around)
    return tally.checked(cases)


def batches_of(
    kernel: Any,
    domains: tuple[Any, ...],
    against: Any,
    tolerance: Tolerance,
    faults: Policy = "match",
    batched: bool = False,
    mesh: Mesh | None = None,
    memory_bytes: int = MEMORY_BYTES,
) -> Batches:
    """How the cases of a check are run, with a reference whose outputs have the right shapes."""
    check_policy(faults)
    subject = subject_of(kernel)
    arguments = Arguments(domains, subject.parameters)
    if not arguments.domains:
        raise ValueError("a check needs an argument that is an array")
    batches = Batches(subject, arguments, None, tolerance, faults, mesh, memory_bytes)
    if against is None:
        return batches
    shapes: Any = arguments.shapes()
    if batched:
        count = batches.chunk_for(1)
        shapes = [jax.ShapeDtypeStruct((count, *s.shape), s.dtype) for s in shapes]
    batches.reference = reference_of(against, arguments.assembled(shapes), batched)
    _check_reference(batches, shapes)
    return batches


def _check_reference(batches: Batches, shapes: Any) -> None:
    reference, subject = batches.reference, batches.subject
    assert reference is not None
    plain = jax.eval_shape(lambda *a: subject.run(*batches.arguments.assembled(a))[0], *batches.arguments.shapes())
    if reference.traced and not reference.batched:
        expected = jax.eval_shape(lambda *a: reference.run(*batches.arguments.assembled(a))[0], *shapes)
        check_shapes(plain, expected, subject.name)
    elif not reference.traced and not reference.batched:
        expected = in_numpy(reference, batches.arguments.assembled(batches.arguments.alone(0, 0)))
        if not isinstance(expected, Raised):
            check_shapes(plain, expected, subject.name)


class _Tally:
    """Verdicts of all chunks, added up."""

    def __init__(self, batches: Batches):
        self._batches = batches
        self.wrong: list[int] = []
        self.wrong_count = 0
        self._compared = 0
        self._faulted = 0
        self._ulps: dict[int, int] = {}
        self._trivial = np.ones(len(batches.impostors), np.bool_)

    def add(self, start: int, verdicts: Verdicts) -> None:
        wrong = np.flatnonzero(~verdicts.right)
        self.wrong_count += len(wrong)
        self.wrong += (start + wrong[: MOST_KEPT - len(self.wrong)]).tolist()
        compared = verdicts.compared
        self._compared += int(compared.sum())
        self._faulted += int((~compared).sum()) if self._batches.reference is not None else 0
        for ulps, count in zip(*np.unique(_coarse(verdicts.ulps[compared]), return_counts=True)):
            self._ulps[int(ulps)] = self._ulps.get(int(ulps), 0) + int(count)
        if verdicts.trivial.shape[1:] == self._trivial.shape:
            self._trivial &= verdicts.trivial[compared].all(axis=0)

    def refuse_if_vacuous(self, cases: int, trivial: Sequence[str]) -> None:
        __tracebackhide__ = True  # for pytest and IPython: their tracebacks end at the caller
        unknown = set(trivial) - {"zero", "input"}
        if unknown:
            raise ValueError(f"trivial= takes 'zero' and 'input', not {', '.join(map(repr, sorted(unknown)))}")
        batches = self._batches
        if batches.reference is None:
            return
        name = batches.subject.name
        if not self._compared:
            raise VacuousCheck(f"{name}: not one of {cases:,} cases was compared: each of them must fault")
        count = len(batches.output_shapes)
        for (output, place), passes in zip(batches.impostors, self._trivial):
            kind = "zero" if place is None else "input"
            if not passes or kind in trivial:
                continue
            which = "the output" if count == 1 else f"output {output}"
            what = "zeros" if place is None else f"argument '{batches.arguments.names[place]}' unchanged"
            raise VacuousCheck(
                f"{name}: the check cannot fail: {what} as {which} would be right in each of {self._compared:,} cases "
                f"({batches.tolerance})\n  a smaller tolerance or other arguments, or trivial=({kind!r},) where that "
                "is meant"
            )

    def checked(self, cases: int) -> Checked:
        if not self._ulps:
            return Checked(cases, self._faulted, 0, 0, 0)
        values = np.array(sorted(self._ulps))
        reached = np.cumsum([self._ulps[int(v)] for v in values])
        p50, p99 = (int(values[np.searchsorted(reached, np.ceil(share * reached[-1]))]) for share in (0.5, 0.99))
        return Checked(cases, self._faulted, int(values[-1]), p99, p50)


def _coarse(ulps: np.ndarray) -> np.ndarray:
    """Distances with their eight leading binary digits, rounded up: a bounded number of different ones."""
    wide = ulps.astype(np.int64)
    unit = np.int64(1) << np.maximum(np.frexp(wide.astype(np.float64))[1] - 8, 0).astype(np.int64)
    return -(-wide // unit) * unit


def failure(
    batches: Batches, seed: int, cases: int, wrong: list[int], shrink: bool, count: int | None = None
) -> CheckFailure:
    """The exception for the cases that are wrong."""
    failures = failures_of(batches, seed, wrong[:SHOWN], cases)
    tolerance = f"{batches.tolerance}, " if batches.reference is not None else ""
    count = len(wrong) if count is None else count
    headline = f"{batches.subject.name}: {count:,} of {cases:,} cases {'is' if count == 1 else 'are'} wrong"
    against = f"against {batches.reference}" if batches.reference is not None else "faults only"
    report = Report(
        f"{headline} ({tolerance}seed {seed}, {against})",
        batches.subject.describe(),
        failures,
        wrong,
        len(batches.output_shapes),
        count=count,
    )
    text, whole = batches.arguments.token()
    token = str(Token(seed, wrong[0], text))
    shrunk = shrink_report(batches, seed, wrong[0], failures[0]) if shrink else None
    report.shrunk = shrunk.lines if shrunk is not None else []
    given_again = "" if whole else ", *domains"
    report.replay = f'testing.replay({batches.subject.name}, "{token}"{given_again})'
    return CheckFailure(
        report.text(), cases=wrong, failures=failures, token=token, shrunk=None if shrunk is None else shrunk.arguments
    )


def _only(batches: Batches, case: Token, shrink: bool) -> Checked:
    """The one case that `pytest --jnki-case` asks for, where it is one of this check."""
    __tracebackhide__ = True  # for pytest and IPython: their tracebacks end at the caller
    if case.domains != batches.arguments.token()[0]:
        return Checked(0, 0, 0, 0, 0)
    options().matched.append(str(case))
    here = failures_of(batches, case.seed, [case.case], 1)[0]
    if here.fault or here.differences:
        raise failure(batches, case.seed, 1, [case.case], shrink)
    return Checked(1, 0, 0, 0, 0)
