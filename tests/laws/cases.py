"""The instructions that the laws of this folder hold for: one entry each, in one table.

To put a new instruction under all the laws, add one `Case` to `CASES`, at the end of this module:

- `name`: what the report calls it;
- `arrays`: the contents of memory, keyed `"space.name"`, such as `"sbuf.tile"`. Small, and tame: ordinary numbers;
- `run`: the instruction in the functional interface, from memory to memory;
- `writes`: per buffer that it may write, the elements that it may write, as booleans. All the rest must stay;
- `steps`: a buffer that a scan gives other contents in each step, or None;
- `bits`: float buffers through which no derivative goes, and which an error says so of;
- `is_linear`: True where float results are linear in float inputs, and exact on small whole numbers, as moves are:
  then derivatives are compared bit for bit; otherwise with `tolerance`. Give `is_smooth=False` to an instruction
  whose derivative jumps (finite differences mean nothing there).

Nothing else is needed: `test_laws` and `test_sharding` go through the table.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from jnki import (
    DeviceMemory,
    RuleSet,
    activate2,
    activation,
    activation_reduce,
    affine_select,
    all_reduce,
    all_to_all_v,
    arange,
    bn_aggr,
    bn_stats,
    collective_permute_implicit_reduce,
    dma_compute,
    dma_copy,
    dma_transpose,
    dropout,
    engine,
    exponential,
    gather_flattened,
    hbm,
    iota,
    local_gather,
    max8,
    memset,
    nc_find_index8,
    nc_match_replace8,
    nc_matmul,
    nc_matmul_mx,
    nc_n_gather,
    nc_stream_shuffle,
    nc_transpose,
    nonzero_with_count,
    oob_mode,
    psum,
    quantize_mx,
    rand,
    rand2,
    rand_get_state,
    rand_set_state,
    random_seed,
    range_select,
    reciprocal,
    reduce_cmd,
    register,
    register_load,
    register_move,
    register_store,
    rng,
    sbuf,
    scalar_tensor_tensor,
    select,
    select_reduce,
    sendrecv,
    sequence_bounds,
    tensor_copy,
    tensor_copy_dynamic_src,
    tensor_copy_predicated,
    tensor_partition_reduce,
    tensor_reduce,
    tensor_scalar,
    tensor_scalar_cumulative,
    tensor_scalar_reduce,
    tensor_tensor,
    tensor_tensor_scan,
    topk,
)

Run = Callable[[DeviceMemory], DeviceMemory]


@dataclass(frozen=True, eq=False)
class Case:
    """One instruction with its operands. The module's docstring says what to fill in."""

    name: str
    arrays: Mapping[str, np.ndarray]
    run: Run
    writes: Mapping[str, np.ndarray]
    steps: str | None = None
    bits: tuple[str, ...] = ()
    is_linear: bool = True
    is_smooth: bool = True
    tolerance: float = 0.0

    @property
    def floats(self) -> list[str]:
        """The buffers that have derivatives."""
        kinds = {key: array.dtype for key, array in self.arrays.items() if key not in self.bits}
        return [key for key, kind in kinds.items() if kind.kind == "f" or kind.name == "bfloat16"]


def memory_of(arrays: Mapping[str, object]) -> DeviceMemory:
    """A memory from arrays keyed `"space.name"`."""
    spaces: dict[str, dict[str, object]] = {"hbm": {}, "sbuf": {}, "psum": {}, "registers": {}}
    for key, array in arrays.items():
        space, name = key.split(".")
        spaces[space][name] = array
    return DeviceMemory.of(**spaces)


def arrays_of(memory: DeviceMemory) -> dict[str, object]:
    """The arrays of a memory, keyed `"space.name"`."""
    spaces = {"hbm": memory.hbm, "sbuf": memory.sbuf, "psum": memory.psum, "registers": memory.registers}
    return {f"{space}.{name}": array for space, named in spaces.items() for name, array in named.items()}


def numbers(*shape: int, dtype: object = np.float32, seed: int = 0) -> np.ndarray:
    """Ordinary numbers, none of them zero."""
    rng = np.random.default_rng([seed, *shape])
    return (rng.uniform(0.5, 4.0, shape) * rng.choice([-1, 1], shape)).astype(dtype)


def whole(*shape: int, dtype: object = np.float32) -> np.ndarray:
    """Whole numbers from -4 to 4 without zero: arithmetic on them is exact, in whatever order it is done."""
    return np.ceil(np.abs(numbers(*shape))).astype(dtype) * np.sign(numbers(*shape)).astype(dtype)


def rows(*values: int, dtype: object = np.int32) -> np.ndarray:
    """An index tile `[P, 1]`."""
    return np.array(values, dtype=np.int64).astype(dtype)[:, None]


def everywhere(*shape: int) -> np.ndarray:
    return np.ones(shape, bool)


def at(shape: tuple[int, ...], *key: object) -> np.ndarray:
    """True at `[key]`."""
    chosen = np.zeros(shape, bool)
    chosen[key] = True
    return chosen


_P, _F = arange(4)[:, None], arange(6)[None, :]
_BAD = rows(5, -1, 2, 5)
_GOOD = rows(3, 0, 3, 1)
_TABLE, _TILE = numbers(5, 6, seed=1), numbers(4, 6, seed=2)
_BFLOAT16 = "bfloat16"
_STATE = {"sbuf.s": np.array([[3, 4]], np.uint32)}


def _indexed(index: np.ndarray, dtype: object = np.float32) -> dict[str, np.ndarray]:
    return {"hbm.table": _TABLE.astype(dtype), "sbuf.tile": _TILE.astype(dtype), "sbuf.i": index}


_ROWS_OF_TABLE = hbm("table")[sbuf("i"), :]

CASES = (
    Case(
        "dma_copy, transposed block",
        {"hbm.a": numbers(6, 4), "sbuf.b": numbers(5, 6), "hbm.other": numbers(3)},
        lambda m: dma_copy(m, dst=sbuf("b")[1:5], src=hbm("a")[_F, 3 - _P]),
        {"sbuf.b": at((5, 6), slice(1, 5))},
        steps="hbm.a",
    ),
    Case(
        "dma_copy, overlapping patterns",
        {"hbm.a": numbers(9, dtype=_BFLOAT16), "hbm.b": numbers(12, dtype=_BFLOAT16)},
        lambda m: dma_copy(m, dst=hbm("b").ap([[2, 4], [1, 3]], 1), src=hbm("a").ap([[1, 4], [2, 3]])),
        {"hbm.b": at((12,), slice(1, 10))},
        steps="hbm.a",
    ),
    Case(
        "dma_copy, masked, within one buffer",
        {"hbm.x": numbers(8, 6)},
        lambda m: dma_copy(m, dst=hbm("x")[1:5], src=hbm("x")[0:4], mask=_P + _F < 6),
        {"hbm.x": at((8, 6), slice(1, 5))},
    ),
    Case(
        "dma_copy, gather that faults",
        _indexed(_BAD),
        lambda m: dma_copy(m, dst=sbuf("tile"), src=_ROWS_OF_TABLE),
        {"sbuf.tile": everywhere(4, 6)},
        steps="sbuf.i",
    ),
    Case(
        "dma_copy, gather that skips, by uint32",
        _indexed(_BAD.astype(np.uint32), _BFLOAT16),
        lambda m: dma_copy(m, dst=sbuf("tile"), src=_ROWS_OF_TABLE, oob_mode=oob_mode.skip),
        {"sbuf.tile": everywhere(4, 6)},
        steps="sbuf.i",
    ),
    Case(
        "dma_copy, scatter with repeats",
        _indexed(_GOOD),
        lambda m: dma_copy(m, dst=_ROWS_OF_TABLE, src=sbuf("tile")),
        {"hbm.table": everywhere(5, 6)},
        steps="sbuf.i",
    ),
    Case(
        "dma_copy, masked scatter that faults",
        _indexed(_BAD, _BFLOAT16),
        lambda m: dma_copy(m, dst=hbm("table")[sbuf("i"), 1:5], src=sbuf("tile")[:, 2:6], mask=_P + _F[:, 0:4] > 0),
        {"hbm.table": at((5, 6), slice(None), slice(1, 5))},
        steps="sbuf.i",
    ),
    Case(
        "dma_copy, addition with repeats",
        _indexed(_GOOD),
        lambda m: dma_copy(m, dst=_ROWS_OF_TABLE, src=sbuf("tile"), dst_rmw_op=np.add),
        {"hbm.table": everywhere(5, 6)},
        steps="sbuf.i",
    ),
    Case(
        "dma_copy, cast",
        {"hbm.a": numbers(4, 6), "sbuf.b": numbers(4, 6, dtype=_BFLOAT16)},
        lambda m: dma_copy(m, dst=sbuf("b"), src=hbm("a")),
        {"sbuf.b": everywhere(4, 6)},
        is_smooth=False,
    ),
    Case(
        "dma_copy, scalar offset",
        {"hbm.a": numbers(7, 6), "sbuf.b": numbers(4, 6), "sbuf.i": rows(2)},
        lambda m: dma_copy(m, dst=sbuf("b"), src=hbm("a").ap([[6, 4], [1, 6]], scalar_offset=sbuf("i"))),
        {"sbuf.b": everywhere(4, 6)},
        steps="sbuf.i",
    ),
    Case(
        "dma_compute, scatter with repeats that faults",
        _indexed(_BAD),
        lambda m: dma_compute(m, dst=_ROWS_OF_TABLE, srcs=[_ROWS_OF_TABLE, sbuf("tile")], reduce_op=np.add),
        {"hbm.table": everywhere(5, 6)},
        steps="sbuf.i",
    ),
    Case(
        "dma_compute, sum into a part",
        {"hbm.a": whole(4, 6), "sbuf.b": whole(4, 8), "sbuf.c": whole(4, 6, dtype=_BFLOAT16)},
        lambda m: dma_compute(
            m, dst=sbuf("b")[:, 1:7], srcs=[hbm("a"), sbuf("c"), sbuf("b")[:, 1:7]], reduce_op=np.add
        ),
        {"sbuf.b": at((4, 8), slice(None), slice(1, 7))},
        steps="hbm.a",
        is_smooth=False,
    ),
    Case(
        "iota, masked",
        {"sbuf.b": numbers(4, 6), "sbuf.other": numbers(4, 2)},
        lambda m: iota(m, dst=sbuf("b"), expr=3 * _P - 2 * _F + 1, mask=_P > 1),
        {"sbuf.b": at((4, 6), slice(2, 4))},
    ),
    Case(
        "memset, strided",
        {"sbuf.b": numbers(4, 6, dtype=_BFLOAT16), "psum.b": numbers(4, 2)},
        lambda m: memset(m, dst=sbuf("b")[:, 1::2], value=0.5),
        {"sbuf.b": at((4, 6), slice(None), slice(1, None, 2))},
    ),
    Case(
        "tensor_copy, from psum with a cast",
        {"psum.a": numbers(4, 6), "sbuf.b": numbers(4, 8, dtype=_BFLOAT16)},
        lambda m: tensor_copy(m, dst=sbuf("b")[:, 1:7], src=psum("a"), mask=_F < 5),
        {"sbuf.b": at((4, 8), slice(None), slice(1, 6))},
        is_smooth=False,
        steps="psum.a",
    ),
    Case(
        "activation, masked, accumulating",
        {
            "psum.a": whole(4, 6),
            "sbuf.y": whole(4, 8),
            "sbuf.bias": whole(4, 1),
            "sbuf.registers": whole(8, 1),
            "sbuf.result": whole(4, 2),
        },
        lambda m: activation(
            m,
            dst=sbuf("y")[:, 1:7],
            op=np.square,
            data=psum("a"),
            bias=sbuf("bias"),
            scale=2.0,
            reduce_op=np.add,
            reduce_cmd=reduce_cmd.reduce,
            reduce_res=sbuf("result")[:, 1:],
            accumulator=sbuf("registers")[:4],
            mask=_P + _F > 2,
        ),
        {
            "sbuf.y": at((4, 8), slice(None), slice(1, 7)),
            "sbuf.registers": at((8, 1), slice(0, 4)),
            "sbuf.result": at((4, 2), slice(None), 1),
        },
        steps="psum.a",
        is_linear=False,
        tolerance=1e-5,
    ),
    Case(
        "activation_reduce, scaled by a vector",
        {"sbuf.x": whole(4, 6), "sbuf.scale": whole(4, 1), "sbuf.result": whole(4, 1)},
        lambda m: activation_reduce(
            m,
            dst=sbuf("x"),
            op=np.square,
            data=sbuf("x"),
            scale=sbuf("scale"),
            reduce_op=np.add,
            reduce_res=sbuf("result"),
        ),
        {"sbuf.x": everywhere(4, 6), "sbuf.result": everywhere(4, 1)},
        steps="sbuf.x",
        is_linear=False,
        tolerance=1e-5,
    ),
    Case(
        "reciprocal, masked",
        {"sbuf.x": np.exp2(np.round(numbers(4, 6) / 4)), "sbuf.y": numbers(4, 6)},
        lambda m: reciprocal(m, dst=sbuf("y"), data=sbuf("x"), mask=_F > _P),
        {"sbuf.y": np.less.outer(np.arange(4), np.arange(6))},
        steps="sbuf.x",
        is_linear=False,
        tolerance=1e-5,
    ),
    Case(
        "affine_select, masked",
        {"psum.x": numbers(4, 6), "sbuf.y": numbers(4, 6)},
        lambda m: affine_select(
            m, dst=sbuf("y"), pred=_P >= _F, on_true_tile=psum("x"), on_false_value=-9984.0, mask=_P + _F < 8
        ),
        {"sbuf.y": np.add.outer(np.arange(4), np.arange(6)) < 8},
        steps="psum.x",
    ),
    Case(
        "gather_flattened, masked",
        {"psum.x": numbers(4, 3, 2), "sbuf.i": rows(5, 1, 0, 9, dtype=np.uint32), "sbuf.y": numbers(4, 3)},
        lambda m: gather_flattened(m, dst=sbuf("y")[:, 1:2], data=psum("x"), indices=sbuf("i"), mask=_P < 3),
        {"sbuf.y": at((4, 3), slice(0, 3), 1)},
        steps="psum.x",
    ),
    Case(
        "select",
        {"sbuf.when": rows(0, 3, 0, 1, dtype=np.uint8), "sbuf.x": numbers(4, 1), "psum.y": numbers(4, 1, seed=3)},
        lambda m: select(m, dst=sbuf("x"), condition=sbuf("when"), on_true=sbuf("x"), on_false=psum("y")),
        {"sbuf.x": everywhere(4, 1)},
        steps="sbuf.when",
    ),
    Case(
        "tensor_tensor, product of parts",
        {"sbuf.x": whole(4, 6), "psum.y": whole(4, 3), "sbuf.z": numbers(4, 3)},
        lambda m: tensor_tensor(
            m, dst=sbuf("z"), data1=sbuf("x")[:, ::2], data2=psum("y"), op=np.multiply, mask=_P < 3
        ),
        {"sbuf.z": at((4, 3), slice(0, 3))},
        steps="psum.y",
        is_linear=False,
        tolerance=1e-5,
    ),
    Case(
        "tensor_scalar, two operators",
        {"sbuf.x": whole(4, 6), "sbuf.v": whole(4, 1)},
        lambda m: tensor_scalar(
            m,
            dst=sbuf("x"),
            data=sbuf("x"),
            op0=np.subtract,
            operand0=0.5,
            reverse0=True,
            op1=np.multiply,
            operand1=sbuf("v"),
        ),
        {"sbuf.x": everywhere(4, 6)},
        steps="sbuf.v",
        is_linear=False,
        tolerance=1e-5,
    ),
    Case(
        "scalar_tensor_tensor, masked",
        {"sbuf.x": whole(4, 6), "psum.y": whole(4, 6), "sbuf.v": whole(4, 1), "sbuf.z": numbers(4, 6)},
        lambda m: scalar_tensor_tensor(
            m,
            dst=sbuf("z"),
            data=sbuf("x"),
            op0=np.subtract,
            operand0=sbuf("v"),
            op1=np.multiply,
            operand1=psum("y"),
            mask=_P + _F < 6,
        ),
        {"sbuf.z": np.add.outer(np.arange(4), np.arange(6)) < 6},
        steps="psum.y",
        is_linear=False,
        tolerance=1e-5,
    ),
    Case(
        "tensor_scalar_reduce, masked",
        {"psum.x": whole(4, 6), "sbuf.y": numbers(4, 6), "sbuf.v": whole(4, 1), "sbuf.r": numbers(4, 2)},
        lambda m: tensor_scalar_reduce(
            m,
            dst=sbuf("y"),
            data=psum("x"),
            op0=np.multiply,
            operand0=sbuf("v"),
            reduce_op=np.add,
            reduce_res=sbuf("r")[:, 1],
            mask=_P + _F < 6,
        ),
        {"sbuf.y": np.add.outer(np.arange(4), np.arange(6)) < 6, "sbuf.r": at((4, 2), slice(None), 1)},
        steps="psum.x",
        is_linear=False,
        tolerance=1e-5,
    ),
    Case(
        "select_reduce, going on",
        {
            "sbuf.when": (np.arange(24).reshape(4, 6) % 3).astype(np.uint8),
            "psum.x": np.arange(24, dtype=np.float32).reshape(4, 6) - 11,
            "sbuf.v": whole(4, 1) / 8,
            "sbuf.z": numbers(4, 6),
            "sbuf.registers": whole(8, 1) / 16,
            "sbuf.result": numbers(4, 1),
        },
        lambda m: select_reduce(
            m,
            dst=sbuf("z"),
            predicate=sbuf("when"),
            on_true=psum("x"),
            on_false=sbuf("v"),
            reduce_cmd=reduce_cmd.reduce,
            reduce_res=sbuf("result"),
            accumulator=sbuf("registers")[:4],
            mask=_F + _P < 7,
        ),
        {
            "sbuf.z": np.add.outer(np.arange(4), np.arange(6)) < 7,
            "sbuf.registers": at((8, 1), slice(0, 4)),
            "sbuf.result": everywhere(4, 1),
        },
        steps="sbuf.when",
        is_smooth=False,
    ),
    Case(
        "range_select, masked",
        {
            "psum.x": np.arange(24, dtype=np.float32).reshape(4, 6) - 11,
            "sbuf.low": rows(-1, 2, 4, 6, dtype=np.float32),
            "sbuf.high": rows(4, 5, 9, 7, dtype=np.float32),
            "sbuf.z": numbers(4, 6),
            "sbuf.result": numbers(4, 1),
        },
        lambda m: range_select(
            m,
            dst=sbuf("z"),
            on_true_tile=psum("x"),
            comp_op0=np.greater_equal,
            comp_op1=np.less,
            bound0=sbuf("low"),
            bound1=sbuf("high"),
            range_start=2,
            reduce_res=sbuf("result"),
            mask=_P < 3,
        ),
        {"sbuf.z": at((4, 6), slice(0, 3)), "sbuf.result": at((4, 1), slice(0, 3))},
        steps="psum.x",
        is_smooth=False,
    ),
    Case(
        "tensor_partition_reduce, masked",
        {"sbuf.x": whole(4, 6), "sbuf.y": numbers(1, 6)},
        lambda m: tensor_partition_reduce(m, dst=sbuf("y"), op=np.add, data=sbuf("x"), mask=_P + _F < 7),
        {"sbuf.y": everywhere(1, 6)},
        steps="sbuf.x",
    ),
    Case(
        "bn_stats, masked",
        {"sbuf.x": whole(4, 6), "psum.y": numbers(4, 8)},
        lambda m: bn_stats(m, dst=psum("y")[:, 1:7], data=sbuf("x"), mask=_F < 4),
        {"psum.y": at((4, 8), slice(None), slice(1, 7))},
        steps="sbuf.x",
        is_linear=False,
        tolerance=1e-4,
    ),
    Case(
        "bn_aggr",
        {"sbuf.x": np.tile(np.float32([2, 3, 4, 2, -1, 8]), (4, 1)), "sbuf.y": numbers(4, 2)},
        lambda m: bn_aggr(m, dst=sbuf("y"), data=sbuf("x"), mask=_P < 3),
        {"sbuf.y": at((4, 2), slice(0, 3))},
        steps="sbuf.x",
        is_linear=False,
        tolerance=1e-4,
    ),
    Case(
        "tensor_tensor_scan, masked",
        {
            "sbuf.x": numbers(4, 6) / 4,
            "psum.y": numbers(4, 6, seed=1),
            "sbuf.v": numbers(4, 1),
            "sbuf.z": numbers(4, 8),
        },
        lambda m: tensor_tensor_scan(
            m,
            dst=sbuf("z")[:, 1:7],
            data0=sbuf("x"),
            data1=psum("y"),
            initial=sbuf("v"),
            op0=np.multiply,
            op1=np.subtract,
            mask=_P + _F != 4,
        ),
        {"sbuf.z": np.pad(np.add.outer(np.arange(4), np.arange(6)) != 4, ((0, 0), (1, 1)))},
        steps="psum.y",
        is_linear=False,
        tolerance=1e-5,
    ),
    Case(
        "tensor_reduce, masked sum",
        {"sbuf.x": whole(4, 3, 2), "sbuf.y": whole(4, 3)},
        lambda m: tensor_reduce(
            m, dst=sbuf("y"), op=np.add, data=sbuf("x"), negate=True, mask=_P[:, None] > arange(3)[None, :, None]
        ),
        {"sbuf.y": np.greater.outer(np.arange(4), np.arange(3))},
        steps="sbuf.x",
    ),
    Case(
        "dropout, seeded by a tile",
        {"sbuf.x": numbers(4, 6), "sbuf.seed": rows(7), **_STATE},
        lambda m: dropout(
            random_seed(m, state=sbuf("s"), seed=sbuf("seed")),
            dst=sbuf("x"),
            data=sbuf("x"),
            prob=0.5,
            state=sbuf("s"),
            mask=_P + _F < 8,
        ),
        {"sbuf.x": np.add.outer(np.arange(4), np.arange(6)) < 8, "sbuf.s": everywhere(1, 2)},
        steps="sbuf.seed",
    ),
    Case(
        "nc_matmul, accumulating",
        {"sbuf.x": whole(4, 3), "sbuf.y": whole(4, 5), "psum.z": whole(3, 5)},
        lambda m: nc_matmul(m, dst=psum("z"), stationary=sbuf("x"), moving=sbuf("y"), accumulate=True),
        {"psum.z": everywhere(3, 5)},
        steps="sbuf.y",
        is_linear=False,
        tolerance=1e-4,
    ),
    Case(
        "nc_matmul_mx, accumulating",
        {
            "sbuf.x": np.arange(64, dtype=np.uint32).reshape(32, 2) * 0x01010101,
            "sbuf.y": np.arange(96, dtype=np.uint16).reshape(32, 3) * 0x0101,
            "sbuf.s": np.full((4, 2), 127, np.uint8),
            "sbuf.t": np.full((4, 3), 126, np.uint8),
            "psum.z": numbers(2, 3),
        },
        lambda m: nc_matmul_mx(
            m,
            dst=psum("z"),
            stationary=sbuf("x", "float8_e4m3fn_x4"),
            moving=sbuf("y", "float4_e2m1fn_x4"),
            stationary_scale=sbuf("s"),
            moving_scale=sbuf("t"),
            accumulate=True,
        ),
        {"psum.z": everywhere(2, 3)},
        steps="sbuf.t",
        is_smooth=False,
    ),
    Case(
        "quantize_mx",
        {
            "sbuf.x": numbers(32, 8, dtype=_BFLOAT16),
            "sbuf.y": np.zeros((32, 2), np.uint32),
            "sbuf.s": np.zeros((32, 2), np.uint8),
            "sbuf.other": numbers(4, 2),
        },
        lambda m: quantize_mx(m, dst=sbuf("y", "float8_e5m2_x4"), src=sbuf("x"), dst_scale=sbuf("s")),
        {"sbuf.y": everywhere(32, 2), "sbuf.s": at((32, 2), slice(0, 4))},
        steps="sbuf.x",
        bits=("sbuf.x",),
    ),
    Case(
        "nc_transpose, masked",
        {"sbuf.x": numbers(4, 6), "psum.y": numbers(6, 4, seed=3)},
        lambda m: nc_transpose(m, dst=psum("y"), data=sbuf("x"), mask=_P + _F < 8),
        {"psum.y": np.add.outer(np.arange(6), np.arange(4)) < 8},
        steps="sbuf.x",
    ),
    Case(
        "rand",
        {"sbuf.x": numbers(4, 6), **_STATE},
        lambda m: rand(m, dst=sbuf("x")[1:], state=sbuf("s")),
        {"sbuf.x": at((4, 6), slice(1, 4)), "sbuf.s": everywhere(1, 2)},
        steps="sbuf.s",
    ),
    Case(
        "dma_transpose, masked",
        {"hbm.x": numbers(4, 6), "sbuf.y": numbers(6, 4)},
        lambda m: dma_transpose(m, dst=sbuf("y"), src=hbm("x"), mask=_P + _F < 8),
        {"sbuf.y": np.add.outer(np.arange(6), np.arange(4)) < 8},
        steps="hbm.x",
    ),
    Case(
        "sendrecv, parts of a tile and tiles",
        {"sbuf.x": numbers(4, 6), "sbuf.a": numbers(4, 2, seed=1), "sbuf.b": numbers(4, 2, seed=2)},
        lambda m: sendrecv(m, dst=sbuf("x")[:, 0:2], src=sbuf("x")[:, 4:6], other_dst=sbuf("b"), other_src=sbuf("a")),
        {"sbuf.x": at((4, 6), slice(None), slice(0, 2)), "sbuf.b": everywhere(4, 2)},
        steps="sbuf.a",
    ),
    Case(
        "dma_transpose, rows that skip",
        {
            "hbm.x": numbers(5, 3, dtype=_BFLOAT16),
            "sbuf.y": numbers(3, 16, dtype=_BFLOAT16),
            "sbuf.i": (rows(*range(16), dtype=np.uint32) * 3) % 7,
        },
        lambda m: dma_transpose(
            m,
            dst=sbuf("y"),
            src=hbm("x").ap([[3, 16], [1, 3]], vector_offset=sbuf("i")),
            oob_mode=oob_mode.skip,
            rules=RuleSet.current,
        ),
        {"sbuf.y": everywhere(3, 16)},
        steps="sbuf.i",
    ),
    Case(
        "tensor_copy_predicated",
        {"sbuf.x": numbers(4, 1), "psum.y": numbers(4, 1, seed=3), "sbuf.p": rows(0, 3, 0, 1, dtype=np.uint8)},
        lambda m: tensor_copy_predicated(m, dst=psum("y"), src=sbuf("x"), predicate=sbuf("p")),
        {"psum.y": everywhere(4, 1)},
        steps="sbuf.p",
    ),
    Case(
        "tensor_copy_dynamic_src that faults",
        {"sbuf.x": numbers(4, 6), "sbuf.y": numbers(4, 1), "sbuf.i": rows(7)},
        lambda m: tensor_copy_dynamic_src(m, dst=sbuf("y"), src=sbuf("x")[_P, sbuf("i")]),
        {"sbuf.y": everywhere(4, 1)},
        steps="sbuf.i",
    ),
    Case(
        "max8 and nc_match_replace8",
        {"sbuf.x": np.arange(48, dtype=np.float32).reshape(4, 12)[:, ::-1] * 0.5, "sbuf.v": numbers(4, 8)},
        lambda m: nc_match_replace8(
            max8(m, dst=sbuf("v"), src=sbuf("x")), dst=sbuf("x"), data=sbuf("x"), vals=sbuf("v"), imm=-1.0
        ),
        {"sbuf.x": everywhere(4, 12), "sbuf.v": everywhere(4, 8)},
        steps="sbuf.x",
        is_linear=False,
        is_smooth=False,
        tolerance=1e-6,
    ),
    Case(
        "nc_find_index8 and nc_match_replace8, equal values",
        {
            "sbuf.x": np.arange(48, dtype=np.float32).reshape(4, 12) % 5,
            "sbuf.v": np.float32([[3, 1, 3, 9, 1, 3, 3, 0]] * 4),
            "sbuf.i": np.zeros((4, 8), np.uint32),
        },
        lambda m: nc_match_replace8(
            nc_find_index8(m, dst=sbuf("i"), data=sbuf("x"), vals=sbuf("v"), successive=True),
            dst=sbuf("x"),
            data=sbuf("x"),
            vals=sbuf("v"),
            imm=-1.0,
            last_first=True,
        ),
        {"sbuf.x": everywhere(4, 12), "sbuf.i": everywhere(4, 8)},
        steps="sbuf.x",
        is_smooth=False,
    ),
    Case(
        "nc_stream_shuffle, in place",
        {"sbuf.x": numbers(32, 2)},
        lambda m: nc_stream_shuffle(m, dst=sbuf("x"), src=sbuf("x"), shuffle_mask=[5, 255, 5, *range(29)]),
        {"sbuf.x": everywhere(32, 2)},
        steps="sbuf.x",
    ),
    Case(
        "local_gather that faults",
        {"sbuf.x": numbers(16, 6), "sbuf.y": numbers(16, 16), "sbuf.i": rows(*range(16), dtype=np.uint16) // 2},
        lambda m: local_gather(m, dst=sbuf("y"), src_buffer=sbuf("x"), index=sbuf("i")),
        {"sbuf.y": everywhere(16, 16)},
        steps="sbuf.i",
    ),
    Case(
        "sequence_bounds",
        {"sbuf.x": np.array([[0, 1, 1, 2, 0, 3]], np.float32), "sbuf.y": np.zeros((1, 2, 6), np.int32)},
        lambda m: sequence_bounds(m, dst=sbuf("y"), segment_ids=sbuf("x")),
        {"sbuf.y": everywhere(1, 2, 6)},
        steps="sbuf.x",
    ),
    Case(
        "nc_n_gather that faults",
        {"sbuf.x": numbers(4, 3, 2), "sbuf.i": rows(5, 1, 0, 9, dtype=np.uint32), "sbuf.y": numbers(4, 3)},
        lambda m: nc_n_gather(m, dst=sbuf("y")[:, 1:2], data=sbuf("x"), indices=sbuf("i")),
        {"sbuf.y": at((4, 3), slice(None), 1)},
        steps="sbuf.i",
        is_smooth=False,
    ),
    Case(
        "nonzero_with_count",
        {"sbuf.x": whole(17, 5) * (np.arange(85).reshape(17, 5) % 3 > 0), "sbuf.y": np.zeros((17, 6), np.int32)},
        lambda m: nonzero_with_count(m, dst=sbuf("y"), src=sbuf("x"), index_offset=3),
        {"sbuf.y": at((17, 6), slice(None, None, 16))},
        steps="sbuf.x",
    ),
    Case(
        "topk",
        {
            "sbuf.x": numbers(32, 2, dtype=_BFLOAT16),
            "sbuf.y": numbers(32, 4, seed=3, dtype=_BFLOAT16),
            "sbuf.i": np.zeros((32, 3), np.uint32),
        },
        lambda m: topk(m, val_dst=sbuf("y")[:, 1:], idx_dst=sbuf("i"), src=sbuf("x"), n=20),
        {"sbuf.y": at((32, 4), [0, 1, 2, 16, 17, 18], 1), "sbuf.i": at((32, 3), [0, 1, 2, 16, 17, 18], 0)},
        steps="sbuf.x",
        is_linear=False,
        is_smooth=False,
        tolerance=1e-6,
    ),
    Case(
        "tensor_scalar_reduce, going on, negated",
        {
            "sbuf.x": whole(4, 6),
            "sbuf.y": numbers(4, 6),
            "sbuf.registers": whole(8, 1),
            "sbuf.result": numbers(4, 1),
        },
        lambda m: tensor_scalar_reduce(
            m,
            dst=sbuf("y"),
            data=sbuf("x"),
            op0=np.abs,
            operand0=None,
            reduce_op=np.add,
            reduce_cmd=reduce_cmd.reduce,
            reduce_res=sbuf("result"),
            reduce_res_negate=True,
            accumulator=sbuf("registers")[:4],
        ),
        {
            "sbuf.y": everywhere(4, 6),
            "sbuf.registers": at((8, 1), slice(0, 4)),
            "sbuf.result": everywhere(4, 1),
        },
        steps="sbuf.x",
    ),
    Case(
        "tensor_scalar_cumulative, going on",
        {"sbuf.x": numbers(4, 6), "sbuf.y": numbers(4, 8), "sbuf.v": numbers(4, 1), "sbuf.registers": numbers(8, 1)},
        lambda m: tensor_scalar_cumulative(
            m,
            dst=sbuf("y")[:, 1:7],
            src=sbuf("x"),
            op0=np.multiply,
            op1=np.subtract,
            imm0=sbuf("v"),
            reduce_cmd=reduce_cmd.reduce,
            accumulator=sbuf("registers")[:4],
        ),
        {"sbuf.y": at((4, 8), slice(None), slice(1, 7)), "sbuf.registers": at((8, 1), slice(0, 4))},
        steps="sbuf.x",
        is_linear=False,
        tolerance=1e-5,
    ),
    Case(
        "iota, a pattern with an offset read at run time",
        {"sbuf.y": numbers(4, 6), "sbuf.o": rows(3)},
        lambda m: iota(m, dst=sbuf("y"), pattern=[[5, 2], [-1, 3]], offset=sbuf("o"), channel_multiplier=7),
        {"sbuf.y": everywhere(4, 6)},
        steps="sbuf.o",
    ),
    Case(
        "affine_select, a pattern with an offset read at run time",
        {"sbuf.x": numbers(4, 6), "sbuf.y": numbers(4, 6), "sbuf.o": rows(1)},
        lambda m: affine_select(
            m,
            dst=sbuf("y"),
            on_true_tile=sbuf("x"),
            on_false_value=-9984.0,
            pattern=[[-1, 6]],
            offset=sbuf("o"),
            channel_multiplier=1,
            cmp_op=np.greater_equal,
        ),
        {"sbuf.y": everywhere(4, 6)},
        steps="sbuf.o",
    ),
    Case(
        "exponential, going on",
        {
            "sbuf.x": numbers(4, 6) / 4,
            "sbuf.y": numbers(4, 8),
            "sbuf.max": numbers(4, 1),
            "sbuf.registers": whole(8, 1),
            "sbuf.result": numbers(4, 1),
        },
        lambda m: exponential(
            m,
            dst=sbuf("y")[:, 1:7],
            src=sbuf("x"),
            max_value=sbuf("max"),
            reduce_cmd=reduce_cmd.reduce,
            reduce_res=sbuf("result"),
            accumulator=sbuf("registers")[:4],
        ),
        {
            "sbuf.y": at((4, 8), slice(None), slice(1, 7)),
            "sbuf.registers": at((8, 1), slice(0, 4)),
            "sbuf.result": everywhere(4, 1),
        },
        steps="sbuf.x",
        is_linear=False,
        tolerance=1e-5,
    ),
    Case(
        "activate2, going on",
        {
            "sbuf.x": numbers(4, 6),
            "sbuf.y": numbers(4, 8),
            "sbuf.u": numbers(4, 1),
            "sbuf.v": numbers(4, 1, seed=1),
            "sbuf.registers": whole(8, 1),
            "sbuf.result": numbers(4, 1),
        },
        lambda m: activate2(
            m,
            dst=sbuf("y")[:, 1:7],
            op="tanh",
            data=sbuf("x"),
            imm0=sbuf("u"),
            imm1=sbuf("v"),
            op0=np.multiply,
            op1=np.subtract,
            reverse1=True,
            reduce_op=np.add,
            reduce_cmd=reduce_cmd.reduce,
            reduce_res=sbuf("result"),
            accumulator=sbuf("registers")[:4],
        ),
        {
            "sbuf.y": at((4, 8), slice(None), slice(1, 7)),
            "sbuf.registers": at((8, 1), slice(0, 4)),
            "sbuf.result": everywhere(4, 1),
        },
        steps="sbuf.x",
        is_linear=False,
        tolerance=1e-4,
    ),
    Case(
        "rng of the GpSimd Engine, its state set and read",
        {
            "sbuf.x": np.zeros((4, 6), np.uint16),
            "sbuf.other": numbers(4, 2),
            "sbuf.seeds": np.arange(24, dtype=np.uint32).reshape(4, 6),
            "sbuf.s": np.zeros((4, 6), np.uint32),
        },
        lambda m: rand_get_state(
            rng(
                rand_set_state(m, src_seeds=sbuf("seeds"), state=sbuf("s")),
                dst=sbuf("x"),
                state=sbuf("s"),
                engine=engine.gpsimd,
            ),
            dst=sbuf("seeds"),
            state=sbuf("s"),
        ),
        {"sbuf.x": everywhere(4, 6), "sbuf.s": everywhere(4, 6), "sbuf.seeds": everywhere(4, 6)},
        steps="sbuf.seeds",
    ),
    Case(
        "rand2",
        {
            "sbuf.x": numbers(4, 8),
            "sbuf.low": -np.abs(numbers(4, 1)),
            "sbuf.s": np.arange(96, dtype=np.uint32).reshape(4, 24),
        },
        lambda m: rand2(m, dst=sbuf("x")[:, 1:7], state=sbuf("s"), min=sbuf("low"), max=2.0),
        {"sbuf.x": at((4, 8), slice(None), slice(1, 7)), "sbuf.s": everywhere(4, 24)},
        steps="sbuf.s",
        is_linear=False,
        tolerance=1e-5,
    ),
    Case(
        "register_load, register_move and register_store",
        {
            "sbuf.n": rows(3, -7),
            "sbuf.x": numbers(2, 3),
            "hbm.o": rows(9, 9, 9),
            "registers.r": rows(4),
            "registers.s": rows(5),
        },
        lambda m: register_store(
            register_move(
                register_load(m, dst=register("r"), src=sbuf("n")[1:2]), dst=register("s"), src=register("r")
            ),
            dst=hbm("o")[1:2],
            src=register("s"),
        ),
        {"hbm.o": at((3, 1), 1), "registers.r": everywhere(1, 1), "registers.s": everywhere(1, 1)},
        steps="sbuf.n",
    ),
    Case(
        "tensor_tensor, at offsets from a register and a tile",
        {"sbuf.x": numbers(4, 6), "psum.y": numbers(4, 3), "sbuf.i": rows(1), "registers.r": rows(2)},
        lambda m: tensor_tensor(
            m,
            dst=sbuf("x").ap([[6, 4], [1, 2]], scalar_offset=register("r"), indirect_dim=1),
            data1=sbuf("x").ap([[6, 4], [2, 2]], scalar_offset=sbuf("i"), indirect_dim=1),
            data2=psum("y").ap([[3, 4], [1, 2]], scalar_offset=sbuf("i"), indirect_dim=1),
            op="multiply",
        ),
        {"sbuf.x": at((4, 6), slice(None), slice(2, 4))},
        steps="registers.r",
        is_linear=False,
        tolerance=1e-2,
    ),
    Case(
        "tensor_copy, at an offset that faults",
        {"sbuf.x": numbers(4, 6, dtype=_BFLOAT16), "sbuf.y": numbers(4, 2, dtype=_BFLOAT16), "registers.r": rows(5)},
        lambda m: tensor_copy(
            m,
            dst=sbuf("y"),
            src=sbuf("x").ap([[6, 4], [1, 2]], scalar_offset=register("r"), indirect_dim=1),
        ),
        {"sbuf.y": everywhere(4, 2)},
        steps="registers.r",
    ),
    Case(
        "all_reduce of one rank",
        {"hbm.x": numbers(4, 6), "hbm.y": numbers(4, 8)},
        lambda m: all_reduce(m, dst=hbm("y")[:, 1:7], src=hbm("x"), groups=[[0]], op="add"),
        {"hbm.y": at((4, 8), slice(None), slice(1, 7))},
        steps="hbm.x",
    ),
    Case(
        "collective_permute_implicit_reduce of one rank",
        {"sbuf.x": whole(4, 6), "sbuf.y": whole(4, 6), "sbuf.z": numbers(4, 6)},
        lambda m: collective_permute_implicit_reduce(
            m, dst=sbuf("z"), src0=sbuf("x"), src1=sbuf("y"), groups=[[0]], op="add"
        ),
        {"sbuf.z": everywhere(4, 6)},
        steps="sbuf.x",
    ),
    Case(
        "all_to_all_v of one rank that faults",
        {"hbm.x": numbers(12), "hbm.y": numbers(6), "hbm.m": rows(4, 9, 7, dtype=np.uint32)},
        lambda m: all_to_all_v(m, dst=hbm("y"), src=hbm("x"), metadata=hbm("m"), groups=[[0]]),
        {"hbm.y": everywhere(6), "hbm.m": at((3, 1), 2)},
        steps="hbm.m",
    ),
)
