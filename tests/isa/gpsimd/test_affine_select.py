"""`affine_select`: values in every type and for every form of predicate, the mask, gradients, and rules."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jnki
from jnki import DeviceMemory, RuleError, sbuf
from jnki.access.mask import NEVER
from jnki.isa.gpsimd.affine_select import as_predicate
from tests.isa.computations import FLOATS, assert_only, assert_stands_for, batch, tame

P, N = 4, 6
ROW, COLUMN = jnki.arange(P)[:, None], jnki.arange(N)[None, :]

PREDICATES = {
    "causal": (ROW >= COLUMN, lambda p, f: p >= f),
    "strict": (2 * COLUMN < ROW + 3, lambda p, f: 2 * f < p + 3),
    "equal": (ROW == COLUMN, lambda p, f: p == f),
    "different": (ROW != 2, lambda p, f: (p != 2) & (f > -1)),
    "expression": (ROW - COLUMN, lambda p, f: p - f > 0),
    "always": (ROW + COLUMN >= 0, lambda p, f: p + f >= 0),
    "never": (ROW + COLUMN < 0, lambda p, f: p + f < 0),
    "true": (True, lambda p, f: p + f >= 0),
    "false": (False, lambda p, f: p + f < 0),
    "positive": (3, lambda p, f: p + f >= 0),
    "zero": (0, lambda p, f: p + f < 0),
}


def holds(name):
    return np.broadcast_to(PREDICATES[name][1](*np.ogrid[:P, :N]), (P, N))


@pytest.mark.parametrize("name", PREDICATES)
def test_predicates(name):
    for old, new in batch(
        lambda rng: {"x": tame(rng, (P, N), "float32"), "y": tame(rng, (P, N), "float32")},
        lambda m: jnki.affine_select(
            m, dst=sbuf("y"), pred=PREDICATES[name][0], on_true_tile=sbuf("x"), on_false_value=-9984.0
        ),
        8,
    ):
        assert (new["y"] == np.where(holds(name), old["x"], np.float32(-9984))).all()
        assert_only(old, new, "y")


@pytest.mark.parametrize("out", [*FLOATS, "int8", "uint16"])
@pytest.mark.parametrize("dtype", [*FLOATS, "uint8", "int16"])
def test_types(dtype, out):
    source, target = (sbuf(n, "tfloat32" if t == "tfloat32" else None) for n, t in (("x", dtype), ("y", out)))
    mask, on = COLUMN + ROW < 6, np.add.outer(np.arange(P), np.arange(N)) < 6
    for old, new in batch(
        lambda rng: {"x": tame(rng, (P, N), dtype), "y": tame(rng, (P, N), out)},
        lambda m: jnki.affine_select(
            m, dst=target, pred=ROW >= COLUMN, on_true_tile=source, on_false_value=100.4, mask=mask
        ),
        8,
    ):
        expected = np.where(holds("causal"), old["x"].astype(np.float64), np.float64(np.float32(100.4)))
        assert_stands_for(new["y"][on], expected[on], out, steps=0)
        assert_only(old, new, "y", on)


def test_equal_types_keep_every_bit():
    payload = np.array([[0x7FC12345, 0x00000001]], np.uint32).view(np.float32)
    memory = DeviceMemory.of(sbuf={"x": payload, "y": np.zeros((1, 2), np.float32)})
    memory = jnki.affine_select(memory, dst=sbuf("y"), pred=True, on_true_tile=sbuf("x"), on_false_value=0.0)
    assert np.asarray(memory.sbuf["y"]).view(np.uint32).tolist() == payload.view(np.uint32).tolist()


def test_gradients_pass_where_the_tile_is_selected():
    def run(x):
        memory = DeviceMemory.of(sbuf={"x": x})
        return jnki.affine_select(
            memory, dst=sbuf("x"), pred=ROW >= COLUMN, on_true_tile=sbuf("x"), on_false_value=-jnp.inf
        ).sbuf["x"]

    weights = np.random.default_rng(0).normal(size=(P, N)).astype(np.float32)
    (slopes,) = jax.vjp(run, jnp.ones((P, N)))[1](weights)
    assert (slopes == np.where(holds("causal"), weights, 0)).all()


def test_what_a_predicate_becomes():
    assert as_predicate(ROW + COLUMN >= 0) is None
    assert as_predicate(ROW > 100) == NEVER
    assert as_predicate(ROW >= COLUMN) == (ROW >= COLUMN)
    assert as_predicate(ROW - COLUMN) == (ROW > COLUMN)


def call(**changes):
    memory = DeviceMemory.of(
        sbuf={
            "x": np.zeros((P, N), np.float32),
            "y": np.zeros((P, N), np.float32),
            "z": np.zeros((P, N + 1), np.float32),
            "int32": np.zeros((P, N), np.int32),
            "bool": np.zeros((P, N), np.bool_),
            "uint8": np.zeros((P, N), np.uint8),
        },
        psum={"p": np.zeros((P, N), np.float32)},
        hbm={"h": np.zeros((P, N), np.float32)},
    )
    arguments = {"dst": sbuf("y"), "pred": ROW >= COLUMN, "on_true_tile": sbuf("x"), "on_false_value": 0.0}
    return jnki.affine_select(memory, **{**arguments, **changes})


BROKEN = {
    "joined": (
        {"pred": (ROW >= COLUMN) & (COLUMN < 3)},
        "affine_select.pred: affine_select: the predicate is not one affine comparison\n  given:   2 comparisons: ",
    ),
    "tile": (
        {"pred": np.ones((P, N))},
        "affine_select.pred: affine_select: the predicate is not one affine comparison",
    ),
    "quadratic": ({"pred": ROW * COLUMN}, "affine_select.pred: "),
    "shape": (
        {"dst": sbuf("z")},
        "affine_select.shape: affine_select: dst and on_true_tile have different shapes\n"
        "  given:   dst [4, 7], on_true_tile [4, 6]\n  allowed: one shape",
    ),
    "pred_shape": (
        {"pred": jnki.arange(7)[None, :] >= ROW},
        "affine_select.shape: affine_select: the predicate does not have the shape of on_true_tile\n"
        "  given:   pred [4, 7], on_true_tile [4, 6]",
    ),
    "input_type": (
        {"on_true_tile": sbuf("int32")},
        "affine_select.dtype: affine_select: 'on_true_tile' has the wrong element type\n"
        "  given:   int32\n  allowed: a float type, or an integer type of 8 or 16 bits",
    ),
    "output_type": ({"dst": sbuf("bool")}, "affine_select.dtype: affine_select: 'dst' has the wrong element type"),
    "hbm": ({"dst": jnki.hbm("h")}, "err_unsupported_memory: affine_select: 'dst' is in the wrong memory"),
    "number": ({"on_false_value": "x"}, "affine_select.value: affine_select: the value must be a constant number"),
    "mask": ({"mask": jnki.arange(7)[None, :] < 3}, "affine_select.mask: affine_select: the mask does not fit 'dst'"),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_rules(broken):
    changes, text = BROKEN[broken]
    with pytest.raises(RuleError) as caught:
        call(**changes)
    assert str(caught.value).startswith(text)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"on_true_tile": jnki.psum("p")},
        {"dst": sbuf("uint8")},
        {"pred": COLUMN < 3},
        {"on_false_value": 2},
    ],
    ids=["plain", "psum", "uint8", "row", "integer"],
)
def test_twins_that_are_legal(changes):
    call(**changes)
