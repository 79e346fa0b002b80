"""`tensor_tensor_scan`: bits of every operator, types, masks, derivatives of each order, and rules."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jnki
from jnki import DeviceMemory, RuleError, psum, sbuf
from jnki.isa.recurrence import Step, in_order
from tests.isa.computations import FLOATS, assert_only, assert_stands_for, batch, tame
from tests.oracle import scans as oracle
from tests.oracle.casts import STORAGE

P, N = 3, 7
HOSTILE = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, 3e38, -3e38, 2.0**-60], np.float32)
# Every operator in each place, reversed and not.
PAIRS = [
    ("multiply", "add", False, False),
    ("multiply", "subtract", False, False),
    ("multiply", "subtract", True, True),
    ("add", "multiply", True, False),
    ("subtract", "multiply", True, True),
    ("divide", "add", False, False),
    ("divide", "add", True, False),
    ("add", "divide", False, False),
    ("subtract", "divide", False, True),
    ("maximum", "minimum", False, False),
    ("minimum", "maximum", True, True),
    ("multiply", "logical_xor", False, False),
    ("logical_and", "add", False, False),
    ("logical_or", "subtract", False, True),
    ("greater", "add", False, True),
    ("add", "less", True, False),
    ("less_equal", "multiply", False, False),
    ("greater_equal", "add", False, False),
    ("equal", "not_equal", False, False),
]


def draw(rng, shape=(P, N)):
    numbers = rng.normal(size=shape).astype(np.float32)
    return np.where(rng.random(shape) < 0.2, rng.choice(HOSTILE, shape), numbers).astype(np.float32)


def test_bits_of_every_operator_are_those_of_a_loop_in_float32():
    """Contracted into fused operations, one product and sum in five would end in another bit."""

    def run(memory):
        for number, (op0, op1, reverse0, reverse1) in enumerate(PAIRS):
            memory = jnki.tensor_tensor_scan(
                memory,
                dst=sbuf(f"z{number}"),
                data0=sbuf("x"),
                data1=sbuf("y"),
                initial=sbuf("s"),
                op0=op0,
                op1=op1,
                reverse0=reverse0,
                reverse1=reverse1,
            )
        return memory

    def make(rng):
        return {"x": draw(rng), "y": draw(rng), "s": draw(rng, (P, 1))} | {
            f"z{number}": np.zeros((P, N), np.float32) for number in range(len(PAIRS))
        }

    for old, new in batch(make, run, 64):
        for number, pair in enumerate(PAIRS):
            wanted = oracle.scan(old["x"], old["y"], old["s"][:, 0], *pair)
            np.testing.assert_array_equal(new[f"z{number}"], wanted, err_msg=str(pair))


@pytest.mark.parametrize("n", [1, 2, 512])
def test_long_and_short_ones(n):
    rng = np.random.default_rng(n)
    x, y = rng.uniform(0.3, 1.1, (2, 128, n)).astype(np.float32)
    memory = DeviceMemory.of(sbuf={"x": x, "y": y})
    memory = jax.jit(
        lambda m: jnki.tensor_tensor_scan(
            m, dst=sbuf("x"), data0=sbuf("x"), data1=sbuf("y"), initial=0.5, op0=np.multiply, op1=np.add
        )
    )(memory)
    wanted = oracle.scan(x, y, np.full(128, 0.5, np.float32), "multiply", "add")
    np.testing.assert_array_equal(memory.sbuf["x"], wanted)


@pytest.mark.parametrize("out", ["bfloat16", "int8"])
@pytest.mark.parametrize("dtype", [*FLOATS, "int32"])
def test_the_state_is_float32_whatever_the_types_are(dtype, out):
    source = sbuf("x", "tfloat32" if dtype == "tfloat32" else None)
    for old, new in batch(
        lambda rng: {"x": tame(rng, (P, N), dtype, 0, 2), "y": tame(rng, (P, N), "int8"), "z": tame(rng, (P, N), out)},
        lambda m: jnki.tensor_tensor_scan(
            m, dst=sbuf("z"), data0=source, data1=sbuf("y"), initial=1, op0="multiply", op1="add"
        ),
        16,
    ):
        wanted = oracle.scan(old["x"], old["y"], np.ones(P, np.float32), "multiply", "add")
        assert_stands_for(new["z"], wanted.astype(np.float64), out, steps=0)


RAGGED = jnki.arange(P)[:, None] + jnki.arange(N)[None, :] < N - 1
MASKS = {
    "ragged": (RAGGED, lambda p, f: p + f < N - 1),
    "box": (
        (jnki.arange(P)[:, None] > 0) & (jnki.arange(N)[None, :] >= 2) & (jnki.arange(N)[None, :] < 6),
        lambda p, f: (p > 0) & (f >= 2) & (f < 6),
    ),
    "hole": (jnki.arange(N)[None, :] + 0 * jnki.arange(P)[:, None] != 3, lambda p, f: (f != 3) & (p >= 0)),
}


@pytest.mark.parametrize("name", MASKS)
def test_what_is_masked_off_is_passed_over(name):
    mask, on = MASKS[name][0], np.broadcast_to(MASKS[name][1](*np.ogrid[:P, :N]), (P, N))
    for old, new in batch(
        lambda rng: {"x": draw(rng), "y": draw(rng), "z": draw(rng), "s": draw(rng, (P, 1))},
        lambda m: jnki.tensor_tensor_scan(
            m,
            dst=sbuf("z"),
            data0=sbuf("x"),
            data1=sbuf("y"),
            initial=sbuf("s"),
            op0="multiply",
            op1="add",
            mask=mask,
        ),
        16,
    ):
        wanted = oracle.scan(old["x"], old["y"], old["s"][:, 0], "multiply", "add", mask=on)
        np.testing.assert_array_equal(new["z"][on], wanted[on])
        assert_only(old, new, "z", on)


def test_several_free_axes_are_one():
    rng = np.random.default_rng(3)
    x, y = draw(rng, (P, 2, N)), draw(rng, (P, N, 2))
    memory = DeviceMemory.of(sbuf={"x": x, "y": y, "z": np.zeros((P, 2 * N), np.float32)})
    memory = jnki.tensor_tensor_scan(
        memory, dst=sbuf("z"), data0=sbuf("x"), data1=sbuf("y"), initial=0, op0="multiply", op1="add"
    )
    wanted = oracle.scan(x.reshape(P, -1), y.reshape(P, -1), np.zeros(P, np.float32), "multiply", "add")
    np.testing.assert_array_equal(memory.sbuf["z"], wanted)


SMOOTH = [*PAIRS[:11], ("power", "multiply", False, False), ("power", "add", True, False)]


def test_gradients_are_those_of_finite_differences():
    rng = np.random.default_rng(4)
    x, y = rng.uniform(0.5, 1.5, (2, P, N))
    s, weights, on = rng.uniform(0.5, 1.5, P), rng.normal(size=(P, N)), np.add.outer(np.arange(P), np.arange(N)) < 7

    @jax.jit
    def gradients(x, y, s):
        def of(pair, mask):
            function = lambda x, y, s: (in_order(Step(*pair), x.T, y.T, s, mask).T * weights.astype("f4")).sum()  # noqa: E731
            return jax.grad(function, (0, 1, 2))(x, y, s)

        return [of(pair, None) for pair in SMOOTH], of(SMOOTH[0], jnp.asarray(on.T))

    every, masked = gradients(*(v.astype(np.float32) for v in (x, y, s)))
    for found, pair in zip(every, SMOOTH):
        wanted = oracle.slopes(lambda x, y, s: oracle.scan(x, y, s, *pair), [x, y, s], weights)  # noqa: B023
        for a, b in zip(found, wanted):
            np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-4, err_msg=str(pair))
    wanted = oracle.slopes(lambda x, y, s: oracle.scan(x, y, s, *SMOOTH[0], mask=on), [x, y, s], weights)
    for a, b in zip(masked, wanted):
        np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-4)


def test_second_derivatives_and_forwards():
    rng = np.random.default_rng(5)
    x, y, dx, dy = rng.uniform(0.5, 1.5, (4, N, P)).astype(np.float32)
    start = np.ones(P, np.float32)

    def by_hand(x, y):
        state, states = start, []
        for i in range(N):
            state = x[i] * state + y[i]
            states.append(state)
        return (jnp.stack(states) ** 2).sum()

    def scanned(x, y):
        return (in_order(Step("multiply", "add"), x, y, start, None) ** 2).sum()

    def everything(function):
        gradient = jax.grad(function, (0, 1))
        return gradient(x, y), jax.jvp(function, (x, y), (dx, dy)), jax.jvp(gradient, (x, y), (dx, dy))

    found, wanted = jax.jit(lambda: (everything(scanned), everything(by_hand)))()
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(wanted)):
        np.testing.assert_allclose(a, b, rtol=1e-4)


def test_a_zero_cotangent_stays_zero_beside_infinite_and_nan_coefficients():
    """Nothing is asked of the last states, whose coefficients are no numbers: none of that reaches the first ones."""
    x = np.ones((4, 2), np.float32)
    x[2:] = [[np.inf, np.nan], [np.nan, -np.inf]]
    pairs = (("multiply", "add"), ("divide", "add"), ("add", "divide"), ("power", "multiply"))

    def asked(pair, x):
        return in_order(Step(*pair), x, x, jnp.ones(2))[:2].sum()

    for slopes in jax.jit(lambda x: [jax.grad(asked, 1)(pair, x) for pair in pairs])(x):
        assert np.isfinite(slopes[:2]).all() and (slopes[2:] == 0).all()


def call(**changes):
    memory = DeviceMemory.of(
        sbuf={
            "x": np.zeros((P, N), np.float32),
            "v": np.zeros((P, 1), np.float32),
            "row": np.zeros((1, N), np.float32),
            "wide": np.zeros((P, N + 1), STORAGE["bfloat16"]),
        },
        psum={"p": np.zeros((P, N), np.float32), "q": np.zeros((P, N), np.float32)},
        hbm={"h": np.zeros((P, N), np.float32)},
    )
    arguments = {"dst": sbuf("x"), "data0": sbuf("x"), "data1": sbuf("x"), "initial": 0, "op0": "multiply"}
    return jnki.tensor_tensor_scan(memory, **{**arguments, "op1": np.add, **changes})


BROKEN = {
    "psum": (
        {"data0": psum("p"), "data1": psum("q")},
        "err_unsupported_memory: tensor_tensor_scan: data0 and data1 cannot both be in PSUM\n  given:   psum",
    ),
    "hbm": ({"data1": jnki.hbm("h")}, "err_unsupported_memory: tensor_tensor_scan: 'data1' is in the wrong memory"),
    "partitions": (
        {"data1": sbuf("row")},
        "err_num_partition_mismatch: tensor_tensor_scan: the operands span different numbers of partitions\n"
        "  given:   data0 [3, 7], data1 [1, 7], dst [3, 7]",
    ),
    "elements": (
        {"data0": sbuf("wide")},
        "tensor_tensor_scan.element_count: tensor_tensor_scan: the operands have different numbers of elements per "
        "partition\n  given:   data0 [3, 8], data1 [3, 7], dst [3, 7]",
    ),
    "initial": (
        {"initial": sbuf("x")},
        "tensor_tensor_scan.initial: tensor_tensor_scan: 'initial' must be a scalar, or a vector with one element per "
        "partition\n  given:   [3, 7] beside data [3, 7]\n  allowed: [3, 1]",
    ),
    "initial_row": ({"initial": sbuf("row")[:, :1]}, "tensor_tensor_scan.initial: "),
    "initial_text": ({"initial": "x"}, "tensor_tensor_scan.value: tensor_tensor_scan: the value must be a constant"),
    "unary": (
        {"op0": "rsqrt"},
        "tensor_tensor_scan.op0: tensor_tensor_scan: 'op0' is no binary arithmetic operator\n"
        "  given:   rsqrt\n  allowed: add, subtract, multiply, divide, ",
    ),
    "bits": (
        {"op1": np.bitwise_or},
        "tensor_tensor_scan.op1: tensor_tensor_scan: 'op1' is no binary arithmetic operator\n  given:   bitwise_or",
    ),
    "no_operator": ({"op1": np.exp}, "tensor_tensor_scan.op1: tensor_tensor_scan: 'op1' is not a math operator"),
    "mask": ({"mask": jnki.arange(9)[None, :] < 3}, "tensor_tensor_scan.mask: tensor_tensor_scan: the mask does not"),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_rules(broken):
    changes, text = BROKEN[broken]
    with pytest.raises(RuleError) as caught:
        call(**changes)
    assert str(caught.value).startswith(text)


@pytest.mark.parametrize(
    "changes",
    [{"data0": psum("p")}, {"data1": psum("q"), "initial": sbuf("v")}, {"dst": psum("p"), "mask": RAGGED}],
    ids=["psum0", "psum1", "to_psum"],
)
def test_twins_that_are_legal(changes):
    call(**changes)
