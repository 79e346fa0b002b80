"""Every access pattern of `dma_copy` against hand-written JAX of the same meaning.

Both sides are jitted functions of arrays that return the new destination; nothing is donated. Of several hand-written
forms the fastest one counts.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jnki
from jnki import TRN2, DeviceMemory, arange, hbm, oob_mode, sbuf
from tests.benchmarks import by_hand
from tests.benchmarks.table import Table, factor, milliseconds
from tests.benchmarks.timing import Effort, fastest, median_ms, ratio, sampled


@dataclass(frozen=True)
class Size:
    """Rows and columns of the larger tensor, rows that an index names at once, and cases of the vmapped run."""

    rows: int
    columns: int
    indexed: tuple[int, ...]
    cases: int
    batch_rows: int


SMALL = Size(128, 512, (128,), cases=64, batch_rows=128)
LARGE = Size(8192, 4096, (128, 8192), cases=8, batch_rows=2048)
TYPES = (jnp.float32, jnp.bfloat16)
TINY = Size(8, 16, (4,), cases=2, batch_rows=8)


@dataclass(frozen=True)
class Move:
    """One pattern.

    Attributes:
        shapes: of dst and src.
        indices: how many rows an index tile names, 0 where there is none.
        ours: from (dst, src[, indices]) to the new destination, and the fault where there may be one.
        by_hand: alternatives of the same meaning, by name.
    """

    name: str
    shapes: tuple[tuple[int, ...], tuple[int, ...]]
    ours: Callable[..., Any]
    by_hand: dict[str, Callable[..., Any]]
    indices: int = 0


def direct(name: str, shapes: Any, forms: dict[str, Any], dst: Any, src: Any, mask: Any = None) -> Move:
    """A copy between HBM tensors at static places."""

    def ours(d: jax.Array, s: jax.Array) -> jax.Array:
        memory = DeviceMemory.of(hbm={"dst": d, "src": s})
        return jnki.dma_copy(memory, dst=dst(hbm("dst")), src=src(hbm("src")), mask=mask).hbm["dst"]

    return Move(name, shapes, ours, forms)


def indirect(name: str, rows: int, columns: int, count: int, forms: dict[str, Any], **how: Any) -> Move:
    """A gather of `count` rows of a table into a tile, or a scatter of a tile to rows of a table."""
    scatters = "scatter" in name
    table, tile = (rows, columns), (count, columns)
    target = replace(TRN2, name=f"{count} partitions", partition_count=max(128, count))

    def ours(d: jax.Array, s: jax.Array, indices: jax.Array) -> Any:
        named = {"dst": d} if scatters else {"src": s}
        memory = DeviceMemory.of(hbm=named, sbuf={("src" if scatters else "dst"): s if scatters else d, "i": indices})
        dst = hbm("dst")[sbuf("i"), :] if scatters else sbuf("dst")
        src = sbuf("src") if scatters else hbm("src")[sbuf("i"), :]
        after = jnki.dma_copy(memory, dst=dst, src=src, target=target, **how)
        new = after.hbm["dst"] if scatters else after.sbuf["dst"]
        return new if how.get("oob_mode") is oob_mode.skip else (new, after.fault)

    return Move(name, (table, tile) if scatters else (tile, table), ours, forms, indices=count)


def moves(rows: int, columns: int, indexed: tuple[int, ...]) -> Iterator[Move]:
    """All patterns on tensors of `rows` by `columns`."""
    whole, half = (rows, columns), (rows // 2, columns // 2)
    box = (slice(rows // 4, rows // 4 + half[0]), slice(columns // 4, columns // 4 + half[1]))

    def all_of(ref: Any) -> Any:
        return ref

    yield direct("whole", (whole, whole), by_hand.whole(), all_of, all_of)
    yield direct("slice read", (half, whole), by_hand.slice_read(box), all_of, lambda ref: ref[box])
    yield direct("slice write", (whole, half), by_hand.slice_write(box), lambda ref: ref[box], all_of)
    for name, at, part in (
        ("every 2nd column", (slice(None), slice(0, None, 2)), (rows, half[1])),
        ("every 2nd row", (slice(0, None, 2), slice(None)), (half[0], columns)),
    ):
        yield direct(f"{name}, read", (part, whole), by_hand.strided_read(at), all_of, lambda ref, at=at: ref[at])
        yield direct(f"{name}, write", (whole, part), by_hand.strided_write(at), lambda ref, at=at: ref[at], all_of)
    swapped = (arange(rows)[None, :], arange(columns)[:, None])
    yield direct("transposed", ((columns, rows), whole), by_hand.transposed(), all_of, lambda ref: ref[swapped])
    p, f = arange(rows)[:, None], arange(columns)[None, :]
    edge = (rows - rows // 8 - 1, columns - columns // 8 - 3)
    ragged = (p < edge[0]) & (f < edge[1])
    yield direct("masked, ragged edge", (whole, whole), by_hand.ragged(edge), all_of, all_of, ragged)
    yield direct("masked, diagonal", (whole, whole), by_hand.diagonal(), all_of, all_of, p >= f)
    skip, error = {"oob_mode": oob_mode.skip}, {"oob_mode": oob_mode.error}
    for count in indexed:
        name = f"{count} of {rows} rows"
        size = (rows, columns, count)
        yield indirect(f"gather {name}, skip", *size, by_hand.gather_skip(rows), **skip)
        yield indirect(f"gather {name}, error", *size, by_hand.gather_error(rows), **error)
        yield indirect(f"scatter {name}, skip", *size, by_hand.scatter_skip(rows), **skip)
        yield indirect(f"scatter {name}, error", *size, by_hand.scatter_error(rows), **error)
        yield indirect(f"scatter-add {name}", *size, by_hand.scatter_add(rows), dst_rmw_op=np.add)


def arguments(move: Move, dtype: Any, cases: int | None) -> tuple[jax.Array, ...]:
    """Random arrays for `move`, with a leading batch axis where `cases` is given."""
    rng = np.random.default_rng(0)
    lead = () if cases is None else (cases,)

    def array(shape: tuple[int, ...]) -> jax.Array:
        return jnp.asarray(rng.standard_normal((*lead, *shape), np.float32)).astype(dtype)

    arrays = tuple(map(array, move.shapes))
    if not move.indices:
        return arrays
    table = max(shape[0] for shape in move.shapes)
    return (*arrays, jnp.asarray(rng.integers(0, table, (*lead, move.indices, 1)), jnp.int32))


def measure(move: Move, dtype: Any, cases: int | None, effort: Effort) -> tuple[float, str, float, float]:
    """The ratio to the fastest hand-written form, that form's name, and the milliseconds of both."""
    inputs = jax.block_until_ready(arguments(move, dtype, cases))
    lift = jax.vmap if cases is not None else lambda function: function
    narrow = jnp.dtype(dtype).itemsize < 4
    forms = {name: form for name, form in move.by_hand.items() if narrow or by_hand.AS_BITS not in name}
    compiled = {name: jax.jit(lift(form)) for name, form in {"ours": move.ours, **forms}.items()}
    calls = {name: lambda function=function: function(*inputs) for name, function in compiled.items()}
    _check({name: call() for name, call in calls.items()})
    # The form is chosen in a run of its own: the least of many noisy medians would look faster than it is.
    best = fastest(sampled(calls, Effort(max(1, effort.rounds // 2), effort.sample_s / 4)), list(forms))
    samples = sampled({name: calls[name] for name in ("ours", best)}, effort)
    return ratio(samples, "ours", best), best, median_ms(samples, "ours"), median_ms(samples, best)


def _check(found: dict[str, Any]) -> None:
    """Every form gives the same new destination, bit for bit; otherwise a comparison of times means nothing."""
    ours, *theirs = (jax.tree.leaves(outputs)[0] for outputs in found.values())
    for name, other in zip(list(found)[1:], theirs):
        if not bool(jnp.array_equal(ours, other)):
            raise AssertionError(f"'{name}' gives something else than dma_copy")


def run(
    effort: Effort, sizes: tuple[Size, ...] = (SMALL, LARGE), only: str = "", types: tuple[Any, ...] = TYPES
) -> None:
    """Prints one table per size."""
    for size in sizes:
        for cases in (None, size.cases):
            rows = size.rows if cases is None else size.batch_rows
            indexed = tuple(dict.fromkeys(min(n, rows) for n in size.indexed))
            how = "alone" if cases is None else f"vmapped over {cases}"
            table = Table(
                f"dma_copy, {rows}x{size.columns}, {how}",
                ("pattern", "type", "ratio to hand-written", "jnki", "hand-written", "its form"),
            )
            for move in moves(rows, size.columns, indexed):
                if only not in move.name:
                    continue
                for dtype in types:
                    times, best, ours, theirs = measure(move, dtype, cases, effort)
                    cells = (factor(times), milliseconds(ours), milliseconds(theirs), best)
                    table.row(move.name, jnp.dtype(dtype).name, *cells)
