"""Kernels inside JAX: every transformation commutes with calling them."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jnki.neuronxcc import nki

nl, nisa = nki.language, nki.isa

RNG = np.random.default_rng(0)
TABLE = RNG.normal(size=(7, 6)).astype(np.float32)
ROWS = RNG.integers(-1, 8, (9, 1)).astype(np.int32)
BASE = RNG.normal(size=(9, 6)).astype(np.float32)


@nki.jit
def mixed(table, rows, base):
    """Gathers 9 rows three at a time, those in bounds, on top of `base`; and their running totals."""
    out = nl.ndarray((9, 6), dtype=table.dtype, buffer=nl.shared_hbm)
    totals = nl.ndarray((9, 6), dtype=table.dtype, buffer=nl.shared_hbm)
    running = nl.zeros((3, 6), dtype=table.dtype, buffer=nl.sbuf)
    f = nl.arange(6)[None, :]
    for i in nl.sequential_range(3):
        index = nl.load(rows[nl.ds(3 * i, 3)])
        tile = nl.load(base[nl.ds(3 * i, 3)])
        nisa.dma_copy(dst=tile, src=table[index, f], oob_mode=nisa.oob_mode.skip)
        running += tile * tile
        nl.store(out[nl.ds(3 * i, 3)], tile)
        nl.store(totals[nl.ds(3 * i, 3)], running)
    return out, totals


def reference(table, rows, base):
    """The same as one JAX expression."""
    valid = (rows >= 0) & (rows < 7)
    out = jnp.where(valid, jnp.asarray(table)[jnp.clip(rows[:, 0], 0, 6)], base)
    return out, jnp.cumsum((out * out).reshape(3, 3, 6), axis=0).reshape(9, 6)


ARGUMENTS = (TABLE, ROWS, BASE)


def close(found, expected):
    jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=2e-6, atol=2e-6), found, expected)


def equal(found, expected):
    jax.tree.map(np.testing.assert_array_equal, found, expected)


def stacked(argument, cases=4):
    """Different arrays of one shape, the first one itself."""
    rng = np.random.default_rng(5)
    if argument.dtype == np.int32:
        return np.stack([argument, *(rng.integers(-1, 8, argument.shape) for _ in range(cases - 1))]).astype(np.int32)
    return np.stack([argument, *(rng.normal(size=argument.shape) for _ in range(cases - 1))]).astype(argument.dtype)


def test_the_reference_agrees():
    close(mixed(*ARGUMENTS), reference(*ARGUMENTS))


def test_jit():
    equal(jax.jit(mixed)(*ARGUMENTS), mixed(*ARGUMENTS))
    equal(jax.jit(lambda t: mixed(t, ROWS, BASE))(TABLE), mixed(*ARGUMENTS))


@pytest.mark.parametrize("mapped", [m for m in itertools.product([False, True], repeat=3) if any(m)])
def test_vmap_over_any_arguments(mapped):
    arguments = [stacked(a) if m else a for a, m in zip(ARGUMENTS, mapped)]
    axes = tuple(0 if m else None for m in mapped)
    found = jax.vmap(mixed, axes)(*arguments)
    one_by_one = [mixed(*(a[k] if m else a for a, m in zip(arguments, mapped))) for k in range(4)]
    equal(found, jax.tree.map(lambda *cases: np.stack(cases), *one_by_one))


def test_vmap_over_other_axes_and_twice():
    moved = np.moveaxis(stacked(TABLE), 0, 2)
    found = jax.jit(jax.vmap(mixed, (2, None, None), (1, 0)))(moved, ROWS, BASE)
    expected = jax.vmap(reference, (2, None, None), (1, 0))(moved, ROWS, BASE)
    close(found, expected)
    twice = jax.vmap(jax.vmap(mixed, (None, 0, None)), (0, None, None))
    tables, rows = stacked(TABLE, 2), stacked(ROWS, 3)
    out, totals = twice(tables, rows, BASE)
    for i, j in itertools.product(range(2), range(3)):
        equal((out[i, j], totals[i, j]), mixed(tables[i], rows[j], BASE))


def loss(function, table, rows, base):
    out, totals = function(table, rows, base)
    weight = jnp.arange(54.0).reshape(9, 6) / 50
    return jnp.sum(out * weight) + jnp.sum(jnp.sin(totals))


def test_grad():
    for transform in (lambda f: f, jax.jit):
        found = transform(jax.grad(functools.partial(loss, mixed), (0, 2)))(*ARGUMENTS)
        close(found, jax.grad(functools.partial(loss, reference), (0, 2))(*ARGUMENTS))


def test_an_index_tile_has_no_derivative():
    gradient = jax.grad(functools.partial(loss, mixed), 1, allow_int=True)(*ARGUMENTS)
    assert gradient.dtype == jax.dtypes.float0
    assert gradient.shape == ROWS.shape


def test_jvp_and_vjp():
    tangents = (np.ones_like(TABLE), np.zeros(ROWS.shape, jax.dtypes.float0), 2 * np.ones_like(BASE))
    close(jax.jvp(mixed, ARGUMENTS, tangents), jax.jvp(reference, ARGUMENTS, tangents))
    cotangents = (BASE, 2 * BASE)
    found, expected = (jax.vjp(f, *ARGUMENTS)[1](cotangents) for f in (mixed, reference))
    close((found[0], found[2]), (expected[0], expected[2]))


def test_second_derivatives():
    def curve(function, t):
        return loss(function, TABLE * t, ROWS, BASE * t)

    found, expected = (jax.jit(jax.jacfwd(jax.grad(functools.partial(curve, f))))(1.3) for f in (mixed, reference))
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_vmap_of_grad_and_grad_of_vmap():
    tables, rows = stacked(TABLE), stacked(ROWS)

    def of_one(function, table, row):
        return loss(function, table, row, BASE)

    each = jax.vmap(jax.grad(functools.partial(of_one, mixed)))(tables, rows)
    close(each, jax.vmap(jax.grad(functools.partial(of_one, reference)))(tables, rows))

    def of_all(function, tables):
        return jax.vmap(functools.partial(of_one, function))(tables, rows).sum()

    close(jax.grad(functools.partial(of_all, mixed))(tables), each)


def test_checkpoint():
    plain = jax.grad(functools.partial(loss, mixed))(*ARGUMENTS)
    again = jax.jit(jax.grad(jax.checkpoint(functools.partial(loss, mixed))))(*ARGUMENTS)
    close(again, plain)


def test_scan_fori_loop_and_cond():
    rows = stacked(ROWS, 5)

    def step(carry, row):
        out, _ = mixed(TABLE, row, carry)
        return out, out.sum()

    carry, sums = jax.lax.scan(step, jnp.asarray(BASE), rows)
    expected, expected_sums = BASE, []
    for row in rows:
        expected, _ = mixed(TABLE, row, expected)
        expected_sums.append(expected.sum())
    np.testing.assert_array_equal(carry, expected)
    np.testing.assert_allclose(sums, expected_sums, rtol=1e-5)

    looped = jax.lax.fori_loop(0, 5, lambda k, c: mixed(TABLE, jnp.asarray(rows)[k], c)[0], jnp.asarray(BASE))
    np.testing.assert_array_equal(looped, expected)

    either = jax.jit(lambda p: jax.lax.cond(p, lambda b: mixed(TABLE, ROWS, b)[0], lambda b: b, BASE))
    np.testing.assert_array_equal(either(True), mixed(*ARGUMENTS)[0])
    np.testing.assert_array_equal(either(False), BASE)

    def through_the_scan(function, base):
        def step(carry, row):
            return function(TABLE, row, carry * 2)[0], None

        return jax.lax.scan(step, base, rows)[0].sum()

    found, expected = (jax.grad(functools.partial(through_the_scan, f))(jnp.asarray(BASE)) for f in (mixed, reference))
    close(found, expected)


def test_a_kernel_composes_with_others_and_with_jax():
    @jax.jit
    def model(table, base):
        first, _ = mixed(jnp.tanh(table), ROWS, base)
        second, _ = mixed(table, ROWS[::-1], first @ jnp.eye(6))
        return second

    @jax.jit
    def expected(table, base):
        first, _ = reference(jnp.tanh(table), ROWS, base)
        return reference(table, ROWS[::-1], first)[0]

    close(model(TABLE, BASE), expected(TABLE, BASE))
    close(
        jax.grad(lambda t, b: model(t, b).sum(), (0, 1))(TABLE, BASE),
        jax.grad(lambda t, b: expected(t, b).sum(), (0, 1))(TABLE, BASE),
    )


def test_a_launch_grid_inside_transformations():
    @nki.jit
    def scaled(x, factor):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        pid = nl.program_id(0)
        nl.store(out[nl.ds(3 * pid, 3)], nl.load(x[nl.ds(3 * pid, 3)]) * factor)
        return out

    close(jax.vmap(lambda x: scaled[3](x, 2.5))(stacked(BASE)), 2.5 * stacked(BASE))
    close(jax.grad(lambda x: scaled[3](x, 2.5).sum())(BASE), np.full_like(BASE, 2.5))


def test_donation_and_ahead_of_time_compilation():
    compiled = jax.jit(mixed, donate_argnums=2).lower(*ARGUMENTS).compile()
    equal(compiled(TABLE, ROWS, jnp.asarray(BASE)), mixed(*ARGUMENTS))
