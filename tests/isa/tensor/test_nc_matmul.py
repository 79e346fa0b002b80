"""`nc_matmul` in its functional form: values, derivatives, transformations."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import test_util

from jnki import TRN1, TRN2, DeviceMemory, psum, sbuf
from jnki.isa.tensor.nc_matmul import nc_matmul
from tests.isa.tensor.matmuls import Matmul, Part, assert_matches_oracle, memory_of, whole_numbers
from tests.oracle import tensor_engine as oracle
from tests.oracle.casts import FLOATS, STORAGE

K, M, N = 6, 4, 5
ADD = {"accumulate": True}


def parts(a="float32", b="float32", acc="float32"):
    return Part("acc", (M, N), acc), Part("a", (K, M), a), Part("b", (K, N), b)


FLOAT_PAIRS = [(a, b) for a in sorted(FLOATS) for b in sorted(FLOATS) if a <= b]

MATMULS = [
    *(Matmul(f"{a} by {b}", *parts(a, b), options=ADD if a == b else {}) for a, b in FLOAT_PAIRS),
    *(Matmul(f"into {t}", *parts(acc=t), options=o) for t in sorted(FLOATS) for o in ({}, ADD)),
    Matmul(
        "parts of tiles",
        Part("acc", (6, 9), key=np.s_[1:5, 2:7]),
        Part("a", (8, 7), key=np.s_[2:8, 3:7]),
        Part("b", (9, 10), key=np.s_[1:7, ::2]),
        ADD,
    ),
    Matmul("one row, one column", Part("acc", (1, 1)), Part("a", (K, 1)), Part("b", (K, 1))),
    Matmul("one element deep", Part("acc", (M, N)), Part("a", (1, M)), Part("b", (1, N))),
    Matmul("several free axes", Part("acc", (4, 2, 3)), Part("a", (K, 2, 2)), Part("b", (K, 2, 3)), ADD),
    Matmul(
        "a block of a block tensor's free axes",
        Part("acc", (4, 3, 2), key=np.s_[:, ::2]),
        Part("a", (K, 4)),
        Part("b", (K, 3, 4), key=np.s_[:, 1:, ::2]),
    ),
    *(
        Matmul(
            f"pairs of {a} and {b}",
            Part("acc", (M, N)),
            Part("a", (K, 2, M), a),
            Part("b", (K, 2, N), b),
            {"perf_mode": mode, **more},
        )
        for a, b, mode, more in (
            ("float8_e4m3", "float8_e4m3", "double_row", {}),
            ("float8_e5m2", "float8_e4m3", "double_row_gen3", ADD),
        )
    ),
]


@pytest.mark.parametrize("matmul", MATMULS, ids=lambda m: m.name.replace(" ", "_"))
def test_all_of_memory_is_the_oracles(matmul):
    assert_matches_oracle(matmul)


@pytest.mark.parametrize("dtype", sorted(FLOATS - {"tfloat32"}))
def test_sums_have_the_precision_of_float32(dtype):
    # Products of narrow floats are exact in float32, so only the additions round: at most K times half an ulp.
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal((128, n)).astype(STORAGE[dtype]) for n in (32, 48))
    wanted = a.astype(np.float64).T @ b.astype(np.float64)
    magnitude = np.abs(a).astype(np.float64).T @ np.abs(b).astype(np.float64)
    found = product(a, b)
    assert (np.abs(found - wanted) <= 128 * 2.0**-24 * magnitude).all()


def product(a, b, **options):
    shape = (int(np.prod(a.shape[1:])), *b.shape[1:])
    memory = DeviceMemory.of(sbuf={"a": a, "b": b}, psum={"acc": jnp.zeros(shape)})
    return nc_matmul(memory, dst=psum("acc"), stationary=sbuf("a"), moving=sbuf("b"), **options).psum["acc"]


def test_a_bfloat16_destination_is_rounded_once_for_each_instruction():
    ones = {"a": jnp.ones((1, 1)), "b": jnp.ones((1, 1))}
    memory = DeviceMemory.of(sbuf=ones, psum={"acc": jnp.array([[256.0]], jnp.bfloat16)})
    for _ in range(3):
        memory = nc_matmul(memory, dst=psum("acc"), stationary=sbuf("a"), moving=sbuf("b"), accumulate=True)
        assert memory.psum["acc"].tolist() == [[256.0]]  # 257 is a tie, and 256 is the even neighbour


# Transpose mode.

EYE = jnp.eye(4)
ODD = np.array([[np.nan, 1, np.inf], [2, -np.inf, 3], [4, 5, 6], [-0.0, 7, np.nan]], np.float32)


def test_transpose_mode_of_neuroncore_v3_moves_what_is_not_finite():
    np.testing.assert_array_equal(product(ODD, EYE, is_transpose=True, target=TRN2), ODD.T)
    np.testing.assert_array_equal(product(ODD, EYE[:, :2], is_transpose=True, target=TRN2), ODD[:2].T)


@pytest.mark.parametrize("options", [{"is_transpose": True, "target": TRN1}, {"target": TRN2}])
def test_elsewhere_what_is_not_finite_spreads_along_its_row(options):
    found = product(ODD, EYE, **options)
    assert not np.isfinite(found[:3]).any() and np.isnan(found[0]).all()
    np.testing.assert_array_equal(product(np.nan_to_num(ODD), EYE, **options), np.nan_to_num(ODD).T)


def test_transpose_mode_still_multiplies():
    rng = np.random.default_rng(0)
    a, b = rng.integers(-9, 9, (4, 3)).astype(np.float32), rng.integers(-9, 9, (4, 4)).astype(np.float32)
    np.testing.assert_array_equal(product(a, b, is_transpose=True), a.T @ b)


def test_transpose_mode_has_the_derivative_of_the_product():
    (a,) = drawn((4, 3))
    slope = jax.grad(lambda a, b, **mode: (product(a, b, **mode) ** 2).sum(), (0, 1))
    for found, want in zip(slope(a, EYE, is_transpose=True), slope(a, EYE)):
        np.testing.assert_array_equal(found, want)


def test_the_promise_of_ones_and_zeros_changes_no_value():
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal((4, n)).astype(np.float32) for n in (3, 5))
    promised = product(a, b, is_stationary_onezero=True, is_moving_onezero=True)
    np.testing.assert_array_equal(promised, product(a, b))


# Transformations and derivatives.

LAWS = [m for m in MATMULS if m.name in ("parts of tiles", "several free axes", "bfloat16 by bfloat16")]
each_law = pytest.mark.parametrize("matmul", LAWS, ids=lambda m: m.name.replace(" ", "_"))


@each_law
def test_jit_vmap_and_scan_agree_with_plain_calls(matmul):
    start = whole_numbers(matmul, 5)
    plain = [matmul.run(memory_of({n: a[i] for n, a in start.items()}, batched=False)).psum["acc"] for i in range(5)]
    batched = jax.vmap(matmul.run)(memory_of(start)).psum["acc"]
    jitted = jax.jit(jax.vmap(matmul.run))(memory_of(start)).psum["acc"]
    _, scanned = jax.lax.scan(lambda c, memory: (c, matmul.run(memory).psum["acc"]), None, memory_of(start))
    for found in (batched, jitted, scanned):
        np.testing.assert_array_equal(found, np.stack(plain))


@pytest.mark.parametrize("batched", ["stationary", "moving", "both"])
@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32"])
def test_batches_of_either_operand(dtype, batched):
    """XLA's CPU code has no product of 16-bit matrices of which only the moving one is batched."""
    kind = STORAGE[dtype]
    rng = np.random.default_rng(3)
    a, b = (jnp.asarray(rng.integers(-8, 9, shape), kind) for shape in ((3, K, M), (3, K, N)))
    a, b = (a[0] if batched == "moving" else a, b[0] if batched == "stationary" else b)

    def product(a, b):
        memory = DeviceMemory.of(sbuf={"a": a, "b": b}, psum={"acc": jnp.zeros((M, N))})
        return nc_matmul(memory, dst=psum("acc"), stationary=sbuf("a"), moving=sbuf("b")).psum["acc"]

    axes = (None if batched == "moving" else 0, None if batched == "stationary" else 0)
    wanted = np.einsum("...km,...kn->...mn", *(np.asarray(x, np.float32) for x in (a, b)))
    np.testing.assert_array_equal(jax.jit(jax.vmap(product, axes))(a, b), wanted)


def test_under_vmap_it_is_one_dot_general_and_no_transpose():
    matmul = next(law for law in LAWS if law.name == "parts of tiles")
    jaxpr = str(jax.make_jaxpr(jax.vmap(matmul.run))(memory_of(whole_numbers(matmul, 3))))
    assert jaxpr.count("dot_general[") == 1
    assert "transpose[" not in jaxpr and "precision=(Precision.HIGHEST, Precision.HIGHEST)" in jaxpr.replace("\n", "")


def accumulated(a, b, acc, **options):
    memory = DeviceMemory.of(sbuf={"a": a, "b": b}, psum={"acc": acc})
    return nc_matmul(memory, dst=psum("acc"), stationary=sbuf("a"), moving=sbuf("b"), **options).psum["acc"]


def drawn(*shapes, dtype=np.float32):
    rng = np.random.default_rng(0)
    return [jnp.asarray(rng.standard_normal(shape).astype(dtype)) for shape in shapes]


@pytest.mark.parametrize("accumulate", [False, True])
def test_derivatives_agree_with_finite_differences(accumulate):
    operands = drawn((K, M), (K, N), (M, N))
    test_util.check_grads(
        lambda *x: accumulated(*x, accumulate=accumulate), operands, order=2, modes=["fwd", "rev"], rtol=2e-2, atol=2e-2
    )


def test_the_old_value_has_a_derivative_only_where_it_counts():
    a, b, acc = drawn((K, M), (K, N), (M, N))
    slope = jax.grad(lambda acc, on: accumulated(a, b, acc, accumulate=on).sum())
    assert (slope(acc, True) == 1).all() and (slope(acc, False) == 0).all()


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float8_e5m2"])
def test_cotangents_of_narrow_operands_are_rounded_once(dtype):
    a, b, weight = drawn((K, M), (K, N), (M, N))
    a, b = a.astype(dtype), b.astype(dtype)
    acc = jnp.zeros((M, N))
    slopes = jax.grad(lambda a, b: (accumulated(a, b, acc) * weight).sum(), (0, 1))(a, b)
    wide = jax.grad(lambda a, b: (accumulated(a, b, acc) * weight).sum(), (0, 1))(a.astype("f4"), b.astype("f4"))
    for found, want in zip(slopes, wide):
        assert found.dtype == a.dtype
        np.testing.assert_array_equal(found, want.astype(dtype))


def test_the_oracle_agrees_on_ordinary_numbers():
    a, b, acc = drawn((K, M), (K, N), (M, N))
    operands = {p.name: p.operand for p in parts()}
    want = oracle.nc_matmul(
        {"a": np.asarray(a), "b": np.asarray(b), "acc": np.asarray(acc)},
        dst=operands["acc"],
        stationary=operands["a"],
        moving=operands["b"],
        accumulate=True,
    )
    np.testing.assert_allclose(accumulated(a, b, acc, accumulate=True), want["acc"], rtol=1e-5, atol=1e-6)
