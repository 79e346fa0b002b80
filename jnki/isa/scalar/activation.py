"""`nki.isa.activation`: a function of each element, scaled and shifted before it, on the Scalar Engine."""

from dataclasses import dataclass
from typing import Any, ClassVar

import jax

from jnki.access.access import Access
from jnki.access.mask import as_mask
from jnki.access.ref import Ref
from jnki.dtypes import cast, float32
from jnki.isa.constants import as_number
from jnki.isa.enums import reduce_cmd as ReduceCmd
from jnki.isa.instruction import Instruction, SharedDims
from jnki.isa.operands import load, per_partition, store_float32, tiles, where_enabled
from jnki.isa.operators import operator
from jnki.isa.rules import check_compute_tile, check_mask, check_same_tile, check_vector
from jnki.isa.scalar.activations import FUNCTIONS, activation_function
from jnki.isa.scalar.registers import ScalarRegisters
from jnki.isa.slopes import multiply
from jnki.memory import NO_LOOPS, DeviceMemory, Loops
from jnki.source import user_location
from jnki.target import TRN2, Target, takes_target

BIAS_TYPES = ("float32", "float16", "bfloat16")


@dataclass(frozen=True, kw_only=True)
class Activation(ScalarRegisters):
    """`dst[p, i] = cast(op(data[p, i] * scale[p] + bias[p]))`; `ScalarRegisters` has what becomes of the results.

    Attributes:
        dst, data: `[P, F...]` in SBUF or PSUM, equally many elements.
        op: name of an activation function.
        bias: a `[P, 1]` tile of float32, float16 or bfloat16, None for zero, or, from NeuronCore-v3 on, a number.
        scale: a number, or a `[P, 1]` tile of float32.
    """

    name: ClassVar[str] = "activation"
    shared_dims: ClassVar[SharedDims] = "all"

    dst: Access
    data: Access
    op: str
    bias: Access | float | None = None
    scale: Access | float = 1.0
    # Rules.

    def check(self, target: Target) -> None:
        check_compute_tile(self, "data", self.data, target)
        check_compute_tile(self, "dst", self.dst, target)
        check_same_tile(self, self.dst, self.data)
        check_mask(self, "dst", self.dst)
        self._check_scale(target)
        self._check_bias(target)
        self.check_reduction(self.data, target)
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
        if not isinstance(self.bias, Access):
            if target.neuron_core_version < 3:
                raise self.error(
                    f"{self.name}.bias",
                    "a number as 'bias' is for NeuronCore-v3 and newer",
                    given=f"{self.bias} on {target.name}",
                    allowed="a [P, 1] tile",
                )
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

    # Meaning.

    def execute(self, memory: DeviceMemory, at: Loops = NO_LOOPS) -> DeviceMemory:
        if self.data.size == 0:
            return memory
        enabled = None if self.mask is None else self.mask.evaluate(self.dst.shape, at)
        value = self._activated(memory, at)
        after = store_float32(memory, self.dst, value, at, enabled)
        return self.reduced(memory, after, value, at, enabled)

    def _activated(self, memory: DeviceMemory, at: Loops) -> jax.Array:
        """The float32 results, in the shape of `dst`."""
        x = cast(load(memory, self.data, at), self.data.dtype, float32).reshape(self.dst.shape)
        x = where_enabled(x, self.mask, x.shape, at)
        if isinstance(self.scale, Access) or self.scale != 1:
            x = multiply(x, per_partition(memory, self.scale, float32, x.ndim, at))
        if self.bias is not None:
            x = x + per_partition(memory, self.bias, float32, x.ndim, at)
        return FUNCTIONS[self.op].function(where_enabled(x, self.mask, x.shape, at))

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


def as_bias(instruction: str, bias: Any) -> Any:
    """A bias that is no tile as a number."""
    return bias if bias is None or isinstance(bias, Ref) else float(as_number(instruction, bias))


@takes_target
def activation(
    memory: DeviceMemory,
    *,
    dst: Ref,
    op: Any,
    data: Ref,
    bias: Ref | float | None = None,
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
        **tiles(
            memory,
            dst=dst,
            data=data,
            bias=as_bias("activation", bias),
            scale=scale,
            reduce_res=reduce_res,
            accumulator=accumulator,
        ),
    )
    instruction.check(target)
    return instruction.execute(memory)
