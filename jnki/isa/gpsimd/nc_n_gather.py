"""`nki.isa.nc_n_gather`: each partition picks elements of its own by index, within SBUF, on the GpSimd Engine."""

from dataclasses import dataclass
from typing import ClassVar

from jnki.access.ref import Ref, resolve
from jnki.isa.gpsimd.gather_flattened import GatherFlattened
from jnki.isa.instruction import Instruction
from jnki.isa.rules import check_mask, check_on_chip, check_partitions, check_same_tile
from jnki.memory import DeviceMemory
from jnki.source import user_location
from jnki.target import TRN2, Target, takes_target


@dataclass(frozen=True, kw_only=True)
class NcNGather(GatherFlattened):
    """`dst[p, i] = data[p, indices[p, i]]`, all free axes of each operand taken as one.

    It is a `GatherFlattened` that the GpSimd Engine runs: nothing is cast, and nothing is in PSUM.

    Attributes:
        dst: `[P, I...]` in SBUF, of the type of `data`, with as many elements per partition as `indices`.
        data: `[P, F...]` in SBUF.
        indices: `[P, I...]` of uint32 in SBUF.
    """

    name: ClassVar[str] = "nc_n_gather"

    def check(self, target: Target) -> None:
        for operand, access in self.operands().items():
            check_on_chip(self, operand, access, psum=False)
            check_partitions(self, operand, access, target)
        if self.data.shape[0] != self.indices.shape[0]:
            raise self.error(
                "err_num_partition_mismatch",
                "data and indices span different numbers of partitions",
                given=f"data {list(self.data.shape)}, indices {list(self.indices.shape)}",
                allowed="the same size of axis 0: each partition picks from itself",
            )
        check_same_tile(self, self.dst, self.indices)
        if self.indices.dtype.name != "uint32":
            raise self.error(
                "nc_n_gather.indices",
                "'indices' has the wrong element type",
                given=str(self.indices.dtype),
                allowed="uint32",
            )
        if self.dst.dtype != self.data.dtype:
            raise self.error(
                "nc_n_gather.dtype",
                "a gather does not cast",
                given=f"data {self.data.dtype}, dst {self.dst.dtype}",
                allowed="one element type",
            )
        check_mask(self, "dst", self.dst)
        Instruction.check(self, target)


@takes_target
def nc_n_gather(memory: DeviceMemory, *, dst: Ref, data: Ref, indices: Ref, target: Target = TRN2) -> DeviceMemory:
    """Memory with elements of `data`, picked by index, in `dst`: the functional form of `nki.isa.nc_n_gather`.

    Args:
        dst, data: SBUF references of one type.
        indices: an SBUF reference of uint32: places in the flattened free axes of `data`.

    Raises:
        RuleError: the instruction breaks a rule.
    """
    instruction = NcNGather(
        dst=resolve(dst, memory.buffer),
        data=resolve(data, memory.buffer),
        indices=resolve(indices, memory.buffer),
        location=user_location(),
    )
    instruction.check(target)
    return instruction.execute(memory)
