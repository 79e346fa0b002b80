"""The random number generator, `random_seed` and `rand`: known answers, every form of a loop, batches, rules."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jnki
import jnki.neuronxcc.nki as nki
import jnki.neuronxcc.nki.language as nl
from jnki import DeviceMemory, RuleError, hbm, sbuf
from jnki.isa.random_numbers import threefry2x32
from jnki.lower.lowering import lower_program
from jnki.lower.plan import Form
from jnki.tiles import random
from tests.oracle.random_numbers import uniform

UNSEEDED = 0xA5A5A5A5


@pytest.mark.parametrize(
    ("key", "counter", "answer"),
    [
        ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
        ((0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0x1CB996FC, 0xBB002BE7)),
        ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
    ],
)
def test_the_block_function_has_its_published_answers(key, counter, answer):
    words = threefry2x32(tuple(map(jnp.uint32, key)), tuple(map(jnp.uint32, counter)))
    assert tuple(map(int, words)) == answer


def memory_of(seed, draws, shape=(3, 5), dtype="float32"):
    return DeviceMemory.of(sbuf={"s": np.array([[seed, draws]], np.uint32), "x": np.full(shape, -1, dtype)})


def test_draws_are_those_of_the_oracle_and_are_counted():
    states = np.array([[1, 0], [2**32 - 1, 7], [12345, 2**32 - 1], [0, 0]], np.uint32)

    def run(state):
        memory = DeviceMemory.of(sbuf={"s": state[None], "x": jnp.zeros((3, 2, 5)), "y": jnp.zeros((3, 5), "bfloat16")})
        memory = jnki.rand(memory, dst=sbuf("x"), state=sbuf("s"))
        memory = jnki.rand(memory, dst=sbuf("y"), state=sbuf("s"))
        return dict(memory.sbuf)

    after = jax.jit(jax.vmap(run))(states)
    for case, (seed, draw) in enumerate(states.tolist()):
        assert (after["x"][case] == uniform(seed, draw, (3, 2, 5))).all()
        later = uniform(seed, (draw + 1) % 2**32, (3, 5)).astype(jnp.bfloat16)
        assert (np.asarray(after["y"][case]) == later).all()
        assert after["s"][case].tolist() == [[seed, (draw + 2) % 2**32]]


def test_numbers_are_uniform():
    x = np.asarray(jnki.rand(memory_of(3, 0, (128, 512)), dst=sbuf("x"), state=sbuf("s")).sbuf["x"])
    assert x.min() >= 0 and x.max() < 1
    counts = np.histogram(x, 64, (0, 1))[0]
    chi_squared = ((counts - 1024) ** 2 / 1024).sum()
    assert 25 < chi_squared < 115  # 63 degrees of freedom: both ends are beyond 1 in 10^4
    assert abs(np.corrcoef(x[:, :-1].ravel(), x[:, 1:].ravel())[0, 1]) < 0.02


def test_a_mask_takes_nothing_from_other_elements_and_a_draw_of_nothing_is_none():
    columns = jnki.arange(5)[None, :]
    whole = jnki.rand(memory_of(5, 2), dst=sbuf("x"), state=sbuf("s"))
    part = jnki.rand(memory_of(5, 2), dst=sbuf("x"), state=sbuf("s"), mask=columns < 2)
    assert (part.sbuf["x"][:, :2] == whole.sbuf["x"][:, :2]).all() and (part.sbuf["x"][:, 2:] == -1).all()
    assert part.sbuf["s"].tolist() == [[5, 3]]
    nothing = jnki.rand(memory_of(5, 2), dst=sbuf("x"), state=sbuf("s"), mask=columns > 5)
    assert nothing.sbuf["s"].tolist() == [[5, 2]] and (nothing.sbuf["x"] == -1).all()


@pytest.mark.parametrize(
    ("seed", "word"),
    [(7, 7), (-1, 2**32 - 1), (2**32 - 1, 2**32 - 1), (1.5, 0x3FC00000), (np.int32(-2), 2**32 - 2), (True, 1)],
)
def test_a_seed_is_32_bits(seed, word):
    memory = jnki.random_seed(memory_of(0, 9), state=sbuf("s"), seed=seed)
    assert memory.sbuf["s"].tolist() == [[word, 0]]


@pytest.mark.parametrize("kind", ["int32", "uint32", "float32"])
def test_a_seed_in_a_tile_is_its_bits(kind):
    bits = np.array([[0xC0490FDB]], np.uint32)
    memory = DeviceMemory.of(sbuf={"s": np.zeros((1, 2), np.uint32)}, psum={"seed": bits.view(kind)})
    assert jnki.random_seed(memory, state=sbuf("s"), seed=jnki.psum("seed")).sbuf["s"].tolist() == [[0xC0490FDB, 0]]


# In kernels.


@nki.jit
def in_loops(seed):
    """Draws in a recorded loop, in one under a mask, in an unrolled one, and around an inner seed."""
    out = nl.ndarray((9, 2, 4), nl.float32, buffer=nl.shared_hbm)
    random.random_seed(nl.load(seed))
    for i in nl.sequential_range(3):
        nl.store(out[i], random.rand((2, 4), nl.float32))
    for i in nl.affine_range(2):
        tile = nl.ndarray((2, 4), nl.float32)
        tile[...] = random.rand((2, 4), nl.float32)
        nl.store(out[3 + i], tile)
    for i in nl.static_range(2):
        random.random_seed(i, mask=i > 0)
        nl.store(out[5 + i], random.rand((2, 4), nl.float32))
    for i in nl.affine_range(2):
        random.random_seed(42)
        nl.store(out[7 + i], random.rand((2, 4), nl.float32))
    return out


def expected(seed):
    draws = [(seed, n) for n in range(6)] + [(1, 0), (42, 0), (42, 0)]
    return np.stack([uniform(*draw, (2, 4)) for draw in draws])


@pytest.fixture(scope="module")
def program():
    return in_loops.trace(jnp.zeros((1, 1), jnp.int32))


@pytest.mark.parametrize("form", [None, Form.SCAN, Form.BATCH], ids=str)
def test_every_form_of_a_loop_draws_the_same(program, form):
    seeds = jnp.array([[[3]], [[-4]]], jnp.int32)
    (out,), _ = jax.jit(jax.vmap(lower_program(program, form)))(seeds)
    for seed, got in zip((3, 2**32 - 4), out):
        assert (got == expected(seed)).all()


def test_a_batch_differs_where_its_seeds_do():
    seeds = jnp.array([[[3]], [[3]], [[5]]], jnp.int32)
    out = jax.vmap(in_loops)(seeds)
    assert (out[0] == out[1]).all() and (out[0, :6] != out[2, :6]).mean() > 0.9
    assert (out[0] == in_loops(seeds[0])).all()


def test_masked_draws_in_a_ragged_loop():
    @nki.jit
    def ragged(x):
        out = nl.ndarray((3, 1, 4), nl.float32, buffer=nl.shared_hbm)
        random.random_seed(8)
        k = nl.arange(4)[None, :]
        for i in nl.sequential_range(3):
            tile = nl.zeros((1, 4), nl.float32)
            tile[...] = random.rand((1, 4), nl.float32, mask=4 * i + k < 6)
            nl.store(out[i], tile)
        nl.store(out[2], random.rand((1, 4), nl.float32))
        return out

    # The third iteration has nothing to draw, so what follows is the third draw.
    a, b, c = (uniform(8, n, (4,)) for n in range(3))
    assert (ragged(np.zeros((1, 1), np.float32))[:, 0] == np.stack([a, np.where(np.arange(4) < 2, b, 0), c])).all()


def test_unseeded_draws_are_reproducible_and_each_instance_of_a_grid_has_its_generator():
    @nki.jit
    def unseeded(x):
        out = nl.ndarray((2, 2, 4), nl.float32, buffer=nl.shared_hbm)
        nl.store(out[nl.program_id(0)], random.rand((2, 4), nl.float32))
        return out

    out = unseeded[2](np.zeros((1, 1), np.float32))
    assert (out == uniform(UNSEEDED, UNSEEDED, (2, 4))).all()


def test_a_seed_that_nothing_draws_from_costs_nothing():
    @nki.jit
    def seeds_only(x):
        out = nl.ndarray((1, 1), nl.float32, buffer=nl.shared_hbm)
        random.random_seed(3)
        nl.store(out, nl.load(x))
        return out

    x = np.ones((1, 1), np.float32)
    assert seeds_only(x) == 1
    assert all(b.name != "random_state" for b in seeds_only.trace(x).buffers)


# Rules.


@pytest.mark.parametrize(
    ("function", "changes", "text"),
    [
        ("rand", {"dst": hbm("h")}, "err_unsupported_memory: rand: 'dst' is in the wrong memory"),
        ("rand", {"dst": sbuf("n")}, "rand.dtype: rand: numbers between 0 and 1 need a float type\n  given:   int32\n"),
        ("rand", {"state": hbm("h")}, "err_unsupported_memory: rand: 'state' is in the wrong memory"),
        ("rand", {"state": sbuf("x")}, "rand.state: rand: 'state' does not hold the state of the random number gen"),
        ("rand", {"mask": jnki.arange(4)[None, :] < 2}, "rand.mask: rand: the mask does not fit 'dst'"),
        ("random_seed", {"seed": sbuf("n")}, "random_seed.seed: random_seed: the seed must be one scalar of 32 bits\n"),
        ("random_seed", {"seed": sbuf("half")}, "random_seed.seed: random_seed: the seed must be one scalar of 32 bit"),
        ("random_seed", {"seed": hbm("h")}, "err_unsupported_memory: random_seed: 'seed' is in the wrong memory"),
        ("random_seed", {"seed": 2**32}, "random_seed.seed: random_seed: the seed must be one scalar of 32 bits\n"),
        ("random_seed", {"seed": "seven"}, "random_seed.value: random_seed: the value must be a constant number"),
        ("random_seed", {"mask": jnki.arange(4)[None, :] < 2}, "random_seed.mask: random_seed: a mask of random_seed "),
    ],
)
def test_rules(function, changes, text):
    memory = DeviceMemory.of(
        sbuf={
            "s": np.zeros((1, 2), np.uint32),
            "x": np.zeros((2, 3), np.float32),
            "n": np.zeros((2, 1), np.int32),
            "half": np.zeros((1, 1), np.float16),
        },
        hbm={"h": np.zeros((1, 1), np.int32)},
    )
    legal = {"state": sbuf("s"), **({"dst": sbuf("x")} if function == "rand" else {"seed": 3})}
    getattr(jnki, function)(memory, **legal)
    with pytest.raises(RuleError) as caught:
        getattr(jnki, function)(memory, **{**legal, **changes})
    assert str(caught.value).startswith(text)
