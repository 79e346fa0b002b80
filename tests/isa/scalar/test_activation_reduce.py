"""`activation_reduce`: it is an activation with `reset_reduce` that reads the registers out."""

import numpy as np
import pytest

import jnki
from jnki import TRN1, DeviceMemory, RuleError, reduce_cmd, sbuf
from jnki.isa import Activation, ActivationReduce
from jnki.isa.operands import tiles
from tests.isa.computations import assert_only, assert_stands_for, batch
from tests.isa.scalar.test_activation import INNER, N, P, arrays
from tests.oracle import scalar_engine as oracle

REDUCED = {"dst": sbuf("y")[INNER], "op": "exp", "data": sbuf("x"), "reduce_op": np.add, "reduce_res": sbuf("bias")}


@pytest.mark.parametrize("masked", [False, True])
def test_values(masked):
    p, f = jnki.arange(P)[:, None], jnki.arange(N)[None, :]
    on = np.add.outer(2 * np.arange(P), np.arange(N)) < 5 if masked else None
    mask = 2 * p + f < 5 if masked else None
    for old, new in batch(arrays, lambda m: jnki.activation_reduce(m, **REDUCED, scale=sbuf("scale"), mask=mask)):
        expected = oracle.activation(
            old["x"], "exp", scale=old["scale"][:, 0], mask=on, reduce_op="add", reduce_cmd="reset_reduce"
        )
        assert_stands_for(new["y"][INNER][expected.written], expected.values[expected.written], "float32", steps=64)
        assert_stands_for(new["bias"][expected.ran, 0], expected.registers[expected.ran], "float32", steps=64)
        assert (new["bias"] == old["bias"])[~expected.ran].all()
        assert_only({**old, "bias": new["bias"]}, new, "y", INNER)


def test_it_is_an_activation_that_resets_reduces_and_reads_out():
    command = {"reduce_cmd": reduce_cmd.reset_reduce}
    for (_, one), (_, other) in zip(
        batch(arrays, lambda m: jnki.activation_reduce(m, **REDUCED, accumulator=sbuf("registers"))),
        batch(arrays, lambda m: jnki.activation(m, **REDUCED, **command, accumulator=sbuf("registers"))),
    ):
        assert_only(one, other, "x", (slice(0), slice(0)))
        assert (one["registers"] == one["bias"]).all()


def memory():
    return DeviceMemory.of(sbuf={"x": np.zeros((2, 3), np.float32), "r": np.zeros((2, 1), np.float32)})


def test_rules():
    with pytest.raises(RuleError, match=r"^activation_reduce\.reduce_res: activation_reduce: there must be a tile"):
        jnki.activation_reduce(memory(), dst=sbuf("x"), op="exp", data=sbuf("x"), reduce_op=np.add, reduce_res=None)
    legal = {"dst": sbuf("x"), "op": "exp", "data": sbuf("x"), "reduce_res": sbuf("r")}
    with pytest.raises(RuleError) as caught:
        jnki.activation_reduce(memory(), **legal, reduce_op=np.max, target=TRN1)
    assert str(caught.value).startswith(
        "activation_reduce.reduce_op: activation_reduce: the Scalar Engine does not reduce with this operator\n"
        "  given:   maximum on trn1\n  allowed: add"
    )
    jnki.activation_reduce(memory(), **legal, reduce_op=np.add, target=TRN1)


def test_running_it_a_second_time_for_another_destination_reduces_nothing():
    m = memory()
    accesses = tiles(m, data=sbuf("x"), dst=sbuf("x"), reduce_res=sbuf("r"))
    again = ActivationReduce(op="exp", reduce_op="add", **accesses).only_dst()
    assert again == Activation(op="exp", dst=accesses["dst"], data=accesses["data"])
