"""Cases in batches: drawn, run and judged on the device, so that a verdict per case is all that comes back."""

import functools
import math
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, PartitionSpec

from jnki.memory import Fault
from jnki.memory.sites import NO_SITE
from jnki.testing.arguments import Arguments
from jnki.testing.expected_faults import Policy, agrees_with, as_expected, bounds_of, facts, stated
from jnki.testing.hostile import is_float
from jnki.testing.randomness import seed_words
from jnki.testing.reference import Raised, Reference, in_numpy
from jnki.testing.subject import Subject, bytes_held, bytes_of
from jnki.testing.tolerance import Tolerance, ulps_between

MEMORY_BYTES = 64 * 2**20
"""What the arrays of one chunk may take: arguments, outputs, reference and what a kernel holds."""
LARGEST_CHUNK = 2**16
PROGRESS_AFTER_S = 2.0


@dataclass(frozen=True)
class Verdicts:
    """What is known of each case of a chunk: arrays with an entry per case.

    Attributes:
        fault_right: whether it faults if and only if it must.
        compared: whether its outputs were compared: not where it faulted.
        values_right: whether they are as expected, where they were compared.
        ulps: the largest distance of any of its elements.
        trivial: per output and trivial result (zeros, each input of its shape), whether that would be accepted.
    """

    fault_right: np.ndarray
    compared: np.ndarray
    values_right: np.ndarray
    ulps: np.ndarray
    trivial: np.ndarray

    @property
    def right(self) -> np.ndarray:
        return self.fault_right & (self.values_right | ~self.compared)


@dataclass(frozen=True)
class Everything:
    """All that one batch was made of: arrays with a case axis in front, on the host."""

    arrays: list[np.ndarray]
    outputs: Any
    fault: Fault
    expected: Any

    def case(self, place: int) -> tuple[list[np.ndarray], Any, Fault]:
        pick = functools.partial(jax.tree.map, lambda a: a[place])
        return [a[place] for a in self.arrays], pick(self.outputs), pick(self.fault)


@dataclass
class Batches:
    """How cases of one check are run."""

    subject: Subject
    arguments: Arguments
    reference: Reference | None
    tolerance: Tolerance
    faults: Policy
    mesh: Mesh | None = None
    memory_bytes: int = MEMORY_BYTES
    impostors: list[tuple[int, int | None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.mesh is None and jax.device_count() > 1:
            self.mesh = jax.make_mesh((jax.device_count(),), ("cases",), (jax.sharding.AxisType.Auto,))
        if self.mesh is not None:  # whatever types the axes of the given mesh have
            self.mesh = Mesh(self.mesh.devices, self.mesh.axis_names)
        self.devices = 1 if self.mesh is None else self.mesh.size
        shapes = self.arguments.shapes()
        outputs = self._eval(lambda *arrays: self.subject.run(*self.arguments.assembled(arrays))[0], shapes)
        self.output_shapes = jax.tree.leaves(outputs)
        for number, output in enumerate(self.output_shapes):
            self.impostors.append((number, None))
            alike = [p for p, s in enumerate(shapes) if s.shape == output.shape and s.dtype == output.dtype]
            self.impostors += [(number, place) for place in alike]
        held = 0
        if self.subject.kernel is not None:
            program = self.subject.program(*self.arguments.assembled(shapes))
            assert program is not None
            held = sum(math.prod(b.shape) * b.dtype.size_bytes for b in program.buffers) + bytes_held(program.body)
        self.bytes_per_case = max(1, bytes_of(shapes) + 2 * bytes_of(outputs) + held)

    @property
    def on_host(self) -> bool:
        """Whether NumPy has a say in each case."""
        return callable(self.faults) or (self.reference is not None and not self.reference.traced)

    def chunk_for(self, cases: int) -> int:
        """How many cases run at once: as many as fit in memory, the same number for each device."""
        most = max(1, min(self.memory_bytes // self.bytes_per_case, LARGEST_CHUNK))
        most = 2 ** int(math.log2(most))
        per_device = min(most, math.ceil(cases / self.devices))
        return per_device * self.devices

    def run(self, seed: int, cases: int) -> Iterator[tuple[int, Verdicts]]:
        """The verdicts of cases 0, 1, ... in chunks: the number of the first case of each, and as many as there are."""
        chunk, words = self.chunk_for(cases), seed_words(seed)
        waiting: tuple[int, Any] | None = None
        progress = _Progress(self.subject.name, cases)
        call = self._everything if self.on_host else self._judged
        for start in range(0, cases, chunk):
            started = (start, call(words, np.arange(start, start + chunk, dtype=np.uint32)))
            # One chunk is computed while the one before it is looked at.
            if waiting is not None:
                yield self._finished(waiting, cases, progress)
            waiting = started
        if waiting is not None:
            yield self._finished(waiting, cases, progress)
        progress.done()

    def _finished(self, waiting: tuple[int, Any], cases: int, progress: "_Progress") -> tuple[int, Verdicts]:
        start, result = waiting
        count = min(cases - start, self.chunk_for(cases))
        result = jax.tree.map(lambda a: a[:count], jax.device_get(result))
        verdicts = self._in_numpy(Everything(*result)) if self.on_host else self._verdicts(result)
        progress.at(start + count)
        return start, verdicts

    def everything(self, seed: int, numbers: Any, cases: int) -> Everything:
        """All about the cases of these numbers, run in a batch of the size in which they were judged."""
        chunk = self.chunk_for(cases)
        numbers = np.asarray(numbers, np.uint32)
        padded = np.concatenate([numbers, np.full(-len(numbers) % chunk, numbers[-1], np.uint32)])[:chunk]
        result = jax.device_get(self._everything(seed_words(seed), padded))
        every = Everything(*jax.tree.map(lambda a: a[: len(numbers)], result))
        return every if every.expected is not None or self.reference is None else self._with_expected(every)

    def of_arrays(self, arrays: list[np.ndarray]) -> Everything:
        """All about the cases with these arguments, which have a case axis in front."""
        every = Everything(*jax.device_get(self._ran_alone(arrays)))
        return every if every.expected is not None or self.reference is None else self._with_expected(every)

    @functools.cached_property
    def _ran_alone(self) -> Callable[..., Any]:
        return jax.jit(self._ran)

    # On the device.

    @functools.cached_property
    def _judged(self) -> Callable[..., Any]:
        return self._compiled(lambda seed, numbers: self.judge(self._drawn(seed, numbers)))

    @functools.cached_property
    def _everything(self) -> Callable[..., Any]:
        return self._compiled(lambda seed, numbers: self._ran(self._drawn(seed, numbers)))

    def _compiled(self, function: Callable[..., Any]) -> Callable[..., Any]:
        if self.mesh is None:
            return jax.jit(function)
        spec = PartitionSpec(self.mesh.axis_names)
        return jax.jit(
            jax.shard_map(function, mesh=self.mesh, in_specs=(PartitionSpec(), spec), out_specs=spec, check_vma=False)
        )

    def _drawn(self, seed: jax.Array, numbers: jax.Array) -> list[jax.Array]:
        return jax.vmap(self.arguments.draw, (None, 0))(seed, numbers)

    def _ran(self, arrays: list[jax.Array]) -> tuple[Any, ...]:
        """Arguments, outputs, fault, and what a traced reference expects, of a batch."""

        def one(*case: jax.Array) -> Any:
            outputs, fault = self.subject.run(*self.arguments.assembled(case))
            return outputs, _whole(fault)

        outputs, fault = jax.vmap(one)(*arrays)
        return arrays, outputs, fault, self._traced_expected(arrays)

    def _traced_expected(self, arrays: list[jax.Array]) -> Any:
        reference = self.reference
        if reference is None or not reference.traced:
            return None
        if reference.batched:
            outputs, _ = reference.run(*self.arguments.assembled(arrays))
            return outputs, jax.vmap(lambda _: Fault())(arrays[0])
        return jax.vmap(lambda *case: _both(reference.run(*self.arguments.assembled(case))))(*arrays)

    def judge(self, arrays: list[jax.Array]) -> dict[str, jax.Array]:
        """The facts from which `_verdicts` tells which cases are right; traced, for a batch."""
        arrays, outputs, fault, expected = self._ran(arrays)

        def one(case: list[jax.Array], outputs: Any, fault: Fault, expected: Any) -> dict[str, jax.Array]:
            known = facts(self.arguments, case, fault)
            if expected is None:
                return {**known, **_no_values()}
            wanted, other = expected
            if self.reference is not None and self.reference.has_faults:
                known |= {"other": other.site, "other_index": other.index}
            return {**known, **self._values(case, outputs, wanted)}

        return jax.vmap(one)(arrays, outputs, fault, expected)

    def _values(self, case: list[jax.Array], outputs: Any, wanted: Any) -> dict[str, jax.Array]:
        accepted, furthest, trivial = [], [], []
        magnitudes = self._magnitudes(case)
        pairs = list(zip(jax.tree.leaves(outputs), jax.tree.leaves(wanted), strict=True))
        for result, expected in pairs:
            accepted.append(jnp.all(self.tolerance.accepts(result, expected, jnp, magnitudes)))
            furthest.append(_furthest(result, expected))
        for number, place in self.impostors:
            result, expected = pairs[number]
            impostor = jnp.zeros_like(result) if place is None else case[place]
            trivial.append(jnp.all(self.tolerance.accepts(impostor, expected, jnp, magnitudes)))
        return {
            "values": jnp.all(jnp.stack(accepted)),
            "ulps": jnp.max(jnp.stack(furthest)),
            "trivial": jnp.stack(trivial),
        }

    def _magnitudes(self, case: Any) -> Any:
        magnitude = self.tolerance.magnitude
        return None if magnitude is None else magnitude(*self.arguments.assembled(case))

    def _eval(self, function: Callable[..., Any], shapes: Any) -> Any:
        return jax.eval_shape(function, *shapes)

    # On the host.

    def _verdicts(self, known: dict[str, np.ndarray]) -> Verdicts:
        occurred = known["site"] != NO_SITE
        if "other" in known:
            wanted = known["other"] != NO_SITE
            fault_right = (occurred == wanted) & (~occurred | (known["index"] == known["other_index"]))
        else:
            assert isinstance(self.faults, str)
            fault_right = as_expected(self.arguments, known, self.faults)
            wanted = known["outside"] & (self.faults == "match")
        compared = ~(occurred | wanted) & (self.reference is not None)
        return Verdicts(fault_right, compared, known["values"], known["ulps"], known["trivial"])

    def _with_expected(self, every: Everything) -> Everything:
        assert self.reference is not None
        count = len(jax.tree.leaves(every.fault)[0])
        if self.reference.batched:
            return Everything(
                every.arrays,
                every.outputs,
                every.fault,
                in_numpy(self.reference, self.arguments.assembled(every.arrays)),
            )
        cases = [in_numpy(self.reference, self.arguments.assembled([a[n] for a in every.arrays])) for n in range(count)]
        return Everything(every.arrays, every.outputs, every.fault, cases)

    def expected_of(self, every: Everything, place: int) -> Any:
        """The outputs that the reference has for one case; `Raised` where it raised."""
        if every.expected is None or isinstance(every.expected, list):
            return None if every.expected is None else every.expected[place]
        expected = every.expected
        if self.reference is not None and self.reference.traced:
            expected = expected[0]
        return expected if isinstance(expected, Raised) else jax.tree.map(lambda a: a[place], expected)

    def _in_numpy(self, every: Everything) -> Verdicts:
        """The verdicts where the reference or the expectation of faults is NumPy's."""
        if self.reference is not None and not self.reference.traced:
            every = self._with_expected(every)
        count = len(every.fault.site)
        known = jax.device_get(self._facts(every.arrays, every.fault))
        bounds, judged = bounds_of(known["site"]), []
        fault_right = as_expected(self.arguments, known, self.faults) if isinstance(self.faults, str) else None
        for place in range(count):
            case, outputs, _ = every.case(place)
            expected, raised = self.expected_of(every, place), False
            if isinstance(expected, Raised):
                expected, raised = None, True
            site, index = int(known["site"][place]), int(known["index"][place])
            if callable(self.faults):
                answer = self.faults(*self.arguments.assembled(case))
                right, wanted = agrees_with(answer, site, index, int(bounds[place])), stated(answer)[0]
            else:
                assert fault_right is not None
                wanted = self.faults == "match" and bool(known["outside"][place] or raised)
                right = bool(fault_right[place]) or (raised and self.faults == "match" and site != NO_SITE)
            # A reference that raises is no reference for a case that has outputs.
            right = right and not (raised and site == NO_SITE and not (callable(self.faults) and wanted))
            compared = site == NO_SITE and not wanted and expected is not None
            judged.append((right, compared, *self._host_values(case, outputs, expected if compared else None)))
        columns = [np.array(column) for column in zip(*judged)]
        right_faults, compared_cases, right_values, ulps, trivial = columns
        impostors = trivial.reshape(count, len(self.impostors))
        return Verdicts(right_faults, compared_cases, right_values, ulps, impostors)

    @functools.cached_property
    def _facts(self) -> Callable[..., Any]:
        return jax.jit(jax.vmap(functools.partial(facts, self.arguments)))

    def _host_values(self, case: Any, outputs: Any, expected: Any) -> tuple[bool, int, list[bool]]:
        if expected is None:
            return True, 0, [True] * len(self.impostors)
        pairs = [(np.asarray(a), np.asarray(b)) for a, b in zip(jax.tree.leaves(outputs), jax.tree.leaves(expected))]
        magnitudes, accept = self._magnitudes(case), self.tolerance.accepts
        with np.errstate(all="ignore"):
            right = all(bool(np.all(accept(a, b, np, magnitudes))) for a, b in pairs)
            furthest = max(int(_furthest(a, b, np)) for a, b in pairs)
            trivial = []
            for number, place in self.impostors:
                impostor = np.zeros_like(pairs[number][0]) if place is None else case[place]
                trivial.append(bool(np.all(accept(impostor, pairs[number][1], np, magnitudes))))
        return right, furthest, trivial


def _furthest(result: Any, expected: Any, xp: Any = jnp) -> Any:
    if not is_float(result.dtype) or not result.size:
        return xp.uint32(0)
    rounded = expected.astype(result.dtype)
    distance = ulps_between(result, rounded, xp)
    return xp.max(xp.where(xp.isnan(result) | xp.isnan(rounded), xp.uint32(0), distance)).astype(np.uint32)


def _whole(fault: Fault) -> Fault:
    """The record as arrays that `vmap` can give a case axis."""
    return jax.tree.map(jnp.asarray, fault)


def _both(result: tuple[Any, Fault]) -> tuple[Any, Fault]:
    return result[0], _whole(result[1])


def _no_values() -> dict[str, jax.Array]:
    return {"values": jnp.bool_(True), "ulps": jnp.uint32(0), "trivial": jnp.zeros((0,), jnp.bool_)}


class _Progress:
    """A line on a terminal, once a check takes longer than a moment."""

    def __init__(self, name: str, cases: int):
        self._name, self._cases, self._started, self._shown = name, cases, time.monotonic(), False

    def at(self, count: int) -> None:
        elapsed = time.monotonic() - self._started
        if sys.stderr.isatty() and elapsed > PROGRESS_AFTER_S:
            rate = count / elapsed
            sys.stderr.write(
                f"\r{self._name}: {count:,} of {self._cases:,} cases, {elapsed:.0f} s, {rate:,.0f} per second\x1b[K"
            )
            sys.stderr.flush()
            self._shown = True

    def done(self) -> None:
        if self._shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
