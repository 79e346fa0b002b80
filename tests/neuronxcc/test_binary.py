"""`nl` operators on two tiles or a tile and a number: values, promotion, broadcasting, masks, memories."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jnki import RuleError
from jnki.isa.operators import name_of
from jnki.neuronxcc import nki
from jnki.neuronxcc.nki import isa as nisa
from jnki.neuronxcc.nki import language as nl
from tests.isa.computations import assert_stands_for, tame
from tests.neuronxcc.on_tiles import kernel_of, on_tiles
from tests.oracle import vector_engine as oracle
from tests.oracle.casts import STORAGE

COMPARISONS = tuple(op for op in oracle.ARITHMETIC if op.startswith(("equal", "not", "greater", "less", "logical")))
ARITHMETIC = tuple(op for op in oracle.ARITHMETIC if op not in COMPARISONS)


def draw(*shapes, low=0.5, high=4.0):
    rng = np.random.default_rng(5)
    return [tame(rng, shape, "float32", low, high) for shape in shapes]


def test_values():
    x, y = draw((8, 30), (8, 30))
    y[:, ::3] = x[:, ::3]
    names = list(oracle.ARITHMETIC)
    for op, got in zip(names, on_tiles(lambda a, b: [getattr(nl, name)(a, b) for name in names], x, y)):
        wanted = oracle.apply(op, x, y)
        if op in COMPARISONS:
            assert got.dtype == np.bool_ and (got == wanted).all(), op
        else:
            assert_stands_for(got, wanted, "float32", steps=32)


def test_numbers_on_either_side():
    (x,) = draw((4, 10))
    names = list(oracle.ARITHMETIC)

    def both(t):
        return [f for op in names for f in (getattr(nl, op)(t, 1.5), getattr(nl, op)(1.5, t))]

    results = iter(on_tiles(both, x))
    for op in names:
        for wanted in (oracle.apply(op, x, np.float64(1.5)), oracle.apply(op, np.float64(1.5), x)):
            assert_stands_for(next(results).astype(np.float32), wanted, "float32", steps=32)


@pytest.mark.parametrize("op", oracle.BITS)
def test_bits(op):
    rng = np.random.default_rng(1)
    for dtype in ("int32", "uint16", "int8"):
        x = rng.integers(np.iinfo(dtype).min, np.iinfo(dtype).max, (3, 9), dtype=dtype)
        y = rng.integers(0, 7, (3, 9), dtype=dtype)
        got = on_tiles(getattr(nl, op), x, y)
        assert got.dtype == dtype and (got == oracle.apply_to_bits(op, x, y)).all()


def test_remainders():
    x = np.array([[7, -7, 9, 0]], np.int32)
    y = np.array([[4, 4, -5, 3]], np.int32)
    wanted = [np.mod(x, y), np.fmod(x, y), np.mod(x, 4), np.fmod(-10, y)]
    got = on_tiles(lambda a, b: (nl.mod(a, b), nl.fmod(a, b), nl.mod(a, 4), nl.fmod(-10, b)), x, y)
    assert [g.tolist() for g in got] == [w.tolist() for w in wanted] and {g.dtype for g in got} == {np.dtype(np.int32)}
    assert list(inspect.signature(nl.mod).parameters) == ["x", "y", "dtype", "mask"]
    for wrong, text in (
        (lambda a, b: nl.mod(3, 2), "mod.operands: mod needs a tile\n  given:   int, int"),
        (lambda a, b: nl.fmod(a, b[:, :3]), "fmod.shape: the operands of fmod do not broadcast together"),
    ):
        with pytest.raises(RuleError) as caught:
            on_tiles(wrong, x, y)
        assert str(caught.value).startswith(text)


PROMOTED = [
    ("int32", "float16", "float16"),
    ("float32", "bfloat16", "float32"),
    ("float16", "bfloat16", "float32"),
    ("float8_e4m3", "float16", "float16"),
    ("float8_e4m3", "float8_e5m2", "bfloat16"),
    ("int16", "int32", "int32"),
    ("int8", "uint8", "int16"),
    ("int8", "uint16", "int32"),
    ("int32", "uint32", "float32"),
]


@pytest.mark.parametrize(("x", "y", "result"), PROMOTED)
def test_promotion(x, y, result):
    def types(a, b):
        assert nl.add(a, b).dtype == nl.multiply(b, a).dtype == STORAGE[result]
        assert nl.add(a, b, dtype=nl.int8).dtype == np.int8
        assert nl.where(a, a, b).dtype == STORAGE[result]
        return a

    on_tiles(types, np.zeros((2, 2), STORAGE[x]), np.zeros((2, 2), STORAGE[y]))


def test_numbers_without_a_type_are_wide():
    def types(f16, i8):
        seen = [nl.add(i8, 2), nl.add(f16, 1.2), nl.add(f16, np.float16(2)), nl.add(f16, 2), nl.add(i8, True)]
        assert [t.dtype for t in seen] == [np.int32, np.float32, np.float16, np.float16, np.int16]
        assert nl.where(i8, f16, -1e9).dtype == np.float32
        return f16

    on_tiles(types, np.zeros((2, 2), np.float16), np.zeros((2, 2), np.int8))


def test_the_quotient_of_two_integers_is_a_float():
    """So that it can be rounded down: a row and a column from a position, as kernels compute them."""

    def quotients(i, u, f16):
        results = [i / 7, nl.divide(i, 7), i / u, nl.divide(7, u), nl.floor(i / 7, dtype=nl.int32)]
        results += [nl.divide(i, 7, dtype=nl.int32), nl.divide(f16, f16), nl.divide(f16, 2)]
        assert [t.dtype for t in results] == [np.float32] * 4 + [np.int32] * 2 + [np.float16] * 2
        in_place = nl.copy(i)
        in_place /= 7
        return [*results, in_place]

    i = np.arange(-40, 40, dtype=np.int32).reshape(4, 20)
    u = np.arange(1, 81, dtype=np.uint8).reshape(4, 20)
    a, b, by_tile, reverse, floor, rounded, _, _, in_place = on_tiles(quotients, i, u, np.ones((4, 20), np.float16))
    np.testing.assert_array_equal(a, i.astype(np.float32) / np.float32(7))
    np.testing.assert_array_equal(b, a)
    np.testing.assert_array_equal(by_tile, (i.astype(np.float32) / u.astype(np.float32)))
    np.testing.assert_array_equal(reverse, np.float32(7) / u.astype(np.float32))
    np.testing.assert_array_equal(floor, i // 7)
    np.testing.assert_array_equal(rounded, np.rint(i / 7))
    np.testing.assert_array_equal(in_place, rounded)


def test_a_quotient_is_rounded_once():
    """Also by one number for all, of which a product with the reciprocal would differ, and be rounded down wrongly."""
    i = np.arange(1, 20001, dtype=np.int32).reshape(4, 5000)

    def quotients(i, column):
        results = [i / 41, nl.divide(i, 41.0), nl.divide(i, column), nl.floor(i / 41), nl.mod(i, 41), nl.divide(41, i)]
        return [*results, nisa.tensor_scalar(i, np.divide, column, dtype=nl.float32)]

    by_int, by_float, by_column, floor, mod, reverse, scalar = on_tiles(quotients, i, np.full((4, 1), 41, np.float32))
    expected = i.astype(np.float32) / np.float32(41)
    for found in (by_int, by_float, by_column, scalar):
        np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(floor, i // 41)
    np.testing.assert_array_equal(mod, i % 41)
    np.testing.assert_array_equal(reverse, np.float32(41) / i.astype(np.float32))


@pytest.mark.parametrize(
    ("x", "y"),
    [
        ((4, 6), (4, 1)),
        ((4, 6), (1, 6)),
        ((4, 6), (1, 1)),
        ((4, 1), (1, 6)),
        ((4, 2, 3), (4, 1, 3)),
    ],
)
def test_broadcasting_is_numpys(x, y):
    a, b = draw(x, y)
    difference, product = on_tiles(lambda s, t: (nl.subtract(s, t), nl.multiply(t, s)), a, b)
    assert (difference == a - b).all() and (product == a * b).all()


def test_masks():
    x, y = draw((4, 6), (4, 6))
    on = np.greater.outer(np.arange(4), np.arange(6))

    def both(s, t):
        mask = nl.arange(4)[:, None] > nl.arange(6)[None, :]
        old = nl.zeros((4, 6), nl.float32)
        old[...] = nl.greater(s, t, mask=mask)
        return nl.add(s, t, mask=mask), old

    new, old = on_tiles(both, x, y)
    assert (new[on] == (x + y)[on]).all() and np.isnan(new[~on]).all()
    assert (old == np.where(on, x > y, 0)).all()


def test_two_operands_in_psum():
    def total(x):
        a = nl.ndarray((4, 4), nl.float32, buffer=nl.psum)
        a[...] = nl.copy(x)
        return nl.add(a, a)

    (x,) = draw((4, 4))
    assert (on_tiles(total, x) == 2 * x).all()


def test_gradients_flow_through_broadcasts():
    def normalized(x, w):
        return nl.multiply(nl.divide(x, nl.add(nl.sum(nl.square(x), axis=1), 1.0)), w)

    def by_hand(x, w):
        return x / (jnp.sum(x * x, axis=1, keepdims=True) + 1) * w

    x, w = map(jnp.asarray, draw((4, 6), (1, 6)))
    kernel = kernel_of(normalized)
    got = jax.grad(lambda x, w: kernel([x, w]).sum(), (0, 1))(x, w)
    wanted = jax.grad(lambda x, w: by_hand(x, w).sum(), (0, 1))(x, w)
    for a, b in zip(got, wanted):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("op", [*oracle.ARITHMETIC, *oracle.BITS])
def test_signatures_and_names(op):
    parameters = inspect.signature(getattr(nl, op)).parameters
    assert list(parameters) == ["x", "y", "dtype", "mask"]
    assert parameters["dtype"].default is (bool if op in COMPARISONS else None)
    assert name_of(getattr(nl, op)) == op == getattr(nl, op).__name__


def test_a_dma_adds_by_nl_add():
    @nki.jit
    def kernel(x):
        out = nl.ndarray(x.shape, x.dtype, buffer=nl.shared_hbm)
        tile = nl.load(x)
        nl.store(out, tile)
        nisa.dma_copy(dst=out, src=tile, dst_rmw_op=nl.add)
        return out

    (x,) = draw((4, 6))
    assert (kernel(x) == 2 * x).all()


def test_errors():
    (x, y) = draw((4, 6), (4, 5))
    for wrong, text in (
        (
            lambda s, t: nl.add(s, t),
            "add.shape: the operands of add do not broadcast together\n  given:   [4, 6], [4, 5]",
        ),
        (
            lambda s, t: nl.multiply(s.reshape((4, 3, 2)), t[:, 0:3]),
            "multiply.shape: the operands of multiply do not broadcast together: the trailing axes of [4, 3] do not "
            "line up with those of [4, 3, 2]; [4, 3, 1] does\n  given:   [4, 3, 2], [4, 3]\n"
            "  allowed: shapes that broadcast as NumPy's do\n  at ",
        ),
        (
            lambda s, t: nl.where(s.reshape((4, 3, 2)), t, 0.0),
            "where.shape: the operands of where do not broadcast together: the trailing axes of [4, 5] do not line up "
            "with those of [4, 3, 2]\n  given:   ",
        ),
        (
            lambda s, t: nl.add(s, np.ones((4, 6))),
            "add.operands: an operand of nl.add is neither a tile nor a number\n  given:   ndarray of shape [4, 6]\n"
            "  allowed: a tile, or a number; an array comes into a kernel as an argument, and is loaded",
        ),
        (lambda s, t: nl.add(1, 2), "add.operands: add needs a tile\n  given:   int, int"),
        (lambda s, t: nl.bitwise_and(s, s), "tensor_tensor.bitvec: tensor_tensor: 'bitwise_and' works on bits"),
    ):
        with pytest.raises(RuleError) as caught:
            on_tiles(wrong, x, y)
        assert str(caught.value).startswith(text)
