"""`activate2`: pairs of operators, functions, registers, derivatives, and rules."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jnki
from jnki import TRN2, DeviceMemory, RuleError, psum, reduce_cmd, sbuf
from tests.isa.computations import assert_only, assert_stands_for, batch, tame
from tests.oracle import activations
from tests.oracle.vector_engine import ARITHMETIC

P, N = 3, 5
PAIRS = [
    ("multiply", "add", False, False),
    ("multiply", "subtract", True, False),
    ("multiply", "subtract", False, True),
    ("multiply", "bypass", False, False),
    ("add", "bypass", True, False),
    ("subtract", "bypass", False, False),
    ("subtract", "bypass", True, False),
    ("bypass", "bypass", False, False),
]


def applied(x, op, number, reverse):
    if op == "bypass":
        return x
    left, right = (number, x) if reverse else (x, number)
    return ARITHMETIC[op](left, right)


@pytest.mark.parametrize(("op0", "op1", "reverse0", "reverse1"), PAIRS)
@pytest.mark.parametrize("op", ["tanh", "copy", "prelu"])
def test_operators_and_functions(op, op0, op1, reverse0, reverse1):
    def make(rng):
        vectors = {name: tame(rng, (P, 1), "float32", -2, 2) for name in "uvs"}
        return {"x": tame(rng, (P, N), "bfloat16", -3, 3), "y": tame(rng, (P, N), "float16"), **vectors}

    def run(m):
        options = {"reverse0": reverse0, "reverse1": reverse1, "relu_param": sbuf("s") if op == "prelu" else 0.0}
        numbers = {"imm0": sbuf("u"), "imm1": sbuf("v"), "op0": op0, "op1": op1}
        return jnki.activate2(m, dst=sbuf("y"), op=op, data=sbuf("x"), **numbers, **options)

    for old, new in batch(make, run, 8):
        wanted = np.empty((P, N))
        for p, i in np.ndindex(P, N):
            x = applied(float(old["x"][p, i]), op0, float(old["u"][p, 0]), reverse0)
            x = applied(x, op1, float(old["v"][p, 0]), reverse1)
            slope = float(old["s"][p, 0])
            wanted[p, i] = (x if x > 0 else slope * x) if op == "prelu" else activations.FUNCTIONS[op](x)
        assert_stands_for(new["y"], wanted, "float16", steps=32, scale=8.0)
        assert_only(old, new, "y")


START = {"add": 0, "maximum": -np.inf, "minimum": np.inf, "abs_max": 0, "abs_min": np.inf}


def folded(op, total, values):
    for x in values:
        match op:
            case "add":
                total = total + x
            case "maximum":
                total = max(total, x)
            case "minimum":
                total = min(total, x)
            case "abs_max":
                total = total if abs(total) > abs(x) else x
            case "abs_min":
                total = total if abs(total) < abs(x) else x
    return total


@pytest.mark.parametrize("command", ["idle", "reset", "reduce", "reset_reduce"])
@pytest.mark.parametrize("op", START)
def test_registers(op, command):
    """Small whole numbers, so that there are ties, and sums are exact."""

    def make(rng):
        x = rng.integers(-3, 4, (P, N)).astype(np.float32)
        return {"x": x, "a": rng.integers(-4, 5, (P, 1)).astype(np.float32), "r": np.zeros((P, 1), np.float32)}

    def run(m):
        options = {} if command == "idle" else {"reduce_op": op}
        registers = {"reduce_cmd": reduce_cmd[command], "reduce_res": sbuf("r"), "accumulator": sbuf("a")}
        numbers = {"imm0": 0, "imm1": 0, "op0": "bypass", "op1": None}
        return jnki.activate2(m, dst=sbuf("x"), op="copy", data=sbuf("x"), **numbers, **registers, **options)

    for old, new in batch(make, run, 16):
        for p in range(P):
            before = float(old["a"][p, 0]) if command in ("idle", "reduce") else START[op]
            wanted = before if command in ("idle", "reset") else folded(op, before, old["x"][p])
            assert new["a"][p, 0] == new["r"][p, 0] == wanted


def test_derivatives():
    def run(x, a):
        memory = DeviceMemory.of(sbuf={"x": x, "s": a, "r": jnp.zeros((1, 1))})
        numbers = {"imm0": 3.0, "imm1": 1.0, "op0": "multiply", "op1": "subtract", "relu_param": sbuf("s")}
        reduction = {"reduce_op": "abs_max", "reduce_cmd": reduce_cmd.reset_reduce, "reduce_res": sbuf("r")}
        memory = jnki.activate2(memory, dst=sbuf("x"), op="prelu", data=sbuf("x"), **numbers, **reduction)
        return memory.sbuf["x"].sum() + 10 * memory.sbuf["r"][0, 0]

    of_x, of_a = jax.jit(jax.grad(run, (0, 1)))(jnp.array([[2.0, -1.0]]), jnp.array([[0.5]]))
    assert of_x.tolist() == [[33, 1.5]] and of_a.tolist() == [[-4]]


def call(**changes):
    memory = DeviceMemory.of(
        sbuf={
            "x": np.zeros((P, N), np.float32),
            "v": np.zeros((P, 1), np.float32),
            "half": np.zeros((P, 1), np.float16),
            "row": np.zeros((1, N), np.float32),
        },
        psum={"p": np.zeros((P, N), np.float32)},
    )
    usual = {
        "dst": sbuf("x"),
        "op": "exp",
        "data": sbuf("x"),
        "imm0": 1.0,
        "imm1": 0.0,
        "op0": "multiply",
        "op1": "add",
    }
    return jnki.activate2(memory, **{**usual, **changes})


BROKEN = {
    "target": (
        {"target": TRN2},
        "activate2.target: activate2: there is no such instruction before NeuronCore-v4\n",
    ),
    "pair": (
        {"op0": "add"},
        "activate2.operators: activate2: the Scalar Engine does not apply these operators\n  given:   (add, add)\n"
        "  allowed: (multiply, add), (multiply, subtract), (multiply, bypass), (add, bypass), (subtract, bypass), "
        "(bypass, bypass)",
    ),
    "second alone": ({"op0": None}, "activate2.operators: activate2: the Scalar Engine does not apply"),
    "reversed nothing": (
        {"op1": "bypass", "reverse1": True},
        "activate2.reverse1: activate2: there is no operator that 'reverse1' turns round",
    ),
    "types": (
        {"imm0": sbuf("v"), "imm1": sbuf("half")},
        "activate2.dtype: activate2: imm0 and imm1 have different element types\n  given:   imm0 float32, imm1 float16",
    ),
    "shape": ({"imm0": sbuf("x")}, "activate2.imm0: activate2: 'imm0' must be a scalar, or a vector"),
    "parameter": (
        {"relu_param": 0.5},
        "activate2.relu_param: activate2: 'exp' has no parameter\n  given:   relu_param=0.5\n  allowed: 0.0, or",
    ),
    "reduction": (
        {"reduce_op": "multiply", "reduce_cmd": reduce_cmd.reset_reduce},
        "activate2.reduce_op: activate2: the Scalar Engine does not reduce with this operator\n"
        "  given:   multiply on trn3\n  allowed: add, maximum, minimum, abs_max, abs_min",
    ),
    "unused reduction": (
        {"reduce_op": "add"},
        "activate2.reduce_op: activate2: the command makes no use of 'reduce_op'",
    ),
    "no registers": (
        {"reduce_op": "add", "reduce_cmd": reduce_cmd.reduce},
        "activate2.accumulator: activate2: the command reads the accumulator registers, and there are none",
    ),
    "function": ({"op": "cos"}, "activate2.op: activate2: 'op' is not an activation function"),
    "partitions": ({"data": sbuf("row")}, "err_num_partition_mismatch: activate2: dst and src span different"),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_rules(broken):
    changes, text = BROKEN[broken]
    with pytest.raises(RuleError) as caught:
        call(**changes)
    assert str(caught.value).startswith(text)


def test_activation_has_no_parameter():
    memory = DeviceMemory.of(sbuf={"x": np.zeros((P, N), np.float32)})
    with pytest.raises(RuleError, match=r"activation\.op: activation: 'prelu' has a parameter"):
        jnki.activation(memory, dst=sbuf("x"), op="prelu", data=sbuf("x"))


LEGAL = [
    {},
    {"data": psum("p"), "imm0": sbuf("v"), "imm1": sbuf("v"), "op1": np.subtract, "reverse1": True},
    {"imm0": sbuf("half"), "reduce_op": "abs_min", "reduce_cmd": reduce_cmd.reset_reduce, "reduce_res": sbuf("v")},
    {"op": "prelu", "relu_param": sbuf("v")},
]


@pytest.mark.parametrize("changes", LEGAL)
def test_twins_that_are_legal(changes):
    call(**changes)
