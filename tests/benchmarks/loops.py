"""Loops over tiles: how long they compile as trips grow, and how fast each form runs, forwards and backwards."""

import statistics
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jnki.neuronxcc.nki as nki
import jnki.neuronxcc.nki.language as nl
from jnki.lower.lowering import lower_program
from jnki.lower.plan import Form
from tests.benchmarks.table import Table, factor, milliseconds
from tests.benchmarks.timing import Effort, fastest, median_ms, ratio, sampled

ROWS = 128


@nki.jit
def copy(x):
    """Every tile of `[128, F]` from HBM to SBUF and back."""
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    row, column = nl.arange(ROWS)[:, None], nl.arange(x.shape[1])[None, :]
    for i in nl.affine_range(x.shape[0] // ROWS):
        nl.store(out[i * ROWS + row, column], nl.load(x[i * ROWS + row, column]))
    return out


@nki.jit
def exponential(x):
    """The same, with an exponential on the way."""
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    row, column = nl.arange(ROWS)[:, None], nl.arange(x.shape[1])[None, :]
    for i in nl.affine_range(x.shape[0] // ROWS):
        nl.store(out[i * ROWS + row, column], nl.exp(nl.load(x[i * ROWS + row, column])))
    return out


@nki.jit
def running_sum(x):
    """Tiles added up one after another: iterations depend on each other."""
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    row, column = nl.arange(ROWS)[:, None], nl.arange(x.shape[1])[None, :]
    total = nl.zeros((ROWS, x.shape[1]), dtype=x.dtype, buffer=nl.sbuf)
    for i in nl.sequential_range(x.shape[0] // ROWS):
        total[...] = nl.add(total, nl.load(x[i * ROWS + row, column]))
        nl.store(out[i * ROWS + row, column], total)
    return out


def _scanned(x: jax.Array) -> jax.Array:
    tiles = x.reshape(-1, ROWS, x.shape[1])
    return jax.lax.scan(lambda carry, tile: (carry, jnp.exp(tile)), (), tiles)[1].reshape(x.shape)


def _running_sum_scanned(x: jax.Array) -> jax.Array:
    def step(total: jax.Array, tile: jax.Array) -> Any:
        total = total + tile
        return total, total

    tiles = x.reshape(-1, ROWS, x.shape[1])
    return jax.lax.scan(step, jnp.zeros_like(tiles[0]), tiles)[1].reshape(x.shape)


EXPONENTIALS: dict[str, Callable[..., Any]] = {"jnp.exp": jnp.exp, "lax.scan over tiles": _scanned}
RUNNING_SUMS: dict[str, Callable[..., Any]] = {
    "lax.scan over tiles": _running_sum_scanned,
    "jnp.cumsum": lambda x: jnp.cumsum(x.reshape(-1, ROWS, x.shape[1]), axis=0).reshape(x.shape),
}


def run(effort: Effort, trips: tuple[int, ...] = (16, 256), compile_trips: tuple[int, int] = (16, 1024)) -> None:
    """Prints both tables."""
    _compile_times(effort, compile_trips)
    table = Table(
        "Loops over 128x512 tiles, float32",
        ("loop", "trips", "form", "", "ratio to hand-written", "jnki", "hand-written", "its form"),
    )
    for n in trips:
        x = jax.block_until_ready(jnp.asarray(np.random.default_rng(0).standard_normal((n * ROWS, 512)), jnp.float32))
        for form in (Form.BATCH, Form.SCAN):
            ours = _lowered(exponential, x, form)
            table_rows(table, ("exp of each tile", n, form.name.lower()), ours, EXPONENTIALS, x, effort)
        ours = _lowered(running_sum, x, Form.SCAN)
        table_rows(table, ("running sum", n, "scan"), ours, RUNNING_SUMS, x, effort)


def table_rows(
    table: Table, cells: tuple[Any, ...], ours: Any, by_hand: dict[str, Any], x: jax.Array, effort: Effort
) -> None:
    """Two rows: the value, and its gradient."""
    for what, lift in (("value", lambda f: f), ("gradient", _gradient)):
        compiled = {name: jax.jit(lift(f)) for name, f in {"ours": ours, **by_hand}.items()}
        ours_found = np.asarray(compiled["ours"](x))
        for f in compiled.values():
            np.testing.assert_allclose(f(x), ours_found, atol=1e-5 * np.abs(ours_found).max())
        samples = sampled({name: lambda f=f: f(x) for name, f in compiled.items()}, effort)
        best = fastest(samples, list(by_hand))
        times = [milliseconds(median_ms(samples, name)) for name in ("ours", best)]
        table.row(*cells, what, factor(ratio(samples, "ours", best)), *times, best)


def _gradient(function: Callable[..., Any]) -> Callable[..., Any]:
    return jax.grad(lambda x: (function(x) ** 2).sum())


def _lowered(kernel: Any, x: jax.Array, form: Form) -> Callable[..., Any]:
    pure = lower_program(kernel.trace(x), form)
    return lambda array: pure(array)[0][0]


def _compile_times(effort: Effort, trips: tuple[int, int]) -> None:
    few, many = trips
    stages = ("recording", "tracing and compiling", "both")
    table = Table(
        "From a Python function to an executable: a loop that loads and stores 128x512 tiles",
        ("form", "stage", f"{few} trips", f"{many} trips", "ratio"),
    )
    for form in (None, Form.BATCH, Form.SCAN):
        seconds: dict[int, list[tuple[float, ...]]] = {few: [], many: []}
        for n in trips:
            _compile_seconds(form, n)
        for number in range(effort.rounds):
            for n in trips if number % 2 == 0 else reversed(trips):
                seconds[n].append(_compile_seconds(form, n))
        for stage, of_few, of_many in zip(stages, zip(*seconds[few]), zip(*seconds[many])):
            times = [milliseconds(statistics.median(samples) * 1e3) for samples in (of_few, of_many)]
            times_more = statistics.median(b / a for a, b in zip(of_few, of_many))
            table.row("as chosen" if form is None else form.name.lower(), stage, *times, factor(times_more))


def _compile_seconds(form: Form | None, trips: int) -> tuple[float, float, float]:
    """Seconds of recording, of tracing and compiling, and of both; nothing is cached."""
    shape = jax.ShapeDtypeStruct((trips * ROWS, 512), jnp.float32)
    fresh = nki.jit(copy.function)
    start = time.perf_counter()
    program = fresh.trace(shape)
    recorded = time.perf_counter()
    jax.jit(lower_program(program, form)).lower(shape).compile()
    done = time.perf_counter()
    return recorded - start, done - recorded, done - start
