"""Counts, which never wrap."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from jnki.watch.run_findings import RunFindings
from jnki.watch.tally import WIDTH, saturated

MOST = np.iinfo(np.int32).max


@dataclass(frozen=True)
class Place:
    repeats: bool


def test_a_sum_of_counts_stays_at_the_largest_number():
    one = jnp.array([0, 5, MOST - 1, MOST, MOST], jnp.int32)
    other = jnp.array([0, 7, 1, 1, MOST], jnp.int32)
    assert saturated(one, other).tolist() == [0, 12, MOST, MOST, MOST]


def test_so_does_that_of_all_places():
    tally = np.zeros((2, 3, WIDTH), np.int32)
    tally[0, :, 0] = MOST, 3, MOST
    tally[1, :, 0] = 4, 5, 6
    found = RunFindings(jnp.asarray(tally), (Place(False), Place(True), Place(False)))
    assert found.unwritten.tolist() == [MOST, 10]
    assert found.repeated.tolist() == [3, 5]
    assert jax.jit(lambda f: f.unwritten)(found).tolist() == [MOST, 10]
