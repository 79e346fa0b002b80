"""`nl.where`, `nl.softmax`, `nl.rms_norm`: values, types, masks, gradients."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jnki import RuleError
from jnki.neuronxcc.nki import language as nl
from tests.isa.computations import assert_stands_for, tame
from tests.neuronxcc.on_tiles import kernel_of, on_tiles
from tests.oracle.casts import STORAGE

P, N = 4, 24


def draw(*shapes, dtype="float32"):
    rng = np.random.default_rng(6)
    return [tame(rng, shape, dtype, -3, 3) for shape in shapes]


def softmax(x, axis=1):
    powers = np.exp(x - x.max(axis=axis, keepdims=True))
    return powers / powers.sum(axis=axis, keepdims=True)


def rms_norm(x, w, n, epsilon=1e-6):
    return x / np.sqrt((x * x).sum(axis=1, keepdims=True) / n + epsilon) * w


# where


@pytest.mark.parametrize("condition", [(P, N), (P, 1), (1, N), (1, 1)], ids=str)
@pytest.mark.parametrize("other", [(P, N), (1, N), None], ids=str)
def test_where_broadcasts(condition, other):
    when, x = draw(condition, (P, N))
    when[when < 0] = 0
    y = np.float32(-2) if other is None else draw(other)[0]
    if other is None:
        got = on_tiles(lambda c, a: nl.where(c, a, -2.0), when, x)
    else:
        got = on_tiles(nl.where, when, x, y)
    assert (got == np.where(when != 0, x, y)).all()


def test_where_of_integers_keeps_them():
    x, y = np.array([[2**24 + 1, 5]], np.int32), np.array([[7, 2**30 + 1]], np.int32)
    got = on_tiles(nl.where, np.array([[1, 0]], np.uint8), x, y)
    assert got.dtype == np.int32 and got.tolist() == [[2**24 + 1, 2**30 + 1]]
    typed = on_tiles(lambda c, a: nl.where(c, a, 9, dtype=nl.uint32), np.array([[1, 0]], np.uint8), x)
    assert typed.dtype == np.uint32 and typed.tolist() == [[2**24, 9]]  # another type goes through float32


def test_where_masked():
    when, x, y = draw((P, N), (P, N), (P, N))
    on = np.less.outer(np.arange(P), np.arange(N))

    def both(c, a, b):
        mask = nl.arange(P)[:, None] < nl.arange(N)[None, :]
        old = nl.zeros((P, N), nl.bfloat16)
        old[...] = nl.where(nl.greater(c, 0), a, b, mask=mask)
        return nl.where(nl.greater(c, 0), a, b, mask=mask), old

    new, old = on_tiles(both, when, x, y)
    wanted = np.where(when > 0, x, y)
    assert (new[on] == wanted[on]).all() and np.isnan(new[~on]).all()
    assert (old == np.where(on, wanted.astype(STORAGE["bfloat16"]), 0)).all()


def test_where_errors():
    when, x = draw((P, N), (P, N))
    for wrong, text in (
        (lambda c, a: nl.where(True, a, a), "where.condition: operand 'condition' of 'nl.where' must be a tensor"),
        (lambda c, a: nl.where(nl.arange(P)[:, None] > 2, a, a), "where.condition: operand 'condition' of 'nl.where'"),
        (lambda c, a: nl.where(c, 1.0, a), "where.x: operand 'x' of 'nl.where' must be a tensor"),
        (lambda c, a: nl.where(c, a, "y"), "where.value: where: the value must be a constant number"),
        (
            lambda c, a: nl.where(c[:, :5], a, a),
            "where.shape: the operands of where do not broadcast together\n  given:",
        ),
    ):
        with pytest.raises(RuleError) as caught:
            on_tiles(wrong, when, x)
        assert str(caught.value).startswith(text)


# softmax and rms_norm


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_one_rounding_to_the_type_of_the_tile(dtype):
    x, w = draw((P, N), (1, N), dtype=dtype)
    wide, weights = x.astype(np.float64), w.astype(np.float64)
    s, r = on_tiles(lambda t, u: (nl.softmax(t, axis=1), nl.rms_norm(t, u, 1, N)), x, w)
    assert s.dtype == r.dtype == STORAGE[dtype]
    assert_stands_for(s, softmax(wide), dtype, steps=32, scale=1.0)
    assert_stands_for(r, rms_norm(wide, weights, N), dtype, steps=32)


@pytest.mark.parametrize("axis", [1, 2, [1, 2], -1], ids=str)
def test_softmax_axes(axis):
    (x,) = draw((P, 5, 6))
    axes = tuple(np.atleast_1d(axis))
    got = on_tiles(lambda t: nl.softmax(t, axis), x)
    assert_stands_for(got, softmax(x.astype(np.float64), axes), "float32", steps=32, scale=1.0)


def test_types():
    (x, w) = draw((P, N), (1, N), dtype="bfloat16")

    def run(t, u):
        options = [
            {"dtype": nl.float32},
            {"compute_dtype": nl.float32},
            {"dtype": nl.float16, "compute_dtype": nl.bfloat16},
        ]
        assert [nl.softmax(t, 1, **o).dtype for o in options] == [np.float32, np.float32, np.float16]
        assert [nl.rms_norm(t, u, 1, N, **o).dtype for o in options] == [np.float32, np.float32, np.float16]
        return nl.softmax(t, 1, dtype=nl.float32), nl.softmax(t, 1, dtype=nl.float32, compute_dtype=nl.bfloat16)

    exact, coarse = on_tiles(run, x, w)
    assert_stands_for(exact, softmax(x.astype(np.float64)), "float32", steps=32, scale=1.0)
    distance = np.abs(coarse - softmax(x.astype(np.float64)))
    assert 1e-5 < distance.max() < 2e-2  # the tiles in between are bfloat16


def test_large_values_do_not_overflow():
    x = np.array([[1e4, 1e4, -1e4]], np.float32)
    assert on_tiles(lambda t: nl.softmax(t, 1), x).tolist() == [[0.5, 0.5, 0]]


@pytest.mark.parametrize("function", ["softmax", "rms_norm"])
def test_masks(function):
    x, w = draw((P, N), (1, N))
    on = np.add.outer(3 * np.arange(P), np.arange(N)) < 9
    on[3] = False

    def both(t, u):
        mask = 3 * nl.arange(P)[:, None] + nl.arange(N)[None, :] < 9
        call = (
            (lambda: nl.softmax(t, 1, mask=mask))
            if function == "softmax"
            else lambda: nl.rms_norm(t, u, 1, 9, mask=mask)
        )
        old = nl.full((P, N), 7.0, nl.float32)
        old[...] = call()
        return call(), old

    new, old = on_tiles(both, x, w)
    wide = x.astype(np.float64)
    if function == "softmax":
        powers = np.where(on, np.exp(wide), 0)
        wanted = powers / np.maximum(powers.sum(axis=1, keepdims=True), 1e-300)
    else:
        wanted = wide / np.sqrt((np.where(on, wide, 0) ** 2).sum(axis=1, keepdims=True) / 9 + 1e-6) * w
    assert_stands_for(new[on], wanted[on], "float32", steps=32, scale=1.0)
    assert_stands_for(old[on], wanted[on], "float32", steps=32, scale=1.0)
    assert np.isnan(new[~on]).all() and (old[~on] == 7).all()


def test_gradients():
    x, w = map(jnp.asarray, draw((P, N), (1, N)))
    weights = jnp.asarray(np.random.default_rng(0).normal(size=(P, N)), jnp.float32)
    for function, reference in (
        (lambda t, u: nl.softmax(t, 1), lambda x, w: jax.nn.softmax(x, axis=1)),
        (
            lambda t, u: nl.rms_norm(t, u, 1, N, 1e-3),
            lambda x, w: x * jax.lax.rsqrt(jnp.mean(x * x, axis=1, keepdims=True) + 1e-3) * w,
        ),
    ):
        kernel = kernel_of(function)
        got = jax.grad(lambda x, w, kernel=kernel: (kernel([x, w]) * weights).sum(), (0, 1))(x, w)
        wanted = jax.grad(lambda x, w, f=reference: (f(x, w) * weights).sum(), (0, 1))(x, w)
        for a, b in zip(got, wanted):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_a_masked_gradient_is_finite():
    """Elements that the mask leaves out were never written, and read as NaN."""

    def run(t):
        mask = nl.arange(P)[:, None] + nl.arange(N)[None, :] < 9
        loaded = nl.ndarray((P, N), nl.float32)
        loaded[...] = nl.copy(t, mask=mask)
        out = nl.zeros((P, N), nl.float32)
        out[...] = nl.softmax(loaded, 1, mask=mask)
        return out

    (x,) = draw((P, N))
    slopes = jax.grad(lambda x: (kernel_of(run)([x]) ** 2).sum())(jnp.asarray(x))
    on = np.add.outer(np.arange(P), np.arange(N)) < 9
    assert np.isfinite(slopes).all() and (np.asarray(slopes)[~on] == 0).all() and (np.asarray(slopes)[on] != 0).all()


def test_signatures():
    names = {name: list(inspect.signature(getattr(nl, name)).parameters) for name in ("where", "softmax", "rms_norm")}
    assert names == {
        "where": ["condition", "x", "y", "dtype", "mask"],
        "softmax": ["x", "axis", "dtype", "compute_dtype", "mask"],
        "rms_norm": ["x", "w", "axis", "n", "epsilon", "dtype", "compute_dtype", "mask"],
    }
