"""`tensor_scalar_cumulative`: bits of every operator and command, types, chains, gradients, and rules."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jnki
from jnki import DeviceMemory, RuleError, psum, reduce_cmd, sbuf
from tests.isa.computations import assert_only, assert_stands_for, batch, tame
from tests.oracle.scans import cumulative

P, N = 3, 7
PLAIN = np.arange(N, dtype=np.float32)[None].repeat(P, axis=0)


@pytest.mark.parametrize("command", ["reset_reduce", "reduce", "load_reduce"])
@pytest.mark.parametrize("op1", ["add", "subtract", "multiply", "maximum", "minimum"])
def test_bits_are_those_of_a_loop_in_float32(op1, command):
    def make(rng):
        arrays = {"x": rng.normal(size=(P, N)).astype(np.float32), "y": tame(rng, (P, N), "float32")}
        return arrays | {name: rng.normal(size=(P, 1)).astype(np.float32) for name in "vai"}

    def run(m):
        options = {"imm0": sbuf("v"), "imm1": sbuf("i") if command == "load_reduce" else None}
        commands = {"reduce_cmd": reduce_cmd[command], "accumulator": sbuf("a")}
        return jnki.tensor_scalar_cumulative(
            m, dst=sbuf("y"), src=sbuf("x"), op0="multiply", op1=op1, **options, **commands
        )

    for old, new in batch(make, run, 16):
        start = {"reset_reduce": None, "reduce": old["a"][:, 0], "load_reduce": old["i"][:, 0]}[command]
        wanted = cumulative(old["x"], "multiply", old["v"][:, 0], op1, start)
        np.testing.assert_array_equal(new["y"], wanted)
        np.testing.assert_array_equal(new["a"], wanted[:, -1:])


@pytest.mark.parametrize(("src", "dst"), [("bfloat16", "float16"), ("int8", "uint8"), ("uint16", "float8_e5m2")])
def test_types(src, dst):
    """The state is float32; what `dst` rounds does not come back into it. Free axes are walked as one."""

    def make(rng):
        x = tame(rng, (P, 2, 3), src, 0, 9)
        return {"x": x, "y": tame(rng, (P, 8), dst)}

    def run(m):
        return jnki.tensor_scalar_cumulative(m, dst=sbuf("y")[:, 1:7], src=sbuf("x"), op0="add", imm0=0.25, op1="add")

    for old, new in batch(make, run, 16):
        wanted = cumulative(old["x"].reshape(P, 6), "add", np.full(P, 0.25, np.float32), "add", None)
        assert_stands_for(new["y"][:, 1:7], wanted, dst, steps=0)
        assert_only(old, new, "y", np.arange(8)[None].repeat(P, 0) % 7 > 0)


def test_two_tiles_give_what_one_gives():
    """And the registers hold what `tensor_scalar_reduce` finds there."""
    memory = DeviceMemory.of(sbuf={"x": PLAIN, "y": np.zeros_like(PLAIN), "a": PLAIN[:, :1], "r": PLAIN[:, :1]})
    shared = {"op0": "abs", "imm0": None, "op1": "add", "accumulator": sbuf("a")}
    memory = jnki.tensor_scalar_cumulative(memory, dst=sbuf("y")[:, :4], src=sbuf("x")[:, :4], **shared)
    memory = jnki.tensor_scalar_cumulative(
        memory, dst=sbuf("y")[:, 4:], src=sbuf("x")[:, 4:], reduce_cmd=reduce_cmd.reduce, **shared
    )
    np.testing.assert_array_equal(memory.sbuf["y"], np.cumsum(PLAIN, axis=1))
    memory = jnki.tensor_scalar_reduce(
        memory,
        dst=sbuf("x"),
        data=sbuf("x"),
        op0="multiply",
        operand0=2.0,
        reduce_op="add",
        reduce_cmd=reduce_cmd.reduce,
        reduce_res=sbuf("r"),
        accumulator=sbuf("a"),
    )
    assert memory.sbuf["r"].tolist() == [[63]] * P


def test_gradients():
    def run(x, v):
        memory = DeviceMemory.of(sbuf={"x": x, "v": v, "y": jnp.zeros((P, N))})
        memory = jnki.tensor_scalar_cumulative(
            memory, dst=sbuf("y"), src=sbuf("x"), op0="multiply", op1="add", imm0=sbuf("v")
        )
        return (memory.sbuf["y"] * weights).sum()

    rng = np.random.default_rng(2)
    weights, x, v = rng.normal(size=(P, N)), rng.normal(size=(P, N)), rng.normal(size=(P, 1))
    of_x, of_v = jax.jit(jax.grad(run, (0, 1)))(x.astype(np.float32), v.astype(np.float32))
    reach = np.cumsum(weights[:, ::-1], axis=1)[:, ::-1]
    np.testing.assert_allclose(of_x, reach * v, rtol=1e-5)
    np.testing.assert_allclose(of_v, (reach * x).sum(axis=1, keepdims=True), rtol=1e-4)


def call(**changes):
    memory = DeviceMemory.of(
        sbuf={
            "x": PLAIN,
            "y": np.zeros((P, N), np.float32),
            "v": np.zeros((P, 1), np.float32),
            "half": np.zeros((P, 1), np.float16),
            "i": np.zeros((P, N), np.int32),
            "row": np.zeros((1, N), np.float32),
        },
        psum={"p": np.zeros((P, N), np.float32)},
        hbm={"h": np.zeros((P, N), np.float32)},
    )
    usual = {"dst": sbuf("y"), "src": sbuf("x"), "op0": "add", "op1": "add", "imm0": 1.0}
    return jnki.tensor_scalar_cumulative(memory, **{**usual, **changes})


BROKEN = {
    "type": (
        {"src": sbuf("i")},
        "tensor_scalar_cumulative.src: tensor_scalar_cumulative: 'src' has the wrong element type\n  given:   int32",
    ),
    "type of dst": ({"dst": sbuf("i")}, "tensor_scalar_cumulative.dst: tensor_scalar_cumulative: 'dst' has the wrong"),
    "bits": (
        {"op0": "bitwise_and"},
        "tensor_scalar_cumulative.op0: tensor_scalar_cumulative: 'op0' must be an arithmetic operator\n"
        "  given:   bitwise_and",
    ),
    "reduction": (
        {"op1": "logical_and"},
        "tensor_scalar_cumulative.op1: tensor_scalar_cumulative: the results cannot be reduced with this operator\n"
        "  given:   logical_and\n  allowed: add, subtract, multiply, maximum, minimum",
    ),
    "command": (
        {"reduce_cmd": reduce_cmd.idle},
        "tensor_scalar_cumulative.reduce_cmd: tensor_scalar_cumulative: 'reduce_cmd' is no command\n  given:   idle\n"
        "  allowed: nisa.reduce_cmd.reset_reduce, nisa.reduce_cmd.reduce, nisa.reduce_cmd.load_reduce",
    ),
    "nothing to load": (
        {"reduce_cmd": reduce_cmd.load_reduce},
        "tensor_scalar_cumulative.imm1: tensor_scalar_cumulative: the command needs 'imm1'\n"
        "  given:   imm1=None, reduce_cmd=load_reduce",
    ),
    "unused": ({"imm1": 0.0}, "tensor_scalar_cumulative.imm1: tensor_scalar_cumulative: the command makes no use of"),
    "type of imm0": (
        {"imm0": sbuf("half")},
        "tensor_scalar_cumulative.imm0: tensor_scalar_cumulative: 'imm0' has the wrong element type\n"
        "  given:   float16\n  allowed: float32",
    ),
    "shape of imm0": ({"imm0": sbuf("x")}, "tensor_scalar_cumulative.imm0: tensor_scalar_cumulative: 'imm0' must be"),
    "no registers": (
        {"reduce_cmd": reduce_cmd.reduce},
        "tensor_scalar_cumulative.accumulator: tensor_scalar_cumulative: the command reads the accumulator registers",
    ),
    "partitions": ({"src": sbuf("row")}, "err_num_partition_mismatch: tensor_scalar_cumulative: dst and src span"),
    "elements": ({"src": sbuf("x")[:, 1:]}, "tensor_scalar_cumulative.element_count: "),
    "memory": ({"src": jnki.hbm("h")}, "err_unsupported_memory: tensor_scalar_cumulative: 'src' is in the wrong"),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_rules(broken):
    changes, text = BROKEN[broken]
    with pytest.raises(RuleError) as caught:
        call(**changes)
    assert str(caught.value).startswith(text)


LEGAL = [
    {},
    {"src": psum("p"), "op1": np.maximum},
    {"op0": "abs", "imm0": 0.0},
    {"reduce_cmd": reduce_cmd.load_reduce, "imm1": sbuf("v")},
    {"reduce_cmd": reduce_cmd.reduce, "accumulator": sbuf("v")},
]


@pytest.mark.parametrize("changes", LEGAL)
def test_twins_that_are_legal(changes):
    call(**changes)
