"""What was found in one run of a kernel, as arrays that any transformation takes along."""

import functools
from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jnki.analysis.finding import Finding, Findings, Severity
from jnki.memory.sites import iterations_of
from jnki.watch.tally import saturated
from jnki.watch.unwritten import Watched


@functools.partial(jax.tree_util.register_dataclass, data_fields=("tally",), meta_fields=("places", "unjudged"))
@dataclass(frozen=True)
class RunFindings:
    """Findings of a run. Under `vmap` there is one tally for each case.

    Attributes:
        tally: int32 `[..., places, 11]`: for each place how many elements, and the first of them (`jnki.watch.tally`).
        places: what is watched.
        unjudged: operands of which nobody can tell, before the kernel runs, which elements they take.
    """

    tally: jax.Array
    places: tuple[Watched, ...] = field(metadata={"static": True})
    unjudged: tuple[str, ...] = field(default=(), metadata={"static": True})

    @property
    def unwritten(self) -> jax.Array:
        """int32 `[...]`, one per case: how many elements were read, or returned, that were never written."""
        return self._sum(repeats=False)

    @property
    def repeated(self) -> jax.Array:
        """int32 `[...]`, one per case: how many rows a DMA wrote that it had written already."""
        return self._sum(repeats=True)

    def _sum(self, repeats: bool) -> jax.Array:
        chosen = np.array([place.repeats is repeats for place in self.places] or [False])
        counts = jnp.where(chosen, self.tally[..., 0], 0)
        return lax.reduce(counts, jnp.int32(0), saturated, (counts.ndim - 1,))

    def findings(self) -> Findings:
        """As values; a finding of a batch tells its first case (needs concrete values)."""
        tally = np.asarray(self.tally)
        return Findings(
            _finding(place, tally[..., number, :])
            for number, place in enumerate(self.places)
            if tally[..., number, 0].any()
        )

    def raise_if_any(self, severity: Severity = Severity.WARNING) -> None:
        """As `Findings.raise_if_any`.

        Raises:
            RuleError: named as the gravest finding is.
        """
        self.findings().raise_if_any(severity)

    def __str__(self) -> str:
        text = str(self.findings())
        return "\n".join((text, *(f"not judged: {operand}" for operand in self.unjudged)))


def _finding(place: Watched, rows: np.ndarray) -> Finding:
    """What was found at one place. `rows` is `[..., 11]`, a row for each case."""
    counts = rows[..., 0]
    case = tuple(int(i) for i in np.argwhere(counts)[0])
    _, position, row, *iteration = (int(n) for n in rows[case])
    total, cases = int(counts.sum(dtype=np.int64)), int((counts > 0).sum())
    in_case = ""
    if case:
        in_case = f", in case {case[0] if len(case) == 1 else case} ({cases} of {counts.size} cases)"
    iterations = tuple(iterations_of(place.loops, place.unrolled, tuple(iteration)))
    if place.repeats:
        return _repeated(place, total, position, row, in_case, iterations)
    name = place.access.buffer.name
    is_output = place.instruction == "return"
    first = _index(place, position, row, tuple(iteration))
    given = f"the first one is {list(first)} of {list(place.access.buffer.shape)}"
    if not is_output:
        given += f", which {place.instruction} reads as {place.operand}"
    return Finding(
        "unwritten.output" if is_output else "unwritten.read",
        Severity.WARNING,
        f"{total} element{'s' if total != 1 else ''} of '{name}' {'is' if total == 1 else 'are'} "
        f"{'returned' if is_output else 'read'} that {'was' if total == 1 else 'were'} never written",
        given=given + in_case,
        allowed="a memset, or a copy, before",
        location=place.location,
        iterations=iterations,
    )


def _repeated(
    place: Watched, total: int, position: int, row: int, in_case: str, iterations: tuple[tuple[str, int], ...]
) -> Finding:
    name = place.access.buffer.name
    return Finding(
        "dma.repeated_rows",
        Severity.WARNING,
        f"{total} row{'s' if total != 1 else ''} of '{name}' {'is' if total == 1 else 'are'} written twice by one "
        f"{place.instruction}",
        given=f"the first one is row {position} of '{place.operand}', index {row}{in_case}",
        allowed="rows that differ; the last one wins here, and added up they are summed in order",
        location=place.location,
        iterations=iterations,
    )


def _index(place: Watched, position: int, row: int, iteration: tuple[int, ...]) -> tuple[int, ...]:
    """Where in its tensor the element at a position of an access is."""
    access, values = place.access, dict(zip(place.loops, iteration))
    inside = np.unravel_index(position, access.shape) if access.shape else ()
    flat = access.offset.evaluate(values.__getitem__)
    flat += sum(int(i) * dim.step for i, dim in zip(inside, access.dims))
    if access.indirect is not None:
        flat += row * access.indirect.step
    return tuple(int(i) for i in np.unravel_index(flat, access.buffer.shape))
