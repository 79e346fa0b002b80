"""`testing.check` against a hand-written vmapped loop with comparison, and against a NumPy loop over the cases.

All draw their cases from `jax.random` or from a domain, run the kernel, run the reference and compare bit for bit
(softmax: within a tolerance); a compilation before is not counted. And the time to shrink a planted fault.
"""

import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jnki import testing
from jnki.testing.checking import batches_of
from jnki.testing.tolerance import Tolerance
from tests.benchmarks.cases import gather
from tests.benchmarks.table import Table, factor
from tests.benchmarks.tiled_kernels import softmax, softmax_jax
from tests.benchmarks.timing import Effort, median_ms, ratio, sampled

CASES = 2**13


def by_hand(kernel: Any, reference: Any, draw: Any, accept: Any, chunk: int, cases: int) -> Callable[[], int]:
    """What a test engineer writes: draw, run, compare, count, in chunks of one compiled call."""

    def one(key: jax.Array) -> Any:
        args = draw(key)
        outputs, fault = kernel.with_fault(*args)
        return fault.occurred | jnp.all(accept(outputs, reference(*args)))

    run = jax.jit(
        lambda start: jax.vmap(lambda n: one(jax.random.fold_in(jax.random.key(0), n)))(start + jnp.arange(chunk))
    )

    def call() -> int:
        return sum(int(np.sum(~np.asarray(run(start)))) for start in range(0, cases, chunk))

    return call


def checked(
    kernel: Any, domains: Any, reference: Any, tolerance: Tolerance, cases: int
) -> tuple[Callable[[], int], int]:
    """The same with the machinery of `check`, compiled once."""
    batches = batches_of(kernel, domains, reference, tolerance)

    def call() -> int:
        return sum(int((~verdicts.right).sum()) for _, verdicts in batches.run(0, cases))

    return call, batches.chunk_for(cases)


def gather_case(key: jax.Array) -> Any:
    one, other = jax.random.split(key)
    return jax.random.normal(one, (8, 32)), jax.random.randint(other, (8, 1), 0, 8)


def run(effort: Effort, cases: int = CASES, shrinking: bool = True) -> None:
    """Prints cases per second, and the time that shrinking takes."""
    subjects = {
        "gather 8x32": (
            gather,
            (testing.floats((8, 32)), testing.rows((8, 1), size=8)),
            lambda t, r: t[r[:, 0]],
            gather_case,
            Tolerance(),
            lambda a, b: a == b,
        ),
        "softmax 16x16": (
            softmax,
            (testing.floats((16, 16)),),
            softmax_jax,
            lambda key: (jax.random.normal(key, (16, 16)),),
            Tolerance(rtol=1e-5, atol=1e-6),
            lambda a, b: jnp.abs(a - b) <= 1e-6 + 1e-5 * jnp.abs(b),
        ),
    }
    table = Table(
        f"{cases:,} cases, drawn, run and compared",
        ("kernel", "check / by hand", "NumPy loop / check", "cases per second", "by hand", "NumPy loop"),
    )
    for name, (kernel, domains, reference, draw, tolerance, accept) in subjects.items():
        check, chunk = checked(kernel, domains, reference, tolerance, cases)
        hand = by_hand(kernel, reference, draw, accept, chunk, cases)
        assert check() == 0 and hand() == 0
        samples = sampled({"check": check, "hand": hand}, effort)
        loop = _loop_seconds(domains, reference)
        rates = [cases / (median_ms(samples, n) / 1e3) for n in ("check", "hand")]
        table.row(
            name,
            factor(ratio(samples, "check", "hand")),
            factor(loop * rates[0]),
            *(f"{rate:,.0f}" for rate in rates),
            f"{1 / loop:,.0f}",
        )
    if shrinking:
        _shrinking()


def _loop_seconds(domains: Any, reference: Any, cases: int = 500) -> float:
    """Seconds per case of a NumPy loop that draws, runs a tile program in NumPy and its reference, and compares."""
    rng = np.random.default_rng(0)

    def numpy_softmax(x: np.ndarray) -> np.ndarray:
        weights = np.exp(x - x.max(axis=-1, keepdims=True))
        return weights / weights.sum(axis=-1, keepdims=True)

    start = time.perf_counter()
    for _ in range(cases):
        if len(domains) == 2:
            table, rows = rng.standard_normal((8, 32), np.float32), rng.integers(0, 8, (8, 1), np.int32)
            assert (table[rows[:, 0]] == np.take(table, rows[:, 0], axis=0)).all()
        else:
            x = rng.standard_normal((16, 16), np.float32)
            np.testing.assert_allclose(numpy_softmax(x), numpy_softmax(x), 1e-5)
    return (time.perf_counter() - start) / cases


def _shrinking() -> None:
    def wrong(x: jax.Array, y: jax.Array) -> jax.Array:
        return jnp.where((x[3, 5] > 0) & (y[90, 11] < 0), (x * y).at[100, 400].add(1), x * y)

    table = Table("Shrinking a planted fault of a 128x512 kernel with two arguments", ("elements left", "time"))
    start = time.perf_counter()
    big = testing.floats((128, 512))
    try:
        testing.check(wrong, big, big, against=lambda x, y: x * y, cases=8)
    except testing.CheckFailure as failure:
        left = sum(int(np.count_nonzero(a)) for a in failure.shrunk)
        table.row(left, f"{time.perf_counter() - start:.1f} s, all of check included")
