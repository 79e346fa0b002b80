"""Tiled softmax, norms, a selective scan and matmul against hand-written JAX and a bare NumPy tile loop."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from tests.benchmarks import scan_kernels as scans
from tests.benchmarks import tiled_kernels as tiled
from tests.benchmarks.table import Table, factor, milliseconds
from tests.benchmarks.timing import Effort, median_ms, ratio, sampled


@dataclass(frozen=True)
class Case:
    """One kernel at one size.

    Attributes:
        name: what the table calls it.
        kernel, by_hand, in_numpy: three ways to compute it.
        shapes: of its arguments.
    """

    name: str
    kernel: Callable[..., Any]
    by_hand: Callable[..., Any]
    in_numpy: Callable[..., Any]
    shapes: tuple[tuple[int, ...], ...]

    def arguments(self, dtype: Any) -> list[jax.Array]:
        random = np.random.default_rng(0)
        return [jnp.asarray(random.standard_normal(shape), dtype) for shape in self.shapes]


def cases(small: bool = False) -> list[Case]:
    """The sizes of the table, or tiny ones that only show that everything runs."""
    rows = ((256, 64),) if small else ((1024, 2048), (4096, 4096))
    cubes = (512,) if small else (1024, 2048)
    found = []
    for shape in rows:
        size = f"{shape[0]}x{shape[1]}"
        found.append(Case(f"softmax {size}", tiled.softmax, tiled.softmax_jax, tiled.softmax_numpy, (shape,)))
        arguments = (shape, shape[1:])
        found.append(Case(f"RMSNorm {size}", tiled.rms_norm, tiled.rms_norm_jax, tiled.rms_norm_numpy, arguments))
        arguments = (shape, shape[1:], shape[1:])
        found.append(
            Case(f"LayerNorm {size}", scans.layer_norm, scans.layer_norm_jax, scans.layer_norm_numpy, arguments)
        )
    channels, states, time = (128, 2, 16) if small else (256, 16, 1024)
    arguments = ((channels, time), (channels, time), (channels, states), (states, time), (states, time))
    scan = (scans.selective_scan, scans.selective_scan_jax, scans.selective_scan_numpy)
    found.append(Case(f"selective scan {channels}x{states}x{time}", *scan, arguments))
    for n in cubes:
        found.append(Case(f"matmul {n}^3", tiled.matmul, tiled.matmul_jax, tiled.matmul_numpy, ((n, n), (n, n))))
    return found


def run(effort: Effort, small: bool = False) -> None:
    """Prints the tables: forwards and gradients of each kernel, and batches of small ones."""
    table = Table(
        "Kernels, float32 (the last two columns: bfloat16 against the same in float32)",
        (
            "kernel",
            "JAX",
            "jnki / JAX",
            "jnki / NumPy loop",
            "gradient / JAX",
            "gradient memory / JAX",
            "bf16 / f32",
            "JAX's",
        ),
    )
    for case in cases(small):
        table.row(case.name, *_measured(case, effort))
    table = Table("Batches under vmap, float32", ("kernel", "vmapped JAX", "jnki / JAX", "NumPy loop / jnki"))
    for count, shape in ((4, (16, 16)),) if small else ((1024, (16, 16)), (64, (128, 128))):
        batch = jnp.asarray(np.random.default_rng(0).standard_normal((count, *shape)), jnp.float32)
        table.row(f"{count} x softmax {shape[0]}x{shape[1]}", *_batched(batch, effort))


def _measured(case: Case, effort: Effort) -> list[str]:
    x = case.arguments(jnp.float32)
    narrow = case.arguments(jnp.bfloat16)
    plain = [np.asarray(a) for a in x]
    by_hand = jax.jit(case.by_hand)
    np.testing.assert_allclose(case.kernel(*x), by_hand(*x), rtol=1e-2, atol=1e-2)
    forward = sampled(
        {
            "jnki": lambda: case.kernel(*x),
            "jax": lambda: by_hand(*x),
            "numpy": lambda: case.in_numpy(*plain),
            "bf16": lambda: case.kernel(*narrow),
            "jax bf16": lambda: by_hand(*narrow),
        },
        effort,
    )
    ours, theirs = _gradient(case.kernel, x), _gradient(case.by_hand, x)
    backward = sampled({"jnki": lambda: ours(*x), "jax": lambda: theirs(*x)}, effort)
    return [
        milliseconds(median_ms(forward, "jax")),
        factor(ratio(forward, "jnki", "jax")),
        factor(ratio(forward, "jnki", "numpy")),
        factor(ratio(backward, "jnki", "jax")),
        factor(_peak_bytes(ours, x) / _peak_bytes(theirs, x)),
        factor(ratio(forward, "bf16", "jnki")),
        factor(ratio(forward, "jax bf16", "jax")),
    ]


def _gradient(function: Callable[..., Any], x: list[jax.Array]) -> Any:
    def loss(*args: jax.Array) -> jax.Array:
        return (function(*args) ** 2).sum()

    return jax.jit(jax.grad(loss, argnums=tuple(range(len(x)))))


def _peak_bytes(compiled: Any, x: list[jax.Array]) -> float:
    """Arguments, results and temporaries of a compiled function, in bytes."""
    memory = compiled.lower(*x).compile().memory_analysis()
    return memory.argument_size_in_bytes + memory.output_size_in_bytes + memory.temp_size_in_bytes


def _batched(batch: jax.Array, effort: Effort) -> list[str]:
    ours, theirs = jax.jit(jax.vmap(tiled.softmax)), jax.jit(jax.vmap(tiled.softmax_jax))
    plain = np.asarray(batch)
    np.testing.assert_allclose(ours(batch), theirs(batch), rtol=1e-5)
    samples = sampled(
        {
            "jnki": lambda: ours(batch),
            "jax": lambda: theirs(batch),
            "numpy": lambda: [tiled.softmax_numpy(case) for case in plain],
        },
        effort,
    )
    return [
        milliseconds(median_ms(samples, "jax")),
        factor(ratio(samples, "jnki", "jax")),
        factor(ratio(samples, "numpy", "jnki")),
    ]
