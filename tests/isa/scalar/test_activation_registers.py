"""The accumulator registers of `activation`: every command, masked and read out or not, against the oracle."""

import numpy as np
import pytest

import jnki
from jnki import TRN2, DeviceMemory, reduce_cmd, sbuf
from jnki.access.mask import as_mask
from jnki.isa.operands import tiles
from jnki.isa.scalar.activation import Activation
from jnki.isa.scalar.registers import REDUCE_OPERATORS
from jnki.lower.trim import trimmed
from tests.isa.computations import assert_stands_for, batch
from tests.isa.scalar.test_activation import INNER, N, P, arrays
from tests.oracle import scalar_engine as oracle
from tests.oracle.casts import STORAGE

COMMANDS = ("idle", "reset", "reduce", "reset_reduce")


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
    for old, new in batch(
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
    ):
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
    for old, new in batch(
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
    ):
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


@pytest.mark.parametrize("mask", masks())
@pytest.mark.parametrize("command", ["reduce", "reset_reduce"])
def test_an_instruction_trimmed_to_the_box_of_its_mask_does_the_same(command, mask):
    memory = DeviceMemory.of(sbuf=arrays(np.random.default_rng(0)))
    part = {"dst": sbuf("y")[INNER], "bias": sbuf("bias"), "reduce_res": sbuf("result")[:, 1:]}
    instruction = Activation(
        op="exp",
        reduce_op="maximum",
        reduce_cmd=reduce_cmd[command],
        mask=as_mask(masks()[mask][0]),
        **tiles(memory, data=sbuf("x"), accumulator=sbuf("registers"), **part),
    )
    smaller = trimmed(instruction)
    assert (smaller.mask is None) == (mask != "triangle")
    whole, box = instruction.execute(memory).sbuf, smaller.execute(memory).sbuf
    for name in whole:
        np.testing.assert_array_equal(whole[name], box[name])
