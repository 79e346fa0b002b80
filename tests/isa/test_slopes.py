"""A zero (co)tangent passes as zero, whatever the slope: poles, kinks and NaN of every function."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import jnki
from jnki import DeviceMemory, sbuf
from jnki.isa.language_function import FUNCTIONS as LANGUAGE
from jnki.isa.language_function import REMAINDERS
from jnki.isa.operators import OPERATORS
from jnki.isa.scalar.activations import FUNCTIONS
from jnki.isa.slopes import dead_is_zero, multiply

PLACES = np.array([-np.inf, -3e38, -2, -1, -0.0, 0, 1e-45, 0.5, 1, 1.5, 2.25, 100, 3e38, np.inf, np.nan], np.float32)
UNARY = {
    **{f"activation {n}": f.function for n, f in FUNCTIONS.items()},
    **{f"operator {n}": o.function for n, o in OPERATORS.items() if o.arity == 1 and not o.is_bitvec},
    **{f"language {n}": f for n, f in LANGUAGE.items()},
}
BINARY = {n: o.function for n, o in OPERATORS.items() if o.arity == 2 and not o.is_bitvec} | dict(REMAINDERS)
X, Y = (jnp.asarray(a.ravel()) for a in np.meshgrid(PLACES, PLACES))


def assert_all(found, expected, functions):
    for row, name in zip(np.asarray(found), functions):
        np.testing.assert_array_equal(row, expected, err_msg=name)


@pytest.mark.parametrize(("functions", "operands"), [(UNARY, (PLACES,)), (BINARY, (X, Y))], ids=["unary", "binary"])
def test_what_nobody_asks_for_sends_nothing_in_any_order_and_direction(functions, operands):
    """Each function has its own copy of the operands, so that no other one's gradient hides a NaN."""
    copies = tuple(jnp.broadcast_to(o, (len(functions), *o.shape)) for o in operands)
    weight = jnp.zeros(copies[0].shape)

    def value(*copies):
        return jnp.stack([f(*(c[i] for c in copies)) for i, f in enumerate(functions.values())])

    def half_dead(*copies):
        return jnp.where(weight != 0, value(*copies), sum(copies)).sum()

    ones = jax.tree.map(jnp.ones_like, copies)

    @jax.jit
    def everything(*copies):
        every = tuple(range(len(copies)))
        gradient = jax.grad(half_dead, every)
        _, forward = jax.jvp(value, copies, jax.tree.map(jnp.zeros_like, copies))
        _, second = jax.jvp(gradient, copies, ones)
        twice = jax.grad(lambda *c: sum(g.sum() for g in gradient(*c)), every)(*copies)
        return gradient(*copies), forward, second, twice

    gradient, forward, second, twice = everything(*copies)
    for g in gradient:
        assert_all(g, 1, functions)
    assert_all(forward, 0, functions)
    for s in (*second, *twice):
        assert_all(s, 0, functions)


def test_what_is_asked_for_has_the_slope_it_had():
    """Of the very table: inf stays inf, NaN stays NaN, numbers stay numbers."""
    plain = {"sqrt": jnp.sqrt, "log": jnp.log, "rsqrt": lax.rsqrt, "exp": jnp.exp, "tanh": jnp.tanh, "erf": lax.erf}
    plain |= {"square": lambda x: x * x, "reciprocal": lambda x: 1 / x, "arctan": jnp.arctan, "sin": jnp.sin}
    x = jnp.asarray(PLACES[np.isfinite(PLACES)])

    def slopes(functions):
        return jnp.stack([jax.vmap(jax.grad(f))(x) for f in functions.values()])

    found = jax.jit(lambda: slopes({n: FUNCTIONS[n].function for n in plain}))()
    np.testing.assert_allclose(found, jax.jit(lambda: slopes(plain))(), rtol=3e-7, atol=1e-38)


@pytest.mark.parametrize("name", ["divide", "power", "multiply", "fmod", "mod"])
def test_both_slopes_of_two_operands(name):
    plain = {"divide": jnp.divide, "power": jnp.power, "multiply": jnp.multiply, "fmod": jnp.fmod, "mod": jnp.mod}
    x, y = (jnp.asarray(a.ravel()) for a in np.meshgrid(PLACES[2:12], PLACES[2:12]))
    found, expected = (jax.vmap(jax.grad(f, (0, 1)))(x, y) for f in (BINARY[name], plain[name]))
    for f, e in zip(found, expected):
        np.testing.assert_allclose(f, e, rtol=1e-6)


def test_nan_and_infinite_slopes_show_where_they_are_asked_for():
    root = dead_is_zero(jnp.sqrt)
    x = jnp.array([0.0, jnp.nan, 4.0])
    assert jax.grad(lambda x: root(x).sum())(x).tolist()[0] == np.inf
    assert np.isnan(jax.grad(lambda x: root(x).sum())(x)[1])
    assert np.isnan(jax.jvp(root, (x,), (jnp.ones(3),))[1][1])
    assert not np.isfinite(jax.grad(lambda x: multiply(x, jnp.float32(jnp.nan)))(1.0))


def test_every_transform_agrees():
    root, weight = dead_is_zero(jnp.sqrt), jnp.array([0.0, 1.0, 0.0])
    x, expected = jnp.array([0.0, 4.0, -1.0]), [1.0, 0.25, 1.0]

    def loss(x):
        return jnp.where(weight != 0, root(x), x).sum()

    def scanned(x):
        return lax.scan(lambda c, w: (c + jnp.where(w[1] != 0, root(w[0]), w[0]), None), 0.0, (x, weight))[0]

    def one(x, w):
        return jnp.where(w != 0, root(x), x)

    for transformed in (loss, scanned, jax.checkpoint(loss), jax.jit(loss), lambda x: jax.vmap(one)(x, weight).sum()):
        assert jax.grad(transformed)(x).tolist() == expected
    assert jax.vmap(jax.grad(one))(x, weight).tolist() == expected
    assert jax.jacfwd(lambda x: jnp.where(weight != 0, root(x), x))(x).diagonal().tolist() == expected
    assert jax.hessian(loss)(x).diagonal().tolist() == [0.0, -1 / 32, 0.0]


N = len(PLACES)
INSTRUCTIONS = {
    **{
        f"activation {n}": lambda m, n=n, **k: jnki.activation(m, op=n, data=sbuf("x"), **k)
        for n in ("sqrt", "log", "rsqrt", "silu")
    },
    "activation scale": lambda m, **k: jnki.activation(m, op="exp", data=sbuf("x"), scale=sbuf("wild"), **k),
    "reciprocal": lambda m, **k: jnki.reciprocal(m, data=sbuf("x"), **k),
    **{
        f"tensor_tensor {n}": lambda m, n=n, **k: jnki.tensor_tensor(m, data1=sbuf("x"), data2=sbuf("w"), op=n, **k)
        for n in ("multiply", "divide", "power")
    },
    **{
        f"tensor_scalar {n} {reverse}": lambda m, n=n, r=reverse, **k: jnki.tensor_scalar(
            m, data=sbuf("x"), op0=n, operand0=sbuf("wild"), reverse0=r, **k
        )
        for n in ("divide",)
        for reverse in (False, True)
    },
}


STATES = ("unused", "overwritten", "half overwritten", "masked off")


def left_over(instruction, state, x, w, wild):
    """What is left of the result of an instruction: all, nothing, or partition 1; `3 * x` takes the place of it."""
    memory = DeviceMemory.of(sbuf={"x": x, "w": w, "wild": wild, "y": 3 * x, "z": 3 * x})
    memory = instruction(memory, dst=sbuf("z"), mask=jnki.arange(2)[:, None] > 0 if state == "masked off" else None)
    if state == "overwritten":
        memory = jnki.tensor_copy(memory, dst=sbuf("z"), src=sbuf("y"))
    if state == "half overwritten":
        memory = jnki.tensor_copy(memory, dst=sbuf("z")[0:1], src=sbuf("y")[0:1])
    return memory.sbuf["y" if state == "unused" else "z"].sum()


def test_instructions_send_back_only_what_counts():
    """Partition 0 holds the wild places and is dead in each state; partition 1 is tame, and alone it has the truth."""
    x = np.stack([PLACES, np.linspace(0.5, 0.9, N, dtype=np.float32)])
    operands = (x, np.stack([PLACES[::-1], x[1]]), np.array([[np.inf], [0.5]], np.float32))

    def gradients(state, *operands):
        return [jax.grad(lambda *o, i=i: left_over(i, state, *o), (0, 1, 2))(*operands) for i in INSTRUCTIONS.values()]

    found, alone = jax.jit(lambda *o: ({s: gradients(s, *o) for s in STATES}, gradients("all", *(a[1:] for a in o))))(
        *operands
    )
    for state in STATES:
        for name, (x, w, wild), truth in zip(INSTRUCTIONS, found[state], alone):
            dead = state in ("unused", "overwritten")
            for of, g, true, replaced in zip(("x", "w", "wild"), (x, w, wild), truth, (3, 0, 0)):
                message = f"{name}, {state}: gradient of {of}"
                np.testing.assert_array_equal(g[0], replaced, err_msg=message)
                np.testing.assert_allclose(g[1], replaced if dead else true[0], rtol=1e-6, err_msg=message)
