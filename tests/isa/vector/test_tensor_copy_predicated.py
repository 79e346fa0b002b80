"""`tensor_copy_predicated`: which elements move, bit for bit, in every type; loops, derivatives, rules."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jnki
import jnki.neuronxcc.nki as nki
import jnki.neuronxcc.nki.isa as nisa
import jnki.neuronxcc.nki.language as nl
from jnki import DeviceMemory, RuleError, hbm, psum, sbuf
from tests.harness import bits_of
from tests.isa.computations import assert_only, batch
from tests.oracle.cases import random_values
from tests.oracle.casts import DTYPES

P, N = 4, 6
MASK, ON = jnki.arange(P)[:, None] + 2 * jnki.arange(N)[None, :] < 9, np.add.outer(np.arange(P), 2 * np.arange(N)) < 9


@pytest.mark.parametrize(("dtype", "of_predicate"), [*zip(DTYPES, ["uint8", "uint16", "uint32", "bool"] * 4)])
def test_what_the_predicate_picks_moves_bit_for_bit(dtype, of_predicate):
    def reference(name):
        return sbuf(name, "tfloat32" if dtype == "tfloat32" else None)

    def arrays(rng):
        x, y = (random_values(rng, dtype, (P, N)) for _ in range(2))
        if dtype == "bool":
            x, y = x.astype(bool), y.astype(bool)
        return {"x": x, "y": y, "z": y.copy(), "p": (rng.integers(0, 3, (P, N)) * 77).astype(of_predicate)}

    def run(memory):
        memory = jnki.tensor_copy_predicated(
            memory, dst=reference("y"), src=reference("x"), predicate=sbuf("p"), mask=MASK
        )
        return jnki.tensor_copy_predicated(memory, dst=reference("z"), src=1, predicate=sbuf("p"), reverse_pred=True)

    for old, new in batch(arrays, run, 16):
        picked = old["p"] != 0
        want = np.where(picked & ON, bits_of(old["x"]), bits_of(old["y"]))
        assert (bits_of(new["y"]) == want).all()
        ones = bits_of(np.ones((P, N), old["z"].dtype))
        assert (bits_of(new["z"]) == np.where(picked, bits_of(old["z"]), ones)).all()
        assert_only({k: v for k, v in old.items() if k in "xp"}, new, "")


def test_each_side_gets_the_cotangent_where_it_counts():
    picks = np.array([[1, 0, 1]], np.uint8)

    def run(x, y):
        memory = DeviceMemory.of(sbuf={"x": x, "y": y, "p": picks})
        return jnki.tensor_copy_predicated(memory, dst=sbuf("y"), src=sbuf("x"), predicate=sbuf("p")).sbuf["y"]

    x, y = jax.vjp(run, jnp.array([[1.0, jnp.nan, 1.0]]), jnp.ones((1, 3)))[1](jnp.array([[3.0, 5.0, 7.0]]))
    assert x.tolist() == [[3.0, 0.0, 7.0]] and y.tolist() == [[0.0, 5.0, 0.0]]


def test_the_destination_keeps_its_value_from_one_iteration_to_the_next():
    @nki.jit
    def latest(x, picks):
        out = nl.ndarray(x.shape[1:], x.dtype, buffer=nl.shared_hbm)
        best = nl.full(x.shape[1:], -1.0, x.dtype)
        for i in nl.sequential_range(x.shape[0]):
            nisa.tensor_copy_predicated(src=nl.load(x[i]), dst=best, predicate=nl.load(picks[i]))
        nl.store(out, best)
        return out

    rng = np.random.default_rng(0)
    x, picks = rng.standard_normal((5, 3, 4)).astype(np.float32), rng.integers(0, 2, (5, 3, 4)).astype(np.uint8)
    best = np.full((3, 4), -1, np.float32)
    for tile, picked in zip(x, picks):
        best = np.where(picked, tile, best)
    assert (latest(x, picks) == best).all()


def test_iterations_that_share_a_destination_depend_on_each_other():
    @nki.jit
    def shared(x, picks):
        out = nl.ndarray(x.shape[1:], x.dtype, buffer=nl.shared_hbm)
        best = nl.zeros(x.shape[1:], x.dtype)
        for i in nl.affine_range(x.shape[0]):
            nisa.tensor_copy_predicated(src=nl.load(x[i]), dst=best, predicate=nl.load(picks[i]))
        nl.store(out, best)
        return out

    with pytest.raises(RuleError, match="affine_range"):
        shared(np.zeros((2, 1, 3), np.float32), np.zeros((2, 1, 3), np.uint8))


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"dst": hbm("h")}, "err_unsupported_memory: tensor_copy_predicated: 'dst' is in the wrong memory"),
        ({"predicate": sbuf("n")}, "tensor_copy_predicated.predicate: tensor_copy_predicated: 'predicate' has the wro"),
        ({"src": sbuf("n")}, "tensor_copy_predicated.dtype: tensor_copy_predicated: src and dst have different elemen"),
        ({"src": psum("x")}, "tensor_copy_predicated.psum: tensor_copy_predicated: src and predicate are both in PSUM"),
        ({"src": sbuf("x")[:1]}, "err_num_partition_mismatch: tensor_copy_predicated: "),
        ({"predicate": psum("p")[:, 1:]}, "tensor_copy_predicated.element_count: "),
        ({"src": "x"}, "tensor_copy_predicated.value: tensor_copy_predicated: the value must be a constant number"),
        ({"mask": jnki.arange(5)[None, :] < 2}, "tensor_copy_predicated.mask: "),
    ],
)
def test_rules(changes, text):
    memory = DeviceMemory.of(
        sbuf={"x": np.zeros((2, 3), np.float32), "n": np.zeros((2, 3), np.int32)},
        psum={"x": np.zeros((2, 3), np.float32), "p": np.zeros((2, 3), np.uint8)},
        hbm={"h": np.zeros((2, 3), np.float32)},
    )
    legal = {"dst": psum("x"), "src": sbuf("x"), "predicate": psum("p")}
    jnki.tensor_copy_predicated(memory, **legal)
    with pytest.raises(RuleError) as caught:
        jnki.tensor_copy_predicated(memory, **{**legal, **changes})
    assert str(caught.value).startswith(text)


def test_a_type_that_is_not_the_destinations_is_refused():
    @nki.jit
    def casts(x):
        tile = nl.load(x)
        nisa.tensor_copy_predicated(src=1.0, dst=tile, predicate=nl.load(x, dtype=nl.uint8), dtype=nl.bfloat16)

    with pytest.raises(RuleError, match="tensor_copy_predicated.dtype: tensor_copy_predicated: 'dtype' is not that of"):
        casts(np.zeros((1, 2), np.float32))
