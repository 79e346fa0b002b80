"""`reciprocal`: values in every type, the mask, gradients, and rules."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

import jnki
from jnki import DeviceMemory, RuleError, sbuf
from tests.isa.computations import FLOATS, assert_only, assert_stands_for, batch, tame
from tests.oracle.casts import STORAGE

P, N = 3, 5


def draw(dtype, out):
    def arrays(rng):
        x = tame(rng, (P, N), dtype, 0.25, 4) if dtype in FLOATS else tame(rng, (P, N), dtype, 1, 100)
        return {"x": x, "y": tame(rng, (P, N + 3), out)}

    return arrays


@pytest.mark.parametrize("out", ["float32", "tfloat32", "float16", "float8_e5m2", "int8"])
@pytest.mark.parametrize("dtype", [*FLOATS, "int16", "uint32"])
def test_values(dtype, out):
    source, target = (sbuf(n, "tfloat32" if t == "tfloat32" else None) for n, t in (("x", dtype), ("y", out)))
    mask = jnki.arange(P)[:, None] + jnki.arange(N)[None, :] > 1
    on = np.add.outer(np.arange(P), np.arange(N)) > 1
    for old, new in batch(draw(dtype, out), lambda m: jnki.reciprocal(m, dst=target[:, :N], data=source, mask=mask)):
        assert_stands_for(new["y"][:, :N][on], 1 / old["x"].astype(np.float64)[on], out, steps=4)
        assert_only(old, new, "y", np.pad(on, ((0, 0), (0, 3))))


def test_zero_gives_infinity():
    memory = DeviceMemory.of(sbuf={"x": np.array([[0.0, -0.0, np.inf, np.nan]], np.float32)})
    result = jnki.reciprocal(memory, dst=sbuf("x"), data=sbuf("x")).sbuf["x"]
    np.testing.assert_array_equal(result, [[np.inf, -np.inf, 0, np.nan]])


def test_gradients():
    def run(x, mask=None):
        return jnki.reciprocal(DeviceMemory.of(sbuf={"x": x}), dst=sbuf("x"), data=sbuf("x"), mask=mask).sbuf["x"]

    x = jnp.array([[1.0, -2.0, 0.5]])
    check_grads(run, [x], 2, ["fwd", "rev"], 1e-2, 1e-2)
    masked = jax.grad(lambda x: run(x, jnki.arange(3)[None, :] != 1).sum())(jnp.array([[1.0, 0.0, 2.0]]))
    assert masked.tolist() == [[-1.0, 1.0, -0.25]]


def test_rules():
    memory = DeviceMemory.of(
        sbuf={"x": np.ones((2, 3), np.float32), "y": np.ones((2, 4), STORAGE["bfloat16"])},
        hbm={"h": np.ones((2, 3), np.float32)},
    )
    jnki.reciprocal(memory, dst=sbuf("y")[:, 1:], data=sbuf("x"))
    broken = {
        "reciprocal.element_count: ": {"dst": sbuf("y"), "data": sbuf("x")},
        "err_num_partition_mismatch: ": {"dst": sbuf("x")[:1], "data": sbuf("x")},
        "err_unsupported_memory: reciprocal: 'data' is in the wrong memory\n  given:   hbm tensor 'h'": {
            "dst": sbuf("x"),
            "data": jnki.hbm("h"),
        },
        "err_unsupported_memory: reciprocal: 'dst' is in": {"dst": jnki.hbm("h"), "data": sbuf("x")},
        "reciprocal.mask: reciprocal: the mask does not fit 'dst'": {
            "dst": sbuf("x"),
            "data": sbuf("x"),
            "mask": jnki.arange(4)[None, :] < 2,
        },
    }
    for text, arguments in broken.items():
        with pytest.raises(RuleError) as caught:
            jnki.reciprocal(memory, **arguments)
        assert str(caught.value).startswith(text)
