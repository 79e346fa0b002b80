"""The same kernels in both dialects: alone, batched and differentiated."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from tests.benchmarks import dialect_kernels as current
from tests.benchmarks import tiled_kernels as legacy
from tests.benchmarks.table import Table, factor, milliseconds
from tests.benchmarks.timing import Effort, median_ms, ratio, sampled

BATCH = 4


def run(effort: Effort, small: bool = False) -> None:
    """Prints the table: milliseconds of the legacy kernel, and the current one's time divided by it."""
    columns = ("kernel", "alone", "current / legacy", f"batched by {BATCH}", "current / legacy", "gradient")
    table = Table("The current dialect beside the legacy one, float32", (*columns, "current / legacy"))
    for name, old, new, shapes in cases(small):
        table.row(name, *_measured(old, new, shapes, effort))


def cases(small: bool) -> list[tuple[str, Callable[..., Any], Callable[..., Any], tuple[tuple[int, ...], ...]]]:
    n = 512 if small else 1024
    rows, heads = (n, n), ((64, n), (64, n), (n, 64))
    return [
        (f"softmax {n}x{n}", legacy.softmax, current.softmax, (rows,)),
        (f"RMSNorm {n}x{n}", legacy.rms_norm, current.rms_norm, (rows, (n,))),
        (f"matmul {n}^3", legacy.matmul, current.matmul, (rows, rows)),
        (f"attention {n}, head 64", current.legacy_attention, current.attention, heads),
    ]


def _measured(old: Any, new: Any, shapes: tuple[tuple[int, ...], ...], effort: Effort) -> list[str]:
    random = np.random.default_rng(0)
    x = [jnp.asarray(0.3 * random.standard_normal(shape), jnp.float32) for shape in shapes]
    batch = [jnp.stack([array] * BATCH) for array in x]
    np.testing.assert_allclose(new(*x), old(*x), rtol=2e-3, atol=2e-4)
    cells = []
    for form, arguments in ((lambda f: f, x), (_batched, batch), (_gradient, x)):
        ours, theirs = form(new), form(old)
        samples = sampled(
            {"new": lambda: ours(*arguments), "old": lambda: theirs(*arguments)},  # noqa: B023
            effort,
        )
        cells += [milliseconds(median_ms(samples, "old")), factor(ratio(samples, "new", "old"))]
    return cells


def _batched(function: Any) -> Any:
    return jax.jit(jax.vmap(function))


def _gradient(function: Any) -> Any:
    def loss(*args: jax.Array) -> jax.Array:
        return (function(*args) ** 2).sum()

    return jax.jit(lambda *args: jax.grad(loss, argnums=tuple(range(len(args))))(*args))
