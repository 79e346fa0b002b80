"""`power`, `poisons=`, `orders=`, `around=` and `spread`: each hazard is planted and found."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jnki.neuronxcc.nki as nki
import jnki.neuronxcc.nki.isa as nisa
import jnki.neuronxcc.nki.language as nl
from jnki import testing
from jnki.neuronxcc.nki.typing import mutable_tensor
from tests.testing.kernels import double, gather, gathered

TABLE, ROWS = testing.floats((4, 3)), testing.rows((5, 1), size=4, outside=0.05)


def by_name(mutants):
    return {m.name: m for m in mutants}


def test_a_strong_check_accepts_no_mutant_of_a_gather():
    found = by_name(testing.power(gather, TABLE, ROWS, against=gathered, cases=64))
    assert set(found) == {
        *("outputs zero", "a cast rounding down", "last tile not written", "an index off by one", "oob_mode flipped"),
    }
    assert not any(m.accepted for m in found.values())
    assert str(found["oob_mode flipped"]).startswith("oob_mode flipped (kernels.py:")
    assert str(found["outputs zero"]).startswith("outputs zero: wrong in ")


def test_a_weak_check_accepts_some():
    inside = testing.rows((5, 1), size=4)
    found = by_name(testing.power(gather, TABLE, inside, against=gathered, cases=64, rtol=1e-3))
    assert {name for name, m in found.items() if m.accepted} == {"a cast rounding down", "oob_mode flipped"}
    assert str(found["a cast rounding down"]) == "a cast rounding down: ACCEPTED"


@nki.jit
def scatter(table: mutable_tensor, rows, values):
    index = nl.load(rows)
    i_p = nl.arange(rows.shape[0])[:, None]
    i_f = nl.arange(table.shape[1])[None, :]
    nisa.dma_copy(dst=table[index[i_p, 0], i_f], src=nl.load(values))
    return table


@nki.jit
def scatter_add(table: mutable_tensor, rows, values):
    index = nl.load(rows)
    i_p = nl.arange(rows.shape[0])[:, None]
    i_f = nl.arange(table.shape[1])[None, :]
    nisa.dma_copy(dst=table[index[i_p, 0], i_f], src=nl.load(values), dst_rmw_op=np.add)
    return table


def scattered(table, rows, values):
    table = np.array(table)
    for row, value in zip(rows[:, 0], values):
        table[row] = value
    return table


def test_duplicates_and_accumulation():
    values, rows, only = testing.floats((5, 3)), testing.rows((5, 1), size=4), ("first of duplicates wins",)
    (mutant,) = testing.power(scatter, TABLE, rows, values, against=scattered, cases=32, only=only)
    assert not mutant.accepted and mutant.where.startswith("test_power.py:")
    once, few = testing.constant(np.array([[3], [1], [0], [2]], np.int32)), testing.floats((4, 3))
    (mutant,) = testing.power(scatter, TABLE, once, few, against=scattered, cases=32, only=only, faults="never")
    assert mutant.accepted  # nothing is repeated here
    added, only = lambda t, r, v: t.at[r[:, 0]].add(v), ("accumulate becomes write",)
    (mutant,) = testing.power(
        scatter_add, TABLE, rows, values, against=added, cases=32, rtol=1e-5, atol=1e-6, only=only
    )
    assert not mutant.accepted


@nki.jit
def half_written(x):
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    tile = nl.ndarray((4, 6), dtype=nl.float32, buffer=nl.sbuf)
    tile[:, 0:3] = nl.load(x[:, 0:3])
    nl.store(out, nl.multiply(tile, 2.0))
    return out


def test_uninitialised_memory():
    x = testing.floats((4, 6))
    testing.check(double, x, against=lambda x: 2 * x, cases=8, poisons=2)
    wrong = lambda x: (2 * x).at[:, 3:].set(jnp.nan)  # noqa: E731 - what jnki's own poison makes of it
    with pytest.raises(testing.CheckFailure) as caught:
        testing.check(half_written, x, against=wrong, cases=8, poisons=2)
    text = str(caught.value)
    assert (
        "uninitialised memory reaches an output: case 0, output[0, 3] is np.nan or 6.0; 96 elements in 8 cases" in text
    )
    assert "  unwritten elements of 'tile' are read by " in text and "(test_power.py:" in text


@nki.jit
def sums(x):
    """The sum over four tiles, in the order of the loop."""
    out = nl.ndarray((2, 3), dtype=x.dtype, buffer=nl.shared_hbm)
    total = nl.zeros((2, 3), dtype=nl.float32, buffer=nl.sbuf)
    for i in nl.affine_range(4):
        total += nl.load(x[nl.ds(2 * i, 2), :])
    nl.store(out, total)
    return out


def test_orders():
    x = testing.floats((8, 3))
    reference = lambda x: x.reshape(4, 2, 3).sum(0)  # noqa: E731
    testing.check(sums, testing.integers((8, 3), low=-9, high=9), against=reference, cases=8, orders=2)
    with pytest.raises(
        testing.CheckFailure, match=r"the order of parallel iterations shows \(i0 from the last to the first\)"
    ):
        testing.check(sums, x, against=reference, cases=32, rtol=1e-4, atol=1e-5, orders=1)
    with pytest.raises(TypeError, match="rewrite the recording of a kernel"):
        testing.check(lambda x: 2 * x, x, against=lambda x: 2 * x, cases=4, orders=1)


def test_around():
    x = testing.floats((4, 3))
    around = lambda call: lambda x: call(jnp.flip(jnp.flip(x, 0), 0))  # noqa: E731
    testing.check(double, x, against=lambda x: 2 * x, cases=8, around=around)
    broken = lambda call: lambda x: call(x).at[1, 2].multiply(3)  # noqa: E731
    with pytest.raises(
        testing.CheckFailure, match=r"with other code around it the kernel differs: case 0, output\[1, 2\] is"
    ):
        testing.check(double, x, against=lambda x: 2 * x, cases=8, around=broken)


def test_spread():
    x = testing.floats((16,), low=0.25, high=1.0)
    assert testing.spread(double, testing.floats((4, 3)), cases=16) == testing.Spread(1, 1, 1)
    steep = testing.spread(lambda x: jnp.exp(16 * x), x, cases=16)
    assert steep.peak >= steep.p99 >= steep.p50 >= 2
    assert testing.spread(lambda x: jax.lax.bitcast_convert_type(x, jnp.int32), x, cases=4).peak == 0
