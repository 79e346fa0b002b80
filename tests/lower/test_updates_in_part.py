"""A loop that updates parts of a buffer from values that came from other parts of it, found before the loop.

Batched, its slabs were a reshaped buffer; XLA's CPU compiler fused what had been read with the update, worked in place,
and read what it had written (docs/known_defects.md).
"""

import numpy as np
import pytest

import jnki.neuronxcc.nki as nki
from jnki.lower import run
from jnki.lower.plan import Form
from jnki.program.program import Loop

nl, nisa = nki.language, nki.isa
N = 8


@nki.jit
def swapped(x, w, parts):
    """Blocks 1 and 3 (of `parts` blocks in each iteration, the last one) get what the other one of the two was."""
    out = nl.ndarray((2 * parts, N, N), dtype=x.dtype, buffer=nl.shared_hbm)
    g = nl.ndarray((2 * parts, nl.par_dim(N), N), dtype=x.dtype, buffer=nl.sbuf)
    other = nl.ndarray((2, nl.par_dim(N), N), dtype=x.dtype, buffer=nl.sbuf)
    weight = nl.load(w)
    for r in nl.static_range(parts):
        g[r] = nl.load(x[r])
    for r in nl.sequential_range(parts):
        g[parts + r] = nl.copy(nisa.nc_matmul(nl.load(x[parts + r]), weight))
    other[0], other[1] = nl.copy(g[2 * parts - 1]), nl.copy(g[parts - 1])
    for r in nl.affine_range(2):
        g[parts * r + parts - 1] = nl.add(g[parts * r + parts - 1], other[r])
        if parts > 1:
            g[parts * r] = nl.minimum(g[parts * r], 7)
    for r in nl.static_range(2 * parts):
        nl.store(out[r], g[r])
    return out


@pytest.mark.parametrize("parts", [1, 2, 3])
def test_values_that_were_read_before_the_loop_are_those_from_before(parts):
    x = np.arange(2 * parts * N * N, dtype=np.float32).reshape(2 * parts, N, N)
    expected = x.copy()
    expected[parts:] = x[parts:].transpose(0, 2, 1)
    first, second = expected[parts - 1].copy(), expected[2 * parts - 1].copy()
    if parts > 1:
        expected[0], expected[parts] = np.minimum(expected[0], 7), np.minimum(expected[parts], 7)
    expected[parts - 1] = expected[2 * parts - 1] = first + second

    np.testing.assert_array_equal(np.asarray(swapped(x, np.eye(N, dtype=np.float32), parts)), expected)


@pytest.mark.parametrize("parts", [1, 2])
def test_only_an_update_in_part_keeps_a_loop_from_being_a_batch(parts, monkeypatch):
    """Where an iteration writes the whole of what it owns, nothing is updated in place."""

    forms = {}
    plan = run.plan

    def noted(loop: Loop, *arguments):
        found = plan(loop, *arguments)
        forms[loop.location.line] = found.form
        return found

    monkeypatch.setattr(run, "plan", noted)
    x = np.zeros((2 * parts, N, N), np.float32)
    nki.jit(swapped.function)(x, np.eye(N, dtype=np.float32), parts)
    assert list(forms.values())[-1] is (Form.BATCH if parts == 1 else Form.SCAN)
