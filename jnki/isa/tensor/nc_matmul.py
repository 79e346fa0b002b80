"""`nki.isa.nc_matmul`: the matrix product of two SBUF tiles, into PSUM, on the Tensor Engine."""

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jax import lax

from jnki.access.access import Access
from jnki.access.bounds import check_bounds
from jnki.access.buffer import Space
from jnki.access.mask import Mask, as_mask
from jnki.access.ref import Ref, resolve
from jnki.dtypes import ElementType, bfloat16, cast, float16, float32
from jnki.errors import not_modelled
from jnki.isa.instruction import Instruction
from jnki.isa.operands import load, store
from jnki.isa.rule_set import RuleSet
from jnki.isa.tensor.current_matmul_rules import check_current
from jnki.isa.tensor.matmul_masks import Layout, over_moving, over_stationary, split_masks
from jnki.isa.tensor.matmul_rules import check_double_row, check_matmul
from jnki.isa.tensor.pe_tiling import check_pe_tiling, pair_of_integers
from jnki.isa.vector.tensor_copy import TensorCopy
from jnki.isa.vector.tensor_tensor import TensorTensor
from jnki.memory import NO_LOOPS, DeviceMemory, Loops
from jnki.source import user_location
from jnki.target import TRN2, Target, takes_target

DOUBLE_ROW = "double_row"
_PERF_MODES = {None: "", "": "", "none": "", DOUBLE_ROW: DOUBLE_ROW, "double_row_gen3": DOUBLE_ROW}


@dataclass(frozen=True, kw_only=True)
class NcMatmul(Instruction):
    """`dst[m, n] = sum over k of stationary[k, m] * moving[k, n]`, added to `dst` where `accumulate` is set.

    The sum is in float32 with full precision, and is rounded once, to the type of `dst`.

    Attributes:
        dst: `[M, N...]` in PSUM, of a float type.
        stationary: `[K, M]` in SBUF, M <= 128 (several free axes count as one).
        moving: `[K, N...]` in SBUF, N <= 512.
        accumulate: whether the old elements of `dst` are added.
        contraction_mask: over `[K]`: which elements contribute. `mask` is over `dst.shape`: which are written.
        is_stationary_onezero, is_moving_onezero: a promise about values, which changes none.
        is_transpose: a promise that `moving` is an identity.
        keeps_nonfinite: with `is_transpose` from NeuronCore-v3 on: NaN and infinities arrive where they belong.
        tile_position, tile_size: `(row, column)` of the PE tile, or `()`.
        perf_mode: "double_row" for operands `[K, 2, F]` of float8, contracted over both axes; or "".
        rules: the dialect whose rules hold.
    """

    name: ClassVar[str] = "nc_matmul"

    dst: Access
    stationary: Access
    moving: Access
    accumulate: bool = False
    contraction_mask: Mask | None = None
    is_stationary_onezero: bool = False
    is_moving_onezero: bool = False
    is_transpose: bool = False
    keeps_nonfinite: bool = False
    tile_position: tuple[int, ...] = ()
    tile_size: tuple[int, ...] = ()
    perf_mode: str = ""
    rules: RuleSet = field(default=RuleSet.legacy, repr=False)

    @property
    def reads_destination(self) -> bool:
        return self.accumulate

    @property
    def sums_partitions(self) -> bool:
        return self.accumulate and self.contraction_mask is None and not (self.is_transpose or self.perf_mode)

    def from_nothing(self) -> "NcMatmul":
        return replace(self, accumulate=False)

    @property
    def layout(self) -> Layout:
        return layout_of(self.stationary, self.moving, self.perf_mode)

    def redirected(self, dst: Access) -> Instruction:  # type: ignore[override]
        """What puts the result into `dst`: this instruction in PSUM; elsewhere the copy that follows it."""
        if dst.buffer.space is Space.PSUM:
            return replace(self, dst=dst)
        return TensorCopy(dst=dst, src=self.dst, mask=self.mask, location=self.location)

    def accumulated_into(self, dst: Access) -> Instruction:
        """What adds the result to `dst`: this instruction in PSUM; elsewhere the Vector Engine, after it."""
        if dst.buffer.space is Space.PSUM:
            return replace(self, dst=dst, accumulate=True)
        return TensorTensor(dst=dst, data1=dst, data2=self.dst, op="add", mask=self.mask, location=self.location)

    def check(self, target: Target) -> None:
        check_matmul(self, self.dst, self.stationary, self.moving, self.layout, target)
        rows, columns = self.stationary.shape[0], self.layout.result[0]
        check_pe_tiling(self, self.tile_position, self.tile_size, rows, columns, target)
        if self.perf_mode == DOUBLE_ROW:
            check_double_row(self, self.stationary, self.moving, self.is_transpose, self.tile_size, target)
        if self.rules is RuleSet.current:
            check_current(self, self.dst, self.stationary, self.moving, target)
        masks = self.mask, self.contraction_mask
        check_bounds(self.stationary, over_stationary(self.layout, *masks), "nc_matmul's stationary")
        check_bounds(self.moving, over_moving(self.layout, *masks), "nc_matmul's moving")
        check_bounds(self.dst, self.mask, "nc_matmul's dst")

    def execute(self, memory: DeviceMemory, at: Loops = NO_LOOPS) -> DeviceMemory:
        smaller = self.trimmed()
        return smaller._execute(memory, at) if smaller.dst.size else memory

    def trimmed(self) -> "NcMatmul":
        """The same instruction on just the elements that its masks enable, where these form boxes."""
        if self.mask is None and self.contraction_mask is None:
            return self
        layout = self.layout
        result = _box(self.mask, layout.result)
        depth = _box(self.contraction_mask, layout.stationary[: layout.contracted])
        if result is None or depth is None:
            return self
        is_cut = result[0] != (0, layout.result[0])
        rows = result[:1] if is_cut else tuple((0, n) for n in layout.stationary[layout.contracted :])
        columns = result[1:]
        return replace(
            self,
            dst=self.dst if self.mask is None else self.dst.restricted(result),
            stationary=self.stationary.restricted((*depth, *rows)),
            moving=self.moving.restricted((*depth, *columns)),
            mask=None,
            contraction_mask=None,
            # The identity still starts at its first row and column.
            keeps_nonfinite=self.keeps_nonfinite and all(low == 0 for low, _ in (*depth, *columns)),
        )

    def _execute(self, memory: DeviceMemory, at: Loops) -> DeviceMemory:
        layout, masks = self.layout, (self.mask, self.contraction_mask)
        stationary = _enabled(load(memory, self.stationary, at), over_stationary(layout, *masks), at)
        moving = _enabled(load(memory, self.moving, at), over_moving(layout, *masks), at)
        product = contract(stationary, self.stationary.dtype, moving, self.moving.dtype, layout.contracted)
        if self.keeps_nonfinite and product.shape[1] <= stationary.shape[0]:
            moved = cast(stationary, self.stationary.dtype, float32).reshape(stationary.shape[0], -1)
            product = jnp.where(jnp.isfinite(product), product, moved[: product.shape[1]].T)
        product = product.reshape(self.dst.shape)
        if self.accumulate:
            product = cast(load(memory, self.dst, at), self.dst.dtype, float32) + product
        return store(memory, self.dst, cast(product, float32, self.dst.dtype), at, self.mask)


def contract(
    stationary: jax.Array,
    stationary_type: ElementType,
    moving: jax.Array,
    moving_type: ElementType,
    contracted: int = 1,
) -> jax.Array:
    """`float32[M, N]`: the sum over the leading `contracted` axes of all products, each of them exact.

    Equal 16-bit types are left to the backend, which may have units that multiply them into float32 directly. XLA's CPU
    code has none, and fails where only the moving operand is batched.
    """

    def widened(x: jax.Array, y: jax.Array) -> jax.Array:
        return _dot(cast(x, stationary_type, float32), cast(y, moving_type, float32), contracted)

    if stationary_type != moving_type or stationary_type not in (bfloat16, float16):
        return widened(stationary, moving)
    return lax.platform_dependent(stationary, moving, cpu=widened, default=lambda x, y: _dot(x, y, contracted))


def _dot(stationary: jax.Array, moving: jax.Array, contracted: int) -> jax.Array:
    depth = tuple(range(contracted))
    return lax.dot_general(
        stationary.reshape(*stationary.shape[:contracted], -1),
        moving.reshape(*moving.shape[:contracted], -1),
        ((depth, depth), ((), ())),
        precision=lax.Precision.HIGHEST,
        preferred_element_type=jnp.float32,
    )


def layout_of(stationary: Access, moving: Access, perf_mode: str = "") -> Layout:
    """The shapes of a matmul of these operands."""
    return Layout(stationary.shape, moving.shape, 2 if perf_mode == DOUBLE_ROW else 1)


def perf_mode_named(name: str | None) -> str:
    """The performance mode that `name` asks for.

    Raises:
        NotImplementedError: jnki does not model it.
    """
    mode = _PERF_MODES.get(name)
    if mode is None:
        raise not_modelled(f"nc_matmul's perf_mode {name!r}")
    return mode


def make(
    dst: Access,
    stationary: Access,
    moving: Access,
    target: Target,
    *,
    accumulate: bool = False,
    mask: Mask | None = None,
    stationary_mask: Mask | None = None,
    moving_mask: Mask | None = None,
    is_stationary_onezero: bool = False,
    is_moving_onezero: bool = False,
    is_transpose: bool = False,
    tile_position: Any = (),
    tile_size: Any = (),
    perf_mode: str = "",
    rules: RuleSet = RuleSet.legacy,
) -> NcMatmul:
    """A checked `NcMatmul`.

    Args:
        mask, stationary_mask, moving_mask: as the user gave them, over the axes of the operands.
        perf_mode: as `perf_mode_named` gives it.
    """
    result, contraction = split_masks(layout_of(stationary, moving, perf_mode), mask, stationary_mask, moving_mask)
    matmul = NcMatmul(
        dst=dst,
        stationary=stationary,
        moving=moving,
        accumulate=accumulate,
        mask=result,
        contraction_mask=contraction,
        is_stationary_onezero=is_stationary_onezero,
        is_moving_onezero=is_moving_onezero,
        is_transpose=is_transpose,
        keeps_nonfinite=is_transpose is True and target.neuron_core_version >= 3,
        tile_position=pair_of_integers(tile_position, "tile_position"),
        tile_size=pair_of_integers(tile_size, "tile_size"),
        perf_mode=perf_mode,
        rules=rules,
        location=user_location(),
    )
    matmul.check(target)
    return matmul


def _enabled(tile: jax.Array, mask: Mask | None, at: Loops) -> jax.Array:
    """The tile with zeros where the mask is false: whatever lies there, even NaN, contributes nothing."""
    return tile if mask is None else jnp.where(mask.evaluate(tile.shape, at), tile, jnp.zeros((), tile.dtype))


def _box(mask: Mask | None, shape: tuple[int, ...]) -> tuple[tuple[int, int], ...] | None:
    return tuple((0, n) for n in shape) if mask is None else mask.box(shape)


@takes_target
def nc_matmul(
    memory: DeviceMemory,
    *,
    dst: Ref,
    stationary: Ref,
    moving: Ref,
    accumulate: bool = False,
    is_stationary_onezero: bool = False,
    is_moving_onezero: bool = False,
    is_transpose: bool = False,
    tile_position: Any = (),
    tile_size: Any = (),
    mask: Any = None,
    stationary_mask: Any = None,
    moving_mask: Any = None,
    perf_mode: str | None = None,
    rules: RuleSet = RuleSet.legacy,
    target: Target = TRN2,
) -> DeviceMemory:
    """Memory with `stationary.T @ moving` in `dst`, or added to it: the functional form of `nki.isa.nc_matmul`.

    Args:
        dst: a PSUM reference, `[M, N...]`.
        stationary, moving: SBUF references, `[K, M]` and `[K, N...]`.
        accumulate: whether the old elements of `dst` are added.
        mask, stationary_mask, moving_mask: comparisons along one axis each; `mask` speaks of either operand.
        is_stationary_onezero, is_moving_onezero, is_transpose, tile_position, tile_size, perf_mode: as in a kernel.
        rules: the dialect whose rules hold.

    Raises:
        RuleError: the instruction breaks a rule.
    """
    to, x, y = (resolve(ref, memory.buffer) for ref in (dst, stationary, moving))
    matmul = make(
        to,
        x,
        y,
        target,
        accumulate=accumulate,
        mask=as_mask(mask),
        stationary_mask=as_mask(stationary_mask),
        moving_mask=as_mask(moving_mask),
        is_stationary_onezero=is_stationary_onezero,
        is_moving_onezero=is_moving_onezero,
        is_transpose=is_transpose,
        tile_position=tile_position,
        tile_size=tile_size,
        perf_mode=perf_mode_named(perf_mode),
        rules=rules,
    )
    return matmul.execute(memory)
