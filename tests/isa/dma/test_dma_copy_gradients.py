"""C25: the derivatives of `dma_copy`, against the oracle's reverse pass, finite differences and each other."""

from collections.abc import Mapping
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from jnki import DeviceMemory, dma_copy, hbm, oob_mode, sbuf
from tests.harness import Buffers, Copy, Held, arrays_of, batched_memory, draw, part, rows
from tests.isa.dma import copies
from tests.oracle.casts import FLOATS
from tests.oracle.grads import dma_copy_vjp

CASES = 100

Arrays = Mapping[str, jax.Array]


def in_floats(copy: Copy, dtype: str) -> Copy:
    """The copy with ordinary numbers of `dtype` in all its buffers, index tiles aside."""

    def changed(held: Held) -> Held:
        return held if held.rows_of is not None else replace(held, dtype=dtype, tame=True)

    return replace(copy, held={name: changed(held) for name, held in copy.held.items()})


GROUPS = (copies.DIRECT, copies.SAME_BUFFER, copies.MASKED, copies.GATHERS, copies.SCATTERS, copies.ADDITIONS)
# A copy into the index tile itself has no float destination.
ALL = [copy for group in GROUPS for copy in group if copy.name != "c19 the index tile itself"]
TYPES = ("float32", "bfloat16", "float16")
BY_TYPE = [(copy, TYPES[number % len(TYPES)]) for number, copy in enumerate(ALL)]


def split(held: Buffers, arrays: Arrays) -> tuple[dict[str, jax.Array], dict[str, jax.Array]]:
    """The float arrays, which have derivatives, and the others."""
    floats = {name: array for name, array in arrays.items() if held[name].dtype in FLOATS}
    return floats, {name: array for name, array in arrays.items() if name not in floats}


def after(copy: Copy, arrays: Arrays) -> dict[str, jax.Array]:
    """The float arrays after the copy, unbatched, as a function that JAX can differentiate."""
    by_space: dict[str, dict[str, jax.Array]] = {"hbm": {}, "sbuf": {}}
    for name, array in arrays.items():
        by_space[copy.held[name].space][name] = array
    memory = copy.run(DeviceMemory.of(**by_space))
    return {name: getattr(memory, copy.held[name].space)[name] for name in split(copy.held, arrays)[0]}


def whole_numbers(rng: np.random.Generator, arrays: Arrays, limit: int) -> dict[str, np.ndarray]:
    """Small whole numbers of the same shapes and types: all sums of them are exact."""
    return {n: rng.integers(-limit, limit + 1, a.shape).astype(a.dtype) for n, a in arrays.items()}


def assert_vjp_is_the_oracles(copy: Copy, cases: int = CASES) -> None:
    """One vmapped call pulls a cotangent back through the copy in every case."""
    start = draw(copy.held, cases)
    floats, others = split(copy.held, start)
    cotangent = whole_numbers(np.random.default_rng(1), floats, 4)

    @jax.jit
    @jax.vmap
    def pulled(floats: Arrays, others: Arrays, cotangent: Arrays) -> Arrays:
        return jax.vjp(lambda floats: after(copy, {**floats, **others}), floats)[1](dict(cotangent))[0]

    found = pulled(floats, others, cotangent)
    for case in range(cases):
        memory = {name: array[case] for name, array in start.items()}
        exact = {name: array[case].astype(np.float64) for name, array in cotangent.items()}
        wanted = dma_copy_vjp(memory, exact, **copy.oracle_arguments)
        for name, want in wanted.items():
            got = np.asarray(found[name][case]).astype(np.float64)
            np.testing.assert_array_equal(got, want, err_msg=f"{copy.name}: case {case}, {name}")


@pytest.mark.parametrize(("copy", "dtype"), [pytest.param(c, t, id=f"{c.name}-{t}") for c, t in BY_TYPE])
def test_c25_the_cotangent_of_every_structure(copy: Copy, dtype: str) -> None:
    """C25 with C12, C13, C17, C18 and C19: skips, masks, repeats and overlaps, overwritten and added."""
    assert_vjp_is_the_oracles(in_floats(copy, dtype))


@pytest.mark.parametrize("source", ["float32", "bfloat16", "float16", "tfloat32", "int32", "bool"])
@pytest.mark.parametrize("target", ["float32", "bfloat16", "float16", "tfloat32", "uint8"])
@pytest.mark.parametrize("add", [False, True])
def test_c25_casts_between_floats_pass_it_and_integers_stop_it(source: str, target: str, add: bool) -> None:
    held = copies.indexed(target, (3, 4), (5, 4), tame=True, tile_dtype=source)
    held["other"] = Held("hbm", (2, 2), "float32", tame=True)

    assert_vjp_is_the_oracles(Copy("cast", held, rows("table", "i"), part("tile"), add=add))


@pytest.mark.parametrize("dtype", ["float8_e4m3", "float8_e5m2"])
def test_c25_float8_passes_it_too(dtype: str) -> None:
    copy = Copy(
        "block", copies.tame(copies.pair(dtype)), part("b", np.s_[:], np.s_[::2]), part("a", np.s_[:], np.s_[:3])
    )
    assert_vjp_is_the_oracles(copy)


# Against differences, and against JAX's other modes.


def gather_then_scatter(table: jax.Array, tile: jax.Array) -> jax.Array:
    """A scalar of two copies and an addition, all with repeats, as a model would use them."""
    memory = DeviceMemory.of(
        hbm={"table": table},
        sbuf={"tile": tile, "i": jnp.array([[2], [0], [2]], jnp.int32), "j": jnp.array([[1], [-1], [1]], jnp.int32)},
    )
    memory = dma_copy(memory, dst=sbuf("tile"), src=hbm("table")[sbuf("i"), :], mask=None)
    memory = dma_copy(memory, dst=hbm("table")[sbuf("i"), :], src=sbuf("tile"), dst_rmw_op=np.add)

    memory = dma_copy(memory, dst=sbuf("tile"), src=hbm("table")[sbuf("j"), :], oob_mode=oob_mode.skip)
    weights = jnp.arange(1.0, 7.0).reshape(3, 2)
    return jnp.sum(memory.hbm["table"] ** 3) + jnp.sum(weights * memory.sbuf["tile"] ** 2)


def inputs() -> tuple[jax.Array, jax.Array]:
    rng = np.random.default_rng(3)
    return jnp.asarray(rng.normal(size=(3, 2)), jnp.float32), jnp.asarray(rng.normal(size=(3, 2)), jnp.float32)


def test_c25_the_gradient_agrees_with_finite_differences() -> None:
    check_grads(jax.jit(gather_then_scatter), inputs(), order=2, modes=("fwd", "rev"), atol=2e-2, rtol=2e-2)


def test_c25_the_second_derivative_is_that_of_a_linear_map() -> None:
    """A copy is linear: the Hessian of `sum(L(x)**2)` is twice `L` transposed times `L`."""

    def moved(x: jax.Array) -> jax.Array:
        memory = DeviceMemory.of(
            hbm={"x": x, "y": jnp.zeros((3, 2))}, sbuf={"i": jnp.array([[1], [1], [0]], jnp.int32)}
        )
        memory = dma_copy(memory, dst=hbm("y")[sbuf("i"), :], src=hbm("x"), dst_rmw_op=np.add)
        return memory.hbm["y"].reshape(-1)

    x = inputs()[0]
    jacobian = np.asarray(jax.jit(jax.jacobian(moved))(x)).reshape(6, 6)
    hessian = np.asarray(jax.jit(jax.hessian(lambda x: jnp.sum(moved(x) ** 2)))(x)).reshape(6, 6)
    np.testing.assert_array_equal(hessian, 2 * jacobian.T @ jacobian)
    forward = np.asarray(jax.jit(jax.jacfwd(moved))(x)).reshape(6, 6)
    np.testing.assert_array_equal(forward, jacobian)


@pytest.mark.parametrize(
    "name", ["transposed source", "c18 sliding windows", "c13 diagonal", "c12 scatter", "c11 gather"]
)
def test_c25_second_derivatives_of_narrow_floats(name: str) -> None:
    """Narrow floats move as bits under a derivative given by hand; it can be taken twice, in either order."""
    copy = in_floats(next(c for c in ALL if c.name == name), "bfloat16")
    start = {name: jnp.asarray(array[0]) for name, array in draw(copy.held, 1).items()}
    floats, others = split(copy.held, start)
    # Powers of two: their squares, and the sums below, are exact in bfloat16.
    floats = {n: jnp.exp2(jnp.round(jnp.clip(a.astype(jnp.float32), -2, 2))).astype(a.dtype) for n, a in floats.items()}
    direction = {n: jnp.ones_like(a) for n, a in floats.items()}

    def energy(floats: Arrays) -> jax.Array:
        return sum(jnp.sum((a.astype(jnp.float32)) ** 2) for a in after(copy, {**floats, **others}).values())

    def slope(floats: Arrays) -> jax.Array:
        return jax.jvp(energy, (floats,), (direction,))[1]

    @jax.jit
    def all_of_them(floats: Arrays) -> tuple[Arrays, Arrays, Arrays]:
        forward_over_reverse = jax.jvp(jax.grad(energy), (floats,), (direction,))[1]
        reverse_over_forward = jax.grad(slope)(floats)
        moved = after(copy, {**direction, **others})
        wanted = jax.vjp(lambda f: after(copy, {**f, **others}), floats)[1](jax.tree.map(lambda a: 2 * a, moved))[0]
        return forward_over_reverse, reverse_over_forward, wanted

    *both, wanted = all_of_them(floats)
    for found in both:
        for key, want in wanted.items():
            np.testing.assert_array_equal(np.asarray(found[key], np.float32), np.asarray(want, np.float32))


def test_c25_row_indices_carry_no_derivative() -> None:
    table, _ = inputs()

    def total(table: jax.Array, index: jax.Array) -> jax.Array:
        memory = DeviceMemory.of(hbm={"t": table}, sbuf={"i": index, "o": jnp.zeros((2, 2))})
        return jnp.sum(dma_copy(memory, dst=sbuf("o"), src=hbm("t")[sbuf("i"), :]).sbuf["o"])

    index = jnp.array([[2], [2]], jnp.int32)
    with pytest.raises(TypeError, match="real- or complex-valued"):
        jax.grad(total, argnums=1)(table, index)
    np.testing.assert_array_equal(jax.grad(total)(table, index), [[0, 0], [0, 0], [2, 2]])


def test_c25_a_fault_passes_no_cotangent_to_the_bad_row() -> None:
    """The faulting row moves nothing, so its destination keeps its cotangent and the table gets none."""

    def run(table: jax.Array, tile: jax.Array) -> jax.Array:
        memory = DeviceMemory.of(hbm={"t": table}, sbuf={"i": jnp.array([[7], [1]], jnp.int32), "o": tile})
        return dma_copy(memory, dst=sbuf("o"), src=hbm("t")[sbuf("i"), :]).sbuf["o"]

    table, tile = inputs()[0], jnp.ones((2, 2))
    to_table, to_tile = jax.vjp(run, table, tile)[1](jnp.array([[1.0, 2.0], [3.0, 4.0]]))
    np.testing.assert_array_equal(to_table, [[0, 0], [3, 4], [0, 0]])
    np.testing.assert_array_equal(to_tile, [[1, 2], [0, 0]])


def test_c25_the_batch_of_cotangents_is_the_cotangent_of_each() -> None:
    """`vmap` of the reverse pass over cotangents alone is a loop over them (as `jacrev` needs)."""
    copy = in_floats(next(c for c in ALL if c.name == "c17 bfloat16"), "float32")
    memory = batched_memory(copy.held, draw(copy.held, 1))
    start = {name: jnp.asarray(array[0]) for name, array in arrays_of(copy.held, memory).items()}
    floats, others = split(copy.held, start)
    _, pulled = jax.vjp(lambda floats: after(copy, {**floats, **others}), floats)
    pull = jax.jit(pulled)
    cotangents = whole_numbers(
        np.random.default_rng(0), {n: np.zeros((5, *a.shape), a.dtype) for n, a in floats.items()}, 4
    )
    together = jax.vmap(pull)(cotangents)[0]
    for number in range(5):
        (alone,) = pull({n: jnp.asarray(a[number]) for n, a in cotangents.items()})
        for name, want in alone.items():
            np.testing.assert_array_equal(together[name][number], want)
