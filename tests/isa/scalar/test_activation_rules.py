"""Every rule of `activation`: a call that breaks it, with the error's text, and a twin that does not."""

import numpy as np
import pytest

import jnki
from jnki import TRN1, TRN2, TRN3, DeviceMemory, RuleError, psum, reduce_cmd, sbuf
from tests.oracle.casts import STORAGE

P, N = 4, 6


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
    "scale_hbm": (
        {"scale": jnki.hbm("h")[:, :1]},
        "err_unsupported_memory: activation: 'scale' is in the wrong",
    ),
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
    "number_as_bias": (
        {"bias": 0.5, "target": TRN1},
        "activation.bias: activation: a number as 'bias' is for NeuronCore-v3 and newer\n"
        "  given:   0.5 on trn1\n  allowed: a [P, 1] tile",
    ),
    "reduce_cmd": (
        {"reduce_cmd": 3, "reduce_op": "add"},
        "activation.reduce_cmd: activation: 'reduce_cmd' is no command\n  given:   3\n"
        "  allowed: nisa.reduce_cmd.idle, nisa.reduce_cmd.reset, nisa.reduce_cmd.reduce, nisa.reduce_cmd.reset_reduce",
    ),
    "load": (
        {"reduce_cmd": reduce_cmd.load_reduce, "reduce_op": "add"},
        "activation.reduce_cmd: activation: 'reduce_cmd' is no command\n  given:   load_reduce\n",
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
    "registers_shape": (
        {**RESULT, "accumulator": sbuf("x")},
        "activation.accumulator: activation: 'accumulator' must be",
    ),
    "registers_type": (
        {**RESULT, "accumulator": sbuf("bfloat16")},
        "activation.accumulator: activation: the accumulator registers hold float32\n  given:   bfloat16",
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
    "number as bias": {"bias": 0.5},
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
