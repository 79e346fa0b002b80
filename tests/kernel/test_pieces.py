"""Long kernels that do not repeat run in pieces, one computation for each structure, and mean what they mean in one."""

import random
from unittest import mock

import jax
import numpy as np
import pytest
from jax import numpy as jnp

from jnki.kernel.pieces import Pieces
from jnki.neuronxcc import nki
from jnki.neuronxcc.nki.typing import mutable_tensor
from jnki.program.program import Loop
from tests.record.reroll_kernels import COUNT, TALL, arrays, ragged
from tests.record.rerolling import not_rerolling
from tests.record.test_reroll import MEANINGS

nl, nisa = nki.language, nki.isa


@pytest.fixture(autouse=True)
def short_ones_too():
    with mock.patch("jnki.kernel.pieces.LONG", 3), not_rerolling():
        yield


def shuffled(seed=0):
    """Forty instructions in no order, and what they mean."""

    def program(load, store, add, most):
        rng = random.Random(seed)
        tiles = [load(n) for n in range(3)]
        for _ in range(30):
            a, b, c = (rng.randrange(3) for _ in range(3))
            match rng.randrange(4):
                case 0:
                    tiles[a] = load(rng.randrange(COUNT))
                case 1:
                    store(rng.randrange(COUNT), tiles[a])
                case 2:
                    tiles[a] = add(tiles[b], tiles[c])
                case _:
                    tiles[a] = most(tiles[b], tiles[c])
        for n in range(COUNT):
            store(n, tiles[n % 3])

    @nki.jit
    def kernel(out: mutable_tensor, x):
        program(lambda n: nl.load(x[n]), lambda n, t: nl.store(out[n], t), nl.add, nl.maximum)
        return out

    def meaning(out, x):
        made = [*out]
        program(lambda n: x[n], made.__setitem__, jnp.add, jnp.maximum)
        return jnp.stack(made)

    return kernel, meaning


def test_values_gradients_and_batches_are_those_of_the_kernel():
    kernel, meaning = shuffled()
    x = arrays()[0]
    out = jnp.asarray(x + 1)
    wanted = meaning(out, x)
    np.testing.assert_array_equal(kernel(out, jnp.asarray(x)), wanted)
    np.testing.assert_array_equal(out, x + 1)  # what the caller has stays
    np.testing.assert_array_equal(jax.jit(kernel)(out, x), wanted)
    two = jnp.stack([x, -x])
    np.testing.assert_array_equal(jax.vmap(kernel, (None, 0))(out, two)[1], meaning(out, -x))
    gradient = jax.grad(lambda x: jnp.vdot(kernel(out, x), out))(jnp.asarray(x))
    np.testing.assert_array_equal(gradient, jax.grad(lambda x: jnp.vdot(meaning(out, x), out))(x))


def test_numpy_arrays_stay_as_they_are():
    kernel, meaning = shuffled(1)
    x = arrays()[0]
    out, before = x + 1, x + 1
    result = kernel(out, x)
    assert isinstance(result, np.ndarray)
    np.testing.assert_array_equal(result, meaning(out, x))
    np.testing.assert_array_equal(out, before)


def test_masks_depend_on_numbers():
    x, rows = arrays()
    np.testing.assert_array_equal(nki.jit(ragged)(x, rows), MEANINGS["ragged"](x, rows))


def test_there_is_one_computation_for_each_structure():
    program = shuffled()[0].trace(*(arrays()[0],) * 2)
    pieces = Pieces(program)
    assert len(program.body) > 30
    # A load, a store, a sum, a maximum, and the sum of a tile and itself.
    assert len({id(structure) for structure, *_ in pieces._calls}) == 5


def test_faults_tell_what_they_tell():
    x, rows = arrays()
    rows[5, 1] = COUNT * TALL + 7
    kernel = nki.jit(gathers_without_loops)
    with pytest.raises(IndexError, match="index 312") as error:
        kernel(x, rows)
    assert "in iteration n=5" in error.value.__notes__
    assert error.value.row == 1
    _, fault = kernel.with_fault(x, rows)
    assert bool(fault.occurred)
    _, fault = jax.jit(kernel.with_fault)(x, rows)
    assert bool(fault.occurred)


def gathers_without_loops(x, rows):
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    table = x.reshape((COUNT * TALL, 8))
    f = nl.arange(8)[None, :]
    for n in nl.static_range(COUNT):
        index = nl.load(rows[n])
        tile = nl.ndarray((TALL, 8), nl.float32)
        nisa.dma_copy(dst=tile, src=table[index, f])
        nl.store(out[n], tile)
    return out


def test_loops_are_pieces():
    x, _ = arrays()
    kernel = nki.jit(with_loops)
    assert any(isinstance(node, Loop) for node in kernel.trace(x).body)
    np.testing.assert_array_equal(kernel(x), x.reshape(2, 4, TALL, 8).cumsum(1).reshape(x.shape))


def with_loops(x):
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    for i in range(2):
        total = nl.zeros((TALL, 8), nl.float32)
        for k in nl.sequential_range(4):
            total[...] = nl.add(total, nl.load(x[4 * i + k]))
            nl.store(out[4 * i + k], total)
    return out


def test_it_can_be_lowered_in_one():
    kernel, meaning = shuffled()
    x = arrays()[0]
    (found,) = kernel.lower(x, x).compile()(x, x)
    np.testing.assert_array_equal(found, meaning(x, x))
