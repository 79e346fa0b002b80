"""`nki.isa.activation`: a function of each element, scaled and shifted before it, on the Scalar Engine.

The Scalar Engine has one accumulator register per partition. They belong to the engine and not to an instruction, so
they are an operand like any other here: a float32 buffer that one activation leaves behind and the next one finds.
"""

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from jnki.access.access import Access
from jnki.access.mask import as_mask
from jnki.access.ref import Ref
from jnki.dtypes import cast, float32
from jnki.isa.enums import reduce_cmd as ReduceCmd
from jnki.isa.instruction import Instruction, SharedDims
from jnki.isa.operands import load, per_partition, store_float32, tiles, where_enabled
from jnki.isa.operators import OPERATORS, operator
from jnki.isa.rules import check_compute_tile, check_mask, check_same_tile, check_vector
from jnki.isa.scalar.activations import FUNCTIONS, activation_function
from jnki.isa.slopes import multiply
from jnki.memory import NO_LOOPS, DeviceMemory, Loops
from jnki.source import user_location
from jnki.target import TRN2, Target, takes_target

BIAS_TYPES = ("float32", "float16", "bfloat16")
REDUCE_COMMANDS = (ReduceCmd.idle, ReduceCmd.reset, ReduceCmd.reduce, ReduceCmd.reset_reduce)
REDUCE_OPERATORS = ("add", "multiply", "maximum", "minimum")


@dataclass(frozen=True, kw_only=True)
class Activation(Instruction):
    """`dst[p, i] = cast(op(data[p, i] * scale[p] + bias[p]))`, and what it does with the accumulator registers.

    The registers of the partitions that the instruction works on, `r[p]`, and then `reduce_res`:

        idle:          r[p] stays
        reset:         r[p] = start
        reduce:        r[p] = reduce_op(r[p], reduce_op of the float32 results in partition p)
        reset_reduce:  r[p] = reduce_op of the float32 results in partition p
        then           reduce_res[p] = cast(r[p]), if there is one

    where `start` is 0, or the neutral element of a `reduce_op` that is no sum. A masked-off element takes no part; in a
    partition without any enabled element nothing happens.

    Attributes:
        dst, data: `[P, F...]` in SBUF or PSUM, equally many elements.
        op: name of an activation function.
        bias: a `[P, 1]` tile of float32, float16 or bfloat16, or None for zero.
        scale: a number, or a `[P, 1]` tile of float32.
        reduce_op: name of the operator that reduces along the free axes.
        reduce_cmd: what happens to the registers.
        reduce_res: a `[P, 1]` tile that takes their values afterwards.
        accumulator: the registers, `[P, 1]` float32; None where nothing reads what this instruction leaves in them.
    """

    name: ClassVar[str] = "activation"
    writes: ClassVar[tuple[str, ...]] = ("dst", "reduce_res", "accumulator")
    row_results: ClassVar[tuple[str, ...]] = ("reduce_res", "accumulator")
    registers: ClassVar[tuple[str, ...]] = ("accumulator",)
    shared_dims: ClassVar[SharedDims] = "all"

    dst: Access
    data: Access
    op: str
    bias: Access | None = None
    scale: Access | float = 1.0
    reduce_op: str | None = None
    reduce_cmd: ReduceCmd = ReduceCmd.idle
    reduce_res: Access | None = None
    accumulator: Access | None = None

    @property
    def reads_registers(self) -> bool:
        """Whether the old values of the registers matter."""
        kept = self.reduce_cmd is ReduceCmd.idle and self.reduce_res is not None
        return kept or self.reduce_cmd is ReduceCmd.reduce

    def reads(self) -> tuple[Access, ...]:
        found = super().reads()
        if self.accumulator is not None and self.reads_registers:
            found = (*found, self.accumulator)
        return found

    def written(self) -> tuple[Access, ...]:
        registers = None if self.reduce_cmd is ReduceCmd.idle else self.accumulator
        return tuple(access for access in (self.dst, self.reduce_res, registers) if access is not None)

    # Rules.

    def check(self, target: Target) -> None:
        check_compute_tile(self, "data", self.data, target)
        check_compute_tile(self, "dst", self.dst, target)
        check_same_tile(self, self.dst, self.data)
        check_mask(self, "dst", self.dst)
        self._check_scale(target)
        self._check_bias(target)
        self._check_reduction(target)
        super().check(target)

    def _check_scale(self, target: Target) -> None:
        if not isinstance(self.scale, Access):
            return
        if self.scale.dtype != float32:
            raise self.error(
                "err_activation_scale_invalid_type",
                "'scale' has the wrong element type",
                given=f"{self.scale.dtype} {list(self.scale.shape)}",
                allowed="a number, or a float32 vector",
            )
        check_compute_tile(self, "scale", self.scale, target)
        check_vector(self, "scale", self.scale, self.data, "err_activation_scale_scalar_or_vector")

    def _check_bias(self, target: Target) -> None:
        if self.bias is None:
            return
        if self.bias.dtype.name not in BIAS_TYPES:
            raise self.error(
                "err_activation_bias_invalid_type",
                "'bias' has the wrong element type",
                given=f"{self.bias.dtype} {list(self.bias.shape)}",
                allowed=f"a vector of {', '.join(BIAS_TYPES)}",
            )
        check_compute_tile(self, "bias", self.bias, target)
        check_vector(self, "bias", self.bias, self.data)
        if self.op == "reciprocal" and target.neuron_core_version == 2:
            raise self.error(
                f"{self.name}.reciprocal_bias",
                "'reciprocal' takes no bias on NeuronCore-v2",
                given=f"bias {list(self.bias.shape)} on {target.name}",
                allowed="bias=None, or nisa.tensor_scalar and nisa.reciprocal",
            )

    def _check_reduction(self, target: Target) -> None:
        if not isinstance(self.reduce_cmd, ReduceCmd) or self.reduce_cmd not in REDUCE_COMMANDS:
            raise self.error(
                f"{self.name}.reduce_cmd",
                "'reduce_cmd' is no command",
                given=self.reduce_cmd.name if isinstance(self.reduce_cmd, ReduceCmd) else repr(self.reduce_cmd),
                allowed=", ".join(f"nisa.reduce_cmd.{command.name}" for command in REDUCE_COMMANDS),
            )
        reduces = self.reduce_cmd in (ReduceCmd.reduce, ReduceCmd.reset_reduce)
        if reduces != (self.reduce_op is not None):
            raise self.error(
                f"{self.name}.reduce_op",
                "the command needs 'reduce_op'" if reduces else "the command makes no use of 'reduce_op'",
                given=f"reduce_op={self.reduce_op}, reduce_cmd={self.reduce_cmd.name}",
                allowed="reduce_op with reduce_cmd reduce or reset_reduce, and only with these",
            )
        legal = ("add",) if target.neuron_core_version == 2 else REDUCE_OPERATORS
        if self.reduce_op is not None and self.reduce_op not in legal:
            raise self.error(
                f"{self.name}.reduce_op",
                "the Scalar Engine does not reduce with this operator",
                given=f"{self.reduce_op} on {target.name}",
                allowed=", ".join(legal),
            )
        if self.reduce_res is not None:
            check_compute_tile(self, "reduce_res", self.reduce_res, target)
            check_vector(self, "reduce_res", self.reduce_res, self.data)
        if self.accumulator is not None:
            check_vector(self, "accumulator", self.accumulator, self.data)
            if self.accumulator.dtype != float32:
                raise self.error(
                    f"{self.name}.accumulator",
                    "the accumulator registers hold float32",
                    given=str(self.accumulator.dtype),
                    allowed="float32",
                )
        if self.reads_registers and self.accumulator is None:
            raise self.error(
                f"{self.name}.accumulator",
                "the command reads the accumulator registers, and there are none",
                given=f"reduce_cmd={self.reduce_cmd.name}",
                allowed="a [P, 1] float32 buffer as accumulator",
            )

    # Meaning.

    def execute(self, memory: DeviceMemory, at: Loops = NO_LOOPS) -> DeviceMemory:
        if self.data.size == 0:
            return memory
        enabled = None if self.mask is None else self.mask.evaluate(self.dst.shape, at)
        value = self._activated(memory, at)
        after = store_float32(memory, self.dst, value, at, enabled)
        if self.reduce_res is None and self.accumulator is None:
            return after
        rows = None if enabled is None else _by_partition(enabled).any(axis=1)
        registers = self._accumulated(memory, _by_partition(value), at, enabled)
        if self.accumulator is not None and self.reduce_cmd is not ReduceCmd.idle:
            after = store_float32(after, self.accumulator, registers, at, rows)
        if self.reduce_res is not None:
            after = store_float32(after, self.reduce_res, registers, at, rows)
        return after

    def _activated(self, memory: DeviceMemory, at: Loops) -> jax.Array:
        """The float32 results, in the shape of `dst`."""
        x = cast(load(memory, self.data, at), self.data.dtype, float32).reshape(self.dst.shape)
        x = where_enabled(x, self.mask, x.shape, at)
        if isinstance(self.scale, Access) or self.scale != 1:
            x = multiply(x, per_partition(memory, self.scale, float32, x.ndim, at))
        if self.bias is not None:
            x = x + per_partition(memory, self.bias, float32, x.ndim, at)
        return FUNCTIONS[self.op].function(where_enabled(x, self.mask, x.shape, at))

    def _accumulated(self, memory: DeviceMemory, value: jax.Array, at: Loops, enabled: jax.Array | None) -> jax.Array:
        """The registers after the instruction, `float32[P]`; `value` is `[P, N]`."""
        operator = OPERATORS[self.reduce_op or "add"]
        start = jnp.float32(operator.identity)
        reduced = jnp.full(value.shape[:1], start)
        if self.reduce_cmd in (ReduceCmd.reduce, ReduceCmd.reset_reduce):
            assert operator.reduction is not None
            if enabled is not None:
                value = jnp.where(_by_partition(enabled), value, start)
            reduced = operator.reduction(value, axis=(1,))
        if not self.reads_registers:
            return reduced
        assert self.accumulator is not None
        old = load(memory, self.accumulator, at).reshape(-1)
        return operator.function(old, reduced)

    # What the recorder asks for.

    def only_dst(self) -> Instruction:
        return Activation(
            dst=self.dst,
            data=self.data,
            op=self.op,
            bias=self.bias,
            scale=self.scale,
            mask=self.mask,
            location=self.location,
        )

    def without_registers(self) -> Instruction:
        return replace(self, accumulator=None)


def _by_partition(tile: jax.Array) -> jax.Array:
    return tile.reshape(tile.shape[0], -1)


@takes_target
def activation(
    memory: DeviceMemory,
    *,
    dst: Ref,
    op: Any,
    data: Ref,
    bias: Ref | None = None,
    scale: Ref | float = 1.0,
    reduce_op: Any = None,
    reduce_cmd: ReduceCmd = ReduceCmd.idle,
    reduce_res: Ref | None = None,
    accumulator: Ref | None = None,
    mask: Any = None,
    target: Target = TRN2,
) -> DeviceMemory:
    """Memory with an activation function applied to a tile: the functional form of `nki.isa.activation`.

    Args:
        dst, data: SBUF or PSUM references with equal partitions and elements per partition; types may differ.
        op: an activation function, by its name or as a NumPy function.
        bias, scale, reduce_op, reduce_cmd, reduce_res: as in a kernel.
        accumulator: the registers of the partitions of `data`, `[P, 1]` float32; needed by the commands that read them.
        mask: where false, nothing is written, and an element takes no part in the reduction.

    Raises:
        RuleError: the instruction breaks a rule.
    """
    instruction = Activation(
        op=activation_function(op, "activation", by_name=True).name,
        reduce_op=None if reduce_op is None else operator(reduce_op, "activation", "reduce_op", by_name=True).name,
        reduce_cmd=reduce_cmd,
        mask=as_mask(mask),
        location=user_location(),
        **tiles(memory, dst=dst, data=data, bias=bias, scale=scale, reduce_res=reduce_res, accumulator=accumulator),
    )
    instruction.check(target)
    return instruction.execute(memory)
