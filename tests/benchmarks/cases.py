"""Many small random cases at once: load, check, gather, store, in one vmapped call and in a NumPy loop."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jnki
import jnki.neuronxcc.nki as nki
import jnki.neuronxcc.nki.isa as nisa
import jnki.neuronxcc.nki.language as nl
from jnki import DeviceMemory, hbm, sbuf
from tests.benchmarks.table import Table, factor, milliseconds
from tests.benchmarks.timing import Effort, median_ms, ratio, sampled


@dataclass(frozen=True)
class Cases:
    """`count` tables of `rows` by `columns`, each with as many row indices; one in `bad_every` cases has a bad one."""

    count: int = 1024
    rows: int = 8
    columns: int = 32
    bad_every: int = 16

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """Tables `[cases, rows, columns]` and indices `[cases, rows, 1]`."""
        rng = np.random.default_rng(0)
        tables = rng.standard_normal((self.count, self.rows, self.columns), np.float32)
        indices = rng.integers(0, self.rows, (self.count, self.rows, 1), np.int32)
        indices[:: self.bad_every, rng.integers(self.rows)] = self.rows
        return tables, indices


@nki.jit
def gather(table, indices):
    """Loads the indices, gathers the rows that they name, checks them, stores the tile."""
    rows, columns = table.shape
    row, column = nl.arange(rows)[:, None], nl.arange(columns)[None, :]
    places = nl.load(indices)
    tile = nl.ndarray((rows, columns), dtype=table.dtype, buffer=nl.sbuf)
    nisa.dma_copy(dst=tile, src=table[places[row, 0], column])
    out = nl.ndarray((rows, columns), dtype=table.dtype, buffer=nl.shared_hbm)
    nl.store(out, tile)
    return out


def functional(table: jax.Array, indices: jax.Array) -> Any:
    """The same, without a kernel."""
    memory = DeviceMemory.of(hbm={"table": table}, sbuf={"i": indices, "tile": jnp.zeros_like(table)})
    memory = jnki.dma_copy(memory, dst=sbuf("tile"), src=hbm("table")[sbuf("i"), :])
    return memory.sbuf["tile"], memory.fault


def by_hand(table: jax.Array, indices: jax.Array) -> Any:
    """Hand-written JAX: the rows, and the first bad position."""
    i = indices[:, 0]
    bad = (i < 0) | (i >= table.shape[0])
    first = jnp.min(jnp.where(bad, jnp.arange(i.shape[0]), i.shape[0]))
    rows = table.at[i].get(mode="clip", wrap_negative_indices=False)
    return jnp.where(bad[:, None], 0, rows), first


def in_numpy(tables: np.ndarray, indices: np.ndarray) -> Any:
    """Case by case: load, check, gather, store."""
    out = np.empty_like(tables)
    faults = []
    for case in range(len(tables)):
        table, i = tables[case], indices[case, :, 0]
        bad = (i < 0) | (i >= len(table))
        if bad.any():
            faults.append((case, int(np.argmax(bad))))
            continue
        out[case] = table[i]
    return out, faults


def run(effort: Effort, what: Cases | None = None) -> None:
    """Prints how many times faster than the NumPy loop each vmapped call is."""
    what = what or Cases()
    tables, indices = what.arrays()
    on_device = jax.block_until_ready((jnp.asarray(tables), jnp.asarray(indices)))
    vmapped = {
        "jnki kernel, with_fault": jax.jit(jax.vmap(gather.with_fault)),
        "jnki dma_copy": jax.jit(jax.vmap(functional)),
        "hand-written JAX": jax.jit(jax.vmap(by_hand)),
    }
    _agree(vmapped, on_device, in_numpy(tables, indices))
    calls = {name: lambda f=f: f(*on_device) for name, f in vmapped.items()}
    calls |= {f"{name}, NumPy arrays in": lambda f=f: f(tables, indices) for name, f in vmapped.items()}
    samples = sampled({**calls, "NumPy loop": lambda: in_numpy(tables, indices)}, effort)
    title = (
        f"{what.count:,} random gathers of {what.rows}x{what.columns}, float32, one in {what.bad_every} with a fault"
    )
    table = Table(title, ("how", "time", "times faster than the NumPy loop"))
    for name in samples:
        table.row(name, milliseconds(median_ms(samples, name)), factor(ratio(samples, "NumPy loop", name)))


def _agree(vmapped: dict[str, Any], arrays: Any, expected: Any) -> None:
    """All of them find the same rows and the same faults."""
    out, faults = expected
    good = np.setdiff1d(np.arange(len(out)), [case for case, _ in faults])
    for name, function in vmapped.items():
        found, fault = function(*arrays)
        np.testing.assert_array_equal(np.asarray(found)[good], out[good], err_msg=name)
        if isinstance(fault, jnki.Fault):
            assert [(d.case[0], d.row) for d in fault.details()] == faults, name
