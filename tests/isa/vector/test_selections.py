"""`select_reduce` and `range_select`: values, types, registers, masks, derivatives, and rules."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jnki
from jnki import TRN1, DeviceMemory, RuleError, psum, reduce_cmd, sbuf
from tests.isa.computations import assert_only, assert_stands_for, batch, tame
from tests.oracle import selections as oracle
from tests.oracle.casts import STORAGE

P, N = 3, 6
LOWEST = float(np.finfo(np.float32).min)

SOME = (jnki.arange(P)[:, None] > 0) & (jnki.arange(N)[None, :] + jnki.arange(P)[:, None] < 5)
SOME_ON = (np.arange(P)[:, None] > 0) & (np.add.outer(np.arange(P), np.arange(N)) < 5)


def draw(predicate="uint8", dtype="float32", out="float32"):
    return lambda rng: {
        "when": (3 * rng.integers(0, 2, (P, N))).astype(predicate),
        "x": tame(rng, (P, N), dtype),
        "v": tame(rng, (P, 1), "bfloat16"),
        "z": tame(rng, (P, N), out),
        "r": tame(rng, (P, 1), "float32"),
        "a": tame(rng, (P, 1), "float32"),
        "low": rng.integers(-2, 12, (P, 1)).astype(np.float32),
        "high": rng.integers(0, 14, (P, 1)).astype(np.float32),
    }


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize(
    ("predicate", "dtype", "out"),
    [("uint8", "float32", "float32"), ("int16", "bfloat16", "float16"), ("bool", "int8", "int16")],
)
def test_select(predicate, dtype, out, reverse):
    for old, new in batch(
        draw(predicate, dtype, out),
        lambda m: jnki.select_reduce(
            m,
            dst=sbuf("z"),
            predicate=sbuf("when"),
            on_true=sbuf("x"),
            on_false=sbuf("v"),
            reverse_pred=reverse,
            mask=SOME,
        ),
        16,
    ):
        wanted = oracle.select(old["when"], old["x"], old["v"][:, 0], reverse)
        assert_stands_for(new["z"][SOME_ON], wanted[SOME_ON], out, steps=0)
        assert_only(old, new, "z", SOME_ON)


@pytest.mark.parametrize("command", ["reset", "reduce", "reset_reduce"])
@pytest.mark.parametrize("which", ["select_reduce", "range_select"])
def test_registers(which, command):
    """The largest is of float32 values, whatever `dst` rounds them to; `reduce_res` is what the registers hold then."""
    shared = {"reduce_cmd": reduce_cmd[command], "reduce_res": sbuf("r"), "accumulator": sbuf("a"), "mask": SOME}

    def run(m):
        if which == "select_reduce":
            chosen = {"predicate": sbuf("when"), "on_true": sbuf("x"), "on_false": -9.75}
            return jnki.select_reduce(m, dst=sbuf("z"), **chosen, **shared)
        chosen = {"on_true_tile": sbuf("x"), "comp_op0": "greater_equal", "comp_op1": np.less}
        bounds = {"bound0": sbuf("low"), "bound1": sbuf("high"), "range_start": 4}
        return jnki.range_select(m, dst=sbuf("z"), **chosen, **bounds, **shared)

    for old, new in batch(draw(out="bfloat16"), run, 32):
        if which == "select_reduce":
            results = oracle.select(old["when"], old["x"], np.full(P, -9.75))
        else:
            bounds = old["low"][:, 0], old["high"][:, 0]
            results = oracle.range_select(old["x"], "greater_equal", "less", *bounds, 4, LOWEST)
        assert_stands_for(new["z"][SOME_ON], results[SOME_ON], "bfloat16", steps=0)
        wanted = oracle.registers(results, command, old["a"][:, 0], SOME_ON)
        np.testing.assert_array_equal(new["a"][:, 0], wanted)
        rows = SOME_ON.any(axis=1)
        np.testing.assert_array_equal(new["r"][rows, 0], wanted[rows])
        np.testing.assert_array_equal(new["r"][~rows], old["r"][~rows])


@pytest.mark.parametrize("op1", oracle.COMPARISONS)
@pytest.mark.parametrize("op0", oracle.COMPARISONS)
def test_range_select(op0, op1):
    """With an idle command `reduce_res` is the largest of this instruction, and no register changes."""
    for old, new in batch(
        draw(),
        lambda m: jnki.range_select(
            m,
            dst=sbuf("z"),
            on_true_tile=sbuf("x"),
            comp_op0=op0,
            comp_op1=op1,
            bound0=sbuf("low"),
            bound1=sbuf("high"),
            range_start=3,
            reduce_res=sbuf("r"),
            accumulator=sbuf("a"),
        ),
        16,
    ):
        wanted = oracle.range_select(old["x"], op0, op1, old["low"][:, 0], old["high"][:, 0], 3, LOWEST)
        np.testing.assert_array_equal(new["z"], wanted)
        np.testing.assert_array_equal(new["r"][:, 0], wanted.max(axis=1))
        np.testing.assert_array_equal(new["a"], old["a"])


def test_an_idle_select_reduce_leaves_nothing_to_rely_on():
    arrays = draw()(np.random.default_rng(0))
    chosen = {"predicate": sbuf("when"), "on_true": sbuf("x"), "on_false": 0, "accumulator": sbuf("a")}
    memory = jax.jit(lambda m: jnki.select_reduce(m, dst=sbuf("z"), **chosen))(DeviceMemory.of(sbuf=arrays))
    assert np.isnan(memory.sbuf["a"]).all()


def test_a_lowest_element_is_minus_infinity_in_a_narrow_type_and_not_in_the_reduction():
    arrays = draw(out="bfloat16")(np.random.default_rng(0))
    chosen = {"on_true_tile": sbuf("x"), "comp_op0": "less", "comp_op1": "less"}
    memory = DeviceMemory.of(sbuf={**arrays, "low": np.full((P, 1), np.nan, np.float32)})
    bounds = {"bound0": sbuf("low"), "bound1": sbuf("high"), "reduce_res": sbuf("r")}
    memory = jax.jit(lambda m: jnki.range_select(m, dst=sbuf("z"), **chosen, **bounds))(memory)
    assert (memory.sbuf["z"] == -jnp.inf).all() and (memory.sbuf["r"] == LOWEST).all()


def test_gradients_pass_to_what_is_selected_and_to_the_largest():
    arrays = draw()(np.random.default_rng(1))
    weights = np.random.default_rng(2).normal(size=(P, N + 1)).astype(np.float32)
    reduction = {"reduce_cmd": reduce_cmd.reset_reduce, "reduce_res": sbuf("r")}

    def both(x, v):
        memory = DeviceMemory.of(sbuf={**arrays, "x": x, "v": v})
        chosen = {"predicate": sbuf("when"), "on_true": sbuf("x"), "on_false": sbuf("v")}
        one = jnki.select_reduce(memory, dst=sbuf("z"), **chosen, **reduction)
        bounds = {"comp_op0": "greater", "comp_op1": "less", "bound0": sbuf("low"), "bound1": sbuf("high")}
        two = jnki.range_select(memory, dst=sbuf("z"), on_true_tile=sbuf("x"), **bounds)
        return (jnp.concatenate([one.sbuf["z"], one.sbuf["r"]], 1) * weights).sum(), (
            two.sbuf["z"] * weights[:, :N]
        ).sum()

    x, v = arrays["x"], arrays["v"].astype(np.float32)
    first = jax.jit(jax.grad(lambda x, v: both(x, v)[0], (0, 1)))(x, v)
    second = jax.jit(jax.grad(lambda x: both(x, v)[1]))(x)
    taken = arrays["when"] != 0
    results = np.where(taken, x, v)
    largest = results == results.max(axis=1, keepdims=True)
    slopes = weights[:, :N] + weights[:, N:] * largest / largest.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(first[0], np.where(taken, slopes, 0), rtol=1e-6)
    np.testing.assert_allclose(first[1], np.where(taken, 0, slopes).sum(axis=1, keepdims=True), rtol=1e-5, atol=1e-6)
    index = np.arange(N)
    np.testing.assert_array_equal(
        second, np.where((index > arrays["low"]) & (index < arrays["high"]), weights[:, :N], 0)
    )


def call(function, **changes):
    sizes = {"x": (P, N), "z": (P, N), "v": (P, 1), "r": (P, 1), "row": (1, N), "wide": (P, N + 1)}
    memory = DeviceMemory.of(
        sbuf={name: np.zeros(shape, np.float32) for name, shape in sizes.items()}
        | {name: np.zeros((P, N), name) for name in ("uint8", "int32")}
        | {"narrow": np.zeros((P, 1), STORAGE["bfloat16"]), "ints": np.zeros((P, 1), np.int32)},
        psum={"p": np.zeros((P, N), np.float32), "q": np.zeros((P, N), np.uint8)},
        hbm={"h": np.zeros((P, N), np.float32)},
    )
    usual = {
        "select_reduce": {"predicate": sbuf("uint8"), "on_true": sbuf("x"), "on_false": 0.0},
        "range_select": {"on_true_tile": sbuf("x"), "comp_op0": "less", "comp_op1": "less"}
        | {"bound0": sbuf("v"), "bound1": sbuf("v")},
    }
    return getattr(jnki, function)(memory, **{"dst": sbuf("z"), **usual[function], **changes})


SELECT, RANGE = "select_reduce", "range_select"
BROKEN = {
    "shape": (
        SELECT,
        {"predicate": sbuf("wide")},
        "select_reduce.shape: select_reduce: on_true, predicate and dst have different shapes\n"
        "  given:   on_true [3, 6], predicate [3, 7], dst [3, 6]",
    ),
    "psum": (
        SELECT,
        {"predicate": psum("q"), "on_true": psum("p")},
        "err_unsupported_memory: select_reduce: predicate and on_true cannot both be in PSUM",
    ),
    "predicate": (
        SELECT,
        {"predicate": sbuf("int32")},
        "select_reduce.predicate: select_reduce: 'predicate' has the wrong element type\n  given:   int32\n"
        "  allowed: uint8, int8, uint16, int16, bool",
    ),
    "on_true": (
        SELECT,
        {"on_true": sbuf("int32")},
        "select_reduce.on_true: select_reduce: 'on_true' has the wrong element type\n  given:   int32\n"
        "  allowed: any type but tfloat32, int32, uint32",
    ),
    "on_false": (SELECT, {"on_false": sbuf("x")}, "select_reduce.on_false: select_reduce: 'on_false' must be a scalar"),
    "idle": (
        SELECT,
        {"reduce_res": sbuf("r")},
        "select_reduce.reduce_cmd: select_reduce: an idle command reduces nothing, and 'reduce_res' would not be the",
    ),
    "command": (SELECT, {"reduce_cmd": 7}, "select_reduce.reduce_cmd: select_reduce: 'reduce_cmd' is no command"),
    "op": (
        SELECT,
        {"reduce_op": np.add},
        "select_reduce.reduce_op: select_reduce: the results cannot be reduced with this operator\n  given:   add\n"
        "  allowed: maximum (nl.max, np.max)",
    ),
    "registers": (
        SELECT,
        {"reduce_cmd": reduce_cmd.reduce},
        "select_reduce.accumulator: select_reduce: the command reads the accumulator registers, and there are none",
    ),
    "register_type": (
        SELECT,
        {"accumulator": sbuf("narrow")},
        "select_reduce.accumulator: select_reduce: the accumulator registers hold float32\n  given:   bfloat16",
    ),
    "result_type": (
        SELECT,
        {"reduce_cmd": reduce_cmd.reset_reduce, "reduce_res": sbuf("ints")},
        "select_reduce.reduce_res: select_reduce: 'reduce_res' has the wrong element type\n  given:   int32",
    ),
    "result_shape": (
        SELECT,
        {"reduce_cmd": reduce_cmd.reset_reduce, "reduce_res": sbuf("x")},
        "select_reduce.reduce_res: select_reduce: 'reduce_res' must be a scalar, or a vector",
    ),
    "target": (
        RANGE,
        {"target": TRN1},
        "range_select.target: range_select: there is no such instruction before NeuronCore-v3\n"
        "  given:   NeuronCore-v2 (trn1)",
    ),
    "comparison": (
        RANGE,
        {"comp_op1": np.not_equal},
        "range_select.comp_op1: range_select: 'comp_op1' is none of the comparisons\n  given:   not_equal\n"
        "  allowed: equal, less, less_equal, greater, greater_equal",
    ),
    "bound": (
        RANGE,
        {"bound0": sbuf("x")},
        "range_select.bound0: range_select: 'bound0' must be a scalar, or a vector",
    ),
    "bound_type": (
        RANGE,
        {"bound1": sbuf("narrow")},
        "range_select.bound1: range_select: 'bound1' has the wrong element type\n  given:   bfloat16\n",
    ),
    "integers": (
        RANGE,
        {"on_true_tile": sbuf("int32")},
        "range_select.on_true_tile: range_select: 'on_true_tile' has the wrong element type\n  given:   int32",
    ),
    "lowest": (
        RANGE,
        {"on_false_value": -1e300},
        "range_select.on_false_value: range_select: elements that are not selected get the lowest float32\n"
        "  given:   -inf\n  allowed: nl.fp32.min",
    ),
    "start": (
        RANGE,
        {"range_start": 2**24 - 4},
        "range_select.range_start: range_select: float32 does not tell such indices apart\n"
        "  given:   indices 16777212 to 16777217",
    ),
    "start_type": (
        RANGE,
        {"range_start": 1.5},
        "range_select.range_start: range_select: 'range_start' must be an integer that is known before the kernel runs",
    ),
    "partitions": (RANGE, {"on_true_tile": sbuf("row")}, "err_num_partition_mismatch: range_select: dst and src span"),
    "hbm": (RANGE, {"dst": jnki.hbm("h")}, "err_unsupported_memory: range_select: 'dst' is in the wrong memory"),
    "mask": (RANGE, {"mask": jnki.arange(9)[None, :] < 3}, "range_select.mask: range_select: the mask does not fit"),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_rules(broken):
    function, changes, text = BROKEN[broken]
    with pytest.raises(RuleError) as caught:
        call(function, **changes)
    assert str(caught.value).startswith(text)


@pytest.mark.parametrize(
    ("function", "changes"),
    [
        (SELECT, {"on_true": psum("p"), "on_false": sbuf("v")}),
        (SELECT, {"predicate": psum("q"), "reduce_cmd": reduce_cmd.reset_reduce, "reduce_res": sbuf("narrow")}),
        (SELECT, {"target": TRN1, "dst": psum("p")}),
        (RANGE, {"on_true_tile": psum("p"), "range_start": 2**24 - 5}),
        (RANGE, {"range_start": -3, "reduce_res": sbuf("narrow")}),
    ],
    ids=["psum", "reduce", "trn1", "range", "negative"],
)
def test_twins_that_are_legal(function, changes):
    call(function, **changes)
