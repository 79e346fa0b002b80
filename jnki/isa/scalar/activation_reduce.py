"""`nki.isa.activation_reduce`: an activation, and the reduction of its results, on the Scalar Engine."""

from dataclasses import dataclass
from typing import Any, ClassVar

from jnki.access.mask import as_mask
from jnki.access.ref import Ref
from jnki.isa.enums import reduce_cmd as ReduceCmd
from jnki.isa.operands import tiles
from jnki.isa.operators import operator
from jnki.isa.scalar.activation import Activation, as_bias
from jnki.isa.scalar.activations import activation_function
from jnki.memory import DeviceMemory
from jnki.source import user_location
from jnki.target import TRN2, Target, takes_target


@dataclass(frozen=True, kw_only=True)
class ActivationReduce(Activation):
    """`dst[p, i] = cast(op(data[p, i] * scale[p] + bias[p]))` and `reduce_res[p] = cast(reduce_op over i)`.

    It is an `Activation` with `reset_reduce` and a `reduce_res`: it leaves the reduction in the accumulator registers
    too. The reduction is of the float32 results, before `dst` rounds them.
    """

    name: ClassVar[str] = "activation_reduce"

    reduce_cmd: ReduceCmd = ReduceCmd.reset_reduce

    def check(self, target: Target) -> None:
        if self.reduce_res is None:
            raise self.error(
                "activation_reduce.reduce_res",
                "there must be a tile for the result of the reduction",
                given="reduce_res=None",
                allowed="a tile of [P, 1]",
            )
        super().check(target)


@takes_target
def activation_reduce(
    memory: DeviceMemory,
    *,
    dst: Ref,
    op: Any,
    data: Ref,
    reduce_op: Any,
    reduce_res: Ref,
    bias: Ref | float | None = None,
    scale: Ref | float = 1.0,
    accumulator: Ref | None = None,
    mask: Any = None,
    target: Target = TRN2,
) -> DeviceMemory:
    """Memory with an activation and its reduction: the functional form of `nki.isa.activation_reduce`.

    Args:
        reduce_res: a `[P, 1]` reference for the reduction of the results in each partition.
        dst, op, data, bias, scale, reduce_op, accumulator, mask: as for `activation`.

    Raises:
        RuleError: the instruction breaks a rule.
    """
    instruction = ActivationReduce(
        op=activation_function(op, "activation_reduce", by_name=True).name,
        reduce_op=operator(reduce_op, "activation_reduce", "reduce_op", by_name=True).name,
        mask=as_mask(mask),
        location=user_location(),
        **tiles(
            memory,
            dst=dst,
            data=data,
            bias=as_bias("activation_reduce", bias),
            scale=scale,
            reduce_res=reduce_res,
            accumulator=accumulator,
        ),
    )
    instruction.check(target)
    return instruction.execute(memory)
