"""`dma_copy` against the oracle: all of memory, bit for bit, and every fault, on 1,000 random cases per structure.

Every test makes one vmapped call per structure. `copies` has the structures and `tests.harness` runs them.
"""

from collections.abc import Iterable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jnki import DeviceMemory, dma_copy, hbm, sbuf
from jnki.access.buffer import Space
from tests.harness import Copy, Held, ap, assert_matches_oracle, bits_of, part, rows, vector, walk
from tests.isa.dma import copies
from tests.oracle.casts import DTYPES, STORAGE

few = settings(max_examples=20, derandomize=True, deadline=None)


def named(group: Iterable[Copy]) -> list:
    return [pytest.param(copy, id=copy.name.replace(" ", "_").replace(",", "")) for copy in group]


@pytest.mark.parametrize("copy", named(copies.DIRECT))
def test_c01_c02_direct_copies_move_elements_in_row_major_order(copy: Copy) -> None:
    """C1, C2, C5: between all pairs of memories; where a destination repeats, C18."""
    assert_matches_oracle(copy)


@pytest.mark.parametrize("copy", named(copies.SAME_BUFFER))
def test_c19_all_reads_come_before_all_writes(copy: Copy) -> None:
    assert_matches_oracle(copy)


@pytest.mark.parametrize("copy", named(copies.MASKED))
def test_c13_nothing_moves_where_the_mask_is_false(copy: Copy) -> None:
    """C13, and C4: an index that leaves its axis only under a false mask is none."""
    assert_matches_oracle(copy)


@pytest.mark.parametrize("copy", named(copies.GATHERS))
def test_c09_c10_c11_c12_gathers(copy: Copy) -> None:
    """C8 to C12: indices -1, size, and the ends of int32 among them, with either mode."""
    assert_matches_oracle(copy)


@pytest.mark.parametrize("copy", named(copies.SCATTERS))
def test_c09_c10_c11_c12_c18_scatters(copy: Copy) -> None:
    """C8 to C12, and C18: of rows with one destination the last wins."""
    assert_matches_oracle(copy)


@pytest.mark.parametrize("copy", named(copies.ADDITIONS))
def test_c16_c17_additions(copy: Copy) -> None:
    """C16, C17: all contributions count, in float32 and in order, and the sum is rounded once."""
    assert_matches_oracle(copy)


@pytest.mark.parametrize("dtype", DTYPES)
def test_c05_c07_every_type_keeps_every_bit(dtype: str) -> None:
    """C5, C7: through a block, transposed rows, single elements, a mask, a gather and a scatter, in one call."""
    shape = (4, 6)
    held = {
        "a": Held("hbm", shape, dtype),
        "b": Held("sbuf", shape, dtype),
        "c": Held("hbm", (6, 4), dtype),
        "d": Held("hbm", (30,), dtype),
        "e": Held("sbuf", shape, dtype),
        "f": Held("hbm", (3, 6), dtype),
        "i": Held("sbuf", (4, 1), "int32", rows_of=4),
        "j": Held("sbuf", (4, 1), "uint32", rows_of=3),
    }
    assert_matches_oracle(
        Copy("block", held, part("b", np.s_[:], np.s_[1:4]), part("a", np.s_[:], np.s_[::2])),
        Copy("transposed", held, part("c"), walk("a", (6, 4), lambda p, f: (f, 5 - p))),
        Copy("elements", held, ap("d", [(7, 4), (1, 6)], 2), ap("a", [(5, 4), (1, 6)], 3)),
        Copy("masked", held, part("e"), part("a"), lambda p, f: p + f < 6, shape),
        Copy("gather", held, part("b"), rows("a", "i"), oob="skip"),
        Copy("scatter", held, rows("f", "j"), part("e"), oob="error"),
    )


@pytest.mark.parametrize("dtype", ["bfloat16", "float8_e4m3", "float8_e5m2"])
def test_c05_memory_that_a_scan_carries_keeps_every_bit(dtype: str) -> None:
    """C5: row after row through a tile, with the memory as the carry of `lax.scan`; NaN payloads of all of it stay."""
    storage = STORAGE[dtype]
    bits = np.arange(1 << (8 * storage.itemsize)).astype(f"u{storage.itemsize}").reshape(-1, 16)
    table = bits.view(storage)
    start = DeviceMemory.of(
        hbm={"from": table, "to": np.zeros_like(table)},
        sbuf={"i": np.zeros((1, 1), np.int32), "tile": np.zeros_like(table[:1])},
    )

    def step(memory: DeviceMemory, index: jax.Array) -> tuple[DeviceMemory, None]:
        memory = memory.set(memory.buffer(Space.SBUF, "i"), index.reshape(1, 1))
        memory = dma_copy(memory, dst=sbuf("tile"), src=hbm("from")[sbuf("i"), :])
        return dma_copy(memory, dst=hbm("to")[sbuf("i"), :], src=sbuf("tile")), None

    after, _ = jax.jit(lambda memory: jax.lax.scan(step, memory, jnp.arange(len(table), dtype=jnp.int32)))(start)
    for name in ("from", "to"):
        np.testing.assert_array_equal(bits_of(np.asarray(after.hbm[name])), bits)


@pytest.mark.parametrize("source", DTYPES)
def test_c06_every_cast(source: str) -> None:
    """C6: from each type into each other one, through float32."""
    others = [dtype for dtype in DTYPES if dtype != source]
    held = {"a": Held("hbm", (2, 4), source)} | {dtype: Held("sbuf", (2, 4), dtype) for dtype in others}
    assert_matches_oracle(*(Copy(f"{source} to {dtype}", held, part(dtype), part("a")) for dtype in others))


def test_c11_of_several_copies_the_first_fault_stays() -> None:
    held = copies.indexed("float32") | {"t2": Held("hbm", (5, 6), "float32")}
    held |= {"k": Held("sbuf", (4, 1), "uint32", rows_of=5)}
    gather = Copy("gather", held, part("tile"), rows("table", "i"))
    assert_matches_oracle(gather, Copy("scatter", held, rows("t2", "k"), part("tile")))


# Structures that nobody thought of.


@st.composite
def hardware_patterns(draw: st.DrawFn, counts: tuple[int, ...]) -> tuple[tuple[int, ...], list, int]:
    """A buffer's shape, and pairs with an offset that stay inside of it."""
    steps = [draw(st.integers(-9, 9)) for _ in counts]
    low = sum(min(0, s * (n - 1)) for s, n in zip(steps, counts))
    high = sum(max(0, s * (n - 1)) for s, n in zip(steps, counts))
    offset = draw(st.integers(-low, 4 - low))
    least = offset + high + 1
    inner = draw(st.sampled_from([(), (2,), (3,), (4,), (2, 3), (5, 2), (2, 2, 3)]))
    shape = (-(-least // int(np.prod(inner, dtype=int))), *inner)
    return shape, list(zip(steps, counts)), offset


@st.composite
def masks(draw: st.DrawFn, rank: int) -> object:
    """A function of `rank` positions that compares affine expressions."""
    terms = [
        (draw(st.integers(-6, 6)), [draw(st.integers(-2, 2)) for _ in range(rank)], draw(st.sampled_from("<=!")))
        for _ in range(draw(st.integers(1, 2)))
    ]

    def mask(*places: object) -> object:
        result = True
        for base, steps, test in terms:
            value = places[0] * 0 + base
            for step, place in zip(steps, places):
                value = value + place * step
            holds = {"<": lambda v: v >= 0, "=": lambda v: v == 0, "!": lambda v: v != 0}[test](value)
            result = holds & result
        return result

    return mask


@given(st.data())
@few
def test_c02_c18_any_pattern_to_any_pattern(data: st.DataObject) -> None:
    """C2, C13, C18: hardware patterns of 1 to 4 dims with any steps, masked, onto others."""
    counts = tuple(data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=4), "counts"))
    shape, pairs, offset = data.draw(hardware_patterns(counts), "source")
    shape_to, pairs_to, offset_to = data.draw(hardware_patterns(counts), "destination")
    dtype = data.draw(st.sampled_from(["bfloat16", "int32", "float8_e5m2"]))
    add = data.draw(st.booleans())
    held = {"a": Held("hbm", shape, dtype, tame=True), "b": Held("hbm", shape_to, dtype, tame=True)}
    mask = data.draw(st.none() | masks(len(counts)), "mask")
    copy = Copy("drawn", held, ap("b", pairs_to, offset_to), ap("a", pairs, offset), mask, counts, add)
    assert_matches_oracle(copy)


@given(st.data())
@few
def test_c10_c18_any_pattern_within_rows(data: st.DataObject) -> None:
    """C10, C18: a row of a gather or scatter may be any pattern that stays inside of one row of the table."""
    counts = tuple(data.draw(st.lists(st.integers(1, 3), min_size=1, max_size=3), "counts"))
    inner, pairs, offset = data.draw(hardware_patterns(counts), "row")
    height, indices = data.draw(st.sampled_from([1, 2, 4, 30])), data.draw(st.integers(1, 5))
    dtype = data.draw(st.sampled_from(["bfloat16", "float32", "uint8"]))
    held = copies.indexed(dtype, (height, *inner), (indices, *counts), tame=True)
    table = vector("table", "i", [(int(np.prod(inner)), indices), *pairs], offset)
    mask = data.draw(st.none() | masks(1 + len(counts)), "mask")
    add, scatters = data.draw(st.booleans()), data.draw(st.booleans())
    oob = "error" if add else data.draw(st.sampled_from(["error", "skip"]))
    dst, src = (table, part("tile")) if scatters else (part("tile"), table)
    assert_matches_oracle(Copy("drawn", held, dst, src, mask, (indices, *counts), add, oob))


@given(st.data())
@few
def test_c02_any_subscript(data: st.DataObject) -> None:
    """C2: slices and integers on up to four axes walk what NumPy's views walk."""
    shape = tuple(data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=4), "shape"))
    key = []
    for size in shape:
        start = data.draw(st.integers(0, size - 1))
        stop, step = data.draw(st.integers(start + 1, size)), data.draw(st.integers(1, 3))
        key.append(data.draw(st.sampled_from([start, start - size, slice(start, stop, step), slice(None)])))
    count = int(np.empty(shape)[tuple(key)].size)
    held = {"a": Held("hbm", shape, "float16"), "b": Held("hbm", (count + 2,), "float16")}
    assert_matches_oracle(Copy("drawn", held, part("b", slice(1, count + 1)), part("a", *key)))
