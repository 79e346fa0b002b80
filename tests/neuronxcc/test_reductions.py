"""`nl` reductions: values, axes, types, masks over reduced and kept axes, gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jnki import RuleError
from jnki.isa.operators import name_of
from jnki.neuronxcc.nki import language as nl
from tests.isa.computations import assert_stands_for, tame
from tests.neuronxcc.on_tiles import kernel_of, on_tiles
from tests.oracle.casts import STORAGE

FUNCTIONS = {"max": np.max, "min": np.min, "sum": np.sum, "prod": np.prod, "mean": np.mean}
AXES = [1, 2, -1, [1, 2], (2, 3), [1, 3], [1, 2, 3]]
SHAPE = (3, 4, 2, 5)


def draw(dtype="float32", shape=SHAPE):
    return tame(np.random.default_rng(4), shape, dtype, 0.5, 2)


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", AXES, ids=str)
def test_values_and_shapes(axis, keepdims):
    x = draw()
    names = list(FUNCTIONS)
    results = on_tiles(lambda t: [getattr(nl, name)(t, axis, keepdims=keepdims) for name in names], x)
    for name, got in zip(names, results):
        wanted = FUNCTIONS[name](x.astype(np.float64), axis=tuple(np.atleast_1d(axis)), keepdims=keepdims)
        wanted = wanted if wanted.ndim > 1 else wanted[:, None]
        assert got.shape == wanted.shape, name
        assert_stands_for(got, wanted, "float32", steps=32)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16", "float8_e4m3", "float8_e5m2", "int32"])
def test_one_rounding_to_the_type_of_the_tile(dtype):
    x = draw(dtype, (3, 20))
    names = [n for n in FUNCTIONS if n != "prod"]
    results = on_tiles(lambda t: [getattr(nl, n)(t, axis=1) for n in names], x)
    for name, got in zip(names, results):
        assert got.dtype == STORAGE[dtype]
        assert_stands_for(got, FUNCTIONS[name](x.astype(np.float64), axis=1, keepdims=True), dtype, steps=32)
    wide = on_tiles(lambda t: nl.sum(t, axis=1, dtype=nl.float32), x)
    assert wide.dtype == np.float32


def test_all():
    x = np.array([[1, 2, 3], [1, 0, 3], [0, 0, 0]], np.float32)
    got, number = on_tiles(lambda t: (nl.all(t, axis=1), nl.all(t, axis=[1], dtype=nl.uint8)), x)
    assert got.dtype == np.bool_ and got.ravel().tolist() == [True, False, False]
    assert number.dtype == np.uint8 and number.ravel().tolist() == [1, 0, 0]


@pytest.mark.parametrize("axis", [1, 2, [1, 2]], ids=str)
def test_variance(axis):
    x = draw(shape=(3, 7, 5))
    got = on_tiles(lambda t: nl.var(t, axis), x)
    wanted = np.var(x.astype(np.float64), axis=tuple(np.atleast_1d(axis)))
    assert_stands_for(got, wanted if wanted.ndim > 1 else wanted[:, None], "float32", steps=64, scale=1.0)
    narrow = on_tiles(lambda t: nl.var(t, axis, dtype=nl.bfloat16), x)
    assert narrow.dtype == STORAGE["bfloat16"]


MASKS = {
    "rows": lambda p, f, g: p < 2,
    "columns": lambda p, f, g: f + 0 * p < 3,
    "triangle": lambda p, f, g: f > p,
    "last": lambda p, f, g: p + f > g,
}


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("axis", [1, 2, [1, 2]], ids=str)
def test_masks(mask, axis):
    x = draw(shape=(3, 4, 5))
    on = np.broadcast_to(MASKS[mask](*np.ogrid[:3, :4, :5]), x.shape)
    axes = tuple(np.atleast_1d(axis))
    names = [*FUNCTIONS, "var"]

    def run(t):
        index = nl.arange(3)[:, None, None], nl.arange(4)[None, :, None], nl.arange(5)[None, None, :]
        results = []
        for name in names:
            old = nl.full([n for d, n in enumerate(x.shape) if d not in axes] + [1] * (len(axes) > 1), 7.0, nl.float32)
            old[...] = getattr(nl, name)(t, axis, mask=MASKS[mask](*index))
            results += [getattr(nl, name)(t, axis, mask=MASKS[mask](*index)), old]
        return results

    results = iter(on_tiles(run, x))
    ran = on.any(axis=axes)
    for name in names:
        new, old = (a.reshape(ran.shape) for a in (next(results), next(results)))
        function = {**FUNCTIONS, "var": np.var}[name]
        moved = np.moveaxis(np.where(on, x, np.nan).astype(np.float64), axes, range(-len(axes), 0))
        rows = moved.reshape(ran.size, -1)
        wanted = np.array([function(r[~np.isnan(r)]) if (~np.isnan(r)).any() else np.nan for r in rows])
        wanted = wanted.reshape(ran.shape)
        assert_stands_for(new[ran], wanted[ran], "float32", steps=64, scale=1.0)
        assert_stands_for(old[ran], wanted[ran], "float32", steps=64, scale=1.0)
        assert np.isnan(new[~ran]).all() and (old[~ran] == 7).all(), name


@pytest.mark.parametrize("name", [*FUNCTIONS, "var"])
def test_gradients(name):
    kernel = kernel_of(lambda t: getattr(nl, name)(t, axis=[1]))
    x = jnp.asarray(draw(shape=(3, 6)))
    got = jax.grad(lambda x: (kernel([x]) ** 2).sum())(x)
    wanted = jax.grad(lambda x: (getattr(jnp, name)(x, axis=1) ** 2).sum())(x)
    np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-5)


def test_names():
    assert [name_of(getattr(nl, n)) for n in ("max", "min", "sum", "prod")] == ["maximum", "minimum", "add", "multiply"]


@pytest.mark.parametrize("name", [*FUNCTIONS, "var", "all"])
@pytest.mark.parametrize("axis", [0, [0, 1], [1, 1], [], 4, -4], ids=str)
def test_axes_must_be_free(name, axis):
    with pytest.raises(RuleError) as caught:
        on_tiles(lambda t: getattr(nl, name)(t, axis), draw())
    assert "works along free axes" in str(caught.value)
    assert f"given:   axis {axis} of [3, 4, 2, 5]" in str(caught.value)
    assert "allowed: axes 1 to 3; axis 0 is the partition axis" in str(caught.value)
