"""`nki.isa.nc_transpose`: partitions become the free axis and the free axis becomes partitions."""

import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import jax.numpy as jnp

from jnki.access.access import Access
from jnki.access.bounds import check_bounds
from jnki.access.buffer import Space
from jnki.access.mask import Comparison, Mask, as_mask
from jnki.access.ref import Ref, resolve
from jnki.dtypes import cast
from jnki.errors import RuleError, not_modelled
from jnki.isa.enums import engine as Engine
from jnki.isa.instruction import Instruction
from jnki.isa.operands import load, store
from jnki.isa.rules import check_compute_tile, check_engine, check_keeps_opaque, wrong_memory
from jnki.isa.vector.tensor_copy import TensorCopy
from jnki.memory import NO_LOOPS, DeviceMemory, Loops
from jnki.source import user_location
from jnki.target import TRN2, Target, takes_target


@dataclass(frozen=True, kw_only=True)
class NcTranspose(Instruction):
    """`dst[f, p] = data[p, f]`: a move, bit for bit, or a cast where the element types differ.

    Attributes:
        dst: `[F, P]`; in PSUM where the Tensor Engine is asked for, else in SBUF or PSUM.
        data: `[P, F]` (several free axes count as one); in SBUF for the Tensor Engine, else in SBUF or PSUM.
        engine: tensor (128 x 128 at most), vector (32 x 32 at most), or unknown, which picks by shape and leaves it
            to the compiler how the result gets into `dst`.

    `mask` is over `dst.shape`.
    """

    name: ClassVar[str] = "nc_transpose"
    takes_opaque: ClassVar[bool] = True

    dst: Access
    data: Access
    engine: Engine = Engine.unknown

    def redirected(self, dst: Access) -> Instruction:  # type: ignore[override]
        """What puts the result into `dst`: this instruction where it can; else the copy that follows it."""
        if self.engine is Engine.tensor and dst.buffer.space is not Space.PSUM:
            return TensorCopy(dst=dst, src=self.dst, mask=self.mask, location=self.location)
        return replace(self, dst=dst)

    @property
    def shape(self) -> tuple[int, int]:
        """`(P, F)` of `data`, its free axes as one."""
        return self.data.shape[0], math.prod(self.data.shape[1:])

    def check(self, target: Target) -> None:
        check_engine(self, self.engine, (Engine.tensor, Engine.vector))
        check_compute_tile(self, "data", self.data, target)
        runs_on = engine_for(self.shape, self.engine, target)
        limit = transpose_limit(runs_on, target)
        if max(self.shape) > limit:
            raise self.error(
                "err_size_of_dimension_exceed_arch_limit",
                f"'data' is too large to transpose on the {runs_on.name} engine",
                given=f"{list(self.shape)} (partitions, elements in each)",
                allowed=f"at most [{limit}, {limit}] on {target.name}",
            )
        check_compute_tile(self, "dst", self.dst, target)
        check_keeps_opaque(self, self.dst, self.data)
        if runs_on is Engine.tensor:
            self._check_tensor_engine()
        if (self.dst.shape[0], math.prod(self.dst.shape[1:])) != (self.shape[1], self.shape[0]):
            raise self.error(
                "nc_transpose.shape",
                "dst does not have the transposed shape",
                given=f"data {list(self.data.shape)}, dst {list(self.dst.shape)}",
                allowed=f"dst [{self.shape[1]}, {self.shape[0]}]",
            )
        check_bounds(self.data, _over_data(self.mask, self.data.shape), "nc_transpose's data")
        check_bounds(self.dst, self.mask, "nc_transpose's dst")

    def _check_tensor_engine(self) -> None:
        wrong = {}
        if self.data.buffer.space is not Space.SBUF:
            wrong["data"] = (self.data, "sbuf")
        if self.engine is Engine.tensor and self.dst.buffer.space is not Space.PSUM:
            wrong["dst"] = (self.dst, "psum")
        for operand, (access, allowed) in wrong.items():
            raise wrong_memory(self, operand, access, allowed, ": the Tensor Engine reads SBUF and writes PSUM")

    def execute(self, memory: DeviceMemory, at: Loops = NO_LOOPS) -> DeviceMemory:
        box = None if self.mask is None else self.mask.box(self.dst.shape)
        if box is not None and len(self.data.shape) == len(self.dst.shape) == 2:
            smaller = replace(
                self, dst=self.dst.restricted(box), data=self.data.restricted((box[1], box[0])), mask=None
            )
            return smaller.execute(memory, at)
        moved = jnp.swapaxes(load(memory, self.data, at).reshape(self.shape), 0, 1)
        value = cast(moved, self.data.dtype, self.dst.dtype).reshape(self.dst.shape)
        return store(memory, self.dst, value, at, self.mask)


def engine_for(shape: tuple[int, int], asked: Engine, target: Target) -> Engine:
    """The engine that transposes `[P, F]`: the one asked for, else the Vector Engine where the tile is small enough."""
    if asked is not Engine.unknown:
        return asked
    return Engine.vector if max(shape) <= transpose_limit(Engine.vector, target) else Engine.tensor


def transpose_limit(runs_on: Engine, target: Target) -> int:
    """The largest partition and free size that the engine can transpose."""
    return target.partition_quadrant if runs_on is Engine.vector else target.gemm_stationary_fmax


def make(dst: Access, data: Access, mask: Mask | None, engine: Engine, target: Target) -> NcTranspose:
    """A checked `NcTranspose`; `mask` is over the shape of `data`."""
    transpose = NcTranspose(
        dst=dst,
        data=data,
        engine=engine,
        mask=None if mask is None else _over_result(mask, data.shape),
        location=user_location(),
    )
    transpose.check(target)
    return transpose


def _over_result(mask: Mask, shape: tuple[int, ...]) -> Mask:
    """A mask over `data`, of `shape` `[P, F...]`, as one over the result `[F, P]`."""
    if not mask.fits(shape):
        raise RuleError(
            "nc_transpose.mask",
            "nc_transpose: the mask does not fit 'data'",
            given=f"mask {list(mask.shape)}, data {list(shape)}",
            allowed="a shape that broadcasts to that of data",
        )
    found = []
    for c in mask.comparisons:
        partition, *free = (0,) * (len(shape) - len(c.steps)) + c.steps
        if len(free) > 1 and any(free):
            raise not_modelled("a mask along several free axes of nc_transpose's data")
        found.append(_comparison(c, (free[-1], partition), (math.prod(shape[1:]), shape[0])))
    return Mask(tuple(found))


def _over_data(mask: Mask | None, shape: tuple[int, ...]) -> Mask | None:
    """The inverse of `_over_result`."""
    if mask is None:
        return None
    found = []
    for c in mask.comparisons:
        free, partition = c.steps or (0, 0)
        found.append(_comparison(c, (partition, *(0,) * (len(shape) - 2), free), shape))
    return Mask(tuple(found))


def _comparison(c: Comparison, steps: tuple[int, ...], shape: tuple[int, ...]) -> Comparison:
    if not any(steps):
        return Comparison(c.base, (), (), c.test)
    return Comparison(c.base, steps, tuple(n if step else 1 for n, step in zip(shape, steps)), c.test)


@takes_target
def nc_transpose(
    memory: DeviceMemory,
    *,
    dst: Ref,
    data: Ref,
    mask: Any = None,
    engine: Engine = Engine.unknown,
    target: Target = TRN2,
) -> DeviceMemory:
    """Memory with the transpose of `data` in `dst`: the functional form of `nki.isa.nc_transpose`.

    Args:
        dst: an SBUF or PSUM reference, `[F, P]`.
        data: an SBUF or PSUM reference, `[P, F]`.
        mask: over the axes of `data`; where false, `dst` stays as it was.
        engine: tensor, vector or unknown.

    Raises:
        RuleError: the instruction breaks a rule.
    """
    to, source = resolve(dst, memory.buffer), resolve(data, memory.buffer)
    return make(to, source, as_mask(mask), engine, target).execute(memory)
