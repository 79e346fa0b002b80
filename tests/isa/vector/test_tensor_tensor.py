"""`tensor_tensor`: every operator in every type, exact integers, the mask, gradients, and rules."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

import jnki
from jnki import DeviceMemory, RuleError, engine, psum, sbuf
from tests.isa.computations import FLOATS, assert_only, assert_stands_for, batch, tame
from tests.oracle import vector_engine as oracle

P, N = 3, 5
INTEGERS = ("int8", "int16", "int32", "uint8", "uint16", "uint32")
MASK, ON = jnki.arange(P)[:, None] < jnki.arange(N)[None, :], np.less.outer(np.arange(P), np.arange(N))


def reference(name, dtype):
    return sbuf(name, "tfloat32" if dtype == "tfloat32" else None)


def draw(x, y, out, low=-4, high=4):
    return lambda rng: {
        "x": tame(rng, (P, N), x, low, high),
        "y": tame(rng, (P, N), y, low, high),
        "z": tame(rng, (P, N), out),
    }


@pytest.mark.parametrize("op", list(oracle.ARITHMETIC))
def test_operators(op):
    low = 0.5 if op in ("divide", "power") else -4
    kind = "float32" if op in ("divide", "power") else "int8"
    for old, new in batch(
        draw("float32", kind, "float32", low),
        lambda m: jnki.tensor_tensor(m, dst=sbuf("z"), data1=sbuf("x"), data2=sbuf("y"), op=op, mask=MASK),
    ):
        expected = oracle.apply(op, old["x"], old["y"])
        assert_stands_for(new["z"][ON], expected[ON], "float32", steps=32, scale=4.0)
        assert_only(old, new, "z", ON)


@pytest.mark.parametrize("out", ["float32", "tfloat32", "bfloat16", "float8_e4m3", "int8", "bool"])
@pytest.mark.parametrize(("x", "y"), [*zip(FLOATS, reversed(FLOATS)), ("int16", "bfloat16"), ("uint8", "int32")])
def test_types(x, y, out):
    for old, new in batch(
        draw(x, y, out),
        lambda m: jnki.tensor_tensor(
            m, dst=reference("z", out), data1=reference("x", x), data2=reference("y", y), op=np.multiply
        ),
        16,
    ):
        assert_stands_for(new["z"], oracle.apply("multiply", old["x"], old["y"]), out, steps=2)


@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize("op", oracle.BITS)
def test_bits(op, dtype):
    shift = "shift" in op
    for old, new in batch(
        lambda rng: {
            "x": rng.integers(np.iinfo(dtype).min, np.iinfo(dtype).max, (P, N), dtype=dtype, endpoint=True),
            "y": rng.integers(0, 7 if shift else np.iinfo(dtype).max, (P, N), dtype=dtype),
        },
        lambda m: jnki.tensor_tensor(m, dst=sbuf("y"), data1=sbuf("x"), data2=sbuf("y"), op=op),
        16,
    ):
        assert (new["y"] == oracle.apply_to_bits(op, old["x"], old["y"])).all()


@pytest.mark.parametrize("op", ["add", "subtract", "multiply"])
def test_gpsimd_computes_32_bit_integers_exactly_and_the_vector_engine_in_float32(op):
    x, y = np.array([[2**24 + 1, 2**31 - 1]], np.int32), np.array([[3, 5]], np.int32)
    memory = DeviceMemory.of(sbuf={"x": x, "y": y, "z": np.zeros_like(x)})

    def run(on):
        done = jnki.tensor_tensor(memory, dst=sbuf("z"), data1=sbuf("x"), data2=sbuf("y"), op=op, engine=on)
        return np.asarray(done.sbuf["z"])

    with np.errstate(over="ignore"):
        exact = getattr(np, op)(x, y)
    assert (run(engine.gpsimd) == exact).all() and (run(engine.unknown) == exact).all()
    rounded = getattr(np, op)(x.astype(np.float32), y.astype(np.float32))
    assert (run(engine.vector) == np.clip(rounded.astype(np.float64), -(2**31), 2**31 - 1).astype(np.int64)).all()


@pytest.mark.parametrize("op", ["add", "subtract", "multiply", "divide", "maximum", "power"])
def test_gradients(op):
    def run(x, y, z):
        memory = DeviceMemory.of(sbuf={"x": x, "y": y, "z": z})
        return jnki.tensor_tensor(memory, dst=sbuf("z"), data1=sbuf("x"), data2=sbuf("y"), op=op, mask=MASK).sbuf["z"]

    rng = np.random.default_rng(2)
    check_grads(
        run, [jnp.asarray(rng.uniform(1, 2, (P, N)), jnp.float32) for _ in range(3)], 1, ["fwd", "rev"], 1e-2, 1e-2
    )


def call(**changes):
    memory = DeviceMemory.of(
        sbuf={name: np.zeros((P, N), name) for name in ("float32", "int8", "int32")}
        | {"wide": np.zeros((P, N + 1), np.float32), "short": np.zeros((1, N), np.float32)},
        psum={"p": np.zeros((P, N), np.float32), "q": np.zeros((P, N), np.float32)},
        hbm={"h": np.zeros((P, N), np.float32)},
    )
    arguments = {"dst": sbuf("float32"), "data1": sbuf("float32"), "data2": sbuf("int8"), "op": np.add}
    return jnki.tensor_tensor(memory, **{**arguments, **changes})


BROKEN = {
    "op": ({"op": np.exp}, "tensor_tensor.op: tensor_tensor: 'op' is not a math operator\n  given:   exp"),
    "unary": ({"op": "invert"}, "tensor_tensor.op: tensor_tensor: the operator takes one operand\n  given:   invert"),
    "bits": (
        {"op": np.bitwise_or},
        "tensor_tensor.bitvec: tensor_tensor: 'bitwise_or' works on bits\n  given:   float32, float32, int8\n"
        "  allowed: integer operands and results",
    ),
    "elements": (
        {"data2": sbuf("wide")},
        "tensor_tensor.element_count: tensor_tensor: the operands have different numbers of elements per partition\n"
        "  given:   data1 [3, 5], data2 [3, 6], dst [3, 5]",
    ),
    "partitions": (
        {"data2": sbuf("short")},
        "err_num_partition_mismatch: tensor_tensor: the operands span different numbers of partitions\n"
        "  given:   data1 [3, 5], data2 [1, 5], dst [3, 5]",
    ),
    "two_psum": (
        {"data1": psum("p"), "data2": psum("q")},
        "err_unsupported_memory: tensor_tensor: data1 and data2 cannot both be in PSUM",
    ),
    "power_psum": (
        {"data1": psum("p"), "op": np.power},
        "err_unsupported_memory: tensor_tensor: the GpSimd Engine, which runs this, cannot access PSUM",
    ),
    "gpsimd_psum": ({"dst": psum("p"), "engine": engine.gpsimd}, "err_unsupported_memory: tensor_tensor: the GpSimd"),
    "hbm": ({"data1": jnki.hbm("h")}, "err_unsupported_memory: tensor_tensor: 'data1' is in the wrong memory"),
    "engine": (
        {"engine": engine.scalar},
        "tensor_tensor.engine: tensor_tensor: the engine cannot run this instruction\n"
        "  given:   scalar\n  allowed: vector, gpsimd, unknown",
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
        {},
        {"data1": psum("p")},
        {"dst": psum("p"), "data1": psum("q")},
        {"op": np.power},
        {"dst": sbuf("int32"), "data1": sbuf("int8"), "op": np.bitwise_or},
        {"engine": engine.gpsimd},
    ],
    ids=["plain", "psum", "psum_result", "power", "bits", "gpsimd"],
)
def test_twins_that_are_legal(changes):
    call(**changes)


@pytest.mark.parametrize("together", ["two instructions", "tensor_scalar"])
def test_a_product_is_rounded_before_the_sum_that_follows(together):
    """Bit for bit what NumPy's float32 gives, also where XLA compiles both into one loop."""
    x, y, z = (np.random.default_rng(n).standard_normal((4, 512)).astype(np.float32) for n in range(3))

    def product_and_sum(x, y, z):
        memory = DeviceMemory.of(sbuf={"x": x, "y": y, "z": z, "t": jnp.zeros_like(x)})
        if together == "tensor_scalar":
            memory = jnki.tensor_scalar(
                memory, dst=sbuf("t"), data=sbuf("x"), op0="multiply", operand0=1.1, op1="add", operand1=0.3
            )
            return memory.sbuf["t"]
        memory = jnki.tensor_tensor(memory, dst=sbuf("t"), data1=sbuf("x"), data2=sbuf("y"), op="multiply")
        memory = jnki.tensor_tensor(memory, dst=sbuf("t"), data1=sbuf("t"), data2=sbuf("z"), op="add")
        return memory.sbuf["t"]

    expected = x * np.float32(1.1) + np.float32(0.3) if together == "tensor_scalar" else x * y + z
    np.testing.assert_array_equal(jax.jit(product_and_sum)(x, y, z), expected)
    np.testing.assert_array_equal(jax.jit(jax.vmap(product_and_sum))(x[None], y[None], z[None])[0], expected)
