"""`nki.isa.exponential`: the exponential of each element less a number, and the sum, on the Vector Engine."""

from dataclasses import dataclass
from typing import ClassVar

from jnki.access.access import Access
from jnki.access.ref import Ref
from jnki.dtypes import cast, float32
from jnki.isa.constants import as_number
from jnki.isa.enums import reduce_cmd as ReduceCmd
from jnki.isa.instruction import SharedDims
from jnki.isa.operands import load, per_partition, store_float32, tiles
from jnki.isa.rules import check_compute_tile, check_float32, check_no_mask, check_same_tile, check_type, check_version
from jnki.isa.scalar.activations import FUNCTIONS
from jnki.isa.vector.registers import VectorRegisters
from jnki.memory import NO_LOOPS, DeviceMemory, Loops
from jnki.source import user_location
from jnki.target import TRN3, Target, takes_target

_BOTH = ("float8_e4m3", "float8_e5m2", "float16", "bfloat16", "float32", "int8", "int16", "int32", "uint8", "uint16")
DST_TYPES = (*_BOTH, "tfloat32")
SRC_TYPES = (*_BOTH, "uint32")
_MOST_AXES = 4


@dataclass(frozen=True, kw_only=True)
class Exponential(VectorRegisters):
    """`dst[p, i] = cast(exp(src[p, i] - max_value[p]))`, and the sum of these, before `dst` rounds them.

    `VectorRegisters` has the commands. Even an idle one changes the registers.

    Attributes:
        dst, src: `[P, F...]` in SBUF or PSUM, equally many elements.
        max_value: a number, or a `[P, 1]` tile of float32.
        reduce_init: what `load_reduce` starts from; 0.0 beside all other commands.
    """

    name: ClassVar[str] = "exponential"
    shared_dims: ClassVar[SharedDims] = "all"
    reduce_operators: ClassVar[tuple[str, ...]] = ("add",)
    reduce_commands: ClassVar[tuple[ReduceCmd, ...]] = (
        *(ReduceCmd.idle, ReduceCmd.reset_reduce, ReduceCmd.reduce, ReduceCmd.load_reduce),
    )

    dst: Access
    src: Access
    max_value: Access | float = 0.0
    reduce_op: str = "add"
    reduce_init: Access | float = 0.0

    @property
    def leaves_registers(self) -> bool:
        return True

    def check(self, target: Target) -> None:
        check_version(self, target, 4, "; nisa.activation on all")
        for operand, access, types in (("src", self.src, SRC_TYPES), ("dst", self.dst, DST_TYPES)):
            check_compute_tile(self, operand, access, target)
            check_type(self, operand, access, types)
            if len(access.shape) > _MOST_AXES:
                raise self.error(
                    "err_exceed_max_supported_dimension",
                    f"'{operand}' has too many axes",
                    given=str(list(access.shape)),
                    allowed=f"at most {_MOST_AXES}",
                )
        check_same_tile(self, self.dst, self.src)
        check_float32(self, "max_value", self.max_value, self.src, target)
        if self.reduce_cmd is ReduceCmd.idle and self.reduce_res is not None:
            raise self.error(
                "exponential.reduce_cmd",
                "an idle command reduces nothing, and 'reduce_res' would not be the result of it",
                given="reduce_res with reduce_cmd=idle",
                allowed="nisa.reduce_cmd.reset_reduce, or reduce to go on",
            )
        self.check_reduction(self.src, target)
        check_no_mask(self)
        super().check(target)

    def _check_start(self, data: Access, target: Target) -> None:
        is_given = isinstance(self.reduce_init, Access) or self.reduce_init != 0
        if is_given and self.reduce_cmd is not ReduceCmd.load_reduce:
            raise self.error(
                "exponential.reduce_init",
                "the command makes no use of 'reduce_init'",
                given=f"reduce_init={self.reduce_init}, reduce_cmd={self.reduce_cmd.name}",
                allowed="0.0, or reduce_cmd load_reduce",
            )
        check_float32(self, "reduce_init", self.reduce_init, data, target)

    def execute(self, memory: DeviceMemory, at: Loops = NO_LOOPS) -> DeviceMemory:
        if self.dst.size == 0:
            return memory
        x = cast(load(memory, self.src, at), self.src.dtype, float32).reshape(self.dst.shape)
        x = x - per_partition(memory, self.max_value, float32, x.ndim, at)
        value = FUNCTIONS["exp"].function(x)
        after = store_float32(memory, self.dst, value, at, None)
        return self.reduced(memory, after, value, at, None)


@takes_target
def exponential(
    memory: DeviceMemory,
    *,
    dst: Ref,
    src: Ref,
    max_value: Ref | float = 0.0,
    reduce_res: Ref | None = None,
    reduce_cmd: ReduceCmd = ReduceCmd.idle,
    reduce_init: Ref | float = 0.0,
    accumulator: Ref | None = None,
    target: Target = TRN3,
) -> DeviceMemory:
    """Memory with the exponential of a tile, and its sum: the functional form of `nki.isa.exponential`.

    Args:
        dst, src: SBUF or PSUM references with equal partitions and elements per partition.
        max_value: what is subtracted from each element: a number, or a `[P, 1]` reference of float32.
        reduce_res: a `[P, 1]` reference of a float type.
        reduce_cmd: idle, reset_reduce, reduce or load_reduce.
        reduce_init: what `load_reduce` starts from: a number, or a `[P, 1]` reference of float32.
        accumulator: the registers of the partitions of `src`, `[P, 1]` float32; needed by the command that reads them.
        target: TRN3 unless given: older ones do not have the instruction.

    Raises:
        RuleError: the instruction breaks a rule.
    """
    numbers = {
        name: value if isinstance(value, Ref) else float(as_number("exponential", value))
        for name, value in (("max_value", max_value), ("reduce_init", reduce_init))
    }
    found = tiles(memory, data=src, dst=dst, reduce_res=reduce_res, accumulator=accumulator, **numbers)
    instruction = Exponential(src=found.pop("data"), reduce_cmd=reduce_cmd, location=user_location(), **found)
    instruction.check(target)
    return instruction.execute(memory)
