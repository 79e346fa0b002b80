"""The copies that the property tests run: each a static structure, compiled once and run on a batch of random values.

Element types rotate, so that each of the thirteen moves through several forms of lowering.
"""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from tests.harness import Copy, Held, ap, part, rows, scalar, vector, walk
from tests.oracle.cases import ROW_KINDS

P, F = 4, 6
NO_SIZE = MappingProxyType({kind: weight for kind, weight in ROW_KINDS.items() if kind != "size"})
VALID = MappingProxyType({"valid": 8, "repeat": 3})
# For tall tables, where repeats have to be asked for.
CLOSE = MappingProxyType({"valid": 3, "repeat": 6, "minus_one": 1, "size": 1, "int32_max": 1, "int32_min": 1})


def pair(
    dtype: str,
    src: tuple[str, tuple[int, ...]] = ("hbm", (P, F)),
    dst: tuple[str, tuple[int, ...]] = ("sbuf", (P, F)),
) -> dict[str, Held]:
    """A source `a` and a destination `b` of one element type."""
    return {"a": Held(*src, dtype), "b": Held(*dst, dtype)}


def indexed(
    dtype: str,
    table: tuple[int, ...] = (7, F),
    tile: tuple[int, ...] = (P, F),
    *,
    index: str = "int32",
    weights: Mapping[str, float] = ROW_KINDS,
    tame: bool = False,
    tile_dtype: str | None = None,
    tile_space: str = "sbuf",
) -> dict[str, Held]:
    """A `table` in HBM, a `tile`, and one row index per row of the tile in `i`."""
    return {
        "table": Held("hbm", table, dtype, tame=tame),
        "tile": Held(tile_space, tile, tile_dtype or dtype, tame=tame),
        "i": Held("sbuf", (tile[0], 1), index, rows_of=table[0], weights=weights),
    }


DIRECT = (
    Copy("whole, hbm to hbm", pair("float32", dst=("hbm", (P, F))), part("b"), part("a")),
    Copy("whole, hbm to sbuf", pair("bfloat16"), part("b"), part("a")),
    Copy("whole, sbuf to hbm", pair("int8", ("sbuf", (P, F)), ("hbm", (P, F))), part("b"), part("a")),
    Copy("whole, sbuf to sbuf", pair("uint16", ("sbuf", (P, F))), part("b"), part("a")),
    Copy("other shape", pair("float8_e5m2", dst=("hbm", (2, 3, 4))), part("b"), part("a")),
    Copy("one axis", pair("bool", ("hbm", (20,)), ("hbm", (9,))), part("b", np.s_[1:8]), part("a", np.s_[2:16:2])),
    Copy("rows", pair("float16"), part("b", np.s_[1:3]), part("a", np.s_[2:4])),
    Copy(
        "strided columns",
        pair("uint8", ("sbuf", (P, F))),
        part("b", np.s_[:], np.s_[::2]),
        part("a", np.s_[:], np.s_[1::2]),
    ),
    Copy("one row by an integer", pair("uint32", dst=("hbm", (F,))), part("b"), part("a", 2)),
    Copy(
        "three axes",
        pair("tfloat32", ("hbm", (4, 5, 3)), ("sbuf", (2, 3))),
        part("b"),
        part("a", np.s_[1:3], np.s_[::2], 1),
    ),
    Copy(
        "four axes",
        pair("float8_e4m3", ("hbm", (2, 3, 2, 4)), ("hbm", (4, 3, 3, 3))),
        part("b", np.s_[1:3], np.s_[0:2], np.s_[1:3], np.s_[::2]),
        part("a", np.s_[:], np.s_[1:], np.s_[:], np.s_[1:3]),
    ),
    Copy(
        "transposed source", pair("bfloat16", dst=("sbuf", (F, P))), part("b"), walk("a", (F, P), lambda p, f: (f, p))
    ),
    Copy(
        "transposed destination", pair("int16", dst=("hbm", (F, P))), walk("b", (P, F), lambda p, f: (f, p)), part("a")
    ),
    Copy("flipped source", pair("float8_e4m3"), part("b"), walk("a", (P, F), lambda p, f: (3 - p, 5 - f))),
    Copy(
        "flipped destination",
        pair("float32"),
        walk("b", (P, 3), lambda p, f: (3 - p, 5 - 2 * f)),
        part("a", np.s_[:], np.s_[:3]),
    ),
    Copy("broadcast source", pair("float16"), part("b"), walk("a", (P, F), lambda p, f: (2 + 0 * p, f))),
    Copy(
        "c18 broadcast destination",
        pair("int32"),
        walk("b", (P, 3), lambda p, f: (p, 4 + 0 * f)),
        part("a", np.s_[:], np.s_[1:4]),
    ),
    Copy("sliding windows", pair("uint16", ("hbm", (9,)), ("sbuf", (5, 4))), part("b"), ap("a", [(1, 5), (1, 4)])),
    Copy(
        "c18 sliding windows", pair("bfloat16", ("sbuf", (5, 4)), ("hbm", (9,))), ap("b", [(1, 5), (1, 4)]), part("a")
    ),
    Copy("rows that wrap", pair("int8", dst=("sbuf", (3, 4))), part("b"), ap("a", [(8, 3), (1, 4)])),
    Copy(
        "c18 rows that wrap",
        pair("tfloat32", ("sbuf", (3, 4)), ("hbm", (P, F))),
        ap("b", [(3, 3), (2, 4)], 1),
        part("a"),
    ),
    Copy("a diagonal", pair("float8_e5m2", dst=("hbm", (P,))), part("b"), ap("a", [(F + 1, P)])),
    Copy(
        "backwards", pair("uint8", dst=("hbm", (2, 5))), ap("b", [(-5, 2), (-1, 5)], 9), ap("a", [(-11, 2), (2, 5)], 14)
    ),
    Copy(
        "two levels on one axis",
        pair("bool", ("hbm", (2, 12)), ("sbuf", (2, 6))),
        part("b"),
        ap("a", [(12, 2), (4, 3), (1, 2)], 1),
    ),
    Copy(
        "four dims",
        pair("float32", ("hbm", (3, 16)), ("hbm", (2, 40))),
        ap("b", [(2, 2), (40, 2), (10, 2), (1, 2)], 5),
        ap("a", [(16, 2), (8, 2), (1, 2), (2, 2)], 3),
    ),
    Copy("one element", pair("uint32"), part("b", 3, np.s_[2:3]), part("a", 1, 4)),
)

SAME_BUFFER = (
    Copy("c19 shifted by one", {"x": Held("hbm", (20,), "bfloat16")}, part("x", np.s_[1:16]), part("x", np.s_[0:15])),
    Copy(
        "c19 shifted back by a row", {"x": Held("sbuf", (6, 4), "int32")}, part("x", np.s_[0:4]), part("x", np.s_[1:5])
    ),
    Copy("c19 reversed in place", {"x": Held("hbm", (15,), "float8_e4m3")}, part("x"), ap("x", [(-1, 15)], 14)),
    Copy(
        "c19 transposed in place",
        {"x": Held("hbm", (5, 5), "float16")},
        part("x"),
        walk("x", (5, 5), lambda p, f: (f, p)),
    ),
    Copy(
        "c19 permuted in place",
        {"x": Held("hbm", (6, 3), "uint8"), "i": Held("sbuf", (6, 1), "int32", rows_of=6)},
        part("x"),
        rows("x", "i"),
        oob="skip",
    ),
    Copy(
        "c19 the index tile itself",
        {
            "x": Held("sbuf", (4, 3), "int32"),
            "i": Held("sbuf", (4, 1), "int32", rows_of=5),
            "t": Held("hbm", (5, 3), "int32"),
        },
        part("i"),
        rows("t", "i", np.s_[1:2]),
    ),
)

MASKED = (
    Copy("c13 rectangle", pair("float32"), part("b"), part("a"), lambda p, f: (p < 3) & (f >= 2), (P, F)),
    Copy("c13 rows", pair("bfloat16"), part("b"), part("a"), lambda p, f: p > 1, (P, 1)),
    Copy("c13 diagonal", pair("int16"), part("b"), part("a"), lambda p, f: p + f < 5, (P, F)),
    Copy(
        "c13 equal and unequal",
        pair("float8_e5m2"),
        part("b"),
        part("a"),
        lambda p, f: (p - f != 0) & (2 * p + f == 4),
        (P, F),
    ),
    Copy("c13 never", pair("uint32"), part("b"), part("a"), lambda p, f: p + f < 0, (P, F)),
    Copy("c13 always", pair("float16"), part("b"), part("a"), lambda p, f: p + f >= 0, (P, F)),
    Copy(
        "c13 ragged rows and columns",
        pair("tfloat32", ("hbm", (3, 5))),
        part("b"),
        walk("a", (P, F), lambda p, f: (p, f)),
        lambda p, f: (p < 3) & (f < 5),
        (P, F),
    ),
    Copy(
        "c13 ragged in the middle of a row",
        pair("uint8", ("hbm", (20,))),
        part("b"),
        walk("a", (P, F), lambda p, f: 6 * p + f),
        lambda p, f: 6 * p + f < 20,
        (P, F),
    ),
    Copy(
        "c13 ragged destination",
        pair("bool", ("sbuf", (P, F)), ("hbm", (20,))),
        walk("b", (P, F), lambda p, f: 6 * p + f - 3),
        part("a"),
        lambda p, f: (6 * p + f >= 3) & (6 * p + f < 23),
        (P, F),
    ),
    Copy(
        "c13 c18 winner masked off",
        pair("int8"),
        walk("b", (P, 3), lambda p, f: (p, 1 + 0 * f)),
        part("a", np.s_[:], np.s_[:3]),
        lambda p, f: p + f < 3,
        (P, 3),
    ),
    Copy(
        "c13 shape of the source",
        pair("int32", ("hbm", (2, 12))),
        part("b"),
        part("a"),
        lambda p, f: p + f < 7,
        (2, 12),
    ),
)

GATHERS = (
    Copy("c11 gather", indexed("float32"), part("tile"), rows("table", "i")),
    Copy("c12 gather", indexed("bfloat16"), part("tile"), rows("table", "i"), oob="skip"),
    Copy("c09 gather by uint32", indexed("float8_e4m3", index="uint32"), part("tile"), rows("table", "i"), oob="skip"),
    Copy("c11 gather by uint32", indexed("int16", index="uint32"), part("tile"), rows("table", "i")),
    Copy("gather, hbm to hbm", indexed("uint32", tile_space="hbm"), part("tile"), rows("table", "i"), oob="skip"),
    Copy(
        "gather with strides", indexed("uint8", tile=(P, 3)), part("tile"), rows("table", "i", np.s_[1::2]), oob="skip"
    ),
    Copy("gather of three axes", indexed("bool", (5, 2, 3), (P, 6)), part("tile"), rows("table", "i")),
    Copy("gather from one axis", indexed("tfloat32", (9,), (P, 1)), part("tile"), rows("table", "i"), oob="skip"),
    Copy(
        "gather of transposed rows",
        indexed("float16", (5, 2, 3), (P, 3, 2)),
        part("tile"),
        vector("table", "i", [(6, P), (1, 3), (3, 2)]),
        oob="skip",
    ),
    Copy("gather of flipped rows", indexed("int8"), part("tile"), vector("table", "i", [(F, P), (-1, F)], F - 1)),
    Copy(
        "gather of repeated elements",
        indexed("float8_e5m2"),
        part("tile"),
        vector("table", "i", [(F, P), (0, 3), (2, 2)], 1),
    ),
    Copy(
        "gather into a transposed tile",
        indexed("int32", tile=(F, P)) | {"i": Held("sbuf", (P, 1), "int32", rows_of=7)},
        walk("tile", (P, F), lambda p, f: (f, p)),
        rows("table", "i"),
        oob="skip",
    ),
    Copy(
        "gather into another shape",
        indexed("uint16", tile=(2, 12)) | {"i": Held("sbuf", (P, 1), "int32", rows_of=7)},
        part("tile"),
        rows("table", "i"),
        oob="skip",
    ),
    Copy(
        "c13 masked gather",
        indexed("bfloat16"),
        part("tile"),
        rows("table", "i"),
        lambda p, f: (p < 3) & (f > 1),
        (P, F),
    ),
    Copy(
        "c13 masked gather, skip",
        indexed("float32"),
        part("tile"),
        rows("table", "i"),
        lambda p, f: p + f < 5,
        (P, F),
        oob="skip",
    ),
    Copy(
        "c13 masked gather by rows", indexed("float16"), part("tile"), rows("table", "i"), lambda p, f: p != 1, (P, 1)
    ),
    Copy(
        "scalar offset on rows",
        {
            "a": Held("hbm", (8, F), "bfloat16"),
            "b": Held("sbuf", (P, F), "bfloat16"),
            "i": Held("sbuf", (1, 1), "int32", rows_of=5, weights=NO_SIZE),
        },
        part("b"),
        scalar("a", "i", [(F, P), (1, F)]),
    ),
    Copy(
        "scalar offset on columns",
        {
            "a": Held("hbm", (P, 9), "int8"),
            "b": Held("sbuf", (P, 3), "int8"),
            "i": Held("sbuf", (1, 1), "uint32", rows_of=5, weights=NO_SIZE),
        },
        part("b"),
        scalar("a", "i", [(9, P), (2, 3)], axis=1),
        oob="skip",
    ),
)

SCATTERS = (
    Copy("c11 scatter", indexed("float32"), rows("table", "i"), part("tile")),
    Copy("c12 scatter", indexed("bfloat16"), rows("table", "i"), part("tile"), oob="skip"),
    Copy("c09 scatter by uint32", indexed("float8_e5m2", index="uint32"), rows("table", "i"), part("tile"), oob="skip"),
    Copy(
        "c18 scatter of many repeats",
        indexed("float8_e4m3", (3, F), (9, F), weights=VALID),
        rows("table", "i"),
        part("tile"),
    ),
    Copy(
        "c18 scatter of repeats with strides",
        indexed("int32", (3, F), (9, 3)),
        rows("table", "i", np.s_[::2]),
        part("tile"),
        oob="skip",
    ),
    Copy("scatter to three axes", indexed("uint16", (5, 2, 3), (P, 6)), rows("table", "i"), part("tile"), oob="skip"),
    Copy(
        "c18 scatter to a tall table",
        indexed("float32", (40, 3), (6, 3), weights=CLOSE),
        rows("table", "i"),
        part("tile"),
    ),
    Copy(
        "c12 scatter to a tall table",
        indexed("int32", (40, 3), (6, 3), weights=CLOSE),
        rows("table", "i"),
        part("tile"),
        oob="skip",
    ),
    Copy(
        "c13 masked scatter to a tall table",
        indexed("uint16", (40, 3), (6, 3), weights=CLOSE),
        rows("table", "i"),
        part("tile"),
        lambda p, f: p > 1,
        (6, 1),
        oob="skip",
    ),
    Copy("scatter to one axis", indexed("bool", (5,), (P, 1)), rows("table", "i"), part("tile"), oob="skip"),
    Copy("scatter, hbm to hbm", indexed("uint32", tile_space="hbm"), rows("table", "i"), part("tile")),
    Copy(
        "scatter of a transposed tile",
        indexed("float16", (5, 2, 3), (P, 3, 2)),
        vector("table", "i", [(6, P), (1, 3), (3, 2)]),
        part("tile"),
        oob="skip",
    ),
    Copy("scatter to flipped rows", indexed("tfloat32"), vector("table", "i", [(F, P), (-1, F)], F - 1), part("tile")),
    Copy(
        "c18 scatter to one place of each row",
        indexed("int16", tile=(P, 3)),
        vector("table", "i", [(F, P), (0, 3)], 2),
        part("tile"),
        oob="skip",
    ),
    Copy(
        "c13 masked scatter", indexed("uint8"), rows("table", "i"), part("tile"), lambda p, f: (p > 0) & (f < 4), (P, F)
    ),
    Copy(
        "c13 masked scatter, skip",
        indexed("bfloat16", (3, F), (5, F)),
        rows("table", "i"),
        part("tile"),
        lambda p, f: p - f > -3,
        (5, F),
        oob="skip",
    ),
    Copy(
        "c13 masked scatter by rows",
        indexed("int8", (3, F), (5, F)),
        rows("table", "i"),
        part("tile"),
        lambda p, f: p < 3,
        (5, 1),
    ),
    Copy(
        "scalar offset, written",
        {
            "a": Held("hbm", (8, F), "float16"),
            "b": Held("sbuf", (P, F), "float16"),
            "i": Held("sbuf", (1, 1), "int32", rows_of=5, weights=NO_SIZE),
        },
        scalar("a", "i", [(F, P), (1, F)]),
        part("b"),
        oob="skip",
    ),
    Copy(
        "c11 gather and scatter at once",
        {
            "t": Held("hbm", (6, 3), "bfloat16"),
            "u": Held("hbm", (5, 3), "bfloat16"),
            "i": Held("sbuf", (P, 1), "int32", rows_of=6),
            "j": Held("sbuf", (P, 1), "uint32", rows_of=5),
        },
        rows("u", "j"),
        rows("t", "i"),
    ),
    Copy(
        "c13 masked gather and scatter at once",
        {
            "t": Held("hbm", (6, 3), "float32"),
            "i": Held("sbuf", (P, 1), "int32", rows_of=6),
            "j": Held("sbuf", (P, 1), "int32", rows_of=6),
        },
        rows("t", "j"),
        rows("t", "i"),
        lambda p, f: p + f < 4,
        (P, 3),
        oob="skip",
    ),
)


def added(name: str, dtype: str, dst_dtype: str | None = None, **options: object) -> Copy:
    """A scatter-add of a tile with many repeats into a small table."""
    held = indexed(dst_dtype or dtype, (3, F), (7, F), tame=True, tile_dtype=dtype)
    return Copy(name, held, rows("table", "i"), part("tile"), add=True, **options)  # type: ignore[arg-type]


def tame(held: dict[str, Held]) -> dict[str, Held]:
    """The same buffers with ordinary numbers in them."""
    return {name: Held(h.space, h.shape, h.dtype, h.rows_of, h.weights, tame=True) for name, h in held.items()}


ADDITIONS = (
    Copy("c16 whole", tame(pair("float32")), part("b"), part("a"), add=True),
    Copy(
        "c16 strided", tame(pair("bfloat16")), part("b", np.s_[:], np.s_[::2]), part("a", np.s_[:], np.s_[:3]), add=True
    ),
    Copy("c16 masked", tame(pair("float16")), part("b"), part("a"), lambda p, f: p + f < 5, (P, F), add=True),
    Copy(
        "c17 broadcast destination",
        tame(pair("bfloat16")),
        walk("b", (P, F), lambda p, f: (p, 1 + 0 * f)),
        part("a"),
        add=True,
    ),
    Copy(
        "c17 sliding windows",
        tame(pair("float32", ("sbuf", (5, 4)), ("hbm", (9,)))),
        ap("b", [(1, 5), (1, 4)]),
        part("a"),
        lambda p, f: p != f,
        (5, 4),
        add=True,
    ),
    Copy(
        "c19 shifted by one",
        {"x": Held("hbm", (20,), "float32", tame=True)},
        part("x", np.s_[1:16]),
        part("x", np.s_[0:15]),
        add=True,
    ),
    added("c17 float32", "float32"),
    added("c17 bfloat16", "bfloat16"),
    added("c17 float16", "float16"),
    added("c17 float8_e4m3", "float8_e4m3"),
    added("c17 tfloat32", "tfloat32"),
    added("c17 int8", "int8"),
    added("c17 uint8", "uint8"),
    added("c17 int32", "int32"),
    added("c17 float32 into bfloat16", "float32", "bfloat16"),
    added("c17 int16 into float32", "int16", "float32"),
    added("c13 c17 masked rows", "float32", mask=lambda p, f: p > 1, mask_shape=(7, 1)),
    added("c13 c17 masked elements", "bfloat16", mask=lambda p, f: p - f > -2, mask_shape=(7, F)),
    Copy(
        "c17 a tall table",
        indexed("float32", (40, 3), (6, 3), weights=CLOSE, tame=True),
        rows("table", "i"),
        part("tile"),
        add=True,
    ),
    Copy(
        "c17 rows with strides",
        indexed("bfloat16", (3, F), (7, 3), tame=True),
        rows("table", "i", np.s_[::2]),
        part("tile"),
        add=True,
    ),
    Copy(
        "c17 one place of each row",
        indexed("float32", (3, F), (5, 3), tame=True),
        vector("table", "i", [(F, 5), (0, 3)], 2),
        part("tile"),
        add=True,
    ),
)
