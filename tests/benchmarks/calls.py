"""What one call of a tiny kernel costs beside one call of a jitted function."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jnki.neuronxcc.nki as nki
import jnki.neuronxcc.nki.isa as nisa
import jnki.neuronxcc.nki.language as nl
from tests.benchmarks.table import Table, factor, milliseconds
from tests.benchmarks.timing import Effort, median_ms, ratio, sampled


@nki.jit
def copy(x):
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    nl.store(out, nl.load(x))
    return out


@nki.jit
def gather(x, indices):
    """May fault: the call reads the fault record back before it returns."""
    rows, columns = x.shape
    row, column = nl.arange(rows)[:, None], nl.arange(columns)[None, :]
    places = nl.load(indices)
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    nisa.dma_copy(dst=out, src=x[places[row, 0], column])
    return out


@jax.jit
def copy_by_hand(x):
    return jnp.array(x, copy=True)


@jax.jit
def _gather_by_hand(x, indices):
    i = indices[:, 0]
    bad = (i < 0) | (i >= x.shape[0])
    first = jnp.min(jnp.where(bad, jnp.arange(i.shape[0]), i.shape[0]))
    return jnp.where(bad[:, None], 0, x.at[i].get(mode="clip", wrap_negative_indices=False)), first


def gather_by_hand(x, indices):
    """Checked as the kernel is: the first bad row is read back, and raises."""
    out, first = _gather_by_hand(x, indices)
    if int(first) < x.shape[0]:
        raise IndexError(f"row {first} has index {indices[first]}")
    return out


def run(effort: Effort, shape: tuple[int, int] = (8, 32)) -> None:
    """Prints the ratio of a kernel call to a call of a jitted function."""
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    indices = np.arange(shape[0], dtype=np.int32)[::-1, None].copy()
    table = Table(
        f"One call of a kernel on {shape[0]}x{shape[1]}, float32", ("kernel", "arrays", "ratio", "jnki", "jitted JAX")
    )
    for name, ours, by_hand, arrays in (
        ("copy", copy, copy_by_hand, (x,)),
        ("gather, fault raised", gather, gather_by_hand, (x, indices)),
        ("gather, with_fault", gather.with_fault, _gather_by_hand, (x, indices)),
    ):
        _row(table, (name, "JAX"), ours, by_hand, tuple(map(jnp.asarray, arrays)), effort)
        # NumPy arrays come back where NumPy arrays went in: so do they from the function beside it.
        _row(table, (name, "NumPy"), ours, _as_numpy(by_hand), arrays, effort)


def _as_numpy(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*arrays: np.ndarray) -> Any:
        out = function(*arrays)
        return (np.asarray(out[0]), out[1]) if isinstance(out, tuple) else np.asarray(out)

    return call


def _row(table: Table, cells: Any, ours: Any, by_hand: Any, arrays: Any, effort: Effort) -> None:
    samples = sampled({"ours": lambda: ours(*arrays), "jax": lambda: by_hand(*arrays)}, effort)
    times = [milliseconds(median_ms(samples, name)) for name in ("ours", "jax")]
    table.row(*cells, factor(ratio(samples, "ours", "jax")), *times)
