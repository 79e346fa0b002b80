"""The two forms of a scatter of rows: updates in place, and a choice at each place of the buffer."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jnki
from jnki import DeviceMemory, arange, hbm, oob_mode, sbuf
from tests.examples_of import all_in_one_call

# Rows of a table, rows that are written, and whether each place of the table is asked for its row.
SIZES = [(4, 6), (6, 6), (40, 3)]


def scattered(table: np.ndarray, rows: np.ndarray, indices: np.ndarray, columns: slice, add: bool) -> np.ndarray:
    """Row after row; those out of bounds are left out."""
    result = table.astype(np.float64)
    for row, index in zip(rows, indices[:, 0]):
        if 0 <= index < len(table):
            result[index, columns] = row + (result[index, columns] if add else 0)
    return result


def scatter(table: jax.Array, rows: jax.Array, indices: jax.Array, columns: slice, add: bool) -> jax.Array:
    memory = DeviceMemory.of(hbm={"table": table}, sbuf={"rows": rows, "i": indices})
    how = {"dst_rmw_op": np.add} if add else {"oob_mode": oob_mode.skip}
    return jnki.dma_copy(memory, dst=hbm("table")[sbuf("i"), columns], src=sbuf("rows"), **how).hbm["table"]


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16, jnp.int32])
def test_rows_go_where_numpy_puts_them(dtype: type) -> None:
    """C12, C17, C18: whole rows or some columns, repeated and out of bounds, alone and batched; all of these."""
    functions, arguments, wanted, names = [], [], [], []
    forms = itertools.product(SIZES, (slice(None), slice(1, 4), slice(2, None)), (False, True))
    for seed, ((size, count), columns, add) in enumerate(forms):
        rng = np.random.default_rng(seed)
        tables = rng.integers(-9, 9, (3, size, 5)).astype(dtype)
        rows = rng.integers(-9, 9, (3, count, len(range(5)[columns]))).astype(dtype)
        indices = rng.integers(-2, size + 2, (3, count, 1)).astype(np.int32)
        indices[0, 0] = np.iinfo(np.int32).max
        one = functools.partial(scatter, columns=columns, add=add)
        batch = tables, rows, indices
        expected = [scattered(*case, columns, add) for case in zip(*batch)]
        functions += [jax.vmap(one), one]
        arguments += [batch, tuple(array[0] for array in batch)]
        wanted += [expected, expected[0]]
        names += [f"{form}, {size} x {count}, {columns}, add {add}" for form in ("batched", "alone")]
    for found, expected, name in zip(all_in_one_call(functions, arguments), wanted, names, strict=True):
        np.testing.assert_array_equal(np.float64(found), expected, err_msg=name)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
@pytest.mark.parametrize(("size", "count"), SIZES)
def test_c25_the_winner_gets_the_cotangent(dtype: type, size: int, count: int) -> None:
    """Forwards and backwards, and jvp of vjp: the linear map is the same in every form."""
    rng = np.random.default_rng(0)
    table, rows = (jnp.asarray(rng.integers(-9, 9, shape), dtype) for shape in ((size, 5), (count, 5)))
    indices = jnp.asarray(rng.integers(0, size, (count, 1)), jnp.int32).at[-1].set(size)
    cotangent = jnp.asarray(rng.integers(-9, 9, (size, 5)), dtype)

    def move(table: jax.Array, rows: jax.Array) -> jax.Array:
        return scatter(table, rows, indices, slice(None), False)

    last = {int(index): row for row, index in enumerate(indices[:, 0]) if index < size}
    of_table, of_rows = np.array(cotangent), np.zeros((count, 5), cotangent.dtype)
    for index, row in last.items():
        of_rows[row], of_table[index] = cotangent[index], 0
    _, pull = jax.vjp(move, table, rows)
    for found, wanted in zip(jax.jit(pull)(cotangent), (of_table, of_rows)):
        np.testing.assert_array_equal(found, wanted)
    step = jnp.ones_like(table), 2 * jnp.ones_like(rows)
    _, pushed = jax.jvp(move, (table, rows), step)
    np.testing.assert_array_equal(pushed, move(*step))


def test_c05_what_no_row_names_keeps_its_bits() -> None:
    """C5: a bfloat16 NaN keeps its payload, in rows that move and in rows that do not."""
    bits = np.arange(0x7F81, 0x7F81 + 24, dtype=np.uint16).reshape(6, 4)
    table, rows = bits.view(jnp.bfloat16), (bits[:2] + 0x8000).view(jnp.bfloat16)
    found = jax.jit(lambda *case: scatter(*case, slice(None), False))(table, rows, np.array([[3], [1]], np.int32))
    wanted = bits.copy()
    wanted[[3, 1]] = bits[:2] + 0x8000
    np.testing.assert_array_equal(np.asarray(found).view(np.uint16), wanted)


@pytest.mark.parametrize("add", [False, True])
@pytest.mark.parametrize(("size", "count"), SIZES)
def test_c13_a_mask_of_rows(size: int, count: int, add: bool) -> None:
    """C11, C13: rows that are masked off do not move, do not win, and are not at fault."""
    rng = np.random.default_rng(size)
    table, rows = (rng.integers(-9, 9, shape).astype(np.float32) for shape in ((size, 5), (count, 5)))
    indices = rng.integers(0, size, (count, 1)).astype(np.int32)
    indices[-1] = size
    how = {"dst_rmw_op": np.add} if add else {}

    def run(table: jax.Array, rows: jax.Array, indices: jax.Array, on: int) -> DeviceMemory:
        memory = DeviceMemory.of(hbm={"table": table}, sbuf={"rows": rows, "i": indices})
        mask = arange(count)[:, None] < on
        return jnki.dma_copy(memory, dst=hbm("table")[sbuf("i"), :], src=sbuf("rows"), mask=mask, **how)

    after = jax.jit(run, static_argnums=3)(table, rows, indices, count - 1)
    assert not bool(after.fault.occurred)
    wanted = scattered(table, rows[: count - 1], indices[: count - 1], slice(None), add)
    np.testing.assert_array_equal(np.float64(after.hbm["table"]), wanted)
    everything = jax.jit(run, static_argnums=3)(table, rows, indices, count)
    assert [detail.row for detail in everything.fault.details()] == [count - 1]
