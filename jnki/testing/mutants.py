"""`power`: which wrong kernels a check would accept."""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jnki.isa.instruction import Instruction
from jnki.memory import Fault
from jnki.program.program import Program
from jnki.testing.batches import Batches
from jnki.testing.checking import batches_of
from jnki.testing.expected_faults import Policy
from jnki.testing.hostile import is_float, unsigned_of
from jnki.testing.rewriting import (
    Run,
    changed,
    first_wins,
    flipped_oob,
    index_off_by_one,
    is_indirect,
    locations,
    runner,
    scatters,
    with_body,
    without_last_write,
    written_instead,
)
from jnki.testing.subject import Subject
from jnki.testing.tolerance import Tolerance


@dataclass(frozen=True)
class Mutant:
    """A wrong kernel.

    Attributes:
        name: what is wrong with it.
        where: the line of the instruction that is changed; empty where it is the outputs.
        wrong: in how many cases the check finds it wrong.
        cases: of how many.
    """

    name: str
    where: str
    wrong: int
    cases: int

    @property
    def accepted(self) -> bool:
        """Whether the check would not notice."""
        return self.wrong == 0

    def __str__(self) -> str:
        verdict = "ACCEPTED" if self.accepted else f"wrong in {self.wrong:,} of {self.cases:,} cases"
        return f"{self.name}{f' ({self.where})' if self.where else ''}: {verdict}"


def power(
    kernel: Any,
    *domains: Any,
    against: Any,
    cases: int = 256,
    seed: int = 0,
    ulp: int | None = None,
    rtol: float | None = None,
    atol: float | None = None,
    bound: int | None = None,
    magnitude: Callable[..., Any] | None = None,
    equal_nan: bool = True,
    faults: Policy = "match",
    batched: bool = False,
    only: Sequence[str] = (),
) -> list[Mutant]:
    """Which of several mutants of `kernel` a check with these arguments would accept.

    Mutants that do not apply (no index, no accumulation, no duplicates to speak of) are not in the list. One that is
    accepted is either no mutant on these domains (rows never out of bounds, never repeated), or a hole in the check.

    Args:
        only: names of mutants to run; all of them without.
    """
    tolerance = Tolerance(ulp, rtol, atol, bound, magnitude, equal_nan)
    batches = batches_of(kernel, domains, against, tolerance, faults, batched)
    subject = batches.subject
    program = subject.program(*batches.arguments.assembled(batches.arguments.shapes()))
    found = []
    for name, where, run in _mutants(subject, program):
        if only and name not in only:
            continue
        mutant: Subject = dataclasses.replace(subject, run=run)
        fresh = Batches(mutant, batches.arguments, batches.reference, tolerance, faults)
        wrong = sum(int((~verdicts.right).sum()) for _, verdicts in fresh.run(seed, cases))
        found.append(Mutant(name, where, wrong, cases))
    return found


def _mutants(subject: Subject, program: Program | None) -> list[tuple[str, str, Run]]:
    made: list[tuple[str, str, Run]] = [("outputs zero", "", _on_outputs(subject.run, jnp.zeros_like))]
    made.append(("a cast rounding down", "", _on_outputs(subject.run, _rounded_down)))
    if program is None:
        return made
    if (cut := without_last_write(program)) is not None:
        made.append(("last tile not written", _line(cut[1]), runner(cut[0])))
    changes: list[tuple[str, Callable[[Instruction], Instruction], Callable[[Instruction], bool]]] = [
        ("an index off by one", index_off_by_one, is_indirect),
        ("oob_mode flipped", flipped_oob, lambda n: flipped_oob(n) is not n),
        ("accumulate becomes write", written_instead, lambda n: written_instead(n) is not n),
        ("first of duplicates wins", first_wins, scatters),
    ]
    for name, change, applies in changes:
        hit = locations(program.body, applies)
        if hit:
            made.append((name, _line(hit[0]), runner(with_body(program, changed(program.body, change)))))
    return made


def _line(node: Instruction) -> str:
    return node.location.short() if node.location is not None else ""


def _on_outputs(run: Run, change: Callable[[Any], Any]) -> Run:
    def changed_run(*args: Any) -> tuple[Any, Fault]:
        outputs, fault = run(*args)
        return jax.tree.map(change, outputs), fault

    return changed_run


def _rounded_down(array: Any) -> Any:
    """Each finite float one step nearer to zero, as a cast that truncates makes most of them."""
    if not is_float(array.dtype):
        return array
    unsigned = unsigned_of(array.dtype)
    bits = lax.bitcast_convert_type(array, unsigned)
    magnitude = bits << np.array(1, unsigned)
    lower = lax.bitcast_convert_type(bits - np.array(1, unsigned), array.dtype)
    return jnp.where(jnp.isfinite(array) & (magnitude != 0), lower, array)
