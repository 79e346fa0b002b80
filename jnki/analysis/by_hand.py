"""What a kernel that allocates by hand may not do: whatever makes the compiler allocate something of its own.

A kernel says where all of its tensors on chip are, or of none of them; `enable_stack_allocator` lifts that.
"""

from jnki.access.buffer import Buffer
from jnki.errors import RuleError
from jnki.isa.enums import engine as Engine
from jnki.isa.instruction import Instruction
from jnki.isa.scalar.activation import Activation
from jnki.isa.tensor.nc_transpose import NcTranspose
from jnki.program.program import Node, instructions


def is_placed(nodes: tuple[Node, ...]) -> bool:
    """Whether any tensor has a place."""
    return any(access.buffer.places for node in instructions(nodes) for access in node.operands().values())


def check_allocated_by_hand(nodes: tuple[Node, ...]) -> None:
    """In a kernel that gives a tensor a place, nothing on chip is without one.

    Raises:
        RuleError: an activation without a bias or a transpose on the Tensor Engine, for which the compiler would make a
            tensor; or a tensor without a place.
    """
    if not is_placed(nodes):
        return
    for instruction in instructions(nodes):
        if isinstance(instruction, Activation) and instruction.bias is None:
            raise instruction.error(
                "err_bias_tensor_must_be_specified_in_allocation",
                "an activation without a bias, in a kernel that allocates by hand",
                given="no bias: the compiler would make a tensor of zeros",
                allowed="nisa.activation with bias=, a [P, 1] tile of the kernel",
            )
        if isinstance(instruction, NcTranspose) and instruction.engine is not Engine.vector:
            raise instruction.error(
                "err_transpose_on_tensor_engine_not_allowed_in_allocated_kernel",
                "a transpose on the Tensor Engine, in a kernel that allocates by hand",
                given=f"{list(instruction.shape)}: the compiler would make an identity matrix",
                allowed="nisa.nc_matmul with an identity of the kernel; engine=nisa.vector_engine up to [32, 32]; "
                "nl.matmul with transpose_x=True",
            )
        for operand, access in instruction.operands().items():
            if operand not in instruction.registers and access.buffer.space.on_chip and not access.buffer.places:
                raise _without_place(instruction, access.buffer)


def _without_place(instruction: Instruction, buffer: Buffer) -> RuleError:
    return instruction.error(
        "allocation.mixed",
        "a tensor without a place, in a kernel that allocates by hand",
        given=str(buffer),
        allowed="a place for each tensor, results of instructions included (tile[...] = nl.load(x)), or for none; "
        "enable_stack_allocator, which places the others; force_auto_alloc, which ignores places",
    )
