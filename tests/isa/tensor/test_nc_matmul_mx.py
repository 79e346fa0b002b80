"""`nc_matmul_mx` against exact fractions; its layout, rules, derivative, and with `quantize_mx` in front."""

from fractions import Fraction

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest

from jnki import TRN2, DeviceMemory, RuleError, nc_matmul_mx, psum, quantize_mx, sbuf
from tests.oracle.mx import nc_matmul_mx as oracle

KINDS = ("float8_e5m2_x4", "float8_e4m3fn_x4", "float4_e2m1fn_x4")
STORED = {"float4_e2m1fn_x4": np.uint16}
K, M, N = 64, 4, 3


def elements(rng, kind, shape, *, finite=True):
    """Packed elements of any bits; by default, without infinities and NaN."""
    if kind == "float4_e2m1fn_x4":
        return rng.integers(0, 1 << 16, shape).astype(np.uint16)
    parts = rng.integers(0, 256, (*shape, 4)).astype(np.uint8)
    if finite:
        most = 0x7B if kind == "float8_e5m2_x4" else 0x7E
        parts = np.where(parts & 0x7F > most, parts & 0xBF, parts)
    return parts.view(np.uint32)[..., 0]


def run(x, y, s, t, kinds, old=None, **options):
    acc = jnp.zeros((x.shape[1], y.shape[1])) if old is None else old
    memory = DeviceMemory.of(sbuf={"x": x, "y": y, "s": s, "t": t}, psum={"z": acc})
    refs = {"stationary": sbuf("x", kinds[0]), "moving": sbuf("y", kinds[1])}
    refs |= {"stationary_scale": sbuf("s"), "moving_scale": sbuf("t"), "dst": psum("z")}
    return nc_matmul_mx(memory, **(refs | options)).psum["z"]


def close(found, wanted):
    for got, want in zip(np.asarray(found, np.float64).ravel(), [w for row in wanted for w in row], strict=True):
        if isinstance(want, Fraction):
            assert abs(got - float(want)) <= 2e-5 * max(abs(float(want)), scale_of(wanted)), (got, float(want))
        else:
            np.testing.assert_equal(got, want)


def scale_of(wanted):
    return max((abs(float(w)) for row in wanted for w in row if isinstance(w, Fraction)), default=0.0)


@pytest.mark.parametrize("kinds", [(a, b) for a in KINDS for b in KINDS])
def test_products_are_those_of_exact_fractions(kinds):
    rng = np.random.default_rng(len(kinds[0]) + 3 * len(kinds[1]))
    x, y = (np.stack([elements(rng, k, (K, f)) for _ in range(2)]) for k, f in zip(kinds, (M, N)))
    s, t = (rng.integers(125, 130, (2, K, f)).astype(np.uint8) for f in (M, N))
    found = jax.jit(jax.vmap(lambda *a: run(*a, kinds)))(x, y, s, t)
    for case in range(2):
        close(found[case], oracle(x[case], y[case], s[case], t[case], *kinds))


def test_whole_numbers_are_exact_and_added():
    """Of fp4 all products are quarters: every order of summing them gives the same bits."""
    rng = np.random.default_rng(5)
    kinds = ("float4_e2m1fn_x4",) * 2
    x, y = elements(rng, kinds[0], (K, M)), elements(rng, kinds[1], (K, N))
    s, t = np.full((K, M), 128, np.uint8), np.full((36, N), 126, np.uint8)
    wanted = np.array([[float(v) for v in row] for row in oracle(x, y, s, t, *kinds)], np.float32)
    np.testing.assert_array_equal(run(x, y, s, t, kinds), wanted)
    np.testing.assert_array_equal(run(x, y, s, t, kinds, jnp.full((M, N), 0.25), accumulate=True), wanted + 0.25)
    into = run(x, y, s, t, kinds, jnp.full((M, N), 0.25, jnp.bfloat16), accumulate=True)
    np.testing.assert_array_equal(into, (wanted + 0.25).astype(ml_dtypes.bfloat16))


def test_a_scale_alone_may_be_beyond_float32():
    """2^-127 of one operand and 2^127 of the other make 1: neither element is scaled by itself."""
    kinds = ("float8_e5m2_x4", "float8_e5m2_x4")
    x = np.full((32, 2), 0x3C3C3C3C, np.uint32)  # ones
    y = np.full((32, 1), 0x78787878, np.uint32)  # 2^15
    s, t = np.zeros((4, 2), np.uint8), np.full((4, 1), 254, np.uint8)
    np.testing.assert_array_equal(run(x, y, s, t, kinds), np.full((2, 1), 128 * 2.0**15, np.float32))
    s, t = np.full((4, 2), 254, np.uint8), np.zeros((4, 1), np.uint8)
    np.testing.assert_array_equal(run(x, y, s, t, kinds), np.full((2, 1), 128 * 2.0**15, np.float32))


@pytest.mark.parametrize("kind", KINDS)
def test_nan(kind):
    rng = np.random.default_rng(2)
    x, y = elements(rng, kind, (K, M), finite=False), elements(rng, kind, (K, N))
    s, t = np.full((K, M), 127, np.uint8), np.full((K, N), 127, np.uint8)
    t[33, 1] = 255
    t[5, 2] = 255  # no scale is there
    close(run(x, y, s, t, (kind, kind)), oracle(x, y, s, t, kind, kind))
    assert np.isnan(np.asarray(run(x, y, s, t, (kind, kind)))[:, 1]).all()


def test_scales_have_a_type_of_their_own_and_a_place_in_a_shared_tile():
    rng = np.random.default_rng(9)
    kinds = ("float8_e4m3fn_x4",) * 2
    x, y = elements(rng, kinds[0], (K, M)), elements(rng, kinds[1], (K, M))
    s, t = (rng.integers(120, 130, (K, M)).astype(np.uint8) for _ in range(2))
    both = np.zeros((K, M), np.uint8)
    for first, scale in ((4, s), (12, t)):
        for q in (0, 32):
            both[q + first : q + first + 4] = scale[q : q + 4]
    both = both.view(ml_dtypes.float8_e8m0fnu)
    shared = run(x, y, both, both, kinds, stationary_scale=sbuf("s")[4:], moving_scale=sbuf("t")[12:])
    np.testing.assert_array_equal(shared, run(x, y, s, t, kinds))


def test_free_axes_are_one():
    rng = np.random.default_rng(9)
    kinds = ("float8_e4m3fn_x4",) * 2
    x, y = elements(rng, kinds[0], (32, 4)), elements(rng, kinds[1], (32, 6))
    s, t = np.full((4, 4), 127, np.uint8), np.full((4, 6), 127, np.uint8)
    flat = run(x, y, s, t, kinds)
    memory = DeviceMemory.of(
        sbuf={"x": x.reshape(32, 2, 2), "y": y.reshape(32, 1, 6), "s": s.reshape(4, 1, 4), "t": t},
        psum={"z": jnp.zeros((4, 2, 3))},
    )
    refs = {"stationary": sbuf("x", kinds[0]), "moving": sbuf("y", kinds[1]), "dst": psum("z")}
    after = nc_matmul_mx(memory, **refs, stationary_scale=sbuf("s"), moving_scale=sbuf("t"))
    np.testing.assert_array_equal(after.psum["z"].reshape(4, 6), flat)


@pytest.mark.parametrize("kind", KINDS[:2])
def test_what_quantize_mx_makes_multiplies_to_about_the_same(kind):
    rng = np.random.default_rng(11)
    x, y = (rng.normal(size=(64, 4 * f)).astype(ml_dtypes.bfloat16) for f in (M, N))
    arrays = {"a": x, "b": y}
    for name, f in (("x", M), ("y", N)):
        arrays |= {name: np.zeros((64, f), np.uint32), f"s{name}": np.zeros((64, f), np.uint8)}
    memory = DeviceMemory.of(sbuf=arrays, psum={"z": jnp.zeros((M, N))})
    for src, name in (("a", "x"), ("b", "y")):
        memory = quantize_mx(memory, dst=sbuf(name, kind), src=sbuf(src), dst_scale=sbuf(f"s{name}"))
    refs = {"stationary": sbuf("x", kind), "moving": sbuf("y", kind), "dst": psum("z")}
    found = nc_matmul_mx(memory, **refs, stationary_scale=sbuf("sx"), moving_scale=sbuf("sy")).psum["z"]
    wanted = np.einsum("pmj,pnj->mn", *(a.astype(np.float64).reshape(64, -1, 4) for a in (x, y)))
    assert np.abs(np.asarray(found) - wanted).max() < (4 if kind == "float8_e5m2_x4" else 2)


def test_only_the_old_value_has_a_derivative():
    rng = np.random.default_rng(1)
    kinds = ("float8_e4m3fn_x4",) * 2
    x, y = elements(rng, kinds[0], (32, 2)), elements(rng, kinds[1], (32, 3))
    s, t = np.full((4, 2), 127, np.uint8), np.full((4, 3), 127, np.uint8)
    weight = jnp.arange(6.0).reshape(2, 3)

    def loss(old, add):
        return (weight * run(x, y, s, t, kinds, old, accumulate=add)).sum()

    np.testing.assert_array_equal(jax.grad(loss)(jnp.ones((2, 3)), True), weight)
    np.testing.assert_array_equal(jax.grad(loss)(jnp.ones((2, 3)), False), 0 * weight)


# Rules.


def attempt(
    x=(32, 4), y=(32, 6), z=None, s=(4, 4), t=(4, 6), *, kinds=KINDS[:2], out=np.float32, scales=np.uint8, **options
):
    arrays = [np.zeros(shape, STORED.get(kind, np.uint32)) for shape, kind in zip((x, y), kinds)]
    acc = jnp.zeros(z or (x[1], y[1]), out)
    return run(*arrays, np.zeros(s, scales), np.zeros(t, scales), kinds, acc, **options)


def refused(*args, **kwargs):
    with pytest.raises(RuleError) as caught:
        attempt(*args, **kwargs)
    return str(caught.value).split("\n  at ")[0]


def test_target():
    assert refused(target=TRN2) == (
        "nc_matmul_mx.target: nc_matmul_mx: the target does not have the MX formats\n"
        "  given:   trn2 (NeuronCore-v3)\n  allowed: NeuronCore-v4 or newer"
    )
    attempt()


def test_memories():
    text = "err_unsupported_memory: nc_matmul_mx: '{}' is in the wrong memory: the Tensor Engine reads SBUF"
    assert refused(dst=sbuf("s")).startswith(text.format("dst"))
    assert refused(moving=psum("z")).startswith(text.format("moving"))


@pytest.mark.parametrize(
    ("options", "given"),
    [
        ({"kinds": ("uint32", KINDS[0])}, "stationary uint32, moving float8_e5m2_x4, dst float32"),
        ({"out": np.float16}, "stationary float8_e5m2_x4, moving float8_e4m3fn_x4, dst float16"),
    ],
)
def test_types(options, given):
    assert refused(**options) == (
        f"nc_matmul_mx.dtype: nc_matmul_mx: there is no such product\n  given:   {given}\n"
        "  allowed: stationary and moving float8_e5m2_x4, float8_e4m3fn_x4, float4_e2m1fn_x4; dst float32 or bfloat16"
    )
    attempt(out=jnp.bfloat16)


@pytest.mark.parametrize(("x", "y"), [((32, 4), (64, 6)), ((48, 4), (48, 6))])
def test_contraction(x, y):
    assert refused(x, y) == (
        "nc_matmul_mx.contraction: nc_matmul_mx: the contracted axis, the partitions of both operands, is not made of "
        f"groups\n  given:   stationary {list(x)}, moving {list(y)}\n  allowed: the same multiple of 32 partitions"
    )


@pytest.mark.parametrize(
    ("x", "y", "out", "most"), [((32, 3), (32, 6), "float32", 4096), ((32, 130), (32, 6), "bfloat16", 8192)]
)
def test_sizes(x, y, out, most):
    assert refused(x, y, (min(x[1], 128), 6), out=out) == (
        "err_size_of_dimension_exceed_arch_limit: nc_matmul_mx: an operand has too many elements in each partition, or "
        f"an odd number\n  given:   stationary {list(x)}, moving {list(y)}\n"
        f"  allowed: an even number up to 128 in stationary, up to {most} in moving"
    )


def test_the_shape_of_dst():
    assert refused(z=(6, 4)) == (
        "nc_matmul_mx.shape: nc_matmul_mx: dst does not have the shape of the product\n"
        "  given:   stationary [32, 4], moving [32, 6], dst [6, 4]\n  allowed: dst [4, 6]"
    )


def test_scales():
    assert refused(s=(4, 6)).startswith(
        "nc_matmul_mx.scale_shape: nc_matmul_mx: 'stationary_scale' does not have a scale"
    )
    assert refused(scales=np.int8).startswith(
        "nc_matmul_mx.scale_dtype: nc_matmul_mx: 'stationary_scale' does not hold"
    )
    assert refused(t=(8, 6), moving_scale=sbuf("t")[1:]).startswith(
        "nc_matmul_mx.scale_partition: nc_matmul_mx: the scales"
    )


def test_accumulate_is_a_flag():
    assert refused(accumulate=None) == (
        "nc_matmul_mx.accumulate: nc_matmul_mx: 'accumulate' is not a flag\n"
        "  given:   None\n  allowed: True or False; a kernel may leave it out"
    )


@pytest.mark.parametrize(
    ("position", "size", "rule", "allowed"),
    [
        ((0, 0), (32, 64), "tile_size", "column 0, and 128 columns"),
        ((32, 0), (64, 128), "tile_position", "multiples of tile_size"),
        ((0, 0), (96, 128), "tile_size", "32, 64 or 128 rows and columns"),
        ((0, 0), (), "tile_position", "both, or neither"),
    ],
)
def test_pe_tiles(position, size, rule, allowed):
    text = refused(tile_position=position, tile_size=size)
    assert text.startswith(f"nc_matmul_mx.{rule}: nc_matmul_mx: ") and text.endswith(f"allowed: {allowed}")
    attempt(tile_position=(64, 0), tile_size=(64, 128))
