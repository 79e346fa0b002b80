"""`language_function`: rounding, cosine and tangent, remainders, the mask, gradients, and rules."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jnki import TRN2, DeviceMemory, RuleError, arange, sbuf
from jnki.access.mask import as_mask
from jnki.access.ref import Ref, resolve
from jnki.isa.language_function import FUNCTIONS, REMAINDERS, LanguageFunction
from tests.isa.computations import FLOATS, assert_only, assert_stands_for, batch, tame

P, N = 3, 5
MASK, ON = arange(P)[:, None] < arange(N)[None, :], np.less.outer(np.arange(P), np.arange(N))


def run(memory, function, dst, data, mask=None, other=None):
    x, y = (resolve(v, memory.buffer) if isinstance(v, Ref) else v for v in (data, other))
    instruction = LanguageFunction(dst=resolve(dst, memory.buffer), function=function, x=x, y=y, mask=as_mask(mask))
    instruction.check(TRN2)
    return instruction.execute(memory)


@pytest.mark.parametrize("out", ["float32", "bfloat16", "int8"])
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("function", FUNCTIONS)
def test_values(function, dtype, out):
    source = sbuf("x", "tfloat32" if dtype == "tfloat32" else None)
    for old, new in batch(
        lambda rng: {"x": tame(rng, (P, N), dtype, -1.5, 1.5), "y": tame(rng, (P, N), out)},
        lambda m: run(m, function, sbuf("y"), source, MASK),
        16,
    ):
        expected = getattr(np, function)(old["x"].astype(np.float64))
        assert_stands_for(new["y"][ON], expected[ON], out, steps=16)
        assert_only(old, new, "y", ON)


def test_halves_and_integers():
    memory = DeviceMemory.of(sbuf={"x": np.array([[-2.5, -2.0, -0.5, 0.5, 2.0, 2.5]], np.float32)})
    rounded = {f: run(memory, f, sbuf("x"), sbuf("x")).sbuf["x"].tolist()[0] for f in ("ceil", "floor", "trunc")}
    assert rounded == {
        "ceil": [-2, -2, 0, 1, 2, 3],
        "floor": [-3, -2, -1, 0, 2, 2],
        "trunc": [-2, -2, 0, 0, 2, 2],
    }


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "int8"])
@pytest.mark.parametrize("function", REMAINDERS)
def test_remainders(function, dtype):
    def draw(rng):
        y = tame(rng, (P, N), dtype, 1, 5)
        return {"x": tame(rng, (P, N), dtype, -9, 9), "y": (y * rng.choice([-1, 1], y.shape)).astype(y.dtype)}

    for old, new in batch(draw, lambda m: run(m, function, sbuf("y"), sbuf("x"), MASK, sbuf("y")), 32):
        expected = getattr(np, function)(old["x"].astype(np.float64), old["y"].astype(np.float64))
        assert_stands_for(new["y"][ON], expected[ON], dtype, steps=4, scale=16.0)
        assert_only(old, new, "y", ON)


@pytest.mark.parametrize(("function", "slope"), [("cos", -np.sin(0.7)), ("tan", 1 / np.cos(0.7) ** 2), ("floor", 0.0)])
def test_slopes(function, slope):
    gradient = jax.grad(lambda x: run(DeviceMemory.of(sbuf={"x": x}), function, sbuf("x"), sbuf("x")).sbuf["x"][0, 0])
    np.testing.assert_allclose(gradient(jnp.full((1, 1), 0.7))[0, 0], slope, rtol=1e-5)


def test_rules():
    memory = DeviceMemory.of(sbuf={"x": np.zeros((2, 3), np.float32), "y": np.zeros((2, 4), np.float32)})
    run(memory, "ceil", sbuf("y")[:, 1:], sbuf("x"))
    with pytest.raises(RuleError, match=r"^language_function\.element_count: "):
        run(memory, "ceil", sbuf("y"), sbuf("x"))
    with pytest.raises(RuleError, match=r"^language_function\.mask: language_function: the mask does not fit 'dst'"):
        run(memory, "ceil", sbuf("x"), sbuf("x"), arange(4)[None, :] < 2)
