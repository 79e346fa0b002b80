"""`topk`: values and places of the largest elements of 16 partitions, what is not written, derivative and rules."""

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest

import jnki
from jnki import TRN3, DeviceMemory, RuleError, psum, sbuf
from tests.isa.computations import assert_only, batch
from tests.oracle.picks import topk

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
P, X = 32, 3


@pytest.mark.parametrize(("n", "k"), [(42, 20), (48, 48), (8, 1), (17, 16)])
def test_the_largest_of_each_group(n, k):
    """Equal elements, zeros of both signs, infinities and NaN among them; other columns and tensors stay."""

    def make(rng):
        x = rng.integers(-9, 9, (P, X)).astype(BFLOAT16) * np.where(rng.random((P, X)) < 0.5, 1, -1).astype(BFLOAT16)
        x[rng.integers(0, P, 3), rng.integers(0, X, 3)] = [np.nan, np.inf, -np.inf]
        return {
            "x": x,
            "v": rng.integers(-99, 99, (P, k + 2)).astype(BFLOAT16),
            "i": rng.integers(0, 99, (P, k)).astype(np.uint32),
        }

    def run(m):
        return jnki.topk(m, val_dst=sbuf("v")[:, 1 : k + 1], idx_dst=sbuf("i"), src=sbuf("x"), n=n)

    for old, new in batch(make, run, 16):
        values, places = topk(old["x"], n, old["v"][:, 1 : k + 1], old["i"])
        np.testing.assert_array_equal(new["i"], places)
        np.testing.assert_array_equal(new["v"][:, 1 : k + 1].view(np.uint16), values.view(np.uint16))
        written = np.zeros((P, k + 2), bool)
        written[:, 1 : 1 + -(-k // 16)] = True
        new["i"] = old["i"]
        assert_only(old, new, "v", written)


def test_the_cotangent_goes_to_the_element_that_was_chosen():
    x = jnp.asarray(np.arange(16 * 2).reshape(16, 2) % 7, jnp.bfloat16)

    def chosen(x):
        sbuf_arrays = {"x": x, "v": jnp.zeros((16, 3), jnp.bfloat16), "i": jnp.zeros((16, 3), jnp.uint32)}
        memory = jnki.topk(DeviceMemory.of(sbuf=sbuf_arrays), val_dst=sbuf("v"), idx_dst=sbuf("i"), src=sbuf("x"), n=32)
        return memory.sbuf["v"][:, 0].astype(jnp.float32).sum(), memory.sbuf["i"][:3, 0]

    slope, places = jax.grad(chosen, has_aux=True)(x)
    expected = np.zeros((16, 2))
    expected[np.asarray(places) % 16, np.asarray(places) // 16] = 1
    np.testing.assert_array_equal(np.asarray(slope, np.float32), expected)


def call(**changes):
    memory = DeviceMemory.of(
        sbuf={
            "x": np.zeros((P, X), BFLOAT16),
            "wide": np.zeros((P, X), np.float32),
            "deep": np.zeros((P, X, 1), BFLOAT16),
            "few": np.zeros((16, X), BFLOAT16),
            "odd": np.zeros((17, X), BFLOAT16),
            "v": np.zeros((P, 8), BFLOAT16),
            "i": np.zeros((P, 8), np.uint32),
            "signed": np.zeros((P, 8), np.int32),
            "nine": np.zeros((P, 9), BFLOAT16),
            "nine places": np.zeros((P, 9), np.uint32),
        },
        psum={"p": np.zeros((P, X), BFLOAT16)},
    )
    operands = {"val_dst": sbuf("v"), "idx_dst": sbuf("i"), "src": sbuf("x"), "n": 48}
    return jnki.topk(memory, **{**operands, **changes})


BROKEN = {
    "memory": ({"src": psum("p")}, "err_unsupported_memory: topk: 'src' is in the wrong memory"),
    "type": (
        {"src": sbuf("wide")},
        "topk.src: topk: 'src' has the wrong element type\n  given:   float32\n  allowed: bfloat16",
    ),
    "type of places": ({"idx_dst": sbuf("signed")}, "topk.idx_dst: topk: 'idx_dst' has the wrong element type"),
    "groups": (
        {"src": sbuf("odd")},
        "topk.shape: topk: 'src' is not made of groups of 16 partitions\n"
        "  given:   [17, 3]\n  allowed: [P, columns], P a multiple of 16",
    ),
    "rank": ({"src": sbuf("deep")}, "topk.shape: topk: 'src' is not made of groups of 16 partitions"),
    "partitions": (
        {"src": sbuf("few")},
        "err_num_partition_mismatch: topk: src, val_dst and idx_dst span different numbers of partitions\n"
        "  given:   16, 32, 32\n  allowed: the same size of axis 0",
    ),
    "too few": (
        {"n": 7},
        "topk.n: topk: 'n' is no number of elements of a group\n  given:   n 7, src [32, 3]\n  allowed: 8 to 48",
    ),
    "too many": ({"n": 49}, "topk.n: topk: 'n' is no number of elements of a group"),
    "no integer": ({"n": 8.5}, "topk.n: topk: 'n' is no integer of 32 bits"),
    "results": (
        {"idx_dst": sbuf("i")[:, :7]},
        "topk.results: topk: val_dst and idx_dst have different numbers of results\n"
        "  given:   val_dst [32, 8], idx_dst [32, 7]\n  allowed: one shape",
    ),
    "more than there are": (
        {"n": 8, "val_dst": sbuf("nine"), "idx_dst": sbuf("nine places")},
        "topk.k: topk: the columns of 'val_dst' are no number of results\n  given:   9 columns, n 8\n  allowed: 1 to 8",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_rules(name):
    changes, text = BROKEN[name]
    with pytest.raises(RuleError) as caught:
        call(**changes)
    assert str(caught.value).startswith(text)


@pytest.mark.parametrize("changes", [{}, {"n": 8}, {"target": TRN3}], ids=["plain", "as many as results", "target"])
def test_twins_that_are_legal(changes):
    call(**changes)
