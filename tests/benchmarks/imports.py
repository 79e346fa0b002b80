"""How much longer than JAX itself jnki takes to import, each time in a new process."""

import statistics
import subprocess
import sys
import time

from tests.benchmarks.table import Table, factor, milliseconds
from tests.benchmarks.timing import Effort, ratio

MODULES = ("jax", "jnki", "jnki.neuronxcc.nki")


def run(effort: Effort, modules: tuple[str, ...] = MODULES) -> None:
    """Prints the ratio of each import to that of the first module, a bare interpreter included in both."""
    samples: dict[str, list[float]] = {module: [] for module in modules}
    for module in modules:
        _seconds(module)
    for number in range(effort.rounds):
        for module in modules if number % 2 == 0 else reversed(modules):
            samples[module].append(_seconds(module))
    table = Table("Import, in a new process", ("module", "time", f"ratio to import {modules[0]}"))
    for module in modules:
        time_ms = statistics.median(samples[module]) * 1e3
        table.row(module, milliseconds(time_ms), factor(ratio(samples, module, modules[0])))


def _seconds(module: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", f"import {module}"], check=True)
    return time.perf_counter() - start
