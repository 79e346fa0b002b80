"""Running random programs in every form, in both dialects, and comparing each with plain NumPy."""

from contextlib import nullcontext

import jax
import numpy as np
from jax import numpy as jnp

from jnki.errors import RuleError
from jnki.neuronxcc import nki
from tests.programs.current import check_current
from tests.programs.draw import ROWS, WIDE, program
from tests.programs.meanings import as_kernel, in_numpy
from tests.record.rerolling import rerolling

nl = nki.language

# What parallel iterations may not do, and what tiles of a loop may not: refused by name, in these forms alone.
OF_PARALLEL_LOOPS = ("err_unexpected_output_dependencies", "affine_range.no_carried_dep")
AROUND = (
    lambda y: y,
    lambda y: y[None],
    lambda y: y.reshape(8, -1),
    lambda y: y.T,
    lambda y: y[3:50] * 1,
    lambda y: y.astype(jnp.bfloat16),
)


def arrays_of(seed):
    rng = np.random.default_rng(seed)
    x = rng.integers(-20, 20, (2, ROWS, WIDE)).astype(np.float32)
    rows = rng.permutation(ROWS + 2)[:8, None].astype(np.int32)
    rows[rng.integers(8)] = -1
    return x, rows


def check(seed: int, reroll: bool = False) -> str | None:
    """What is wrong with the program of this seed, with its source; None where nothing is.

    Args:
        reroll: whether each recording, however short, is made loops again wherever it can be.
    """
    with rerolling() if reroll else nullcontext():
        return _check(seed)


def _check(seed: int) -> str | None:
    source = program(seed)
    x, rows = arrays_of(seed)
    wanted = [in_numpy(source, one, rows) for one in x]
    around = AROUND[seed % len(AROUND)]
    runs = {}
    for loop in (nl.static_range, nl.sequential_range, nl.affine_range):
        kernel = as_kernel(source, loop)
        try:
            kernel.trace(x[0], x[0], rows)
        except RuleError as error:
            if loop is nl.affine_range and error.rule in OF_PARALLEL_LOOPS:
                continue
            return f"seed {seed}, {loop.__name__}: {error}\n{source}"
        runs[loop.__name__] = kernel

    def every_form(x, rows):
        before, found = jnp.zeros_like(x[0]), {}
        for number, (name, kernel) in enumerate(runs.items()):
            # Numbers that compilers cannot see keep one form from being computed as another.
            one, two = x[0] + 0 * x[1, 0, 0] * number, x
            found[name] = around(kernel.with_fault(before, one, rows)[0])
            if name == "sequential_range":
                batch = jax.vmap(lambda v: kernel.with_fault(before, v, rows)[0])(two)  # noqa: B023
                found["in a batch"] = around(batch[1])
        return found

    found = jax.jit(every_form)(x, rows)
    for name, array in found.items():
        right = around(jnp.asarray(wanted[1 if name == "in a batch" else 0]))
        if not np.array_equal(np.asarray(array, np.float32), np.asarray(right, np.float32)):
            return f"seed {seed}, {name}: {int((array != right).sum())} elements differ\n{source}"
    # All loops are unrolled then, whatever they are.
    if not np.array_equal(list(runs.values())[-1].eager(np.zeros_like(x[0]), x[0], rows), wanted[0]):
        return f"seed {seed}, instruction by instruction\n{source}"
    with jax.disable_jit():
        kernel = next(iter(runs.values()))
        if not np.array_equal(kernel(np.zeros_like(x[0]), x[0], rows), wanted[0]):
            return f"seed {seed}, step by step\n{source}"
    return check_current(seed, source, (x, rows), wanted, around)
