"""`nc_n_gather`: bits of every kind against one element at a time, faults, gradients, rules."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jnki
from jnki import DeviceMemory, RuleError, psum, sbuf
from tests.harness import bits_of
from tests.isa.computations import assert_only, batch, tame
from tests.oracle.gathers import gather_flattened

P = 4


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float8_e4m3", "int32", "uint8", "bool"])
def test_each_partition_picks_from_its_own_elements(dtype):
    def draw(rng):
        indices = rng.integers(0, 24, (P, 3, 2)).astype(np.uint32)
        return {"x": tame(rng, (P, 2, 3, 4), dtype), "i": indices, "y": tame(rng, (P, 7), dtype)}

    for old, new in batch(
        draw, lambda m: jnki.nc_n_gather(m, dst=sbuf("y")[:, 1:], data=sbuf("x"), indices=sbuf("i")), 16
    ):
        expected, _ = gather_flattened(old["x"], old["i"], 0)
        np.testing.assert_array_equal(bits_of(new["y"][:, 1:]), bits_of(expected.reshape(P, 6)))
        written = np.zeros((P, 7), bool)
        written[:, 1:] = True
        assert_only(old, new, "y", written)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, np.float16])
def test_every_bit_pattern_arrives(dtype):
    """Signalling NaN and subnormals too, under jit and vmap."""
    patterns = np.arange(1 << 16, dtype=np.uint16).view(dtype).reshape(2, P, -1)
    indices = np.arange(patterns.shape[2], dtype=np.uint32)[None, ::-1].repeat(P, axis=0)

    def run(x):
        memory = DeviceMemory.of(sbuf={"x": x, "i": indices, "y": jnp.zeros_like(x)})
        return jnki.nc_n_gather(memory, dst=sbuf("y"), data=sbuf("x"), indices=sbuf("i")).sbuf["y"]

    found = np.asarray(jax.jit(jax.vmap(run))(patterns))
    np.testing.assert_array_equal(bits_of(found), bits_of(patterns[:, :, ::-1]))


def test_an_index_out_of_range_is_a_fault():
    indices = np.zeros((P, 3), np.uint32)
    indices[2, 1], indices[3, 0] = 5, 2**32 - 1
    memory = DeviceMemory.of(sbuf={"x": np.ones((P, 5), np.float32), "i": indices, "y": np.zeros((P, 3), np.float32)})
    memory = jax.jit(lambda m: jnki.nc_n_gather(m, dst=sbuf("y"), data=sbuf("x"), indices=sbuf("i")))(memory)
    (detail,) = memory.fault.details()
    assert (detail.row, detail.index) == (7, 5)
    assert np.isnan(memory.sbuf["y"]).sum() == 2


def test_gradients_go_to_what_was_picked():
    indices = np.array([[0, 0, 2]], np.uint32)

    def run(x):
        memory = DeviceMemory.of(sbuf={"x": x, "i": indices, "y": jnp.zeros((1, 3))})
        memory = jnki.nc_n_gather(memory, dst=sbuf("y"), data=sbuf("x"), indices=sbuf("i"))
        return (memory.sbuf["y"] * jnp.array([1.0, 2.0, 4.0])).sum()

    assert jax.grad(run)(jnp.ones((1, 4))).tolist() == [[3, 0, 4, 0]]


def call(**changes):
    memory = DeviceMemory.of(
        sbuf={
            "x": np.zeros((P, 5), np.float32),
            "i": np.zeros((P, 6), np.uint32),
            "y": np.zeros((P, 6), np.float32),
            "half": np.zeros((P, 6), np.float16),
            "int32": np.zeros((P, 6), np.int32),
            "few": np.zeros((2, 5), np.float32),
            "deep": np.zeros((P, 1, 1, 1, 5), np.float32),
        },
        psum={"p": np.zeros((P, 5), np.float32)},
    )
    return jnki.nc_n_gather(memory, **{"dst": sbuf("y"), "data": sbuf("x"), "indices": sbuf("i"), **changes})


BROKEN = {
    "type of indices": (
        {"indices": sbuf("int32")},
        "nc_n_gather.indices: nc_n_gather: 'indices' has the wrong element type\n  given:   int32\n  allowed: uint32",
    ),
    "cast": (
        {"dst": sbuf("half")},
        "nc_n_gather.dtype: nc_n_gather: a gather does not cast\n"
        "  given:   data float32, dst float16\n  allowed: one element type",
    ),
    "partitions": (
        {"data": sbuf("few")},
        "err_num_partition_mismatch: nc_n_gather: data and indices span different numbers of partitions\n"
        "  given:   data [2, 5], indices [4, 6]\n  allowed: the same size of axis 0: each partition picks from itself",
    ),
    "elements": ({"dst": sbuf("y")[:, :5]}, "nc_n_gather.element_count: "),
    "memory": ({"data": psum("p")}, "err_unsupported_memory: nc_n_gather: 'data' is in the wrong memory"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_rules(name):
    changes, text = BROKEN[name]
    with pytest.raises(RuleError) as caught:
        call(**changes)
    assert str(caught.value).startswith(text)


@pytest.mark.parametrize("changes", [{}, {"data": sbuf("deep")}], ids=["plain", "any rank"])
def test_twins_that_are_legal(changes):
    call(**changes)
