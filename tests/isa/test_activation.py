"""`activation`: whole memory against the oracle on vmapped batches, the registers, gradients, and every rule."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

import jnki
from jnki import TRN1, TRN2, TRN3, DeviceMemory, RuleError, psum, reduce_cmd, sbuf
from jnki.isa.activation import REDUCE_OPERATORS
from jnki.isa.activations import FUNCTIONS
from tests.isa.close import FLOATS, assert_stands_for, tame
from tests.oracle import scalar_engine as oracle
from tests.oracle.casts import STORAGE

CASES, P, N = 64, 4, 6
COMMANDS = ("idle", "reset", "reduce", "reset_reduce")


def ref(name, dtype="float32"):
    return sbuf(name, "tfloat32" if dtype == "tfloat32" else None)


def batch(memory_of_case, run, cases=CASES):
    """`run` on `cases` memories at once, each made by `memory_of_case(rng)`."""
    rng = np.random.default_rng(0)
    memories = [memory_of_case(rng) for _ in range(cases)]
    stacked = {name: np.stack([m[name] for m in memories]) for name in memories[0]}
    after = jax.jit(jax.vmap(lambda arrays: dict(run(DeviceMemory.of(sbuf=arrays)).sbuf)))(stacked)
    return memories, [{name: np.asarray(after[name][c]) for name in after} for c in range(cases)]


def arrays(rng, dtype="float32", out="float32"):
    return {
        "x": tame(rng, (P, N), dtype, -3, 3),
        "y": tame(rng, (P + 2, N + 2), out),
        "bias": tame(rng, (P, 1), "float32", -1, 1),
        "scale": tame(rng, (P, 1), "float32", -2, 2),
        "registers": tame(rng, (P, 1), "float32"),
        "result": tame(rng, (P, 2), "float32"),
    }


INNER = (slice(1, P + 1), slice(2, None))


@pytest.mark.parametrize("out", ["float32", "bfloat16", "float8_e4m3", "int8", "uint16"])
@pytest.mark.parametrize("dtype", [*FLOATS, "int8", "int32"])
def test_types(dtype, out):
    before, after = batch(
        lambda rng: arrays(rng, dtype, out),
        lambda m: jnki.activation(m, dst=sbuf("y")[INNER], op="tanh", data=ref("x", dtype), bias=sbuf("bias"), scale=2),
    )
    for old, new in zip(before, after):
        expected = oracle.activation(old["x"], "tanh", bias=old["bias"][:, 0], scale=2.0)
        assert_stands_for(new["y"][INNER], expected.values, out, steps=64)
        outside = np.ones(old["y"].shape, bool)
        outside[INNER] = False
        assert (new["y"] == old["y"])[outside].all()
        assert all((new[name] == old[name]).all() for name in old if name != "y")


@pytest.mark.parametrize("op", [f for f in FUNCTIONS if f not in ("log", "sqrt", "rsqrt", "reciprocal")])
@pytest.mark.parametrize("vector", [False, True], ids=["constant", "vector"])
def test_functions_scale_and_bias(op, vector):
    scale = sbuf("scale") if vector else -0.75
    before, after = batch(
        arrays, lambda m: jnki.activation(m, dst=sbuf("x"), op=op, data=sbuf("x"), bias=sbuf("bias"), scale=scale), 16
    )
    for old, new in zip(before, after):
        factor = old["scale"][:, 0] if vector else -0.75
        expected = oracle.activation(old["x"], op, bias=old["bias"][:, 0], scale=factor)
        assert_stands_for(new["x"], expected.values, "float32", steps=200, scale=1.0)


def masks():
    p, f = jnki.arange(P)[:, None], jnki.arange(N)[None, :]
    return {
        "none": (None, None),
        "box": ((p >= 1) & (f < 4), lambda p, f: (p >= 1) & (f < 4)),
        "triangle": (p > f, lambda p, f: p > f),
        "nothing": (f < 0, lambda p, f: f < 0),
        "rows": (p < 2, lambda p, f: (p < 2) & (f > -1)),
    }


@pytest.mark.parametrize("mask", masks())
@pytest.mark.parametrize("reads_out", [False, True], ids=["kept", "read_out"])
@pytest.mark.parametrize("command", COMMANDS)
def test_registers(command, reads_out, mask):
    given, meaning = masks()[mask]
    on = None if meaning is None else np.broadcast_to(meaning(*np.ogrid[:P, :N]), (P, N))
    reduces = "reduce" in command
    before, after = batch(
        arrays,
        lambda m: jnki.activation(
            m,
            dst=sbuf("y")[INNER],
            op="exp",
            data=sbuf("x"),
            reduce_op=np.add if reduces else None,
            reduce_cmd=reduce_cmd[command],
            reduce_res=sbuf("result")[:, 1:] if reads_out else None,
            accumulator=sbuf("registers"),
            mask=given,
        ),
        24,
    )
    for old, new in zip(before, after):
        expected = oracle.activation(
            old["x"],
            "exp",
            mask=on,
            reduce_op="add" if reduces else None,
            reduce_cmd=command,
            registers=old["registers"][:, 0],
        )
        written, ran = expected.written, expected.ran
        assert_stands_for(new["y"][INNER][written], expected.values[written], "float32")
        assert (new["y"][INNER] == old["y"][INNER])[~written].all()
        assert_stands_for(new["registers"][:, 0], expected.registers, "float32", steps=64, scale=100.0)
        assert (new["registers"] == old["registers"])[~ran].all()
        result = np.where(ran & reads_out, expected.registers, old["result"][:, 1])
        assert_stands_for(new["result"][:, 1], result, "float32", steps=64, scale=100.0)
        assert (new["result"][:, 0] == old["result"][:, 0]).all()


@pytest.mark.parametrize("command", ["reduce", "reset_reduce", "reset"])
@pytest.mark.parametrize("op", REDUCE_OPERATORS)
def test_other_reductions_on_newer_cores(op, command):
    reduces = op if command != "reset" else None
    before, after = batch(
        arrays,
        lambda m: jnki.activation(
            m,
            dst=sbuf("x"),
            op="sin",
            data=sbuf("x"),
            reduce_op=reduces,
            reduce_cmd=reduce_cmd[command],
            accumulator=sbuf("registers"),
            target=TRN2,
        ),
        8,
    )
    for old, new in zip(before, after):
        expected = oracle.activation(
            old["x"], "sin", reduce_op=reduces, reduce_cmd=command, registers=old["registers"][:, 0]
        )
        assert_stands_for(new["registers"][:, 0], expected.registers, "float32", steps=100, scale=10.0)


def test_the_reduction_is_of_the_results_before_the_cast():
    x = np.full((1, 8), 1 + 2.0**-10, np.float32)
    memory = DeviceMemory.of(
        sbuf={"x": x, "y": np.zeros((1, 8), STORAGE["bfloat16"]), "r": np.zeros((1, 1), np.float32)}
    )
    command = reduce_cmd.reset_reduce
    memory = jnki.activation(
        memory, dst=sbuf("y"), op="copy", data=sbuf("x"), reduce_op="add", reduce_cmd=command, reduce_res=sbuf("r")
    )
    assert (memory.sbuf["y"] == 1).all()
    assert memory.sbuf["r"][0, 0] == 8 + 2.0**-7


def test_all_free_axes_are_reduced():
    x = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    memory = DeviceMemory.of(sbuf={"x": x, "r": np.zeros((2, 1), np.float32)})
    memory = jnki.activation(
        memory,
        dst=sbuf("x"),
        op="copy",
        data=sbuf("x"),
        bias=sbuf("r"),
        reduce_op="add",
        reduce_cmd=reduce_cmd.reset_reduce,
        reduce_res=sbuf("r"),
    )
    assert memory.sbuf["r"].ravel().tolist() == [66, 210]


# Gradients.


@pytest.mark.parametrize("op", ["exp", "square", "silu", "gelu", "mish", "softplus", "gelu_dx", "silu_dx"])
@pytest.mark.parametrize("masked", [False, True])
def test_gradients(op, masked):
    rng = np.random.default_rng(1)
    p, f = jnki.arange(P)[:, None], jnki.arange(N)[None, :]

    def run(x, bias, scale, y, registers):
        arrays = {"x": x, "bias": bias, "scale": scale, "y": y, "acc": registers, "r": jnp.zeros((P, 1))}
        memory = jnki.activation(
            DeviceMemory.of(sbuf=arrays),
            dst=sbuf("y"),
            op=op,
            data=sbuf("x"),
            bias=sbuf("bias"),
            scale=sbuf("scale"),
            reduce_op="add",
            reduce_cmd=reduce_cmd.reduce,
            reduce_res=sbuf("r"),
            accumulator=sbuf("acc"),
            mask=(p + f < 6) if masked else None,
        )
        return memory.sbuf["y"], memory.sbuf["r"], memory.sbuf["acc"]

    shapes = ((P, N), (P, 1), (P, 1), (P, N), (P, 1))
    check_grads(run, [jnp.asarray(tame(rng, s, "float32", -1, 1)) for s in shapes], 1, ["fwd", "rev"], 3e-3, 3e-3)


@pytest.mark.parametrize("op", ["sqrt", "log", "rsqrt", "reciprocal"])
def test_an_infinite_slope_under_the_mask_does_not_leak(op):
    def total(x):
        memory = DeviceMemory.of(sbuf={"x": x, "y": jnp.zeros_like(x)})
        mask = jnki.arange(4)[None, :] != 1
        return jnki.activation(memory, dst=sbuf("y"), op=op, data=sbuf("x"), mask=mask).sbuf["y"].sum()

    slopes = jax.grad(total)(jnp.array([[1.0, 0.0, 4.0, 1.0]]))
    assert np.isfinite(slopes).all() and slopes[0, 1] == 0 and slopes[0, 2] != 0


# Rules.


def call(*, target=TRN2, out="float32", **changes):
    memory = DeviceMemory.of(
        sbuf={
            **{kind: np.zeros((P, 1), STORAGE[kind]) for kind in ("float32", "float16", "bfloat16", "int8")},
            "x": np.zeros((P, N), np.float32),
            "y": np.zeros((P, N), STORAGE[out]),
            "small": np.zeros((P, N - 1), np.float32),
            "short": np.zeros((P - 1, N), np.float32),
            "row": np.zeros((1, P), np.float32),
            "tall": np.zeros((200, 1), np.float32),
        },
        psum={"p": np.zeros((P, N), np.float32)},
        hbm={"h": np.zeros((P, N), np.float32)},
    )
    arguments = {"dst": sbuf("y"), "op": "exp", "data": sbuf("x"), **changes}
    return jnki.activation(memory, **arguments, target=target)


RESULT = {"reduce_cmd": reduce_cmd.reset_reduce, "reduce_op": "add"}

BROKEN = {
    "bias_type": (
        {"bias": sbuf("int8")},
        "err_activation_bias_invalid_type: activation: 'bias' has the wrong element type\n"
        "  given:   int8 [4, 1]\n  allowed: a vector of float32, float16, bfloat16",
    ),
    "bias_tfloat32": ({"bias": sbuf("float32", "tfloat32")}, "err_activation_bias_invalid_type"),
    "bias_matrix": (
        {"bias": sbuf("x")},
        "activation.bias: activation: 'bias' must be a scalar, or a vector with one element per partition\n"
        "  given:   [4, 6] beside data [4, 6]\n  allowed: [4, 1]",
    ),
    "bias_row": ({"bias": sbuf("row")}, "activation.bias: "),
    "scale_type": (
        {"scale": sbuf("float16")},
        "err_activation_scale_invalid_type: activation: 'scale' has the wrong element type\n"
        "  given:   float16 [4, 1]\n  allowed: a number, or a float32 vector",
    ),
    "scale_matrix": (
        {"scale": sbuf("x")},
        "err_activation_scale_scalar_or_vector: activation: 'scale' must be a scalar, or a vector with one element",
    ),
    "scale_row": ({"scale": sbuf("row")}, "err_activation_scale_scalar_or_vector: "),
    "scale_hbm": ({"scale": jnki.hbm("h")[:, :1]}, "err_unsupported_memory: activation: 'scale' is in the wrong memory"),
    "bias_hbm": ({"bias": jnki.hbm("h")[:, :1]}, "err_unsupported_memory: activation: 'bias' is in the wrong memory"),
    "data_hbm": (
        {"data": jnki.hbm("h")},
        "err_unsupported_memory: activation: 'data' is in the wrong memory\n"
        "  given:   hbm tensor 'h' [4, 6] float32\n  allowed: sbuf | psum",
    ),
    "dst_hbm": ({"dst": jnki.hbm("h")}, "err_unsupported_memory: activation: 'dst' is in the wrong memory"),
    "elements": ({"data": sbuf("small")}, "activation.element_count: activation: dst and src have different numbers"),
    "partitions": ({"data": sbuf("short")}, "err_num_partition_mismatch: activation: dst and src span different"),
    "too_many": (
        {"data": sbuf("tall"), "dst": sbuf("tall")},
        "err_num_partition_exceed_arch_limit: activation: 'data' spans too many partitions",
    ),
    "no_reduce_op": (
        {"reduce_cmd": reduce_cmd.reset_reduce},
        "activation.reduce_op: activation: the command needs 'reduce_op'\n"
        "  given:   reduce_op=None, reduce_cmd=reset_reduce\n"
        "  allowed: reduce_op with reduce_cmd reduce or reset_reduce, and only with these",
    ),
    "useless_reduce_op": (
        {"reduce_op": "add"},
        "activation.reduce_op: activation: the command makes no use of 'reduce_op'\n"
        "  given:   reduce_op=add, reduce_cmd=idle",
    ),
    "reset_with_reduce_op": ({"reduce_op": "add", "reduce_cmd": reduce_cmd.reset}, "activation.reduce_op: "),
    "reduce_op": (
        {"reduce_op": "subtract", "reduce_cmd": reduce_cmd.reset_reduce},
        "activation.reduce_op: activation: the Scalar Engine does not reduce with this operator\n"
        "  given:   subtract on trn2\n  allowed: add, multiply, maximum, minimum",
    ),
    "reduce_op_v2": (
        {"reduce_op": "maximum", "reduce_cmd": reduce_cmd.reset_reduce, "target": TRN1},
        "activation.reduce_op: activation: the Scalar Engine does not reduce with this operator\n"
        "  given:   maximum on trn1\n  allowed: add",
    ),
    "unknown_reduce_op": (
        {"reduce_op": "exp", "reduce_cmd": reduce_cmd.reset_reduce},
        "activation.reduce_op: activation: 'reduce_op' is not a math operator",
    ),
    "reduce_cmd": (
        {"reduce_cmd": 3, "reduce_op": "add"},
        "activation.reduce_cmd: activation: 'reduce_cmd' is no command\n  given:   3\n"
        "  allowed: nisa.reduce_cmd.idle, nisa.reduce_cmd.reset, nisa.reduce_cmd.reduce, nisa.reduce_cmd.reset_reduce",
    ),
    "reduce_res": (
        {**RESULT, "reduce_res": sbuf("x")},
        "activation.reduce_res: activation: 'reduce_res' must be a scalar, or a vector with one element per partition",
    ),
    "reduce_res_hbm": ({**RESULT, "reduce_res": jnki.hbm("h")[:, :1]}, "err_unsupported_memory: "),
    "no_registers": (
        {"reduce_cmd": reduce_cmd.reduce, "reduce_op": "add"},
        "activation.accumulator: activation: the command reads the accumulator registers, and there are none\n"
        "  given:   reduce_cmd=reduce",
    ),
    "reads_out_nothing": ({"reduce_res": sbuf("float32")}, "activation.accumulator: "),
    "reciprocal_bias": (
        {"op": "reciprocal", "bias": sbuf("float32"), "target": TRN1},
        "activation.reciprocal_bias: activation: 'reciprocal' takes no bias on NeuronCore-v2\n"
        "  given:   bias [4, 1] on trn1",
    ),
    "mask": (
        {"mask": jnki.arange(7)[None, :] < 3},
        "activation.mask: activation: the mask does not fit 'dst'\n  given:   mask [1, 7], dst [4, 6]",
    ),
    "op": ({"op": "cos"}, "activation.op: activation: 'op' is not an activation function"),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_rules(broken):
    changes, text = BROKEN[broken]
    with pytest.raises(RuleError) as caught:
        call(**changes)
    assert str(caught.value).startswith(text)
    assert caught.value.rule == text.split(":")[0]


LEGAL = {
    "bias_float16": {"bias": sbuf("float16")},
    "bias_bfloat16": {"bias": sbuf("bfloat16")},
    "scale": {"scale": sbuf("float32")},
    "number": {"scale": 2},
    "psum": {"data": psum("p"), "dst": psum("p")},
    "part": {"data": sbuf("x")[:, 1:], "dst": sbuf("small")},
    "reset": {"reduce_cmd": reduce_cmd.reset},
    "reduce_res": {**RESULT, "reduce_res": psum("p")[:, :1]},
    "reduce_op_v2": {**RESULT, "target": TRN1},
    "reduce_op_v4": {"reduce_op": "maximum", "reduce_cmd": reduce_cmd.reset_reduce, "target": TRN3},
    "registers": {"reduce_cmd": reduce_cmd.reduce, "reduce_op": "add", "accumulator": sbuf("float32")},
    "reciprocal": {"op": "reciprocal", "target": TRN1},
    "reciprocal_bias": {"op": "reciprocal", "bias": sbuf("float32"), "target": TRN2},
    "mask": {"mask": jnki.arange(6)[None, :] < 3},
    "numpy": {"op": np.exp},
}


@pytest.mark.parametrize("legal", LEGAL)
def test_twins_that_are_legal(legal):
    call(**LEGAL[legal])
