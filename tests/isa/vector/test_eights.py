"""`max8`, `nc_find_index8`, `nc_match_replace8`: values beside the oracle, ties, NaN, masks, derivatives, rules."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jnki
import jnki.neuronxcc.nki as nki
import jnki.neuronxcc.nki.isa as nisa
import jnki.neuronxcc.nki.language as nl
from jnki import DeviceMemory, RuleError, hbm, psum, sbuf
from tests.isa.computations import assert_only, batch
from tests.oracle import picks as oracle
from tests.oracle.casts import STORAGE

P = 4
KINDS = ("float32", "bfloat16", "float16", "float8_e5m2", "int32", "int8", "uint16")


def few_values(rng, shape, kind):
    """Values with many ties; floats with NaN, both zeros and infinities among them."""
    if np.dtype(STORAGE[kind]).kind in "iu":
        return rng.integers(0, 9, shape).astype(STORAGE[kind])
    pool = np.array([0.0, -0.0, np.nan, np.inf, -np.inf, 1.5, -2.25, 3.0, -0.125, 2.0**-14], np.float32)
    return rng.choice(pool, shape, p=[0.1, 0.1, 0.05, 0.05, *[0.7 / 6] * 6]).astype(STORAGE[kind])


def masks(shape):
    """A mask that leaves some partitions with less than eight elements, and one with none."""
    rest = int(np.prod(shape[1:]))
    p = jnki.arange(P).__getitem__((slice(None), *(None,) * (len(shape) - 1)))
    f = jnki.arange(shape[1]).__getitem__((None, slice(None), *(None,) * (len(shape) - 2)))
    on = np.less.outer(3 * np.arange(P), 9 - np.arange(shape[1])).reshape(P, shape[1], *(1,) * (len(shape) - 2))
    return 3 * p + f < 9, np.broadcast_to(on, shape), rest


@pytest.mark.parametrize("masked", [False, True], ids=["whole", "masked"])
@pytest.mark.parametrize(
    ("kind", "shape"), [*((k, (P, 12)) for k in KINDS), ("float32", (P, 3, 2, 2)), ("int8", (P, 8))]
)
def test_max8_beside_the_oracle(kind, shape, masked):
    mask, on, _ = masks(shape)
    mask, on = (mask, on) if masked else (None, np.ones(shape, bool))
    for old, new in batch(
        lambda rng: {"x": few_values(rng, shape, kind), "y": np.full((P, 8), 7, STORAGE[kind])},
        lambda m: jnki.max8(m, dst=sbuf("y"), src=sbuf("x"), mask=mask),
        16,
    ):
        np.testing.assert_array_equal(new["y"].astype(np.float64), oracle.largest_8(old["x"], on, old["y"]))
        assert_only(old, new, "y")


@pytest.mark.parametrize("masked", [False, True], ids=["whole", "masked"])
@pytest.mark.parametrize(
    ("kind", "of_vals", "out"),
    [("float32", "float32", "uint32"), ("bfloat16", "float32", "uint16"), ("int32", "int32", "uint32")],
)
def test_find_index_and_match_replace_beside_the_oracle(kind, of_vals, out, masked):
    shape = (P, 4, 3)
    mask, on, _ = masks(shape)
    mask, on = (mask, on) if masked else (None, np.ones(shape, bool))
    imm = 3.0  # which is itself among the values
    for old, new in batch(
        lambda rng: {
            "x": few_values(rng, shape, kind),
            "v": few_values(rng, (P, 2, 4), of_vals),
            "i": np.full((P, 8), 77, STORAGE[out]),
            "j": np.full((P, 4, 2), 77, STORAGE[out]),
            "y": np.full(shape, 5, STORAGE[kind]),
        },
        lambda m: jnki.nc_match_replace8(
            jnki.nc_find_index8(m, dst=sbuf("i"), data=sbuf("x"), vals=sbuf("v"), mask=mask),
            dst=sbuf("y"),
            data=sbuf("x"),
            vals=sbuf("v"),
            imm=imm,
            dst_idx=sbuf("j"),
            mask=mask,
        ),
        16,
    ):
        assert (new["i"] == oracle.find_index_8(old["x"], old["v"], on, old["i"])).all()
        left, places = oracle.match_replace_8(old["x"], old["v"], imm, on, old["y"], old["j"])
        np.testing.assert_array_equal(new["y"].astype(np.float32), left.astype(np.float32))
        assert (new["j"] == places).all()


def run_current(m, imm=3.0):
    """Both instructions as the current dialect has them."""
    m = jnki.nc_find_index8(m, dst=sbuf("i"), data=sbuf("x"), vals=sbuf("v"), successive=True)
    shared = {"imm": imm, "dst_idx": sbuf("j"), "last_first": True}
    return jnki.nc_match_replace8(m, dst=sbuf("y"), data=sbuf("x"), vals=sbuf("v"), **shared)


@pytest.mark.parametrize("kind", ["float32", "bfloat16", "int16"])
def test_equal_values_in_the_current_dialect(kind):
    """They pair with places upwards in the one instruction and downwards in the other, and run out of places."""
    on = np.ones((P, 12), bool)
    for old, new in batch(
        lambda rng: {
            "x": few_values(rng, (P, 12), kind),
            "v": few_values(rng, (P, 8), kind),
            "i": np.zeros((P, 8), np.uint32),
            "j": np.zeros((P, 8), np.uint32),
            "y": np.zeros((P, 12), STORAGE[kind]),
        },
        run_current,
        16,
    ):
        assert (new["i"] == oracle.find_index_8(old["x"], old["v"], on, old["i"], True)).all()
        left, places = oracle.match_replace_8(old["x"], old["v"], 3.0, on, old["y"], old["j"], True)
        np.testing.assert_array_equal(new["y"].astype(np.float32), left.astype(np.float32))
        assert (new["j"] == places).all()


def test_the_example_of_the_documents():
    x, v = np.float32([[1, 2, 3, 4, *[8] * 7]]), np.float32([[3, *[8] * 7]])
    indices = {"i": np.zeros((1, 8), np.uint32), "j": np.zeros((1, 8), np.uint32)}
    memory = run_current(DeviceMemory.of(sbuf={"x": x, "v": v, "y": x, **indices}), imm=0.0)
    assert memory.sbuf["i"].tolist() == [[2, 4, 5, 6, 7, 8, 9, 10]]
    assert memory.sbuf["j"].tolist() == [[2, 10, 9, 8, 7, 6, 5, 4]]


def test_in_place_and_without_indices():
    data = np.arange(24.0, dtype=np.float32).reshape(2, 12) % 7
    memory = DeviceMemory.of(sbuf={"x": data, "v": np.full((2, 8), 3, np.float32)})
    memory = jnki.nc_match_replace8(memory, dst=sbuf("x"), data=sbuf("x"), vals=sbuf("v"), imm=-np.inf)
    assert (memory.sbuf["x"] == np.where(data == 3, -np.inf, data)).all()


def test_payloads_of_what_is_not_replaced_stay():
    bits = np.array([[0x7F81, 0xFFC5, 0x8000, 0x0001]], np.uint16)
    memory = DeviceMemory.of(sbuf={"x": bits.view(jnp.bfloat16), "v": np.full((1, 8), 9, np.float32)})
    memory = jnki.nc_match_replace8(memory, dst=sbuf("x"), data=sbuf("x"), vals=sbuf("v"), imm=0)
    assert (np.asarray(memory.sbuf["x"]).view(np.uint16) == bits).all()


def test_cotangents_go_to_what_was_picked_and_what_was_left():
    x = jnp.asarray(np.random.default_rng(0).permutation(24).reshape(2, 12), jnp.float32).at[0, 3].set(jnp.nan)
    x = x.at[0, 4].set(x[0, 5])

    def largest(x):
        return jnki.max8(DeviceMemory.of(sbuf={"x": x, "y": jnp.zeros((2, 8))}), dst=sbuf("y"), src=sbuf("x")).sbuf["y"]

    weight = jnp.arange(1.0, 17).reshape(2, 8)
    _, back = jax.vjp(largest, x)
    want = np.zeros((2, 12))
    for p in range(2):
        order = np.argsort(-np.nan_to_num(np.asarray(x[p]), nan=1e9), kind="stable")[:8]
        want[p, order] = weight[p]
    assert (back(weight)[0] == want).all()

    def left(x, v):
        memory = DeviceMemory.of(sbuf={"x": x, "v": v})
        return jnki.nc_match_replace8(memory, dst=sbuf("x"), data=sbuf("x"), vals=sbuf("v"), imm=0.0).sbuf["x"]

    values = largest(x)
    _, back = jax.vjp(left, x, values)
    to_x, to_v = back(jnp.ones((2, 12)))
    gone = want != 0
    gone[0, 3] = False  # a NaN equals nothing
    assert (to_x == np.where(gone, 0, 1)).all() and (to_v == 0).all()


def test_in_a_kernel_and_in_loops():
    @nki.jit
    def top(x):
        values = nl.ndarray((3, 4, 8), x.dtype, buffer=nl.shared_hbm)
        places = nl.ndarray((3, 4, 8), nl.uint16, buffer=nl.shared_hbm)
        left = nl.ndarray(x.shape, x.dtype, buffer=nl.shared_hbm)
        for i in nl.affine_range(3):
            tile = nl.load(x[i])
            index = nl.ndarray((4, 8), nl.uint16)
            eight = nisa.max8(src=tile)
            tile[...] = nisa.nc_match_replace8(data=tile, vals=eight, imm=-1.0, dst_idx=index)
            nl.store(values[i], eight)
            nl.store(places[i], nisa.nc_find_index8(data=nl.load(x[i]), vals=eight, dtype=nl.uint16))
            nl.store(left[i], tile)
        return values, places, left

    x = np.random.default_rng(0).permutation(3 * 4 * 10).reshape(3, 4, 10).astype(np.float32)
    order = np.argsort(-x, axis=2)[:, :, :8]
    left = x.copy()
    np.put_along_axis(left, order, -1, axis=2)
    values, places, rest = top(x)
    assert (values == np.take_along_axis(x, order, axis=2)).all() and (places == order).all() and (rest == left).all()


@pytest.mark.parametrize(
    ("function", "changes", "text"),
    [
        ("max8", {"src": hbm("h")}, "err_unsupported_memory: max8: 'src' is in the wrong memory"),
        (
            "max8",
            {"src": sbuf("few")},
            "max8.element_count: max8: 'src' has the wrong number of elements per partition",
        ),
        (
            "max8",
            {"src": sbuf("many")},
            "max8.element_count: max8: 'src' has the wrong number of elements per partitio",
        ),
        (
            "max8",
            {"src": sbuf("deep")},
            "err_exceed_max_supported_dimension: max8: 'src' has too many axes\n  given:  ",
        ),
        (
            "max8",
            {"dst": sbuf("x")},
            "max8.eight: max8: 'dst' does not have eight elements per partition\n  given:   [",
        ),
        ("max8", {"dst": sbuf("v")[:1]}, "err_num_partition_mismatch: max8: 'dst' and the data span different number"),
        ("max8", {"mask": jnki.arange(5)[None, :] < 2}, "max8.mask: max8: the mask does not fit 'src'"),
        ("nc_find_index8", {"vals": sbuf("x")}, "nc_find_index8.eight: nc_find_index8: 'vals' does not have eight ele"),
        (
            "nc_find_index8",
            {"vals": psum("d4")},
            "err_exceed_max_supported_dimension: nc_find_index8: 'vals' has too m",
        ),
        (
            "nc_find_index8",
            {"dst": sbuf("v")},
            "nc_find_index8.dtype: nc_find_index8: the indices have the wrong eleme",
        ),
        ("nc_find_index8", {"data": sbuf("few")}, "nc_find_index8.element_count: "),
        ("nc_find_index8", {"mask": jnki.arange(5)[None, :] < 2}, "nc_find_index8.mask: nc_find_index8: the mask does"),
        ("nc_match_replace8", {"vals": sbuf("x")}, "nc_match_replace8.eight: nc_match_replace8: 'vals' does not have "),
        ("nc_match_replace8", {"dst_idx": sbuf("v")}, "nc_match_replace8.dst_idx: nc_match_replace8: the indices have"),
        ("nc_match_replace8", {"data": sbuf("many")}, "nc_match_replace8.element_count: nc_match_replace8: 'data' has"),
        ("nc_match_replace8", {"dst": sbuf("v")}, "nc_match_replace8.element_count: nc_match_replace8: dst and src ha"),
        ("nc_match_replace8", {"imm": "x"}, "nc_match_replace8.value: nc_match_replace8: the value must be a constant"),
    ],
)
def test_rules(function, changes, text):
    zeros = np.zeros
    memory = DeviceMemory.of(
        sbuf={
            "x": zeros((2, 12), np.float32),
            "v": zeros((2, 8), np.float32),
            "i": zeros((2, 8), np.uint32),
            "few": zeros((2, 7), np.float32),
            "many": zeros((2, 16385), np.int8),
            "deep": zeros((2, 1, 2, 2, 2, 2), np.float32),
        },
        psum={"d4": zeros((2, 2, 2, 2), np.float32)},
        hbm={"h": zeros((2, 12), np.float32)},
    )
    legal = {
        "max8": {"dst": sbuf("v"), "src": sbuf("x")},
        "nc_find_index8": {"dst": sbuf("i"), "data": sbuf("x"), "vals": sbuf("v")},
        "nc_match_replace8": {"dst": sbuf("x"), "data": sbuf("x"), "vals": sbuf("v"), "imm": 1.0},
    }[function]
    getattr(jnki, function)(memory, **legal)
    with pytest.raises(RuleError) as caught:
        getattr(jnki, function)(memory, **{**legal, **changes})
    assert str(caught.value).startswith(text)
