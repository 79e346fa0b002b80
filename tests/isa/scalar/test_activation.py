"""`activation`: whole memory against the oracle on vmapped batches, the registers, gradients, and every rule."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

import jnki
from jnki import DeviceMemory, reduce_cmd, sbuf
from jnki.isa.scalar.activations import FUNCTIONS
from tests.isa.computations import FLOATS, assert_only, assert_stands_for, batch, tame
from tests.oracle import scalar_engine as oracle

P, N = 4, 6
COMMANDS = ("idle", "reset", "reduce", "reset_reduce")


def ref(name, dtype="float32"):
    return sbuf(name, "tfloat32" if dtype == "tfloat32" else None)


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
    for old, new in batch(
        lambda rng: arrays(rng, dtype, out),
        lambda m: jnki.activation(m, dst=sbuf("y")[INNER], op="tanh", data=ref("x", dtype), bias=sbuf("bias"), scale=2),
    ):
        expected = oracle.activation(old["x"], "tanh", bias=old["bias"][:, 0], scale=2.0)
        assert_stands_for(new["y"][INNER], expected.values, out, steps=64)
        assert_only(old, new, "y", INNER)


@pytest.mark.parametrize("op", [f for f in FUNCTIONS if f not in ("log", "sqrt", "rsqrt", "reciprocal")])
@pytest.mark.parametrize("vector", [False, True], ids=["constant", "vector"])
def test_functions_scale_and_bias(op, vector):
    scale = sbuf("scale") if vector else -0.75
    for old, new in batch(
        arrays, lambda m: jnki.activation(m, dst=sbuf("x"), op=op, data=sbuf("x"), bias=sbuf("bias"), scale=scale), 16
    ):
        factor = old["scale"][:, 0] if vector else -0.75
        expected = oracle.activation(old["x"], op, bias=old["bias"][:, 0], scale=factor)
        assert_stands_for(new["x"], expected.values, "float32", steps=200, scale=1.0)


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


def test_a_number_as_bias_is_a_tile_of_that_number():
    x = np.random.default_rng(0).normal(size=(3, 5)).astype(np.float32)
    memory = DeviceMemory.of(sbuf={"x": x, "b": np.full((3, 1), 0.3, np.float32), "y": x, "z": x})
    memory = jnki.activation(memory, dst=sbuf("y"), op="tanh", data=sbuf("x"), bias=0.3, scale=2.0)
    memory = jnki.activation(memory, dst=sbuf("z"), op="tanh", data=sbuf("x"), bias=sbuf("b"), scale=2.0)
    np.testing.assert_array_equal(memory.sbuf["y"], memory.sbuf["z"])
