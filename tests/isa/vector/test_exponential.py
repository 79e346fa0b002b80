"""`exponential`: values, types, the running sum in the registers, gradients, and rules."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jnki
from jnki import TRN2, TRN3, DeviceMemory, RuleError, psum, reduce_cmd, sbuf
from tests.isa.computations import assert_only, assert_stands_for, batch, tame

P, N = 3, 6


@pytest.mark.parametrize(
    ("src", "dst"), [("float32", "float32"), ("bfloat16", "float16"), ("uint8", "int16"), ("float8_e5m2", "tfloat32")]
)
def test_values_and_types(src, dst):
    to = sbuf("y", "tfloat32" if dst == "tfloat32" else None)

    def make(rng):
        x = tame(rng, (P, N), src, 0, 5)
        return {"x": x, "m": tame(rng, (P, 1), "float32", 1, 3), "y": tame(rng, (P, 2, 3), dst)}

    for old, new in batch(
        make, lambda m: jnki.exponential(m, dst=to, src=sbuf("x"), max_value=sbuf("m"), target=TRN3), 16
    ):
        wanted = np.exp(old["x"].astype(np.float64) - old["m"])
        assert_stands_for(new["y"].reshape(P, N), wanted, dst, steps=64)
        assert_only(old, new, "y")


@pytest.mark.parametrize("command", ["reset_reduce", "reduce", "load_reduce", "load_reduce of nothing"])
def test_the_running_sum(command):
    """It is of float32 values, whatever `dst` rounds them to."""

    def make(rng):
        names = {name: tame(rng, (P, 1), "float32", 0.5, 2) for name in "air"}
        return {"x": tame(rng, (P, N), "float32", -3, 3), "y": tame(rng, (P, N), "float8_e4m3"), **names}

    def run(m):
        options = {"reduce_cmd": reduce_cmd[command.split()[0]], "reduce_res": sbuf("r"), "accumulator": sbuf("a")}
        if command == "load_reduce":
            options["reduce_init"] = sbuf("i")
        return jnki.exponential(m, dst=sbuf("y"), src=sbuf("x"), max_value=1.5, **options)

    for old, new in batch(make, run, 16):
        total = np.exp(old["x"].astype(np.float64) - 1.5).sum(axis=1, keepdims=True)
        total += {"reduce": old["a"], "load_reduce": old["i"]}.get(command, 0)
        assert_stands_for(new["a"], total, "float32", steps=64)
        np.testing.assert_array_equal(new["r"], new["a"])


def test_an_idle_one_leaves_nothing_to_rely_on():
    memory = DeviceMemory.of(sbuf={"x": np.zeros((P, N), np.float32), "a": np.ones((P, 1), np.float32)})
    memory = jnki.exponential(memory, dst=sbuf("x"), src=sbuf("x"), accumulator=sbuf("a"))
    assert np.isnan(memory.sbuf["a"]).all() and (np.asarray(memory.sbuf["x"]) == 1).all()


def test_a_softmax_of_two_tiles_and_its_gradient():
    """The sum is read out by the last of a chain; `select_reduce` has found the largest in the same registers."""

    def softmax(x):
        zeros = {"y": jnp.zeros_like(x), "a": jnp.zeros((P, 1)), "m": jnp.zeros((P, 1)), "s": jnp.zeros((P, 1))}
        memory = DeviceMemory.of(sbuf={"x": x, "when": jnp.ones((P, N), jnp.uint8), **zeros})
        shared = {"accumulator": sbuf("a")}
        memory = jnki.select_reduce(
            memory,
            dst=sbuf("y"),
            predicate=sbuf("when"),
            on_true=sbuf("x"),
            on_false=0.0,
            reduce_cmd=reduce_cmd.reset_reduce,
            reduce_res=sbuf("m"),
            **shared,
        )
        for half, command, result in ((0, "reset_reduce", None), (3, "reduce", sbuf("s"))):
            memory = jnki.exponential(
                memory,
                dst=sbuf("y")[:, half : half + 3],
                src=sbuf("x")[:, half : half + 3],
                max_value=sbuf("m"),
                reduce_cmd=reduce_cmd[command],
                reduce_res=result,
                **shared,
            )
        return memory.sbuf["y"] / memory.sbuf["s"]

    x = np.random.default_rng(0).normal(size=(P, N)).astype(np.float32)
    np.testing.assert_allclose(jax.jit(softmax)(x), jax.nn.softmax(x, axis=1), rtol=1e-6)
    weights = np.random.default_rng(1).normal(size=(P, N)).astype(np.float32)
    found = jax.grad(lambda x: (softmax(x) * weights).sum())(x)
    wanted = jax.grad(lambda x: (jax.nn.softmax(x, axis=1) * weights).sum())(x)
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-6)


def call(**changes):
    memory = DeviceMemory.of(
        sbuf={
            "x": np.zeros((P, N), np.float32),
            "v": np.zeros((P, 1), np.float32),
            "half": np.zeros((P, 1), np.float16),
            "u": np.zeros((P, N), np.uint32),
            "deep": np.zeros((P, 1, 1, 1, N), np.float32),
            "row": np.zeros((1, N), np.float32),
        },
        psum={"p": np.zeros((P, N), np.float32)},
        hbm={"h": np.zeros((P, N), np.float32)},
    )
    return jnki.exponential(memory, **{"dst": sbuf("x"), "src": sbuf("x"), **changes})


BROKEN = {
    "target": (
        {"target": TRN2},
        "exponential.target: exponential: there is no such instruction before NeuronCore-v4\n"
        "  given:   NeuronCore-v3 (trn2)\n  allowed: NeuronCore-v4 and newer; nisa.activation on all",
    ),
    "type": ({"dst": sbuf("u")}, "exponential.dst: exponential: 'dst' has the wrong element type\n  given:   uint32"),
    "tfloat32": ({"src": sbuf("x", "tfloat32")}, "exponential.src: exponential: 'src' has the wrong element type"),
    "axes": (
        {"src": sbuf("deep")},
        "err_exceed_max_supported_dimension: exponential: 'src' has too many axes\n"
        "  given:   [3, 1, 1, 1, 6]\n  allowed: at most 4",
    ),
    "type of max": ({"max_value": sbuf("half")}, "exponential.max_value: exponential: 'max_value' has the wrong"),
    "shape of max": ({"max_value": sbuf("x")}, "exponential.max_value: exponential: 'max_value' must be a scalar"),
    "idle result": (
        {"reduce_res": sbuf("v")},
        "exponential.reduce_cmd: exponential: an idle command reduces nothing, and 'reduce_res' would not be the",
    ),
    "command": (
        {"reduce_cmd": reduce_cmd.reset},
        "exponential.reduce_cmd: exponential: 'reduce_cmd' is no command\n  given:   reset\n"
        "  allowed: nisa.reduce_cmd.idle, nisa.reduce_cmd.reset_reduce, nisa.reduce_cmd.reduce, "
        "nisa.reduce_cmd.load_reduce",
    ),
    "start": (
        {"reduce_cmd": reduce_cmd.reset_reduce, "reduce_init": 1.0},
        "exponential.reduce_init: exponential: the command makes no use of 'reduce_init'\n"
        "  given:   reduce_init=1.0, reduce_cmd=reset_reduce\n  allowed: 0.0, or reduce_cmd load_reduce",
    ),
    "result": (
        {"reduce_cmd": reduce_cmd.reset_reduce, "reduce_res": sbuf("u")[:, :1]},
        "exponential.reduce_res: exponential: 'reduce_res' has the wrong element type\n  given:   uint32",
    ),
    "no registers": ({"reduce_cmd": reduce_cmd.reduce}, "exponential.accumulator: exponential: the command reads the"),
    "partitions": ({"src": sbuf("row")}, "err_num_partition_mismatch: exponential: dst and src span different"),
    "elements": ({"src": sbuf("x")[:, 1:]}, "exponential.element_count: exponential: dst and src have different"),
    "memory": ({"src": jnki.hbm("h")}, "err_unsupported_memory: exponential: 'src' is in the wrong memory"),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_rules(broken):
    changes, text = BROKEN[broken]
    with pytest.raises(RuleError) as caught:
        call(**changes)
    assert str(caught.value).startswith(text)


LEGAL = [
    {},
    {"src": psum("p"), "max_value": sbuf("v")},
    {"src": sbuf("u"), "reduce_cmd": reduce_cmd.load_reduce, "reduce_init": 2},
    {"reduce_cmd": reduce_cmd.reduce, "accumulator": sbuf("v"), "reduce_res": sbuf("half")},
]


@pytest.mark.parametrize("changes", LEGAL)
def test_twins_that_are_legal(changes):
    call(**changes)
