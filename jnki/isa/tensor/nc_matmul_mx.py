"""`nki.isa.nc_matmul_mx`: the product of two matrices in an MX format, dequantized on the way, on the Tensor Engine."""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jax import lax

from jnki.access.access import Access
from jnki.access.buffer import Space
from jnki.access.ref import Ref, resolve
from jnki.dtypes import bfloat16, cast, float32
from jnki.isa.instruction import Instruction
from jnki.isa.mx import (
    BIAS,
    NAN_SCALE,
    PACKED_TYPES,
    QUADRANT,
    ROWS,
    check_newest,
    check_scales,
    scaled,
    scales_of_groups,
    unpacked,
)
from jnki.isa.operands import load, store
from jnki.isa.rules import check_on_chip, check_partitions, wrong_memory
from jnki.isa.tensor.pe_tiling import check_pe_tiling, check_whole_tiles, pair_of_integers
from jnki.memory import NO_LOOPS, DeviceMemory, Loops
from jnki.source import user_location
from jnki.target import TRN3, Target, takes_target


@dataclass(frozen=True, kw_only=True)
class NcMatmulMx(Instruction):
    """`dst[m, n] (+)= sum over groups g of 2^(s + t - 254) * (sum of the 32 products of g)`.

    s and t are the scales of group g in column m of `stationary` and column n of `moving`. The products are exact, the
    sums are in float32, and a scale NaN makes its column NaN: the dot product of the OCP MX specification. The result
    is rounded once, to the type of `dst`. Where it is below 2^-126 in magnitude it may be zero.

    Attributes:
        dst: `[M, N...]` in PSUM, of float32 or bfloat16.
        stationary, moving: `[K, M]` and `[K, N...]` in SBUF, of packed types, which may differ.
        stationary_scale, moving_scale: a scale for each group of 8 partitions; `jnki.isa.mx` has the layout.
        accumulate: whether the old elements of `dst` are added.
        tile_position, tile_size: `(row, column)` of the PE tile, or `()`.

    Packed elements and scales have no derivative; the old value of `dst` has, where it is added.
    """

    name: ClassVar[str] = "nc_matmul_mx"
    takes_opaque: ClassVar[bool] = True

    dst: Access
    stationary: Access
    moving: Access
    stationary_scale: Access
    moving_scale: Access
    accumulate: bool = False
    tile_position: tuple[int, ...] = ()
    tile_size: tuple[int, ...] = ()

    @property
    def reads_destination(self) -> bool:
        return self.accumulate

    def check(self, target: Target) -> None:
        check_newest(self, target)
        for operand, access in self.operands().items():
            space = Space.PSUM if operand == "dst" else Space.SBUF
            if access.buffer.space is not space:
                reason = ": the Tensor Engine reads SBUF and writes PSUM"
                raise wrong_memory(self, operand, access, str(space), reason)
            check_on_chip(self, operand, access)
            check_partitions(self, operand, access, target)
        self._check_types()
        self._check_shapes(target)
        self._check_tiles(target)
        super().check(target)

    def _check_types(self) -> None:
        kinds = [self.stationary.dtype, self.moving.dtype]
        if any(kind not in PACKED_TYPES for kind in kinds) or self.dst.dtype not in (float32, bfloat16):
            raise self.error(
                "nc_matmul_mx.dtype",
                "there is no such product",
                given=f"stationary {kinds[0]}, moving {kinds[1]}, dst {self.dst.dtype}",
                allowed=f"stationary and moving {', '.join(map(str, PACKED_TYPES))}; dst float32 or bfloat16",
            )
        if not isinstance(self.accumulate, bool):
            raise self.error(
                "nc_matmul_mx.accumulate",
                "'accumulate' is not a flag",
                given=repr(self.accumulate),
                allowed="True or False; a kernel may leave it out",
            )

    def _check_shapes(self, target: Target) -> None:
        depth, (rows, columns) = self.stationary.shape[0], self._free
        shapes = f"stationary {list(self.stationary.shape)}, moving {list(self.moving.shape)}"
        if self.moving.shape[0] != depth or depth % QUADRANT or not depth:
            raise self.error(
                "nc_matmul_mx.contraction",
                "the contracted axis, the partitions of both operands, is not made of groups",
                given=shapes,
                allowed=f"the same multiple of {QUADRANT} partitions",
            )
        in_bfloat16 = self.dst.dtype == bfloat16
        most = target.nc_matmul_moving_bfloat16_fmax if in_bfloat16 else target.nc_matmul_moving_float32_fmax
        if rows % 2 or rows > target.gemm_stationary_fmax or columns > most:
            raise self.error(
                "err_size_of_dimension_exceed_arch_limit",
                "an operand has too many elements in each partition, or an odd number",
                given=shapes,
                allowed=f"an even number up to {target.gemm_stationary_fmax} in stationary, up to {most} in moving",
            )
        if (self.dst.shape[0], math.prod(self.dst.shape[1:])) != (rows, columns):
            raise self.error(
                "nc_matmul_mx.shape",
                "dst does not have the shape of the product",
                given=f"{shapes}, dst {list(self.dst.shape)}",
                allowed=f"dst [{rows}, {columns}]",
            )
        check_scales(self, "stationary_scale", self.stationary_scale, self.stationary, rows)
        check_scales(self, "moving_scale", self.moving_scale, self.moving, columns)

    def _check_tiles(self, target: Target) -> None:
        position, size, limit = self.tile_position, self.tile_size, target.gemm_stationary_fmax
        check_pe_tiling(self, position, size, self.stationary.shape[0], self._free[0], target)
        check_whole_tiles(self, position, size)
        if size and (size[1] != limit or position[1]):
            raise self.error(
                "nc_matmul_mx.tile_size",
                "PE tiles of MX products have all columns",
                given=f"tile_position {position}, tile_size {size}",
                allowed=f"column 0, and {limit} columns",
            )

    @property
    def _free(self) -> tuple[int, int]:
        return math.prod(self.stationary.shape[1:]), math.prod(self.moving.shape[1:])

    def execute(self, memory: DeviceMemory, at: Loops = NO_LOOPS) -> DeviceMemory:
        if not self.dst.size:
            return memory
        x, s = _groups(memory, self.stationary, self.stationary_scale, at)
        y, t = _groups(memory, self.moving, self.moving_scale, at)
        # [G, 32, M] and [G, 32, N] to [G, M, N]
        sums = lax.dot_general(
            x, y, (((1,), (1,)), ((0,), (0,))), precision=lax.Precision.HIGHEST, preferred_element_type=jnp.float32
        )
        exponents = s[:, :, None] + t[:, None, :] - 2 * BIAS
        is_number = (s != NAN_SCALE)[:, :, None] & (t != NAN_SCALE)[:, None, :]
        terms = jnp.where(is_number, scaled(sums, exponents), jnp.float32(jnp.nan))
        product = jnp.sum(terms, axis=0).reshape(self.dst.shape)
        if self.accumulate:
            product = cast(load(memory, self.dst, at), self.dst.dtype, float32) + product
        return store(memory, self.dst, cast(product, float32, self.dst.dtype), at)


def _groups(memory: DeviceMemory, operand: Access, scale: Access, at: Loops) -> tuple[jax.Array, jax.Array]:
    """The 32 floats of each group in each column, `float32[G, 32, F]`, and their scales, `int32[G, F]`."""
    groups = operand.shape[0] // ROWS
    parts = unpacked(load(memory, operand, at), operand.dtype)
    parts = parts.reshape(groups, ROWS, -1, parts.shape[-1])
    floats = jnp.swapaxes(parts, 2, 3).reshape(groups, -1, parts.shape[2])
    scales = load(memory, scales_of_groups(scale, groups), at).astype(jnp.int32)
    return floats, scales.reshape(groups, -1)


def make(
    dst: Access,
    stationary: Access,
    moving: Access,
    stationary_scale: Access,
    moving_scale: Access,
    target: Target,
    *,
    accumulate: bool = False,
    tile_position: Any = (),
    tile_size: Any = (),
) -> NcMatmulMx:
    """A checked `NcMatmulMx`."""
    matmul = NcMatmulMx(
        dst=dst,
        stationary=stationary,
        moving=moving,
        stationary_scale=stationary_scale,
        moving_scale=moving_scale,
        accumulate=accumulate,
        tile_position=pair_of_integers(tile_position, "tile_position", "nc_matmul_mx"),
        tile_size=pair_of_integers(tile_size, "tile_size", "nc_matmul_mx"),
        location=user_location(),
    )
    matmul.check(target)
    return matmul


@takes_target
def nc_matmul_mx(
    memory: DeviceMemory,
    *,
    dst: Ref,
    stationary: Ref,
    moving: Ref,
    stationary_scale: Ref,
    moving_scale: Ref,
    accumulate: bool = False,
    tile_position: Any = (),
    tile_size: Any = (),
    target: Target = TRN3,
) -> DeviceMemory:
    """Memory with the product of two matrices in MX formats: the functional form of `nki.isa.nc_matmul_mx`.

    Args:
        dst: a PSUM reference, `[M, N...]`.
        stationary, moving: SBUF references of packed elements, such as `sbuf("x", "float8_e4m3fn_x4")`.
        stationary_scale, moving_scale: SBUF references of their scales, uint8 or float8_e8m0fnu.
        accumulate: whether the old elements of `dst` are added.
        tile_position, tile_size: as in a kernel.
        target: TRN3 or newer.

    Raises:
        RuleError: the instruction breaks a rule.
    """
    to, *operands = (resolve(ref, memory.buffer) for ref in (dst, stationary, moving, stationary_scale, moving_scale))
    options: Any = {"accumulate": accumulate, "tile_position": tile_position, "tile_size": tile_size}
    x, y, s, t = operands
    return make(to, x, y, s, t, target, **options).execute(memory)
