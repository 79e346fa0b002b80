"""`tensor_scalar_reduce`: operators and reductions, types, the mask, gradients, and rules."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jnki
from jnki import DeviceMemory, RuleError, psum, reduce_cmd, sbuf
from tests.isa.computations import assert_only, assert_stands_for, batch, tame
from tests.oracle import vector_engine as oracle
from tests.oracle.scans import slopes

P, N = 3, 5
MASK, ON = jnki.arange(P)[:, None] + 3 < jnki.arange(N)[None, :], np.less.outer(np.arange(P) + 3, np.arange(N))
COMMANDS = ("reset_reduce", "reduce", "load_reduce")
REDUCTIONS = ("add", "subtract", "multiply", "maximum", "minimum")


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("reduce_op", REDUCTIONS)
def test_operators_and_reductions(reduce_op, masked):
    """The reduction is of float32 results, whatever `dst` rounds them to; the vector is of one axis more."""
    on = ON if masked else np.ones((P, N), bool)

    def make(rng):
        x, v, y = (tame(rng, shape, "float32", 0.5, 4) for shape in ((P, N), (P, 1), (P, N)))
        return {"x": x, "v": v, "y": y.astype(np.float16), "r": tame(rng, (P, 2), "float32")}

    def run(memory):
        operators = {"op0": "multiply", "operand0": sbuf("v"), "reduce_op": reduce_op, "reduce_res": sbuf("r")[:, 1]}
        return jnki.tensor_scalar_reduce(
            memory, dst=sbuf("y"), data=sbuf("x"), **operators, mask=MASK if masked else None
        )

    for old, new in batch(make, run, 16):
        product = old["x"].astype(np.float64) * old["v"]
        assert_stands_for(new["y"][on], product[on], "float16", steps=4)
        wanted, written = oracle.reduce(reduce_op, product, on)
        assert_stands_for(new["r"][written, 1], wanted[written], "float32", steps=64, scale=64.0)
        assert (new["r"][~written] == old["r"][~written]).all() and (new["r"][:, 0] == old["r"][:, 0]).all()
        inside = {"y": old["y"]}, {"y": new["y"]}
        assert_only(*inside, "y", on)


def test_an_operator_of_one_operand_and_several_axes():
    x = np.random.default_rng(0).normal(size=(P, 2, N)).astype(np.float32)
    memory = DeviceMemory.of(sbuf={"x": x, "r": np.zeros((P, 1), np.float32)})
    reduction = {"reduce_op": np.max, "reduce_res": sbuf("r")}
    memory = jnki.tensor_scalar_reduce(memory, dst=sbuf("x"), data=sbuf("x"), op0=np.abs, operand0=0.0, **reduction)
    np.testing.assert_array_equal(memory.sbuf["x"], np.abs(x))
    np.testing.assert_array_equal(memory.sbuf["r"][:, 0], np.abs(x).max(axis=(1, 2)))


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("reduce_op", ["add", "multiply", "maximum", "minimum"])
def test_registers(reduce_op, command, masked):
    """`reduce_res` is what the registers hold afterwards, with the opposite sign; they keep theirs."""
    on = ON if masked else np.ones((P, N), bool)

    def make(rng):
        x = tame(rng, (P, N), "float32", 0.5, 4)
        return {"x": x, **{name: tame(rng, (P, 1), "float32") for name in "rai"}}

    def run(memory):
        return jnki.tensor_scalar_reduce(
            memory,
            dst=sbuf("x"),
            data=sbuf("x"),
            op0="add",
            operand0=1.5,
            reduce_op=reduce_op,
            reduce_cmd=reduce_cmd[command],
            reduce_init=sbuf("i") if command == "load_reduce" else None,
            reduce_res=sbuf("r"),
            reduce_res_negate=True,
            accumulator=sbuf("a"),
            mask=MASK if masked else None,
        )

    for old, new in batch(make, run, 16):
        start = {"reset_reduce": None, "reduce": old["a"], "load_reduce": old["i"]}[command]
        rows, written = old["x"].astype(np.float64) + 1.5, on
        if start is not None:
            rows, written = (
                np.concatenate([start, rows], axis=1),
                np.concatenate([on.any(1, keepdims=True), on], axis=1),
            )
        wanted, any_on = oracle.reduce(reduce_op, rows, written)
        assert_stands_for(new["a"][any_on, 0], wanted[any_on], "float32", steps=64, scale=64.0)
        np.testing.assert_array_equal(new["r"][any_on], -new["a"][any_on])
        np.testing.assert_array_equal(new["r"][~any_on], old["r"][~any_on])
        np.testing.assert_array_equal(new["a"][~any_on], old["a"][~any_on])


def test_a_chain_of_instructions():
    """Two tiles reduced without a result in between give what the two side by side give at once."""
    x = np.arange(12, dtype=np.float32).reshape(2, 6)
    registers = {"a": np.full((2, 1), np.nan, np.float32), "r": np.zeros((2, 1), np.float32)}
    shared = {"op0": "multiply", "operand0": 2, "reduce_op": "add", "accumulator": sbuf("a")}
    memory = DeviceMemory.of(sbuf={"x": x, **registers})
    memory = jnki.tensor_scalar_reduce(memory, dst=sbuf("x")[:, :3], data=sbuf("x")[:, :3], **shared)
    assert not memory.sbuf["r"].any()
    options = {"reduce_cmd": reduce_cmd.reduce, "reduce_res": sbuf("r")}
    memory = jnki.tensor_scalar_reduce(memory, dst=sbuf("x")[:, 3:], data=sbuf("x")[:, 3:], **shared, **options)
    assert memory.sbuf["r"].tolist() == [[30], [102]]


def test_gradients():
    def run(x, v):
        memory = DeviceMemory.of(sbuf={"x": x, "v": v, "z": jnp.zeros((P, N)), "r": jnp.zeros((P, 1))})
        operators = {"op0": "divide", "operand0": sbuf("v"), "reduce_op": "subtract", "reduce_res": sbuf("r")}
        memory = jnki.tensor_scalar_reduce(memory, dst=sbuf("z"), data=sbuf("x"), **operators, mask=CUT)
        return (jnp.concatenate([memory.sbuf["z"], memory.sbuf["r"]], axis=1) * weights).sum()

    def by_numpy(x, v):
        z = np.where(on, x / v, 0)
        return np.concatenate([z, 2 * z[:, :1] - z.sum(axis=1, keepdims=True)], axis=1)

    CUT, on = jnki.arange(N)[None, :] < 4, np.arange(N) < 4
    rng = np.random.default_rng(2)
    weights = rng.normal(size=(P, N + 1)).astype(np.float32)
    x, v = rng.uniform(1, 2, (P, N)).astype(np.float32), rng.uniform(1, 2, (P, 1)).astype(np.float32)
    found = jax.jit(jax.grad(run, (0, 1)))(np.where(on, x, np.float32(np.nan)), v)
    for a, b in zip(found, slopes(by_numpy, [x, v], weights)):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def call(**changes):
    sizes = {"x": (P, N), "y": (P, N), "v": (P, 1), "row": (1, N)}
    memory = DeviceMemory.of(
        sbuf={name: np.zeros(shape, np.float32) for name, shape in sizes.items()} | {"i": np.zeros((P, N), np.int32)},
        psum={"p": np.zeros((P, N), np.float32)},
        hbm={"h": np.zeros((P, 1), np.float32)},
    )
    usual = {"dst": sbuf("y"), "data": sbuf("x"), "op0": "add", "operand0": 1.0, "reduce_op": "add"}
    return jnki.tensor_scalar_reduce(memory, **{**usual, "reduce_res": sbuf("v"), **changes})


BROKEN = {
    "bits": (
        {"dst": sbuf("i"), "data": sbuf("i"), "op0": "bitwise_and", "operand0": 1},
        "tensor_scalar_reduce.op0: tensor_scalar_reduce: 'op0' must be an arithmetic operator\n  given:   bitwise_and",
    ),
    "reduction": (
        {"reduce_op": "divide"},
        "tensor_scalar_reduce.reduce_op: tensor_scalar_reduce: the results cannot be reduced with this operator\n"
        "  given:   divide\n  allowed: add, subtract, multiply, maximum, minimum",
    ),
    "result": (
        {"reduce_res": sbuf("x")},
        "tensor_scalar_reduce.reduce_res: tensor_scalar_reduce: 'reduce_res' must be a scalar, or a vector with one",
    ),
    "hbm": (
        {"reduce_res": jnki.hbm("h")},
        "err_unsupported_memory: tensor_scalar_reduce: 'reduce_res' is in the",
    ),
    "command": (
        {"reduce_cmd": reduce_cmd.idle},
        "tensor_scalar_reduce.reduce_cmd: tensor_scalar_reduce: 'reduce_cmd' is no command\n  given:   idle\n"
        "  allowed: nisa.reduce_cmd.reset_reduce, nisa.reduce_cmd.reduce, nisa.reduce_cmd.load_reduce",
    ),
    "no start": (
        {"reduce_cmd": reduce_cmd.load_reduce},
        "tensor_scalar_reduce.reduce_init: tensor_scalar_reduce: the command needs 'reduce_init'\n"
        "  given:   reduce_init=None, reduce_cmd=load_reduce\n"
        "  allowed: reduce_init with reduce_cmd load_reduce, and only with it",
    ),
    "start": (
        {"reduce_init": 1.0},
        "tensor_scalar_reduce.reduce_init: tensor_scalar_reduce: the command makes no use of 'reduce_init'",
    ),
    "type of start": (
        {"reduce_init": sbuf("i")[:, :1], "reduce_cmd": reduce_cmd.load_reduce},
        "tensor_scalar_reduce.reduce_init: tensor_scalar_reduce: 'reduce_init' has the wrong element type\n"
        "  given:   int32\n  allowed: float32",
    ),
    "no registers": (
        {"reduce_cmd": reduce_cmd.reduce},
        "tensor_scalar_reduce.accumulator: tensor_scalar_reduce: the command reads the accumulator registers",
    ),
    "negated nothing": (
        {"reduce_res": None, "reduce_res_negate": True},
        "tensor_scalar_reduce.reduce_res_negate: tensor_scalar_reduce: there is no result to negate",
    ),
    "difference in registers": (
        {"reduce_op": "subtract", "accumulator": sbuf("v")},
        "tensor_scalar_reduce.reduce_op: tensor_scalar_reduce: the accumulator registers do not reduce with this "
        "operator\n  given:   subtract\n  allowed: add, multiply, maximum, minimum",
    ),
    "operand": ({"operand0": sbuf("x")}, "tensor_scalar_reduce.operand0: tensor_scalar_reduce: 'operand0' must be a"),
    "partitions": ({"data": sbuf("row")}, "err_num_partition_mismatch: tensor_scalar_reduce: dst and src span"),
    "mask": ({"mask": jnki.arange(9)[None, :] < 3}, "tensor_scalar_reduce.mask: tensor_scalar_reduce: the mask does"),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_rules(broken):
    changes, text = BROKEN[broken]
    with pytest.raises(RuleError) as caught:
        call(**changes)
    assert str(caught.value).startswith(text)


LEGAL = [
    {},
    {"data": psum("p"), "op0": "less"},
    {"op0": "abs", "operand0": None},
    {"reduce_cmd": reduce_cmd.load_reduce, "reduce_init": 1.0, "reduce_res": None},
    {"reduce_op": "subtract"},
]


@pytest.mark.parametrize("changes", LEGAL)
def test_twins_that_are_legal(changes):
    call(**changes)
