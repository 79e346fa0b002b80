"""Counts of unwritten elements and repeated rows, of random programs in every form, against NumPy, exactly."""

import jax
import numpy as np
import pytest

from jnki.errors import RuleError
from jnki.neuronxcc import nki
from tests.record.rerolling import not_rerolling
from tests.watch.programs import TALL, WIDE, draw, expected, kernel_of

nl = nki.language

CASES = 3


def arrays_of(seed):
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 3, (CASES, TALL, WIDE)).astype(np.float32)
    rows = rng.integers(-2, TALL + 3, (CASES, TALL, 1)).astype(np.int32)
    return x, rows


def counted(found, case=None):
    tally = np.asarray(found.tally if case is None else found.tally[case])
    counts = {"t0": 0, "t1": 0, "t2": 0, "out": 0}
    for place, row in zip(found.places, tally):
        if not place.repeats:
            counts[place.access.buffer.name] += int(row[0])
    return counts


def together(counts):
    """Reads and outputs: where loops are found again, equal tiles of a list are one buffer under one name."""
    return sum(counts.values()) - counts["out"], counts["out"]


@pytest.mark.parametrize("start", range(0, 24, 4))
def test_random_programs(start):
    checked = 0
    for seed in range(start, start + 4):
        program = draw(seed)
        x, rows = arrays_of(seed)
        wanted, repeats = zip(*(expected(program, a, r) for a, r in zip(x, rows)))
        for loop in (nl.static_range, nl.sequential_range):
            kernel = kernel_of(program, loop)
            try:
                kernel.trace(x[0], rows[0])
            except RuleError as error:
                raise AssertionError(f"seed {seed}: {program}") from error
            batch = jax.jit(jax.vmap(kernel.with_findings))(x, rows)[2]
            found = [counted(batch, case) for case in range(CASES)]
            assert list(map(together, found)) == list(map(together, wanted)), seed
            assert not batch.unjudged
            np.testing.assert_array_equal(batch.repeated, repeats)
            np.testing.assert_array_equal(batch.unwritten, [sum(w.values()) for w in wanted])
            checked += 1
        if seed % 4 == 0:
            with not_rerolling():
                kernel = kernel_of(program, nl.static_range)
                outputs, fault, found = kernel.with_findings(x[1], rows[1])
            assert counted(found) == wanted[1], seed
            plain, plain_fault = kernel.with_fault(x[1], rows[1])
            np.testing.assert_array_equal(np.asarray(outputs).view(np.int32), np.asarray(plain).view(np.int32))
            assert int(fault.site) == int(plain_fault.site)
    assert checked == 8
