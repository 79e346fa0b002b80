"""`gather_flattened`: values of every type against one element at a time, faults, masks, gradients, rules."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jnki
from jnki import DeviceMemory, RuleError, sbuf
from jnki.neuronxcc import nki
from tests.isa.computations import FLOATS, assert_only, batch, tame
from tests.oracle.gathers import gather_flattened

nl = nki.language
P = 4
ROW, COLUMN = jnki.arange(P)[:, None], jnki.arange(6)[None, :]
HOSTILE = np.array([0, 1, 23, 24, 2**31 - 1, 2**31, 2**32 - 1], np.uint32)


@pytest.mark.parametrize("dtype", [*(t for t in FLOATS if t != "tfloat32"), "int32", "uint8"])
def test_each_partition_picks_from_its_own_elements(dtype):
    """Every bit arrives, whatever the ranks; an index out of bounds gives what nobody has written."""
    garbage = np.nan if dtype in FLOATS else np.frombuffer(b"\xa5" * np.dtype(dtype).itemsize, dtype)[0]

    def draw(rng):
        indices = rng.integers(0, 24, (P, 3, 2)).astype(np.uint32)
        at = rng.integers(0, indices.size, 2)
        indices.reshape(-1)[at] = rng.choice(HOSTILE, 2)
        return {"x": tame(rng, (P, 2, 3, 4), dtype), "i": indices, "y": tame(rng, (P, 7), dtype)}

    for old, new in batch(
        draw,
        lambda m: jnki.gather_flattened(m, dst=sbuf("y")[:, 1:], data=sbuf("x"), indices=sbuf("i")),
        16,
    ):
        expected, _ = gather_flattened(old["x"], old["i"], garbage)
        # NumPy knows no NaN that equals another but in its own types; every value here is exact in float64.
        np.testing.assert_array_equal(new["y"][:, 1:].astype(np.float64), expected.reshape(P, 6).astype(np.float64))
        written = np.zeros((P, 7), bool)
        written[:, 1:] = True
        assert_only(old, new, "y", written)


@nki.jit
def picked(x, i, masked=False, dtype=None):
    """Both tensors in a loop over blocks of four partitions."""
    out = nl.ndarray(i.shape, dtype=dtype or x.dtype, buffer=nl.shared_hbm)
    for b in nl.affine_range(i.shape[0] // P):
        mask = ROW + COLUMN < 7 if masked else None
        found = nl.zeros((P, 6), dtype or x.dtype)
        found[...] = nl.gather_flattened(nl.load(x[nl.ds(P * b, P)]), nl.load(i[nl.ds(P * b, P)]), mask=mask)
        nl.store(out[nl.ds(P * b, P)], found)
    return out


X = np.random.default_rng(1).normal(size=(8, 5)).astype(np.float32)
PLACES = np.random.default_rng(2).integers(0, 5, (8, 6)).astype(np.uint32)


def test_in_a_kernel_it_runs_in_every_form():
    expected, _ = gather_flattened(X, PLACES, np.nan)
    np.testing.assert_array_equal(picked(X, PLACES), expected)
    np.testing.assert_array_equal(jax.vmap(picked, (0, None))(jnp.stack([X, -X]), PLACES)[1], -expected)
    weights = np.random.default_rng(3).normal(size=(8, 6)).astype(np.float32)
    slopes = jax.grad(lambda x: jnp.sum(picked(x, PLACES) * weights))(jnp.asarray(X))
    by_hand = np.zeros_like(X)
    for (p, f), index in np.ndenumerate(PLACES):
        by_hand[p, index] += weights[p, f]
    np.testing.assert_allclose(slopes, by_hand, rtol=1e-6)


def test_an_index_out_of_bounds_is_a_fault():
    bad = PLACES.copy()
    bad[5, 4], bad[6, 1] = 7, 2**32 - 1
    with pytest.raises(IndexError, match="index 7 is out of bounds for axis 0 with size 5") as caught:
        picked(X, bad)
    notes = "\n".join(caught.value.__notes__)
    assert "row 10 of 'data' has row index 7, out of bounds for axis 1" in notes
    assert "in iteration i0=1" in notes
    found, fault = picked.with_fault(X, bad)
    assert bool(fault.occurred) and np.isnan(found[5, 4]) and np.isnan(found[6, 1])
    assert np.isnan(found).sum() == 2
    expected, first = gather_flattened(X[4:], bad[4:], np.nan)
    np.testing.assert_array_equal(found[4:], expected)
    assert first == fault.details()[0].row == 10
    _, faults = jax.vmap(picked.with_fault, (None, 0))(X, np.stack([PLACES, bad]))
    assert faults.occurred.tolist() == [False, True]


def test_a_masked_element_is_not_checked():
    bad = PLACES.copy()
    bad[[3, 7], 5] = 99
    on = np.add.outer(np.arange(P), np.arange(6)) < 7
    expected, _ = gather_flattened(X, bad, np.nan)
    np.testing.assert_array_equal(picked(X, bad, masked=True), np.where(np.tile(on, (2, 1)), expected, 0))
    with pytest.raises(IndexError, match="index 99"):
        picked(X, bad)


def call(**changes):
    memory = DeviceMemory.of(
        sbuf={
            "x": np.zeros((P, 5), np.float32),
            "i": np.zeros((P, 6), np.uint32),
            "y": np.zeros((P, 6), np.float32),
            "int32": np.zeros((P, 6), np.int32),
            "few": np.zeros((2, 5), np.float32),
            "deep": np.zeros((P, 1, 1, 1, 5), np.float32),
        },
        hbm={"h": np.zeros((P, 5), np.float32)},
    )
    return jnki.gather_flattened(memory, **{"dst": sbuf("y"), "data": sbuf("x"), "indices": sbuf("i"), **changes})


BROKEN = {
    "type": (
        {"indices": sbuf("int32")},
        "gather_flattened.index_dtype: gather_flattened: indices are of the wrong type\n"
        "  given:   indices of int32\n  allowed: uint32",
    ),
    "rank": (
        {"data": sbuf("deep")},
        "err_exceed_max_supported_dimension: gather_flattened: 'data' has too many or too few axes\n"
        "  given:   data [4, 1, 1, 1, 5]\n  allowed: 2, 3 or 4 axes",
    ),
    "partitions": (
        {"data": sbuf("few")},
        "err_num_partition_mismatch: gather_flattened: data and indices span different numbers of partitions\n"
        "  given:   data [2, 5], indices [4, 6]\n  allowed: the same size of axis 0: each partition picks from itself",
    ),
    "elements": ({"dst": sbuf("y")[:, :5]}, "gather_flattened.element_count: "),
    "memory": ({"data": jnki.hbm("h")}, "err_unsupported_memory: "),
    "mask": ({"mask": jnki.arange(5)[:, None] < 3}, "gather_flattened.mask: "),
}


@pytest.mark.parametrize("name", BROKEN)
def test_rules(name):
    changes, text = BROKEN[name]
    with pytest.raises(RuleError) as caught:
        call(**changes)
    assert str(caught.value).startswith(text)
    call()
