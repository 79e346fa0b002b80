"""Runs of one kernel that must not differ: other unwritten memory, other legal orders, other code around.

And how far its results move when its inputs move by a last place: a tolerance that is measured instead of guessed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jnki.analysis.races import races
from jnki.memory import Fault
from jnki.testing.arguments import Arguments
from jnki.testing.batches import Batches
from jnki.testing.hostile import is_float, unsigned_of
from jnki.testing.literals import number
from jnki.testing.randomness import seed_words
from jnki.testing.report import CheckFailure
from jnki.testing.rewriting import (
    Run,
    buffers_of,
    filled,
    locations,
    other_core_first,
    parallel_loops,
    reversed_loops,
    runner,
    with_body,
)
from jnki.testing.subject import Subject, subject_of
from jnki.testing.tolerance import ulps_between

MOST_CASES = 256
"""Cases on which such runs are compared: the first ones of a check."""


def check_hazards(
    batches: Batches, seed: int, cases: int, poisons: int, orders: int, around: Callable[..., Any] | None
) -> None:
    """The kernel gives equal bits whatever unwritten memory holds, in legal orders, and amid other code.

    Raises:
        CheckFailure: it does not; the text names the case, the element, and the buffer or the loops.
    """
    __tracebackhide__ = True  # for pytest and IPython: their tracebacks end at the caller
    if not 1 <= poisons <= 2:
        raise ValueError(f"poisons= is 1 or 2, not {poisons}")
    if orders < 0:
        raise ValueError(f"orders= is a number of orders, not {orders}")
    if poisons == 1 and not orders and around is None:
        return
    compare = _Comparison(batches, seed, min(cases, MOST_CASES))
    if around is not None:
        text = compare.differs(_amid(batches.subject.run, around))
        if text:
            raise CheckFailure(f"{batches.subject.describe()}\nwith other code around it the kernel differs: {text}")
    if poisons == 1 and not orders:
        return
    program = batches.subject.program(*batches.arguments.assembled(batches.arguments.shapes()))
    if program is None:
        raise TypeError(f"poisons= and orders= rewrite the recording of a kernel, and {batches.subject.name} is none")
    if poisons == 2:
        names = [b.name for b in buffers_of(program)]
        text = compare.differs(runner(filled(program, set(names))))
        if text:
            guilty = [name for name in names if compare.differs(runner(filled(program, {name})))]
            lines = [f"  unwritten elements of '{name}' are read{_reader(program, name)}" for name in guilty]
            head = f"{batches.subject.describe()}\nuninitialised memory reaches an output: {text}"
            raise CheckFailure("\n".join([head, *lines]))
    loops = [loop.symbol.name for loop in parallel_loops(program.body)]
    for which in _orders(loops, orders):
        text = compare.differs(runner(with_body(program, reversed_loops(program.body, which))))
        if text:
            raise CheckFailure(
                f"{batches.subject.describe()}\nthe order of parallel iterations shows ({', '.join(sorted(which))} "
                f"from the last to the first): {text}"
            )
    if orders and program.cores and (text := compare.differs(runner(other_core_first(program)))):
        lines = [f"  {race}" for race in races(program)]
        head = f"{batches.subject.describe()}\nthe order of the two cores shows: {text}"
        raise CheckFailure("\n".join([head, *lines]))


def _orders(loops: list[str], count: int) -> list[set[str]]:
    """Sets of loops to reverse: all of them first, then each alone, then random ones."""
    if not loops:
        return []
    found = [set(loops), *({name} for name in loops)]
    rng = np.random.default_rng(0)
    found += [{name for name in loops if rng.integers(2)} for _ in range(count)]
    distinct: list[set[str]] = []
    for which in found:
        if which and which not in distinct:
            distinct.append(which)
    return distinct[:count]


def _reader(program: Any, name: str) -> str:
    readers = locations(program.body, lambda node: any(a.buffer.name == name for a in node.reads()))
    if not readers or readers[0].location is None:
        return ", as it is an output"
    return f" by {readers[0].name} ({readers[0].location.short()})"


def _amid(run: Run, around: Callable[..., Any]) -> Run:
    def amid(*args: Any) -> tuple[Any, Fault]:
        faults: list[Fault] = []

        def call(*inner: Any) -> Any:
            outputs, fault = run(*inner)
            faults.append(fault)
            return outputs

        outputs = around(call)(*args)
        return outputs, faults[-1]

    return amid


class _Comparison:
    """Outputs of one batch, and those of another way to run it, bit for bit."""

    def __init__(self, batches: Batches, seed: int, cases: int):
        self._arguments, self._numbers = batches.arguments, np.arange(cases, dtype=np.uint32)
        self._words = seed_words(seed)
        self._plain = self._outputs(batches.subject.run)

    def _outputs(self, run: Run) -> list[np.ndarray]:
        def one(words: Any, case: Any) -> list[Any]:
            outputs, fault = run(*self._arguments.assembled(self._arguments.draw(words, case)))
            faulty = fault.occurred  # what a faulty case leaves unwritten is no hazard
            return [jnp.where(faulty, jnp.zeros_like(o), o) for o in jax.tree.leaves(outputs)]

        return [np.asarray(o) for o in jax.jit(jax.vmap(one, (None, 0)))(self._words, self._numbers)]

    def differs(self, run: Run) -> str:
        """The first case and element that differ; empty where none does."""
        for output, (plain, other) in enumerate(zip(self._plain, self._outputs(run))):
            unsigned = unsigned_of(plain.dtype)
            wrong = np.ascontiguousarray(plain).view(unsigned) != np.ascontiguousarray(other).view(unsigned)
            if is_float(plain.dtype):
                wrong &= ~(np.isnan(plain) & np.isnan(other))
            if wrong.any():
                case, *place = (int(n) for n in np.argwhere(wrong.reshape(plain.shape))[0])
                name = f"output{output if len(self._plain) > 1 else ''}[{', '.join(map(str, place))}]"
                at = (case, *place)
                return (
                    f"case {case}, {name} is {number(plain[at])} or {number(other[at])}; "
                    f"{int(wrong.sum()):,} elements in {int(wrong.reshape(len(plain), -1).any(1).sum())} cases"
                )
        return ""


@dataclass(frozen=True)
class Spread:
    """How far outputs move, in ulps, when each float input moves by one last place: peak, and what most stay within."""

    peak: int
    p99: int
    p50: int


def spread(kernel: Any, *domains: Any, cases: int = 256, seed: int = 0) -> Spread:
    """How many ulps the results of `kernel` move when every float input moves up or down by one, at random.

    A tolerance far below the peak asks of a kernel more than its inputs determine; one far above hides errors.
    """
    subject: Subject = subject_of(kernel)
    arguments = Arguments(domains, subject.parameters)

    def one(words: Any, case: Any) -> Any:
        arrays = arguments.draw(words, case)
        signs = arguments.draw(words, case + np.uint32(2**31))
        moved = [_moved(a, s) for a, s in zip(arrays, signs)]
        pairs = [jax.tree.leaves(subject.run(*arguments.assembled(a))[0]) for a in (arrays, moved)]
        floats = [(a, b) for a, b in zip(*pairs) if is_float(a.dtype)]
        return [jnp.where(jnp.isnan(a) | jnp.isnan(b), 0, ulps_between(a, b, jnp)).reshape(-1) for a, b in floats]

    found = jax.jit(jax.vmap(one, (None, 0)))(seed_words(seed), np.arange(cases, dtype=np.uint32))
    ulps = np.concatenate([np.asarray(u).reshape(-1) for u in found]) if found else np.zeros(1, np.uint32)
    p50, p99, peak = (int(np.percentile(ulps, q, method="higher")) for q in (50, 99, 100))
    return Spread(peak, p99, p50)


def _moved(array: Any, other: Any) -> Any:
    """Each finite float one step up or down, as the last bit of `other` says."""
    if not is_float(array.dtype):
        return array
    unsigned = unsigned_of(array.dtype)
    bits, coin = (
        lax.bitcast_convert_type(array, unsigned),
        lax.bitcast_convert_type(other, unsigned) & np.array(1, unsigned),
    )
    step = jnp.where(coin == 1, bits + np.array(1, unsigned), bits - np.array(1, unsigned))
    usual = jnp.isfinite(array) & (array != 0)
    return jnp.where(usual, lax.bitcast_convert_type(step, array.dtype), array)
