"""`nc_matmul` by the rules of the current dialect: each with its text, and a twin that passes."""

import jax.numpy as jnp
import numpy as np
import pytest

from jnki import TRN1, TRN2, TRN3, DeviceMemory, RuleError, RuleSet, arange, nc_matmul, psum, sbuf


def run(x="float32", y="float32", z="float32", shapes=((4, 3), (4, 5), (3, 5)), **options):
    kinds = {"tfloat32": "float32"}
    x_array, y_array = (jnp.ones(shape, kinds.get(kind, kind)) for shape, kind in zip(shapes, (x, y)))
    memory = DeviceMemory.of(sbuf={"x": x_array, "y": y_array}, psum={"z": jnp.full(shapes[2], 0.5, z)})
    operands = {"stationary": sbuf("x", x), "moving": sbuf("y", y), "dst": psum("z")}
    return nc_matmul(memory, **operands, **({"rules": RuleSet.current} | options)).psum["z"]


def refused(*args, **options):
    with pytest.raises(RuleError) as caught:
        run(*args, **options)
    return str(caught.value).split("\n  at ")[0]


@pytest.mark.parametrize(
    ("x", "y"),
    [
        ("float32", "bfloat16"),
        ("float16", "float32"),
        ("tfloat32", "float8_e5m2"),
        ("float8_e4m3", "float8_e4m3fn"),
        ("float8_e4m3fn", "float8_e4m3"),
    ],
)
def test_types_that_do_not_go_together(x, y):
    assert refused(x, y, target=TRN3) == (
        "nc_matmul.mixed_dtype: nc_matmul: the operands cannot have these two types together\n"
        f"  given:   stationary {x}, moving {y}\n"
        "  allowed: float32 and tfloat32 with each other only; float8_e4m3 and float8_e4m3fn not with each other"
    )


@pytest.mark.parametrize(
    ("x", "y"),
    [
        ("float32", "tfloat32"),
        ("tfloat32", "tfloat32"),
        ("bfloat16", "float16"),
        ("float8_e4m3", "bfloat16"),
        ("float8_e5m2", "float8_e4m3fn"),
        ("float8_e4m3fn", "float8_e4m3fn"),
    ],
)
def test_types_that_do(x, y):
    assert (run(x, y, target=TRN3) == 4).all()


def test_float8_e4m3fn_needs_the_newest_core():
    assert refused("float8_e4m3fn", "bfloat16", target=TRN2) == (
        "nc_matmul.dtype_target: nc_matmul: the target does not multiply this type\n"
        "  given:   float8_e4m3fn on trn2 (NeuronCore-v3)\n  allowed: NeuronCore-v4 or newer, or float8_e4m3"
    )


def test_float8_e4m3fn_multiplies_its_own_values():
    rng = np.random.default_rng(0)
    x, y = (rng.integers(-8, 9, (4, n)).astype(np.float32) * 28 for n in (3, 5))
    memory = DeviceMemory.of(
        sbuf={"x": x.astype(jnp.float8_e4m3fn), "y": y.astype(jnp.float8_e4m3fn)}, psum={"z": jnp.zeros((3, 5))}
    )
    operands = {"stationary": sbuf("x"), "moving": sbuf("y"), "dst": psum("z")}
    found = nc_matmul(memory, **operands, rules=RuleSet.current, target=TRN3).psum["z"]
    exact = [a.astype(jnp.float8_e4m3fn).astype(np.float32) for a in (x, y)]
    np.testing.assert_array_equal(found, exact[0].T @ exact[1])


@pytest.mark.parametrize(
    ("z", "target", "allowed"),
    [
        ("bfloat16", TRN2, "float32"),
        ("float16", TRN3, "float32 or bfloat16"),
        ("float8_e5m2", TRN1, "float32"),
    ],
)
def test_the_type_of_the_result(z, target, allowed):
    assert refused(z=z, target=target) == (
        "nc_matmul.dst_dtype: nc_matmul: the Tensor Engine does not write this type\n"
        f"  given:   dst {z} on {target.name}\n  allowed: {allowed}"
    )
    assert (run(z="bfloat16", target=TRN3) == 4).all()


def test_a_transpose_keeps_its_type():
    shapes = ((4, 3), (4, 4), (3, 4))
    run("float16", "float16", "float16", shapes, is_transpose=True)
    assert "allowed: float32 or float16" in refused("float16", "float16", "bfloat16", shapes, is_transpose=True)


@pytest.mark.parametrize("value", [None, 1])
def test_accumulate_is_a_flag(value):
    assert refused(accumulate=value) == (
        "nc_matmul.accumulate: nc_matmul: 'accumulate' is not a flag\n"
        f"  given:   {value}\n  allowed: True or False; a kernel may leave it out"
    )
    assert (run(accumulate=True) == 4.5).all() and (run(accumulate=False) == 4).all()


@pytest.mark.parametrize(
    ("position", "size", "text"),
    [
        ((32, 0), (64, 128), "tile_position: nc_matmul: a PE tile starts at a multiple of its size"),
        ((0, 32), (128, 64), "tile_position: nc_matmul: a PE tile starts at a multiple of its size"),
        ((0, 0), (96, 128), "tile_size: nc_matmul: the array is not cut into such tiles"),
    ],
)
def test_pe_tiles_are_those_that_the_array_is_cut_into(position, size, text):
    assert refused(tile_position=position, tile_size=size).startswith(f"nc_matmul.{text}\n")
    run(tile_position=(64, 32), tile_size=(64, 32))
    run(tile_position=position, tile_size=size, rules=RuleSet.legacy)


def test_there_is_no_mask():
    text = "nc_matmul.mask: nc_matmul: there is no mask by the current rules\n"
    assert refused(moving_mask=arange(5)[None, :] < 3).startswith(text)
    assert refused(mask=arange(4)[:, None] < 3).startswith(text)


@pytest.mark.parametrize(("z", "most"), [("float32", 4096), ("bfloat16", 8192)])
def test_all_of_psum_is_one_tile_on_the_newest_core(z, most):
    def shapes(n):
        return (1, 1), (1, n), (1, n)

    assert (run(z=z, shapes=shapes(most), target=TRN3) == 1).all()
    assert f"allowed: at most {most} on trn3" in refused(z=z, shapes=shapes(most + 1), target=TRN3)
    assert "allowed: at most 512 on trn2" in refused(shapes=shapes(513), target=TRN2)


def test_double_row_contracts_pairs():
    rng = np.random.default_rng(3)
    x, y = (rng.integers(-4, 5, (4, 2, n)).astype(np.float32) for n in (3, 5))
    kinds = ("float8_e4m3fn", "float8_e5m2")
    memory = DeviceMemory.of(sbuf={"x": x.astype(kinds[0]), "y": y.astype(kinds[1])}, psum={"z": jnp.zeros((3, 5))})
    operands = {"stationary": sbuf("x"), "moving": sbuf("y"), "dst": psum("z")}
    options = {"perf_mode": "double_row", "rules": RuleSet.current}
    found = nc_matmul(memory, **operands, **options, target=TRN3).psum["z"]
    np.testing.assert_array_equal(found, np.einsum("kim,kin->mn", x, y))
    shapes = ((4, 2, 3), (4, 2, 5), (3, 5))
    mixed = refused("float8_e4m3", "float8_e4m3fn", shapes=shapes, target=TRN3, **options)
    assert mixed.startswith("nc_matmul.mixed_dtype")
    assert "nc_matmul.perf_mode" in refused("bfloat16", "bfloat16", shapes=shapes, **options)
