"""How much longer than JAX itself jnki takes to import, each time in a new process."""

import statistics
import subprocess
import sys
import time

from tests.benchmarks.table import Table, factor, milliseconds
from tests.benchmarks.timing import Effort, ratio

MODULES = ("jax", "jnki", "jnki.neuronxcc.nki")


def run(effort: Effort) -> None:
    """Prints the ratio of each import to `import jax`, a bare interpreter included in both."""
    samples: dict[str, list[float]] = {module: [] for module in MODULES}
    for module in MODULES:
        _seconds(module)
    for number in range(effort.rounds):
        for module in MODULES if number % 2 == 0 else reversed(MODULES):
            samples[module].append(_seconds(module))
    table = Table("Import, in a new process", ("module", "time", "ratio to import jax"))
    for module in MODULES:
        table.row(module, milliseconds(statistics.median(samples[module]) * 1e3), factor(ratio(samples, module, "jax")))


def _seconds(module: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", f"import {module}"], check=True)
    return time.perf_counter() - start
