"""Long recordings that repeat become loops: the same instructions, values, gradients and faults, in fewer nodes."""

from dataclasses import replace
from itertools import pairwise

import jax
import numpy as np
import pytest
from jax import numpy as jnp

from jnki.access.affine import Affine
from jnki.lower.lowering import lower_program
from jnki.neuronxcc import nki
from jnki.program.program import Loop, LoopKind
from jnki.record.reroll.reroll import SHORT
from tests.lower.test_loop_forms import compiled
from tests.record.reroll_kernels import COUNT, KERNELS, TALL, WIDE, arrays, gathers, independent, lists_of_tiles
from tests.record.rerolling import difference, every_node, not_rerolling, rerolling, size_of

nl, nisa = nki.language, nki.isa


def programs(function):
    """The program as it is recorded, and with its loops."""
    with not_rerolling():
        recorded = nki.jit(function).trace(*arrays())
    with rerolling() as seen:
        found = nki.jit(function).trace(*arrays())
    assert seen[0].before == recorded.body
    return recorded, found


# At most as many nodes; each kernel has 13 instructions or more.
NODES = {
    "first_and_last_differ": 10,
    "ragged": 11,
    "made_in_parts": 10,
    "fetched_ahead": 9,
    "lists_of_lists": 10,
}


@pytest.mark.parametrize("function", KERNELS, ids=lambda f: f.__name__)
def test_loops_are_found(function):
    recorded, found = programs(function)
    assert any(isinstance(n, Loop) and n.kind is LoopKind.FOUND for n in every_node(found.body))
    assert size_of(found.body) <= NODES.get(function.__name__, 8) < size_of(recorded.body)


def _most_so_far(x):
    most = [jnp.full(x.shape[1:], -9.0)]
    for tile in x:
        most.append(jnp.maximum(most[-1], tile))
    return jnp.stack([new - old for old, new in pairwise(most)])


def _pairs(x):
    tiles = x[:4].reshape(2, 2, TALL, WIDE)
    other = tiles.swapaxes(0, 1)
    return jnp.concatenate([jnp.maximum(tiles, other), tiles - other]).reshape(x.shape)


def _running(x, times, steps):
    return x.reshape(times, steps, TALL, WIDE).cumsum(1).reshape(x.shape)


def _ragged(x):
    row = jnp.arange(COUNT * TALL).reshape(COUNT, TALL, 1)
    return jnp.where(row < 29, x, jnp.where(row < 31, 0.0, -1.0))


def _parts(x):
    swapped = jnp.concatenate([x[..., 4:], x[..., :4]], axis=-1)
    unwritten = (jnp.arange(COUNT)[:, None, None] % 2 == 1) & (jnp.arange(WIDE) >= 4)
    return jnp.where(unwritten, jnp.nan, swapped)


# What each kernel means, in plain JAX.
MEANINGS = {
    "independent": lambda x, rows: x * x,
    "nested": lambda x, rows: jnp.tile(x.reshape(2, 4, TALL, WIDE).sum(1), (4, 1, 1)),
    "lists_of_tiles": lambda x, rows: x.sum(0) - x[::-1],
    "lists_of_lists": lambda x, rows: _pairs(x),
    "handed_on": lambda x, rows: x.cumsum(0),
    "handed_on_late": lambda x, rows: _most_so_far(x),
    "fetched_ahead": lambda x, rows: x * x,
    "lists_handed_on": lambda x, rows: x.reshape(2, 4, TALL, WIDE).cumsum(0).reshape(x.shape),
    "first_and_last_differ": lambda x, rows: jnp.concatenate([x.cumsum(0)[:-1], -x.sum(0, keepdims=True)]),
    "ragged": lambda x, rows: _ragged(x),
    "made_in_parts": lambda x, rows: _parts(x),
    "in_recorded_loops": lambda x, rows: _running(x, 2, 4),
    "around_recorded_loops": lambda x, rows: _running(x, 4, 2),
    "along_rows": lambda x, rows: -x,
    "numbers_of_iterations": lambda x, rows: x + jnp.arange(32.0).reshape(4, 8) + 3 * jnp.arange(8)[:, None, None],
    "gathers": lambda x, rows: x.reshape(-1, WIDE)[rows[..., 0]],
}


WITH_GRADIENT = {"lists_of_tiles", "handed_on_late", "lists_handed_on", "first_and_last_differ"}


def test_values_and_gradients_are_those_of_the_unrolled_loops():
    x, rows = arrays()
    weights = np.random.default_rng(1).integers(-4, 5, x.shape).astype(np.float32)
    lowered = {function.__name__: lower_program(programs(function)[1]) for function in KERNELS}

    def of_one(name, function, x):
        if name not in WITH_GRADIENT:
            return (function(x),)

        def value(x):
            output = function(x)
            return jnp.sum(output * weights), output

        gradient, output = jax.grad(value, has_aux=True)(x)
        return output, gradient

    def everything(x, rows):
        found = {name: of_one(name, lambda x, pure=pure: pure(x, rows)[0][0], x) for name, pure in lowered.items()}
        return found, {name: of_one(name, lambda x, mean=mean: mean(x, rows), x) for name, mean in MEANINGS.items()}

    found, meant = compiled(everything, x, rows)(x, rows)
    assert found.keys() == meant.keys()
    for name in found:
        for one, other in zip(meant[name], found[name]):
            np.testing.assert_array_equal(one, other, err_msg=name)


def test_faults_tell_the_iterations_of_the_source():
    x, rows = arrays()
    told = {}
    for place in (0, 3, 6):
        bad = rows.copy()
        bad[place, 2] = COUNT * TALL + place
        for how in (not_rerolling, rerolling):
            with how():
                kernel = _kernel(how, gathers)
                with pytest.raises(IndexError) as error:
                    kernel(x, bad)
            told.setdefault(place, []).append((str(error.value), error.value.__notes__, error.value.row_index))
        one, other = told[place]
        assert one == other
        assert f"in iteration i0={place // 4}, k={place // 2 % 2}, n={place % 2}" in other[1]


_KERNELS: dict = {}


def _kernel(how, function):
    return _KERNELS.setdefault((how, function), nki.jit(function))


def test_the_listing_says_which_loops_were_found():
    _, found = programs(independent)
    assert str(found).splitlines()[4:] == [
        "  for r0 in 8:  # re-rolled",
        "    tile: sbuf float32[4, 8]",
        "    tile.1: sbuf float32[4, 8]",
        *(str(found).splitlines()[7:]),
    ]


def test_equal_tiles_of_a_list_are_one_buffer():
    _, found = programs(lists_of_tiles)
    assert [b.shape for b in found.buffers] == [(COUNT, TALL, 8), (COUNT, TALL, 8)]
    assert [b.partition_axis for b in found.buffers] == [0, 1]


@pytest.mark.parametrize("trips", [SHORT // 3 - 1, SHORT // 3, 64])
def test_only_a_short_recording_stays_as_it_is(trips):
    @nki.jit
    def kernel(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        for i in nl.static_range(trips):
            nl.store(out[i], nl.negative(nl.load(x[i])))
        return out

    body = kernel.trace(np.zeros((trips, 4, 8), np.float32)).body
    assert size_of(body) == (4 if 3 * trips >= SHORT else 3 * trips)


def test_tensors_that_are_in_use_together_share_no_buffer():
    @nki.jit
    def kernel(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        tiles = []
        for i in range(8):
            tiles.append(nl.load(x[i]))
            nl.store(out[i], tiles[i // 2])
        return out

    with rerolling():
        x = arrays()[0]
        np.testing.assert_array_equal(kernel(x), x[np.arange(8) // 2])


def test_what_differs_is_no_loop():
    """Other constants, types, lines: no two instructions of one structure."""

    @nki.jit
    def kernel(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        for i in range(8):
            nl.store(out[i], nl.multiply(nl.load(x[(3 * i) % 8]), 0.5 * i))
        return out

    with rerolling(least_saved=3) as seen:
        x = arrays()[0]
        result = kernel(x)
    assert seen[0].loops == 0
    np.testing.assert_array_equal(result, x[3 * np.arange(8) % 8] * 0.5 * np.arange(8)[:, None, None])


def test_a_wrong_loop_would_be_seen():
    """The comparison that the other tests rest on tells a recording from what is not quite it."""
    recorded, found = programs(lists_of_tiles)
    assert difference(recorded.body, found.body, found.buffers) is None
    loop = found.body[0]

    def changed(node, **changes):
        return (replace(node, **changes), *found.body[1:])

    (load,) = loop.body
    wrong = [
        found.body[1:],
        (*found.body, found.body[-1]),
        changed(loop, body=(replace(load, src=replace(load.src, offset=load.src.offset + 1)),)),
        changed(loop, body=(replace(load, dst=replace(load.dst, offset=Affine())),)),
        changed(loop, body=(replace(load, location=None),)),
        changed(loop, buffers=(load.dst.buffer,)),
    ]
    assert all(difference(recorded.body, body, found.buffers) is not None for body in wrong)


def _draws(x, out):
    nl.random_seed(7)
    for i in range(COUNT):
        nl.store(out[i], nl.add(nl.rand((TALL, WIDE)), nl.load(x[i])))


def _largest_in_registers(x, out):
    largest = nl.zeros((TALL, 1), dtype=nl.float32, buffer=nl.sbuf)
    low, high = (nl.full((TALL, 1), bound, dtype=nl.float32, buffer=nl.sbuf) for bound in (1.0, 7.0))
    for i in range(COUNT):
        kept = nisa.range_select(
            on_true_tile=nl.load(x[i]),
            comp_op0=np.greater_equal,
            comp_op1=np.less,
            bound0=low,
            bound1=high,
            reduce_cmd=nisa.reduce_cmd.reduce if i else nisa.reduce_cmd.reset_reduce,
            reduce_res=largest[...],
            reduce_op=np.max,
            on_false_value=nl.fp32.min,
        )
        nl.store(out[i], nl.add(nl.maximum(kept, -9.0), largest))


def _kept_in_part(x, out):
    kept = nl.zeros((TALL, WIDE), dtype=nl.float32, buffer=nl.sbuf)
    for i in range(COUNT):
        tile = nl.load(x[i])
        nisa.tensor_copy_predicated(src=tile, dst=kept, predicate=nl.greater(tile, 0.0, dtype=nl.uint8))
        nl.store(out[i], kept)


@pytest.mark.parametrize("body", [_draws, _largest_in_registers, _kept_in_part], ids=lambda f: f.__name__[1:])
def test_what_instructions_carry_outside_of_their_operands_is_carried_by_the_loops(body):
    """Generators, accumulator registers, destinations that keep what no predicate picks."""

    def kernel(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        body(x, out)
        return out

    x, _ = arrays()
    with not_rerolling():
        expected = nki.jit(kernel)(x)
    with rerolling():
        rolled = nki.jit(kernel)
        assert any(isinstance(n, Loop) for n in every_node(rolled.trace(x).body))
        np.testing.assert_array_equal(rolled(x), expected)
    assert len(np.unique(expected)) > TALL, "the kernel does something"
