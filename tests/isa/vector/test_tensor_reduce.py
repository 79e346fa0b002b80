"""`tensor_reduce`: every operator and type, axes, negation, the mask, gradients, and rules."""

import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

import jnki
from jnki import DeviceMemory, RuleError, sbuf
from tests.isa.computations import FLOATS, assert_only, assert_stands_for, batch, tame
from tests.oracle import vector_engine as oracle
from tests.oracle.casts import STORAGE

P, A, B = 3, 4, 5
OPERATORS = ("add", "subtract", "multiply", "maximum", "minimum", "logical_and", "logical_or", "logical_xor")
MASK = jnki.arange(P)[:, None, None] + jnki.arange(A)[None, :, None] < jnki.arange(B)[None, None, :]
ON = np.add.outer(np.arange(P), np.arange(A))[:, :, None] < np.arange(B)


def draw(dtype="float32", out="float32", columns=A):
    def arrays(rng):
        x = tame(rng, (P, A, B), dtype, -2, 2)
        x[rng.random(x.shape) < 0.2] = 0
        return {"x": x, "z": tame(rng, (P, columns), out)}

    return arrays


@pytest.mark.parametrize("masked", [False, True], ids=["whole", "masked"])
@pytest.mark.parametrize("axes", [1, 2])
@pytest.mark.parametrize("op", OPERATORS)
def test_operators(op, axes, masked):
    columns = A if axes == 1 else 1
    rows = (P * columns, -1)
    for old, new in batch(
        draw(columns=columns),
        lambda m: jnki.tensor_reduce(m, dst=sbuf("z"), op=op, data=sbuf("x"), axes=axes, mask=MASK if masked else None),
        32,
    ):
        on = ON if masked else np.ones_like(ON)
        expected, written = oracle.reduce(op, old["x"].reshape(rows), on.reshape(rows))
        written = written.reshape(P, columns)
        assert_stands_for(new["z"][written], expected.reshape(P, columns)[written], "float32", steps=32, scale=4.0)
        assert_only(old, new, "z", written)


@pytest.mark.parametrize("negate", [False, True])
@pytest.mark.parametrize("out", ["float32", "float16", "int8"])
@pytest.mark.parametrize("dtype", [*FLOATS, "int16"])
def test_types(dtype, out, negate):
    source = sbuf("x", "tfloat32" if dtype == "tfloat32" else None)
    for old, new in batch(
        draw(dtype, out),
        lambda m: jnki.tensor_reduce(m, dst=sbuf("z"), op=np.add, data=source, negate=negate),
        16,
    ):
        expected = old["x"].astype(np.float64).sum(axis=-1) * (-1 if negate else 1)
        assert_stands_for(new["z"], expected, out, steps=8, scale=8.0)


@pytest.mark.parametrize("dtype", ["int8", "int32", "uint16"])
@pytest.mark.parametrize("op", ["bitwise_and", "bitwise_or", "bitwise_xor"])
def test_bits(op, dtype):
    for old, new in batch(
        lambda rng: {
            "x": rng.integers(np.iinfo(dtype).min, np.iinfo(dtype).max, (P, A, B), dtype=dtype),
            "z": np.zeros((P, A), dtype),
        },
        lambda m: jnki.tensor_reduce(m, dst=sbuf("z"), op=op, data=sbuf("x"), mask=MASK),
        16,
    ):
        for p, a in np.ndindex(P, A):
            taken = old["x"][p, a][ON[p, a]]
            expected = getattr(np, op).reduce(taken) if taken.size else 0
            assert new["z"][p, a] == expected


@pytest.mark.parametrize("op", ["add", "multiply", "maximum", "subtract"])
def test_gradients(op):
    def run(x, z):
        memory = DeviceMemory.of(sbuf={"x": x, "z": z})
        return jnki.tensor_reduce(memory, dst=sbuf("z"), op=op, data=sbuf("x"), mask=MASK).sbuf["z"]

    rng = np.random.default_rng(2)
    values = [jnp.asarray(rng.uniform(1, 2, shape), jnp.float32) for shape in ((P, A, B), (P, A))]
    check_grads(run, values, 1, ["fwd", "rev"], 1e-2, 1e-2)


def call(**changes):
    memory = DeviceMemory.of(
        sbuf={
            "x": np.zeros((P, A, B), np.float32),
            "i": np.zeros((P, A, B), np.int32),
            "z": np.zeros((P, A), STORAGE["bfloat16"]),
            "j": np.zeros((P, A), np.int32),
            "short": np.zeros((1, A), np.float32),
        },
        hbm={"h": np.zeros((P, A, B), np.float32)},
    )
    return jnki.tensor_reduce(memory, **{"dst": sbuf("z"), "op": np.add, "data": sbuf("x"), **changes})


BROKEN = {
    "op": ({"op": np.exp}, "tensor_reduce.op: tensor_reduce: 'op' is not a math operator\n  given:   exp"),
    "divide": (
        {"op": np.divide},
        "tensor_reduce.op: tensor_reduce: the operator does not reduce\n  given:   divide\n  allowed: bitwise_and, ",
    ),
    "bits": ({"op": np.bitwise_or}, "tensor_reduce.bitvec: tensor_reduce: 'bitwise_or' works on bits"),
    "negate": (
        {"op": np.bitwise_or, "data": sbuf("i"), "dst": sbuf("j"), "negate": True},
        "tensor_reduce.negate: tensor_reduce: bits have no sign\n  given:   negate with bitwise_or",
    ),
    "shape": (
        {"axes": 2},
        "tensor_reduce.shape: tensor_reduce: dst does not have one element per reduction\n"
        "  given:   data [3, 4, 5], 2 axes reduced, dst [3, 4]\n  allowed: 3 elements in 3 partitions",
    ),
    "partitions": ({"dst": sbuf("short")}, "tensor_reduce.shape: "),
    "hbm": ({"data": jnki.hbm("h")}, "err_unsupported_memory: tensor_reduce: 'data' is in the wrong memory"),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_rules(broken):
    changes, text = BROKEN[broken]
    with pytest.raises(RuleError) as caught:
        call(**changes)
    assert str(caught.value).startswith(text)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"op": np.max, "negate": True},
        {"op": np.bitwise_or, "data": sbuf("i"), "dst": sbuf("j")},
        {"axes": 2, "dst": sbuf("z")[:, :1]},
    ],
    ids=["plain", "negate", "bits", "two_axes"],
)
def test_twins_that_are_legal(changes):
    call(**changes)
