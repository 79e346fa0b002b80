"""`tensor_scalar`: one and two operators with numbers and vectors, reversed or not, the mask, gradients, and rules."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

import jnki
from jnki import TRN1, TRN2, DeviceMemory, RuleError, engine, sbuf
from tests.isa.computations import FLOATS, assert_only, assert_stands_for, batch, tame
from tests.oracle import vector_engine as oracle

P, N = 3, 5
MASK, ON = jnki.arange(P)[:, None] < jnki.arange(N)[None, :], np.less.outer(np.arange(P), np.arange(N))


def draw(dtype="float32", out="float32"):
    return lambda rng: {
        "x": tame(rng, (P, N), dtype, 0.5, 4),
        "v": tame(rng, (P, 1), "float32", 0.5, 4),
        "z": tame(rng, (P, N), out),
    }


@pytest.mark.parametrize("reverse", [False, True], ids=["right", "left"])
@pytest.mark.parametrize("vector", [False, True], ids=["number", "vector"])
@pytest.mark.parametrize("op", list(oracle.ARITHMETIC))
def test_one_operator(op, vector, reverse):
    operand = sbuf("v") if vector else 1.5
    for old, new in batch(
        draw(),
        lambda m: jnki.tensor_scalar(
            m, dst=sbuf("z"), data=sbuf("x"), op0=op, operand0=operand, reverse0=reverse, mask=MASK
        ),
        16,
    ):
        pair = (old["x"], old["v"] if vector else np.float64(1.5))
        expected = oracle.apply(op, *(reversed(pair) if reverse else pair))
        assert_stands_for(new["z"][ON], expected[ON], "float32", steps=32, scale=4.0)
        assert_only(old, new, "z", ON)


@pytest.mark.parametrize("reverse", [False, True], ids=["right", "left"])
@pytest.mark.parametrize("out", ["float32", "bfloat16", "int8"])
@pytest.mark.parametrize("dtype", [*FLOATS, "int32"])
def test_two_operators_are_rounded_once(dtype, out, reverse):
    source = sbuf("x", "tfloat32" if dtype == "tfloat32" else None)
    for old, new in batch(
        draw(dtype, out),
        lambda m: jnki.tensor_scalar(
            m,
            dst=sbuf("z"),
            data=source,
            op0="multiply",
            operand0=sbuf("v"),
            op1="subtract",
            operand1=2.5,
            reverse1=reverse,
        ),
        16,
    ):
        product = old["x"].astype(np.float64) * old["v"]
        assert_stands_for(new["z"], 2.5 - product if reverse else product - 2.5, out, steps=4, scale=16.0)


@pytest.mark.parametrize(
    ("op", "meaning"),
    [("rsqrt", lambda x: x**-0.5), ("reciprocal", lambda x: 1 / x), ("abs", np.abs), ("logical_not", lambda x: x == 0)],
)
def test_operators_of_one_operand(op, meaning):
    for old, new in batch(
        draw(), lambda m: jnki.tensor_scalar(m, dst=sbuf("z"), data=sbuf("x"), op0=op, operand0=0.0), 16
    ):
        assert_stands_for(new["z"], meaning(old["x"].astype(np.float64)), "float32", steps=8)


@pytest.mark.parametrize("op", oracle.BITS)
def test_bits(op):
    for old, new in batch(
        lambda rng: {"x": rng.integers(-(2**31), 2**31, (P, N), np.int32), "v": rng.integers(0, 31, (P, 1), np.int32)},
        lambda m: jnki.tensor_scalar(
            m, dst=sbuf("x"), data=sbuf("x"), op0=op, operand0=sbuf("v"), op1="bitwise_xor", operand1=5
        ),
        16,
    ):
        assert (new["x"] == oracle.apply_to_bits(op, old["x"], old["v"]) ^ 5).all()


def test_zero_times_what_is_no_number_is_none():
    """A compiler would make a selection of a comparison, or of a boolean, times a number."""
    rows = np.array([[np.inf, np.nan, -1.0, 2.0]], np.float32)
    memory = DeviceMemory.of(sbuf={"x": rows, "never": np.zeros((1, 4), np.bool_), "z": rows, "t": rows})

    @jax.jit
    def run(memory):
        flagged = {"op0": "equal", "operand0": 9.0, "op1": "multiply", "operand1": sbuf("x")[:, :1]}
        memory = jnki.tensor_scalar(memory, dst=sbuf("z"), data=sbuf("x"), **flagged)
        return jnki.tensor_tensor(memory, dst=sbuf("t"), data1=sbuf("never"), data2=sbuf("x"), op="multiply")

    after = run(memory)
    np.testing.assert_array_equal(after.sbuf["z"], np.full((1, 4), np.nan))
    np.testing.assert_array_equal(after.sbuf["t"], [[np.nan, np.nan, 0, 0]])
    assert np.signbit(after.sbuf["t"])[0, 2:].tolist() == [True, False]


def test_gradients():
    def run(x, v, z):
        memory = DeviceMemory.of(sbuf={"x": x, "v": v, "z": z})
        divided = {"op0": "divide", "operand0": sbuf("v"), "reverse0": True, "op1": "multiply", "operand1": sbuf("v")}
        return jnki.tensor_scalar(memory, dst=sbuf("z"), data=sbuf("x"), **divided, mask=MASK).sbuf["z"]

    rng = np.random.default_rng(2)
    values = [jnp.asarray(rng.uniform(1, 2, shape), jnp.float32) for shape in ((P, N), (P, 1), (P, N))]
    check_grads(run, values, 1, ["fwd", "rev"], 1e-2, 1e-2)


def call(target=TRN2, **changes):
    memory = DeviceMemory.of(
        sbuf={name: np.zeros((P, N), name) for name in ("float32", "int32")}
        | {"v": np.zeros((P, 1), np.float32), "wide": np.zeros((P, N + 1), np.float32), "row": np.zeros((1, N), "f4")},
        hbm={"h": np.zeros((P, N), np.float32)},
    )
    arguments = {"dst": sbuf("float32"), "data": sbuf("float32"), "op0": np.add, "operand0": 1.0}
    return jnki.tensor_scalar(memory, **{**arguments, **changes}, target=target)


BROKEN = {
    "op": ({"op0": np.exp}, "tensor_scalar.op0: tensor_scalar: 'op0' is not a math operator\n  given:   exp"),
    "op1": ({"op1": np.exp, "operand1": 1}, "tensor_scalar.op1: tensor_scalar: 'op1' is not a math operator"),
    "no_operand": ({"operand0": None}, "tensor_scalar.operand0: tensor_scalar: 'add' needs 'operand0'"),
    "operand1_alone": (
        {"operand1": 2.0},
        "tensor_scalar.operand1: tensor_scalar: operand1 without op1\n  given:   2.0",
    ),
    "matrix": (
        {"operand0": sbuf("float32")},
        "tensor_scalar.operand0: tensor_scalar: 'operand0' must be a scalar, or a vector with one element per partition"
        "\n  given:   [3, 5] beside data [3, 5]\n  allowed: [3, 1]",
    ),
    "unary_operand": (
        {"op0": "rsqrt", "operand0": 1.0},
        "tensor_scalar.operand0: tensor_scalar: 'rsqrt' has one operand, the data\n  given:   operand0=1.0",
    ),
    "bits": (
        {"op0": np.bitwise_and, "operand0": 1},
        "tensor_scalar.bitvec: tensor_scalar: 'bitwise_and' works on bits",
    ),
    "mixed": (
        {"dst": sbuf("int32"), "data": sbuf("int32"), "op0": np.bitwise_and, "op1": np.add, "operand1": 1},
        "tensor_scalar.op1: tensor_scalar: op0 and op1 must both be bitvec or both arithmetic\n"
        "  given:   bitwise_and, add",
    ),
    "elements": ({"dst": sbuf("wide")}, "tensor_scalar.element_count: tensor_scalar: dst and data have different"),
    "partitions": ({"dst": sbuf("row")}, "err_num_partition_mismatch: tensor_scalar: dst and data span different"),
    "hbm": ({"data": jnki.hbm("h")}, "err_unsupported_memory: tensor_scalar: 'data' is in the wrong memory"),
    "gpsimd": (
        {"engine": engine.gpsimd},
        "tensor_scalar.engine: tensor_scalar: GpSimd runs only rsqrt here\n  given:   ('add', None)",
    ),
    "scalar": (
        {"engine": engine.scalar, "op0": np.subtract},
        "tensor_scalar.engine: tensor_scalar: the Scalar Engine cannot run these operators\n"
        "  given:   ('subtract', None) on trn2",
    ),
    "scalar_v2": ({"engine": engine.scalar, "target": TRN1}, "tensor_scalar.engine: "),
    "tensor": (
        {"engine": engine.tensor},
        "tensor_scalar.engine: tensor_scalar: the engine cannot run this instruction",
    ),
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
        {"operand0": sbuf("v"), "op1": np.max, "operand1": sbuf("v")},
        {"op0": "rsqrt", "operand0": 0.0, "engine": engine.gpsimd},
        {"op0": np.multiply, "op1": np.add, "operand1": 1.0, "engine": engine.scalar},
        {"dst": sbuf("int32"), "data": sbuf("int32"), "op0": np.bitwise_and, "operand0": 3},
    ],
    ids=["vectors", "gpsimd", "scalar", "bits"],
)
def test_twins_that_are_legal(changes):
    call(**changes)
