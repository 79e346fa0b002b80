"""`tensor_partition_reduce`: operators, types, the mask, gradients, and rules."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jnki
from jnki import DeviceMemory, RuleError, sbuf
from tests.isa.computations import assert_stands_for, batch, tame
from tests.oracle import vector_engine as oracle

P, A, B = 4, 2, 3
MASK = jnki.arange(P)[:, None, None] + 2 * jnki.arange(A)[None, :, None] + jnki.arange(B)[None, None, :] < 4
ON = np.add.outer(np.add.outer(np.arange(P), 2 * np.arange(A)), np.arange(B)) < 4


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(("dtype", "out"), [("float32", "float32"), ("bfloat16", "float16"), ("int16", "int8")])
@pytest.mark.parametrize("op", ["add", "maximum"])
def test_arithmetic(op, dtype, out, masked):
    on = (ON if masked else np.ones_like(ON)).reshape(P, -1).T
    for old, new in batch(
        lambda rng: {"x": tame(rng, (P, A, B), dtype), "z": tame(rng, (1, A, B), out)},
        lambda m: jnki.tensor_partition_reduce(m, dst=sbuf("z"), op=op, data=sbuf("x"), mask=MASK if masked else None),
        16,
    ):
        wanted, written = oracle.reduce(op, old["x"].reshape(P, -1).T, on)
        assert_stands_for(new["z"].reshape(-1)[written], wanted[written], out, steps=8, scale=20.0)
        assert (new["z"].reshape(-1)[~written] == old["z"].reshape(-1)[~written]).all()


@pytest.mark.parametrize("dtype", ["uint8", "int32"])
@pytest.mark.parametrize("op", ["bitwise_or", "bitwise_and"])
def test_bits(op, dtype):
    info = np.iinfo(dtype)
    for old, new in batch(
        lambda rng: {"x": rng.integers(info.min, info.max, (P, 5), dtype), "z": np.zeros((1, 5), dtype)},
        lambda m: jnki.tensor_partition_reduce(
            m, dst=sbuf("z"), op=op, data=sbuf("x"), mask=jnki.arange(P)[:, None] < 3
        ),
        16,
    ):
        np.testing.assert_array_equal(new["z"][0], getattr(np, op).reduce(old["x"][:3], axis=0))


def test_gradients():
    x = np.random.default_rng(0).normal(size=(P, 5)).astype(np.float32)
    weights = np.random.default_rng(1).normal(size=(1, 5)).astype(np.float32)

    def run(x, op):
        memory = DeviceMemory.of(sbuf={"x": x, "z": jnp.zeros((1, 5))})
        mask = jnki.arange(P)[:, None] < 3
        memory = jnki.tensor_partition_reduce(memory, dst=sbuf("z"), op=op, data=sbuf("x"), mask=mask)
        return (memory.sbuf["z"] * weights).sum()

    added, largest = jax.jit(lambda x: [jax.grad(run)(x, op) for op in ("add", "maximum")])(x)
    on = np.arange(P)[:, None] < 3
    np.testing.assert_array_equal(added, np.where(on, weights, 0))
    np.testing.assert_array_equal(largest, np.where(on & (x == x[:3].max(axis=0)), weights, 0))


def call(**changes):
    memory = DeviceMemory.of(
        sbuf={"x": np.zeros((P, 5), np.float32), "z": np.zeros((1, 5), np.float32), "y": np.zeros((1, 4), np.float32)},
        psum={"p": np.zeros((P, 5), np.float32)},
    )
    return jnki.tensor_partition_reduce(memory, **{"dst": sbuf("z"), "op": np.add, "data": sbuf("x"), **changes})


BROKEN = {
    "op": (
        {"op": np.multiply},
        "tensor_partition_reduce.op: tensor_partition_reduce: the GpSimd Engine does not reduce partitions with this "
        "operator\n  given:   multiply\n  allowed: add, maximum, bitwise_or, bitwise_and",
    ),
    "bits": (
        {"op": np.bitwise_or},
        "tensor_partition_reduce.bitvec: tensor_partition_reduce: 'bitwise_or' works on bits",
    ),
    "shape": (
        {"dst": sbuf("y")},
        "tensor_partition_reduce.shape: tensor_partition_reduce: dst is not one partition with as many elements as "
        "data has in each\n  given:   data [4, 5], dst [1, 4]\n  allowed: [1, 5]",
    ),
    "partitions": ({"dst": sbuf("x")}, "tensor_partition_reduce.shape: "),
    "psum": (
        {"data": jnki.psum("p")},
        "err_unsupported_memory: tensor_partition_reduce: 'data' is in the wrong",
    ),
    "mask": ({"mask": jnki.arange(9)[None, :] < 3}, "tensor_partition_reduce.mask: tensor_partition_reduce: the mask"),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_rules(broken):
    changes, text = BROKEN[broken]
    with pytest.raises(RuleError) as caught:
        call(**changes)
    assert str(caught.value).startswith(text)


def test_a_twin_that_is_legal():
    call(op=np.max)
