"""`dropout`: which elements go, in every type; bits that stay, probabilities, derivatives, rules."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jnki
import jnki.neuronxcc.nki as nki
import jnki.neuronxcc.nki.isa as nisa
import jnki.neuronxcc.nki.language as nl
from jnki import DeviceMemory, RuleError, hbm, sbuf
from tests.isa.computations import assert_only, assert_stands_for, batch, tame
from tests.oracle.casts import DTYPES
from tests.oracle.random_numbers import uniform

P, N = 4, 6
MASK, ON = jnki.arange(P)[:, None] + 2 * jnki.arange(N)[None, :] < 9, np.add.outer(np.arange(P), 2 * np.arange(N)) < 9


def reference(name, dtype):
    return sbuf(name, "tfloat32" if dtype == "tfloat32" else None)


@pytest.mark.parametrize("dtype", DTYPES)
def test_elements_below_the_probability_of_their_partition_go(dtype):
    is_float = np.dtype(tame(np.random.default_rng(0), (1,), dtype).dtype).kind not in "iub"
    kinds = ("float32", *(("bfloat16", "float16") if is_float else ()))
    for kind in kinds:
        for old, new in batch(
            lambda rng, kind=kind: {
                "x": tame(rng, (P, N), dtype, 1, 9),
                "p": tame(rng, (P, 1), kind, 0, 1),
                "y": tame(rng, (P, N), dtype),
                "s": rng.integers(0, 2**32, (1, 2)).astype(np.uint32),
            },
            lambda m: jnki.dropout(
                m, dst=reference("y", dtype), data=reference("x", dtype), prob=sbuf("p"), state=sbuf("s"), mask=MASK
            ),
            8,
        ):
            seed, draw = map(int, old["s"][0])
            gone = uniform(seed, draw, (P, N)) < old["p"].astype(np.float32)
            expected = np.where(gone, np.zeros((), old["x"].dtype), old["x"])
            assert (new["y"][ON] == expected[ON]).all()
            assert (new["s"] == [[seed, (draw + 1) % 2**32]]).all()
            assert_only(old, {**new, "s": old["s"]}, "y", ON)


def test_the_result_of_floats_may_have_another_type():
    for old, new in batch(
        lambda rng: {
            "x": tame(rng, (P, N), "float32"),
            "y": tame(rng, (P, N), "int8"),
            "s": np.zeros((1, 2), np.uint32),
        },
        lambda m: jnki.dropout(m, dst=sbuf("y"), data=sbuf("x"), prob=0.5, state=sbuf("s")),
        4,
    ):
        assert_stands_for(new["y"], np.where(uniform(0, 0, (P, N)) < 0.5, 0, old["x"]), "int8", steps=0)


def memory_of(x, **more):
    return DeviceMemory.of(sbuf={"x": x, "y": jnp.ones_like(x), "s": np.zeros((1, 2), np.uint32), **more})


def test_the_ends_of_the_range_and_what_lies_beyond():
    x = jnp.array([[np.nan, -0.0, np.inf, 2.0]] * 4)
    prob = np.array([[0.0], [1.0], [50.0], [np.nan]], np.float32)
    memory = memory_of(x, p=prob)
    after = np.asarray(jnki.dropout(memory, dst=sbuf("y"), data=sbuf("x"), prob=sbuf("p"), state=sbuf("s")).sbuf["y"])
    bits = np.asarray(x).view("u4")
    assert (after.view("u4")[[0, 3]] == bits[[0, 3]]).all()  # nothing is below 0, or below NaN
    assert (after.view("u4")[[1, 2]] == 0).all()
    for number, kept in ((0.0, True), (1, False)):
        got = jnki.dropout(memory, dst=sbuf("y"), data=sbuf("x"), prob=number, state=sbuf("s")).sbuf["y"]
        assert (np.asarray(got).view("u4") == (bits if kept else 0)).all()


def test_payloads_of_nan_stay():
    bits = np.array([[0x7F81, 0xFFC5]], np.uint16)
    memory = memory_of(jnp.asarray(bits.view(jnp.bfloat16)))
    got = jnki.dropout(memory, dst=sbuf("y"), data=sbuf("x"), prob=0.0, state=sbuf("s")).sbuf["y"]
    assert (np.asarray(got).view(np.uint16) == bits).all()


def test_what_stays_passes_its_cotangent_and_what_goes_none():
    gone = uniform(0, 0, (2, 5)) < 0.5

    def run(x):
        return jnki.dropout(memory_of(x), dst=sbuf("y"), data=sbuf("x"), prob=0.5, state=sbuf("s")).sbuf["y"]

    x = jnp.where(gone, jnp.nan, 3.0)
    out, back = jax.vjp(run, x)
    weight = jnp.arange(1.0, 11).reshape(2, 5)
    assert (out == np.where(gone, 0, 3)).all()
    assert (back(weight)[0] == np.where(gone, 0, weight)).all()


def test_it_is_recorded_once_for_the_tile_that_it_is_assigned_to():
    @nki.jit
    def kernel(x):
        out = nl.ndarray(x.shape, x.dtype, buffer=nl.shared_hbm)
        tile = nl.load(x)
        tile[...] = nisa.dropout(tile, 0.5)
        for i in nl.sequential_range(2):
            tile[...] = nisa.dropout(tile, prob=nl.full((2, 1), 0.25, nl.float32), mask=i > 0)
        nl.store(out, tile)
        return out

    unseeded = 0xA5A5A5A5
    first, second = uniform(unseeded, unseeded, (2, 9)) < 0.5, uniform(unseeded, unseeded + 1, (2, 9)) < 0.25
    assert (kernel(np.ones((2, 9), np.float32)) == np.where(first | second, 0, 1)).all()


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"data": hbm("h")}, "err_unsupported_memory: dropout: 'data' is in the wrong memory"),
        ({"data": sbuf("n")}, "dropout.dtype: dropout: the result of integers has their type\n  given:   data int32, "),
        ({"dst": sbuf("n")[:, :2]}, "dropout.element_count: dropout: dst and src have different numbers of elements"),
        ({"prob": 1.5}, "dropout.prob: dropout: the drop probability is none\n  given:   1.5\n  allowed: 0.0 to 1.0"),
        ({"prob": float("nan")}, "dropout.prob: dropout: the drop probability is none\n  given:   nan\n"),
        ({"prob": "half"}, "dropout.value: dropout: the value must be a constant number"),
        (
            {"prob": sbuf("n")[:, :1]},
            "dropout.prob_dtype: dropout: 'prob' has the wrong element type\n  given:   ",
        ),
        (
            {"data": sbuf("n"), "dst": sbuf("n"), "prob": sbuf("b")},
            "dropout.prob_dtype: dropout: 'prob' has the wrong element type\n  given:   prob bfloat16, data int32\n"
            "  allowed: float32, beside integers",
        ),
        ({"prob": sbuf("x")}, "dropout.prob: dropout: 'prob' must be a scalar, or a vector with one element per part"),
        ({"prob": sbuf("x")[:1, :1]}, "dropout.prob: dropout: 'prob' must be a scalar, or a vector with one element"),
        ({"state": sbuf("x")}, "dropout.state: dropout: 'state' does not hold the state of the random number genera"),
        ({"mask": jnki.arange(5)[None, :] < 2}, "dropout.mask: dropout: the mask does not fit 'dst'"),
    ],
)
def test_rules(changes, text):
    memory = DeviceMemory.of(
        sbuf={
            "s": np.zeros((1, 2), np.uint32),
            "x": np.zeros((2, 3), np.float32),
            "n": np.zeros((2, 3), np.int32),
            "b": np.zeros((2, 1), jnp.bfloat16),
        },
        hbm={"h": np.zeros((2, 3), np.float32)},
    )
    legal = {"dst": sbuf("x"), "data": sbuf("x"), "prob": sbuf("b"), "state": sbuf("s")}
    jnki.dropout(memory, **legal)
    with pytest.raises(RuleError) as caught:
        jnki.dropout(memory, **{**legal, **changes})
    assert str(caught.value).startswith(text)
