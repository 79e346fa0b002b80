"""`iota` and `affine_select` in the current dialect's form: patterns, offsets, comparisons, and rules."""

import operator

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jnki
from jnki import DeviceMemory, RuleError, sbuf
from tests.harness import bits_of
from tests.isa.computations import assert_only, batch, tame
from tests.oracle.fills import pattern_values

P = 3
PATTERNS = {
    "one level": ([[1, 12]], 0, 0),
    "repeats": ([[0, 2], [5, 6]], -3, 1),
    "down": ([[-4, 3], [1, 4]], 7, -2),
    "four levels": ([[1, 1], [100, 2], [-10, 3], [1, 2]], 5, 1000),
    "wraps": ([[2**30, 4], [1, 3]], 2**31 - 2, 2**31 - 1),
}
COMPARISONS = {
    "equal": operator.eq,
    "not_equal": operator.ne,
    "greater_equal": operator.ge,
    "greater": operator.gt,
    "less_equal": operator.le,
    "less": operator.lt,
}


@pytest.mark.parametrize("name", PATTERNS)
@pytest.mark.parametrize("dtype", ["int32", "float32", "bfloat16", "uint8"])
def test_iota(name, dtype):
    """Free axes of `dst` need not be the levels of the pattern."""
    pattern, offset, channel = PATTERNS[name]

    def run(m):
        return jnki.iota(m, dst=sbuf("y")[:, 1:], pattern=pattern, offset=offset, channel_multiplier=channel)

    wanted = pattern_values(pattern, offset, channel, P)
    for old, new in batch(lambda rng: {"y": tame(rng, (P, 3, 6), dtype)}, run, 2):
        found = new["y"][:, 1:].reshape(P, 12)
        with np.errstate(all="ignore"):
            as_float = wanted.astype(np.float32)
        if dtype == "int32":
            np.testing.assert_array_equal(found, wanted)
        elif dtype == "uint8":
            np.testing.assert_array_equal(found, np.clip(as_float, 0, 255))
        else:
            np.testing.assert_array_equal(found, as_float.astype(found.dtype))
        assert_only(old, new, "y", np.s_[:, 1:])


def test_an_offset_that_is_known_at_run_time():
    """One for each case of a batch."""

    def run(offset):
        memory = DeviceMemory.of(sbuf={"y": jnp.zeros((P, 4), jnp.int32), "o": offset})
        return jnki.iota(memory, dst=sbuf("y"), pattern=[[3, 4]], offset=sbuf("o"), channel_multiplier=-1).sbuf["y"]

    offsets = np.array([5, -7, 2**31 - 1], np.int32)
    found = jax.jit(jax.vmap(run))(offsets.reshape(3, 1, 1))
    for number, offset in enumerate(offsets):
        np.testing.assert_array_equal(found[number], pattern_values([[3, 4]], int(offset), -1, P))


@pytest.mark.parametrize("dynamic", [False, True])
@pytest.mark.parametrize("cmp_op", COMPARISONS)
@pytest.mark.parametrize("name", ["repeats", "down", "four levels", "wraps"])
def test_affine_select(name, cmp_op, dynamic):
    pattern, offset, channel = PATTERNS[name]

    def make(rng):
        arrays = {"x": tame(rng, (P, 12), "float32"), "y": tame(rng, (P, 2, 6), "float32")}
        return arrays | {"o": np.array([[offset]], np.int32)}

    def run(m):
        options = {"on_true_tile": sbuf("x"), "on_false_value": -9984.0, "cmp_op": cmp_op}
        start = sbuf("o") if dynamic else offset
        return jnki.affine_select(
            m, dst=sbuf("y"), pattern=pattern, offset=start, channel_multiplier=channel, **options
        )

    on = COMPARISONS[cmp_op](pattern_values(pattern, offset, channel, P), 0)
    for old, new in batch(make, run, 2):
        np.testing.assert_array_equal(new["y"].reshape(P, 12), np.where(on, old["x"], np.float32(-9984)))
        assert_only(old, new, "y")


def test_integers_of_32_bits_keep_theirs():
    x = np.array([[2**31 - 1, -(2**31), 123456789]], np.int32)
    memory = DeviceMemory.of(sbuf={"x": x, "y": np.zeros_like(x)})
    select = {"pattern": [[1, 3]], "offset": -1, "channel_multiplier": 0, "cmp_op": np.not_equal}
    memory = jnki.affine_select(memory, dst=sbuf("y"), on_true_tile=sbuf("x"), on_false_value=-3.0, **select)
    np.testing.assert_array_equal(
        bits_of(np.asarray(memory.sbuf["y"])), bits_of(np.array([[x[0, 0], -3, x[0, 2]]], np.int32))
    )


def test_the_derivative_passes_to_what_is_selected():
    def run(x):
        memory = DeviceMemory.of(sbuf={"x": x, "y": jnp.zeros((2, 3))})
        causal = {"pattern": [[-1, 3]], "channel_multiplier": 1, "cmp_op": "greater_equal", "on_false_value": 0.0}
        return jnki.affine_select(memory, dst=sbuf("y"), on_true_tile=sbuf("x"), **causal).sbuf["y"].sum()

    assert jax.grad(run)(jnp.ones((2, 3))).tolist() == [[1, 0, 0], [1, 1, 0]]


MEMORY = DeviceMemory.of(
    sbuf={
        "x": np.zeros((P, 12), np.float32),
        "y": np.zeros((P, 2, 6), np.float32),
        "o": np.zeros((1, 1), np.int32),
        "column": np.zeros((P, 1), np.int32),
        "short": np.zeros((P, 11), np.float32),
    }
)


def iota(**changes):
    return jnki.iota(MEMORY, **{"dst": sbuf("y"), "pattern": [[1, 12]], **changes})


def select(**changes):
    usual = {"dst": sbuf("y"), "on_true_tile": sbuf("x"), "on_false_value": 0.0, "pattern": [[1, 12]]}
    return jnki.affine_select(MEMORY, **{**usual, **changes})


BROKEN = {
    "no pairs": (
        {"pattern": [1, 12]},
        "{}.pattern: {}: 'pattern' is no pattern\n  given:   list [1, 12]\n  allowed: 1 to 4 pairs of [step, number]",
    ),
    "five levels": ({"pattern": [[1, 1]] * 5}, "{}.pattern: {}: 'pattern' is no pattern"),
    "no number": ({"pattern": [[1, 0]]}, "{}.pattern: {}: 'pattern' is no pattern"),
    "float": (
        {"pattern": [[0.5, 12]]},
        "{}.pattern: {}: 'pattern' is no pattern\n  given:   list [[0.5, 12]]\n  allowed: integers of 32 bits",
    ),
    "offset": (
        {"offset": 2**31},
        "{}.offset: {}: 'offset' is no integer\n  given:   int 2147483648\n  allowed: -2^31 to 2^31 - 1",
    ),
    "offset tile": ({"offset": sbuf("column")}, "{}.offset: {}: 'offset' is one number\n  given:   [3, 1]"),
    "offset type": ({"offset": sbuf("x")[:1, :1]}, "{}.offset: {}: 'offset' has the wrong element type"),
    "channel": ({"channel_multiplier": 1.0}, "{}.channel_multiplier: {}: 'channel_multiplier' is no integer"),
    "elements": ({"pattern": [[1, 11]]}, "{}.shape: {}: the "),
}


@pytest.mark.parametrize("function", [iota, select])
@pytest.mark.parametrize("name", BROKEN)
def test_rules_of_patterns(name, function):
    changes, text = BROKEN[name]
    with pytest.raises(RuleError) as caught:
        function(**changes)
    own = "iota" if function is iota else "affine_select"
    assert str(caught.value).startswith(text.replace("{}", own))


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"cmp_op": "add"}, "affine_select.cmp_op: affine_select: 'cmp_op' is no comparison\n  given:   add"),
        ({"on_true_tile": sbuf("short")}, "affine_select.element_count: affine_select: dst and src have different"),
        ({"pred": True}, "affine_select.pattern: affine_select: a predicate is missing, or given twice"),
        ({"pattern": None, "pred": True, "offset": 1}, "affine_select.pattern: affine_select: there is no pattern"),
    ],
)
def test_rules_of_affine_select(changes, text):
    with pytest.raises(RuleError) as caught:
        select(**changes)
    assert str(caught.value).startswith(text)


@pytest.mark.parametrize("changes", [{"expr": 3}, {"pattern": None, "expr": 3, "offset": 1}])
def test_an_expression_or_a_pattern(changes):
    with pytest.raises(RuleError, match=r"iota\.pattern"):
        iota(**changes)


@pytest.mark.parametrize("changes", [{}, {"offset": sbuf("o")}, {"pattern": ((5, 3), (0, 4)), "offset": -(2**31)}])
@pytest.mark.parametrize("function", [iota, select])
def test_twins_that_are_legal(changes, function):
    function(**changes)
