"""`nki.isa.activate2`: up to two operators, a function of each element, and a reduction, on the Scalar Engine."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from jnki.access.access import Access
from jnki.access.ref import Ref
from jnki.dtypes import cast, float32
from jnki.isa.constants import as_number
from jnki.isa.enums import reduce_cmd as ReduceCmd
from jnki.isa.instruction import Instruction, SharedDims
from jnki.isa.operands import load, per_partition, store_float32, tiles
from jnki.isa.operators import OPERATORS, name_of, operator
from jnki.isa.rules import check_compute_tile, check_no_mask, check_same_tile, check_vector, check_version
from jnki.isa.scalar.activations import FUNCTIONS, activation_function
from jnki.isa.scalar.registers import ScalarRegisters
from jnki.isa.slopes import multiply
from jnki.memory import NO_LOOPS, DeviceMemory, Loops
from jnki.source import user_location
from jnki.target import TRN3, Target, takes_target

PRELU = "prelu"
PAIRS = (
    ("multiply", "add"),
    ("multiply", "subtract"),
    ("multiply", None),
    ("add", None),
    ("subtract", None),
    (None, None),
)
REDUCE_OPERATORS = ("add", "maximum", "minimum", "abs_max", "abs_min")


@dataclass(frozen=True, kw_only=True)
class Activate2(ScalarRegisters):
    """`dst[p, i] = cast(op((data[p, i] <op0> imm0[p]) <op1> imm1[p]))`; `ScalarRegisters` has what becomes of it.

    Attributes:
        dst, data: `[P, F...]` in SBUF or PSUM, equally many elements.
        op: name of an activation function, or `prelu`.
        op0, op1: names of operators, a pair of `PAIRS`; None where there is none, and its number counts for nothing.
        imm0, imm1: numbers, or `[P, 1]` tiles, of one type where both are tiles.
        reverse0, reverse1: whether the number stands on the left.
        relu_param: the slope of `prelu` below zero, a number or such a tile; 0.0 beside all other functions.
    """

    name: ClassVar[str] = "activate2"
    shared_dims: ClassVar[SharedDims] = "all"
    reset_takes_operator: ClassVar[bool] = True

    dst: Access
    data: Access
    op: str
    imm0: Access | float
    imm1: Access | float
    op0: str | None
    op1: str | None
    relu_param: Access | float = 0.0
    reverse0: bool = False
    reverse1: bool = False

    def reduce_operators(self, target: Target) -> tuple[str, ...]:
        return REDUCE_OPERATORS

    def check(self, target: Target) -> None:
        check_version(self, target, 4, "; nisa.activation on all")
        check_compute_tile(self, "data", self.data, target)
        check_compute_tile(self, "dst", self.dst, target)
        check_same_tile(self, self.dst, self.data)
        if (self.op0, self.op1) not in PAIRS:
            raise self.error(
                "activate2.operators",
                "the Scalar Engine does not apply these operators",
                given=f"({self.op0 or 'bypass'}, {self.op1 or 'bypass'})",
                allowed=", ".join(f"({a or 'bypass'}, {b or 'bypass'})" for a, b in PAIRS),
            )
        turned = (("reverse0", self.op0, self.reverse0), ("reverse1", self.op1, self.reverse1))
        for argument, op, reverse in turned:
            if reverse and op is None:
                raise self.error(
                    f"activate2.{argument}",
                    f"there is no operator that '{argument}' turns round",
                    given="bypass",
                    allowed="False",
                )
        vectors = {"imm0": self.imm0, "imm1": self.imm1, "relu_param": self.relu_param}
        for argument, value in vectors.items():
            if isinstance(value, Access):
                check_compute_tile(self, argument, value, target)
                check_vector(self, argument, value, self.data)
        if isinstance(self.imm0, Access) and isinstance(self.imm1, Access) and self.imm0.dtype != self.imm1.dtype:
            raise self.error(
                "activate2.dtype",
                "imm0 and imm1 have different element types",
                given=f"imm0 {self.imm0.dtype}, imm1 {self.imm1.dtype}",
                allowed="one element type",
            )
        if self.op != PRELU and (isinstance(self.relu_param, Access) or self.relu_param != 0):
            raise self.error(
                "activate2.relu_param",
                f"'{self.op}' has no parameter",
                given=f"relu_param={self.relu_param}",
                allowed="0.0, or op=nl.prelu",
            )
        self.check_reduction(self.data, target)
        check_no_mask(self)
        super().check(target)

    def execute(self, memory: DeviceMemory, at: Loops = NO_LOOPS) -> DeviceMemory:
        if self.data.size == 0:
            return memory
        x = cast(load(memory, self.data, at), self.data.dtype, float32).reshape(self.dst.shape)
        for op, operand, reverse in ((self.op0, self.imm0, self.reverse0), (self.op1, self.imm1, self.reverse1)):
            if op is not None:
                number = per_partition(memory, operand, float32, x.ndim, at)
                x = OPERATORS[op].function(*((number, x) if reverse else (x, number)))
        if self.op == PRELU:
            slope = per_partition(memory, self.relu_param, float32, x.ndim, at)
            value = jnp.where(x > 0, x, multiply(slope, jnp.minimum(x, 0)))
        else:
            value = FUNCTIONS[self.op].function(x)
        after = store_float32(memory, self.dst, value, at, None)
        return self.reduced(memory, after, value, at, None)

    def reduction(self, value: jax.Array) -> jax.Array:
        """Each row reduced; of equal magnitudes the last one counts, as if one element after another were taken."""
        if self.reduce_op not in ("abs_max", "abs_min"):
            return super().reduction(value)
        find = jnp.argmax if self.reduce_op == "abs_max" else jnp.argmin
        place = value.shape[1] - 1 - find(jnp.abs(value[:, ::-1]), axis=1)
        return jnp.take_along_axis(value, place[:, None], axis=1)[:, 0]

    def only_dst(self) -> Instruction:
        return replace(self, reduce_op=None, reduce_cmd=ReduceCmd.idle, reduce_res=None, accumulator=None)


def pair_operator(op: Any, argument: str) -> str | None:
    """The name of an operator, None for `bypass` and None."""
    if op is None or op == "bypass" or name_of(op) == "bypass":
        return None
    return operator(op, "activate2", argument, by_name=True).name


def function_name(op: Any) -> str:
    """The name of an activation function, or `prelu`."""
    if op == PRELU or name_of(op) == PRELU:
        return PRELU
    return activation_function(op, "activate2", by_name=True).name


@takes_target
def activate2(
    memory: DeviceMemory,
    *,
    dst: Ref,
    op: Any,
    data: Ref,
    imm0: Ref | float,
    imm1: Ref | float,
    op0: Any,
    op1: Any,
    relu_param: Ref | float = 0.0,
    reverse0: bool = False,
    reverse1: bool = False,
    reduce_op: Any = None,
    reduce_cmd: ReduceCmd = ReduceCmd.idle,
    reduce_res: Ref | None = None,
    accumulator: Ref | None = None,
    target: Target = TRN3,
) -> DeviceMemory:
    """Memory with operators and an activation function applied to a tile: the functional form of `nki.isa.activate2`.

    Args:
        dst, data: SBUF or PSUM references with equal partitions and elements per partition; types may differ.
        op: an activation function, by its name or as a NumPy function.
        op0, op1: operators, by name or as NumPy functions; "bypass" or None for none.
        imm0, imm1, relu_param: numbers, or `[P, 1]` references.
        reverse0, reverse1, reduce_op, reduce_cmd, reduce_res: as in a kernel.
        accumulator: the registers of the partitions of `data`, `[P, 1]` float32; needed by the commands that read them.
        target: TRN3 unless given: older ones do not have the instruction.

    Raises:
        RuleError: the instruction breaks a rule.
    """
    numbers = {
        name: value if isinstance(value, Ref) else float(as_number("activate2", value))
        for name, value in (("imm0", imm0), ("imm1", imm1), ("relu_param", relu_param))
    }
    instruction = Activate2(
        op=function_name(op),
        op0=pair_operator(op0, "op0"),
        op1=pair_operator(op1, "op1"),
        reverse0=reverse0,
        reverse1=reverse1,
        reduce_op=None if reduce_op is None else operator(reduce_op, "activate2", "reduce_op", by_name=True).name,
        reduce_cmd=reduce_cmd,
        location=user_location(),
        **tiles(memory, dst=dst, data=data, reduce_res=reduce_res, accumulator=accumulator, **numbers),
    )
    instruction.check(target)
    return instruction.execute(memory)
