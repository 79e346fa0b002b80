"""`rng`, `rand2`, `rand_set_state`, `rand_get_state`: known words, streams, states that go round, batches, rules."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jnki
from jnki import TRN1, TRN2, TRN3, DeviceMemory, RuleError, engine, psum, sbuf
from tests.oracle.random_numbers import lane, word

P, N = 3, 5
STATES = np.random.default_rng(0).integers(0, 2**32, (P, 24), np.uint32)


def memory_of(states=STATES, dtype="uint32"):
    return DeviceMemory.of(
        sbuf={
            "seeds": states,
            "small": states[:, :6],
            "lanes": jnp.zeros((P, 24), jnp.uint32),
            "few": jnp.zeros((P, 6), jnp.uint32),
            "one": jnp.zeros((1, 2), jnp.uint32),
            "y": jnp.zeros((P, N), dtype),
            "z": jnp.zeros((P, N), dtype),
            "x": jnp.zeros((P, N), jnp.float32),
            "v": jnp.full((P, 1), 2.0, jnp.float32),
            "half": jnp.full((P, 1), 2.0, jnp.float16),
        },
        psum={"p": jnp.zeros((P, 6), jnp.uint32)},
    )


def low_bits(words, dtype):
    return np.array(words, np.uint32).astype(f"u{np.dtype(dtype).itemsize}").view(dtype)


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "uint8", "uint16", "uint32"])
def test_low_bits_of_the_words_of_each_engine(dtype):
    """Two draws of each; the state of the Vector Engine is a seed and a count, that of GpSimd six words a lane."""
    memory = jnki.random_seed(memory_of(dtype=dtype), state=sbuf("one"), seed=77)
    for name in ("y", "z"):
        memory = jnki.rng(memory, dst=sbuf(name), state=sbuf("one"))
    for draw, name in enumerate(("y", "z")):
        wanted = low_bits([[word(77, draw, p * N + i) for i in range(N)] for p in range(P)], dtype)
        np.testing.assert_array_equal(memory.sbuf[name], wanted)
    memory = jnki.rand_set_state(memory, src_seeds=sbuf("small"), state=sbuf("few"))
    states = STATES[:, :6].tolist()
    for _ in range(2):
        memory = jnki.rng(memory, dst=sbuf("y"), state=sbuf("few"), engine=engine.gpsimd)
        drawn = [lane(state, N) for state in states]
        np.testing.assert_array_equal(memory.sbuf["y"], low_bits([words for words, _ in drawn], dtype))
        states = [after for _, after in drawn]
        assert memory.sbuf["few"].tolist() == states


def test_uniform_numbers_between_bounds():
    memory = jnki.rand_set_state(
        memory_of(), src_seeds=sbuf("seeds"), state=sbuf("lanes"), engine=engine.vector, target=TRN3
    )
    memory = jnki.rand2(memory, dst=sbuf("x"), state=sbuf("lanes"), min=-2.0, max=sbuf("v"))
    words = [lane(state, N)[0] for state in STATES.tolist()]
    np.testing.assert_array_equal(memory.sbuf["x"], [[(w >> 8) * 2.0**-24 * 4 - 2 for w in row] for row in words])


def test_they_fill_the_range_evenly():
    states = np.arange(128 * 24, dtype=np.uint32).reshape(128, 24)
    memory = DeviceMemory.of(sbuf={"s": states, "x": jnp.zeros((128, 400))})
    x = np.asarray(jnki.rand2(memory, dst=sbuf("x"), state=sbuf("s"), min=3.0, max=7.0).sbuf["x"])
    assert 3 <= x.min() < 3.01 and 6.99 < x.max() <= 7
    assert abs(x.mean() - 5) < 0.02 and abs(x.var() - 16 / 12) < 0.02
    assert np.abs(np.corrcoef(x) - np.eye(128)).max() < 0.3


def test_a_state_that_was_read_goes_on_where_it_was():
    def draw(m):
        return jnki.rng(m, dst=sbuf("y"), state=sbuf("few"), engine=engine.gpsimd)

    memory = draw(jnki.rand_set_state(memory_of(), src_seeds=sbuf("small"), state=sbuf("few")))
    memory = jnki.rand_get_state(memory, dst=sbuf("small"), state=sbuf("few"))
    memory = draw(memory)
    first = memory.sbuf["y"]
    memory = draw(draw(memory))
    assert (memory.sbuf["y"] != first).any()
    memory = draw(jnki.rand_set_state(memory, src_seeds=sbuf("small"), state=sbuf("few")))
    np.testing.assert_array_equal(memory.sbuf["y"], first)


def test_lanes_of_one_state_are_alike_and_near_states_are_not():
    states = np.zeros((P, 24), np.uint32)
    states[2, 5] = 1
    memory = jnki.rand_set_state(memory_of(states), src_seeds=sbuf("small"), state=sbuf("few"))
    y = np.asarray(jnki.rng(memory, dst=sbuf("y"), state=sbuf("few"), engine=engine.gpsimd).sbuf["y"])
    assert (y[0] == y[1]).all() and (y[0] != y[2]).all()


@pytest.mark.parametrize("mapped", [False, True])
def test_each_case_of_a_batch_has_the_stream_of_its_seed(mapped):
    """And where the seed is not mapped, all have the same."""

    def run(seed, x):
        memory = DeviceMemory.of(sbuf={"seed": seed, "s": jnp.zeros((1, 2), jnp.uint32), "y": x})
        memory = jnki.random_seed(memory, state=sbuf("s"), seed=sbuf("seed"))
        return jnki.rng(memory, dst=sbuf("y"), state=sbuf("s")).sbuf["y"]

    seeds = np.array([[[3]], [[4]], [[3]]], np.int32)
    x = jnp.zeros((3, P, N), jnp.uint32)
    if not mapped:
        found = jax.jit(jax.vmap(run, (None, 0)))(seeds[0], x)
        assert (found == found[0]).all()
        return
    found = jax.jit(jax.vmap(run))(seeds, x)
    assert (found[0] == found[2]).all() and (found[0] != found[1]).all()
    np.testing.assert_array_equal(found[1], run(seeds[1], x[1]))


def rng(**changes):
    return jnki.rng(memory_of(), **{"dst": sbuf("y"), "state": sbuf("one"), **changes})


def rand2(**changes):
    return jnki.rand2(memory_of(), **{"dst": sbuf("x"), "state": sbuf("lanes"), "min": 0.0, "max": 1.0, **changes})


def set_state(**changes):
    return jnki.rand_set_state(memory_of(), **{"src_seeds": sbuf("small"), "state": sbuf("few"), **changes})


def get_state(**changes):
    return jnki.rand_get_state(memory_of(), **{"dst": sbuf("small"), "state": sbuf("few"), **changes})


VECTOR = {"engine": engine.vector, "state": sbuf("lanes")}
BROKEN = [
    (rng, {"dst": sbuf("x")}, "rng.dst: rng: 'dst' has the wrong element type\n  given:   float32\n  allowed: int8"),
    (rng, {"engine": engine.scalar}, "rng.engine: rng: the engine cannot run this instruction\n  given:   scalar"),
    (rng, {"engine": engine.gpsimd, "state": sbuf("few"), "target": TRN1}, "rng.engine: rng: the engine cannot run"),
    (rng, {"engine": engine.gpsimd, "state": sbuf("few"), "dst": psum("p")}, "err_unsupported_memory: rng: 'dst' is"),
    (rng, {"state": sbuf("few")}, "rng.state: rng: 'state' does not hold the state of the random number generator"),
    (
        rng,
        {"engine": engine.gpsimd},
        "rng.state: rng: 'state' does not hold the states of the lanes\n  given:   [1, 2] uint32\n"
        "  allowed: [3, 6] uint32 for the gpsimd engine",
    ),
    (
        rand2,
        {"target": TRN2},
        "rand2.target: rand2: there is no such instruction before NeuronCore-v4\n"
        "  given:   NeuronCore-v3 (trn2)\n  allowed: NeuronCore-v4 and newer; nisa.rng on all",
    ),
    (
        rand2,
        {"min": 1.0},
        "rand2.range: rand2: there is nothing between the bounds\n  given:   1.0, 1.0\n  allowed: min",
    ),
    (rand2, {"max": sbuf("half")}, "rand2.max: rand2: 'max' has the wrong element type\n  given:   float16"),
    (rand2, {"state": sbuf("few")}, "rand2.state: rand2: 'state' does not hold the states of the lanes"),
    (set_state, {"target": TRN1}, "rand_set_state.target: rand_set_state: there is no such instruction before"),
    (
        set_state,
        VECTOR,
        "rand_set_state.engine: rand_set_state: the engine cannot run this instruction\n"
        "  given:   vector\n  allowed: gpsimd, unknown",
    ),
    (
        set_state,
        {**VECTOR, "target": TRN3},
        "rand_set_state.shape: rand_set_state: 'src_seeds' does not have the words of a state in each partition\n"
        "  given:   [3, 6]\n  allowed: [P, 24] for the vector engine",
    ),
    (set_state, {"src_seeds": psum("p")}, "err_unsupported_memory: rand_set_state: 'src_seeds' is in the wrong"),
    (set_state, {"src_seeds": sbuf("x")}, "rand_set_state.src_seeds: rand_set_state: 'src_seeds' has the wrong"),
    (
        set_state,
        {"engine": engine.unknown},
        "rand_set_state.engine: rand_set_state: each engine has states of its own\n  given:   unknown",
    ),
    (get_state, {"target": TRN1}, "rand_get_state.target: rand_get_state: there is no such instruction before"),
    (get_state, {"dst": psum("p")}, "err_unsupported_memory: rand_get_state: 'dst' is in the wrong memory"),
    (get_state, {"dst": sbuf("y")}, "rand_get_state.shape: rand_get_state: 'dst' does not have the words"),
]


@pytest.mark.parametrize(("function", "changes", "text"), BROKEN)
def test_rules(function, changes, text):
    with pytest.raises(RuleError) as caught:
        function(**changes)
    assert str(caught.value).startswith(text)


@pytest.mark.parametrize(
    ("function", "changes"),
    [
        (rng, {"target": TRN1}),
        (rng, {"dst": psum("p")}),
        (rng, {"engine": engine.gpsimd, "state": sbuf("few")}),
        (rand2, {"min": sbuf("v")}),
        (set_state, {}),
        (set_state, {**VECTOR, "src_seeds": sbuf("seeds"), "target": TRN3}),
        (get_state, {}),
    ],
)
def test_twins_that_are_legal(function, changes):
    function(**changes)
