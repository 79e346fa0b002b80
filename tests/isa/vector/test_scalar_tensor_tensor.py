"""`scalar_tensor_tensor`: operators, orders, types, bits, the mask, gradients, and rules."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jnki
from jnki import DeviceMemory, RuleError, psum, sbuf
from tests.isa.computations import FLOATS, assert_only, assert_stands_for, batch, tame
from tests.oracle import vector_engine as oracle
from tests.oracle.scans import slopes

P, N = 3, 5
MASK, ON = jnki.arange(P)[:, None] < jnki.arange(N)[None, :], np.less.outer(np.arange(P), np.arange(N))


def draw(dtype="float32", out="float32"):
    return lambda rng: {
        "x": tame(rng, (P, N), dtype, 0.5, 4),
        "y": tame(rng, (P, N), "float32", 0.5, 4),
        "v": tame(rng, (P, 1), "float32", 0.5, 4),
        "z": tame(rng, (P, N), out),
    }


def test_every_operator_in_each_place():
    """First one operator and a subtraction, then a division and that operator; numbers and orders in turn."""
    names = list(oracle.ARITHMETIC)

    def reversals(number):
        return bool(number // 2 % 2), bool(number // 4 % 2)

    def run(memory):
        for number, op in enumerate(names):
            for op0, op1 in ((op, "subtract"), ("divide", op)):
                memory = jnki.scalar_tensor_tensor(
                    memory,
                    dst=sbuf(f"{op}_{op0}_{op1}"),
                    data=sbuf("x"),
                    op0=op0,
                    operand0=sbuf("v") if number % 2 else 1.5,
                    op1=op1,
                    operand1=sbuf("y"),
                    reverse0=reversals(number)[0],
                    reverse1=reversals(number)[1],
                    mask=MASK,
                )
        return memory

    def make(rng):
        results = [f"{op}_{a}_{b}" for op in names for a, b in ((op, "subtract"), ("divide", op))]
        return {**draw()(rng), **{name: np.full((P, N), 7, np.float32) for name in results}}

    for old, new in batch(make, run, 8):
        for number, op in enumerate(names):
            reverse0, reverse1 = reversals(number)
            for op0, op1 in ((op, "subtract"), ("divide", op)):
                operand = old["v"] if number % 2 else np.float64(1.5)
                inner = oracle.apply(op0, *((operand, old["x"]) if reverse0 else (old["x"], operand)))
                wanted = oracle.apply(op1, *((old["y"], inner) if reverse1 else (inner, old["y"])))
                found = new[f"{op}_{op0}_{op1}"]
                if op1 in ("subtract", "divide", "add", "multiply", "maximum", "minimum", "power"):
                    assert_stands_for(found[ON], wanted[ON], "float32", steps=128, scale=np.abs(inner[ON]) + 4)
                assert (found[~ON] == 7).all()


@pytest.mark.parametrize("out", ["float32", "bfloat16", "int8"])
@pytest.mark.parametrize("dtype", [*FLOATS, "int32"])
def test_the_result_is_rounded_once(dtype, out):
    source = sbuf("x", "tfloat32" if dtype == "tfloat32" else None)
    for old, new in batch(
        draw(dtype, out),
        lambda m: jnki.scalar_tensor_tensor(
            m, dst=sbuf("z"), data=source, op0="multiply", operand0=sbuf("v"), op1="add", operand1=sbuf("y")
        ),
        8,
    ):
        wanted = old["x"].astype(np.float64) * old["v"] + old["y"]
        assert_stands_for(new["z"], wanted, out, steps=4, scale=20.0)
        assert_only(old, new, "z")


@pytest.mark.parametrize("op", oracle.BITS)
def test_bits(op):
    def make(rng):
        bits = rng.integers(-(2**31), 2**31, (2, P, N), np.int32)
        return {"x": bits[0], "y": bits[1], "v": rng.integers(0, 31, (P, 1), np.int32)}

    def run(memory):
        operators = {"op0": op, "operand0": sbuf("v"), "op1": "bitwise_xor", "operand1": sbuf("y")}
        memory = jnki.scalar_tensor_tensor(memory, dst=sbuf("x"), data=sbuf("x"), **operators)
        inverted = {"op0": "invert", "operand0": 0, "op1": "bitwise_and", "operand1": sbuf("x")}
        return jnki.scalar_tensor_tensor(memory, dst=sbuf("y"), data=sbuf("y"), **inverted)

    for old, new in batch(make, run, 8):
        wanted = oracle.apply_to_bits(op, old["x"], old["v"]) ^ old["y"]
        assert (new["x"] == wanted).all() and (new["y"] == ~old["y"] & wanted).all()


def test_gradients():
    def run(x, y, v):
        memory = DeviceMemory.of(sbuf={"x": x, "y": y, "v": v, "z": jnp.zeros((P, N))})
        operators = {"op0": "divide", "operand0": sbuf("v"), "reverse0": True, "op1": "multiply", "operand1": sbuf("y")}
        memory = jnki.scalar_tensor_tensor(memory, dst=sbuf("z"), data=sbuf("x"), **operators, mask=MASK)
        return (memory.sbuf["z"] * weights).sum()

    rng = np.random.default_rng(2)
    weights = rng.normal(size=(P, N)).astype(np.float32)
    x, y, v = (rng.uniform(1, 2, shape).astype(np.float32) for shape in ((P, N), (P, N), (P, 1)))
    dead = np.where(ON, x, np.float32(0))
    found = jax.jit(jax.grad(run, (0, 1, 2)))(dead, y, v)
    wanted = slopes(lambda x, y, v: np.where(ON, v / np.where(ON, x, 1) * y, 0), [x, y, v], weights)
    for a, b in zip(found, wanted):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def call(**changes):
    sizes = {"x": (P, N), "y": (P, N), "v": (P, 1), "row": (1, N), "wide": (P, N + 1)}
    memory = DeviceMemory.of(
        sbuf={name: np.zeros(shape, np.float32) for name, shape in sizes.items()} | {"i": np.zeros((P, N), np.int32)},
        psum={"p": np.zeros((P, N), np.float32)},
        hbm={"h": np.zeros((P, N), np.float32)},
    )
    usual = {"dst": sbuf("x"), "data": sbuf("x"), "op0": "add", "operand0": 1.0, "op1": "add", "operand1": sbuf("y")}
    return jnki.scalar_tensor_tensor(memory, **{**usual, **changes})


BITS = {"dst": sbuf("i"), "data": sbuf("i"), "operand1": sbuf("i"), "op0": "bitwise_and", "op1": "bitwise_or"}
BROKEN = {
    "psum": (
        {"data": psum("p"), "operand1": psum("p")},
        "err_unsupported_memory: scalar_tensor_tensor: data and operand1 cannot both be in PSUM",
    ),
    "hbm": ({"operand1": jnki.hbm("h")}, "err_unsupported_memory: scalar_tensor_tensor: 'operand1' is in the wrong"),
    "partitions": (
        {"operand1": sbuf("row")},
        "err_num_partition_mismatch: scalar_tensor_tensor: the operands span different numbers of partitions\n"
        "  given:   data [3, 5], operand1 [1, 5], dst [3, 5]",
    ),
    "elements": (
        {"operand1": sbuf("wide")},
        "scalar_tensor_tensor.element_count: scalar_tensor_tensor: the operands have different numbers of elements",
    ),
    "unary": (
        {"op1": "rsqrt"},
        "scalar_tensor_tensor.op1: scalar_tensor_tensor: the operator takes one operand\n  given:   rsqrt",
    ),
    "mixed": (
        {**BITS, "op1": "add"},
        "scalar_tensor_tensor.op1: scalar_tensor_tensor: op0 and op1 must both be bitvec or both arithmetic\n"
        "  given:   bitwise_and, add",
    ),
    "bits": ({**BITS, "operand1": sbuf("y")}, "scalar_tensor_tensor.bitvec: scalar_tensor_tensor: 'bitwise_or' works"),
    "immediate": (
        {**BITS, "operand0": 1.5},
        "scalar_tensor_tensor.operand0: scalar_tensor_tensor: 'bitwise_and' works on bits, and 'operand0' has none",
    ),
    "matrix": (
        {"operand0": sbuf("y")},
        "scalar_tensor_tensor.operand0: scalar_tensor_tensor: 'operand0' must be a scalar, or a vector with one",
    ),
    "one_operand": (
        {"op0": "abs", "operand0": 1.0},
        "scalar_tensor_tensor.operand0: scalar_tensor_tensor: 'abs' has one operand, the data",
    ),
    "number": ({"operand0": "x"}, "scalar_tensor_tensor.value: scalar_tensor_tensor: the value must be a constant"),
    "op": ({"op0": np.exp}, "scalar_tensor_tensor.op0: scalar_tensor_tensor: 'op0' is not a math operator"),
    "mask": ({"mask": jnki.arange(9)[None, :] < 3}, "scalar_tensor_tensor.mask: scalar_tensor_tensor: the mask does"),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_rules(broken):
    changes, text = BROKEN[broken]
    with pytest.raises(RuleError) as caught:
        call(**changes)
    assert str(caught.value).startswith(text)


@pytest.mark.parametrize(
    "changes",
    [{"data": psum("p")}, {"operand1": psum("p"), "operand0": sbuf("v")}, {"op0": np.abs, "operand0": 0.0}],
    ids=["data", "operand1", "unary"],
)
def test_twins_that_are_legal(changes):
    call(**changes)
