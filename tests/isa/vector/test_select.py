"""`select`: values in every type, bits that stay, the mask, gradients, and rules."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jnki
from jnki import DeviceMemory, RuleError, sbuf
from tests.isa.computations import FLOATS, assert_only, assert_stands_for, batch, tame
from tests.oracle.casts import DTYPES

P, N = 4, 6
MASK, ON = jnki.arange(P)[:, None] + 2 * jnki.arange(N)[None, :] < 9, np.add.outer(np.arange(P), 2 * np.arange(N)) < 9


def reference(name, dtype):
    return sbuf(name, "tfloat32" if dtype == "tfloat32" else None)


@pytest.mark.parametrize("number", [False, True], ids=["tile", "number"])
@pytest.mark.parametrize(("x", "y", "out"), [*zip(DTYPES, reversed(DTYPES), np.roll(DTYPES, 4).tolist())])
def test_types(x, y, out, number):
    other = -7.25 if number else reference("y", y)
    for old, new in batch(
        lambda rng: {
            "when": tame(rng, (P, N), "int8", -1, 1),
            "x": tame(rng, (P, N), x),
            "y": tame(rng, (P, N), y),
            "z": tame(rng, (P, N), out),
        },
        lambda m: jnki.select(
            m, dst=reference("z", out), condition=sbuf("when"), on_true=reference("x", x), on_false=other, mask=MASK
        ),
        8,
    ):
        otherwise = np.float64(-7.25) if number else old["y"].astype(np.float64)
        expected = np.where(old["when"] != 0, old["x"].astype(np.float64), otherwise)
        assert_stands_for(new["z"][ON], expected[ON], out, steps=0)
        assert_only(old, new, "z", ON)


@pytest.mark.parametrize("dtype", [*FLOATS, "bool", "int32"])
def test_any_type_is_a_condition(dtype):
    for old, new in batch(
        lambda rng: {"when": tame(rng, (P, N), dtype, -1, 1), "x": tame(rng, (P, N), "float32")},
        lambda m: jnki.select(
            m, dst=sbuf("x"), condition=reference("when", dtype), on_true=sbuf("x"), on_false=np.float32(0)
        ),
        8,
    ):
        assert (new["x"] == np.where(old["when"].astype(np.float32) != 0, old["x"], 0)).all()


def test_large_integers_and_nan_payloads_keep_every_bit():
    for values in (np.array([[2**24 + 1, -(2**31) + 3]], np.int32), np.array([[0x7FC12345, 3]], "u4").view("f4")):
        memory = DeviceMemory.of(sbuf={"when": np.array([[1, 0]], np.uint8), "x": values, "z": np.zeros_like(values)})
        memory = jnki.select(memory, dst=sbuf("z"), condition=sbuf("when"), on_true=sbuf("x"), on_false=sbuf("x"))
        assert np.asarray(memory.sbuf["z"]).view("u4").tolist() == values.view("u4").tolist()


def test_each_side_gets_the_cotangent_where_it_is_selected():
    when = jnp.array([[1.0, 0.0, 2.0]])

    def run(x, y):
        memory = DeviceMemory.of(sbuf={"when": when, "x": x, "y": y})
        return jnki.select(memory, dst=sbuf("x"), condition=sbuf("when"), on_true=sbuf("x"), on_false=sbuf("y")).sbuf[
            "x"
        ]

    nan = jnp.array([[1.0, jnp.nan, 1.0]])
    x, y = jax.vjp(run, nan, jnp.ones((1, 3)))[1](jnp.array([[3.0, 5.0, 7.0]]))
    assert x.tolist() == [[3.0, 0.0, 7.0]] and y.tolist() == [[0.0, 5.0, 0.0]]


def test_rules():
    memory = DeviceMemory.of(
        sbuf={"x": np.zeros((2, 3), np.float32), "wide": np.zeros((2, 4), np.float32)},
        hbm={"h": np.zeros((2, 3), np.float32)},
    )
    legal = {"dst": sbuf("x"), "condition": sbuf("x"), "on_true": sbuf("x"), "on_false": sbuf("wide")[:, 1:]}
    jnki.select(memory, **legal)
    for changes, text in (
        ({"condition": sbuf("wide")}, "select.element_count: "),
        ({"on_true": sbuf("wide")[:1]}, "err_num_partition_mismatch: "),
        ({"on_false": jnki.hbm("h")}, "err_unsupported_memory: select: 'on_false' is in the wrong memory"),
        ({"condition": jnki.hbm("h")}, "err_unsupported_memory: select: 'condition' is in the wrong memory"),
        ({"on_false": [1]}, "select.value: select: the value must be a constant number"),
        ({"mask": jnki.arange(4)[None, :] < 2}, "select.mask: select: the mask does not fit 'dst'"),
    ):
        with pytest.raises(RuleError) as caught:
            jnki.select(memory, **{**legal, **changes})
        assert str(caught.value).startswith(text)
