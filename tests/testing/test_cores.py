"""Two cores whose results depend on which of them is faster are found; those that wait for each other pass."""

import jax.numpy as jnp
import pytest

import jnki.nki as nki
import jnki.nki.isa as nisa
import jnki.nki.language as nl
from jnki import testing


def neighbours(waits):
    """Each row plus the row of the other core, which that core doubles first."""

    @nki.jit
    def kernel(x):
        me = nl.program_id(0)
        out, between = (nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm, name=n) for n in ("out", "between"))
        mine, theirs = (nl.ndarray((1, x.shape[1]), dtype=x.dtype, buffer=nl.sbuf) for _ in range(2))
        nisa.dma_copy(mine, x[me : me + 1])
        nisa.tensor_scalar(mine, mine, nl.multiply, 2.0)
        nisa.dma_copy(between[me : me + 1], mine)
        if waits:
            nisa.core_barrier(between, (0, 1))
        nisa.dma_copy(theirs, between[1 - me : 2 - me])
        nisa.tensor_tensor(mine, mine, theirs, nl.add)
        nisa.dma_copy(out[me : me + 1], mine)
        return out

    return kernel[2]


X = testing.floats((2, 3))


def twice_the_sum(x):
    return jnp.stack([2 * x[0] + 2 * x[1]] * 2)


def test_cores_that_wait_pass():
    found = testing.check(neighbours(waits=True), X, against=twice_the_sum, cases=16, orders=1)
    assert found.cases == 16


def test_cores_that_race_are_found():
    with pytest.raises(testing.CheckFailure, match="the order of the two cores shows: case 0") as caught:
        testing.check(neighbours(waits=False), X, against=twice_the_sum, cases=16, orders=1)
    lines = str(caught.value).splitlines()
    assert sum("tensor 'between': the " in line for line in lines) == 2
    testing.check(neighbours(waits=False), X, against=twice_the_sum, cases=16)
