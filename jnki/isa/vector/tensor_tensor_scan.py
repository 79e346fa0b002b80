"""`nki.isa.tensor_tensor_scan`: a recurrence along the free axes, in order, on the Vector Engine."""

from dataclasses import dataclass
from typing import Any, ClassVar

import jax.numpy as jnp

from jnki.access.access import Access
from jnki.access.mask import as_mask
from jnki.access.ref import Ref, resolve
from jnki.dtypes import cast, float32
from jnki.isa.constants import as_number
from jnki.isa.instruction import Instruction, SharedDims
from jnki.isa.operands import as_column, load, per_partition, store_float32
from jnki.isa.operators import OPERATORS, operator
from jnki.isa.recurrence import Step, in_order
from jnki.isa.rules import check_compute_tile, check_mask, check_operators, check_vector
from jnki.isa.two_tiles import check_equal_elements, check_not_both_in_psum
from jnki.memory import NO_LOOPS, DeviceMemory, Loops
from jnki.source import user_location
from jnki.target import TRN2, Target, takes_target


@dataclass(frozen=True, kw_only=True)
class TensorTensorScan(Instruction):
    """`dst[p, i] = cast(h[p, i])`, where `h[p, i] = (data0[p, i] <op0> h[p, i - 1]) <op1> data1[p, i]`.

    `h[p, -1]` is `initial[p]`, `i` counts the elements of a partition in row-major order, and `h` is float32, whatever
    the type of `dst` is. A masked-off element is passed over: the state stays as it was.

    Attributes:
        dst, data0, data1: `[P, F...]` in SBUF or PSUM, with equal partitions and elements per partition; the two inputs
            are not both in PSUM.
        initial: a number, or a `[P, 1]` tile.
        op0, op1: names of binary arithmetic operators.
        reverse0: whether `data0` stands on the right of `op0`.
        reverse1: whether `data1` stands on the left of `op1`.
    """

    name: ClassVar[str] = "tensor_tensor_scan"
    shared_dims: ClassVar[SharedDims] = "all"

    dst: Access
    data0: Access
    data1: Access
    initial: Access | float
    op0: str
    op1: str
    reverse0: bool = False
    reverse1: bool = False

    def check(self, target: Target) -> None:
        tiles = {"data0": self.data0, "data1": self.data1, "dst": self.dst}
        for operand, access in tiles.items():
            check_compute_tile(self, operand, access, target)
        check_equal_elements(self, tiles)
        check_not_both_in_psum(self, "data0", "data1")
        if isinstance(self.initial, Access):
            check_compute_tile(self, "initial", self.initial, target)
            check_vector(self, "initial", self.initial, self.data0)
        for argument, name in (("op0", self.op0), ("op1", self.op1)):
            if OPERATORS[name].arity != 2 or OPERATORS[name].is_bitvec:
                raise self.error(
                    f"tensor_tensor_scan.{argument}",
                    f"'{argument}' is no binary arithmetic operator",
                    given=name,
                    allowed=", ".join(n for n, o in OPERATORS.items() if o.arity == 2 and not o.is_bitvec),
                )
        check_operators(self, target, op0=self.op0, op1=self.op1)
        check_mask(self, "dst", self.dst)
        super().check(target)

    def execute(self, memory: DeviceMemory, at: Loops = NO_LOOPS) -> DeviceMemory:
        if self.dst.size == 0:
            return memory
        partitions = self.dst.shape[0]
        a, b = (
            cast(load(memory, access, at), access.dtype, float32).reshape(partitions, -1).T
            for access in (self.data0, self.data1)
        )
        initial = per_partition(memory, self.initial, float32, 1, at)
        enabled = None if self.mask is None else self.mask.evaluate(self.dst.shape, at)
        on = None if enabled is None else jnp.broadcast_to(enabled, self.dst.shape).reshape(partitions, -1).T
        step = Step(self.op0, self.op1, self.reverse0, self.reverse1)
        states = in_order(step, a, b, jnp.broadcast_to(initial, partitions), on)
        return store_float32(memory, self.dst, states.T, at, enabled)


@takes_target
def tensor_tensor_scan(
    memory: DeviceMemory,
    *,
    dst: Ref,
    data0: Ref,
    data1: Ref,
    initial: Ref | float,
    op0: Any,
    op1: Any,
    reverse0: bool = False,
    reverse1: bool = False,
    mask: Any = None,
    target: Target = TRN2,
) -> DeviceMemory:
    """Memory with a recurrence along the free axes of two tiles: the functional form of `nki.isa.tensor_tensor_scan`.

    Args:
        dst, data0, data1: SBUF or PSUM references with equal partitions and elements per partition.
        initial: a number, or a `[P, 1]` reference: the state before the first element.
        op0, op1: binary arithmetic operators, by name or as NumPy functions.
        reverse0: whether `data0` stands on the right of `op0`.
        reverse1: whether `data1` stands on the left of `op1`.
        mask: where false, an element is passed over, and `dst` stays as it was.

    Raises:
        RuleError: the instruction breaks a rule.
    """
    to = resolve(dst, memory.buffer)
    instruction = TensorTensorScan(
        dst=to,
        data0=resolve(data0, memory.buffer),
        data1=resolve(data1, memory.buffer),
        initial=as_column(resolve(initial, memory.buffer), len(to.dims))
        if isinstance(initial, Ref)
        else as_number("tensor_tensor_scan", initial),
        op0=operator(op0, "tensor_tensor_scan", "op0", by_name=True).name,
        op1=operator(op1, "tensor_tensor_scan", "op1", by_name=True).name,
        reverse0=reverse0,
        reverse1=reverse1,
        mask=as_mask(mask),
        location=user_location(),
    )
    instruction.check(target)
    return instruction.execute(memory)
