"""The rules of `dma_copy` in the legacy dialect, where they are not those of the current one.

Clause numbers are those of docs/isa/dma/dma_copy.md.
"""

from jnki.access.access import Access
from jnki.errors import RuleError
from jnki.isa.dma.descriptor_generation import check_descriptor_generation
from jnki.isa.enums import dge_mode as DgeMode
from jnki.isa.enums import engine as Engine
from jnki.isa.instruction import Instruction
from jnki.target import Target


def check_indices(copy: Instruction, operand: str, access: Access) -> None:
    """A vector of indices has one element for each row (C8).

    Raises:
        RuleError: `dma_copy.vector_index_shape`.
    """
    indirect = access.indirect
    if indirect is None or not indirect.is_vector:
        return
    if indirect.columns != 1 or indirect.index.size != access.shape[0]:
        raise copy.error(
            "dma_copy.vector_index_shape",
            "vector_offset must hold one row index per row of the pattern",
            given=f"{list(indirect.index.shape)} for {access.shape[0]} rows",
            allowed="[P, 1], P the count of the leading pair",
        )


def index_on_chip(copy: Instruction, operand: str, access: Access) -> RuleError:
    """The error of an operand on chip that an index tile names rows of; the legacy dialect has no index there."""
    return copy.error(
        "err_indirect_indices_are_not_supported_with_nki_api",
        f"'{operand}' has an indirect index on chip",
        given=str(access.buffer),
        allowed="an indirect index on a tensor in hbm",
    )


def check_generation(copy: Instruction, mode: DgeMode, dst: Access, src: Access, target: Target) -> None:
    """`mode` can serve the copy on `target` (C21 to C23)."""
    check_descriptor_generation(
        mode,
        indirect=dst.indirect is not None or src.indirect is not None,
        src=src.dtype,
        dst=dst.dtype,
        target=target,
        error=copy.error,
    )


def check_queue(copy: Instruction, engine: Engine, priority: int | None) -> None:
    """Neither an engine nor a priority is asked for: this dialect has no argument for them.

    Raises:
        RuleError: `dma_copy.engine`, `dma_copy.priority`.
    """
    if engine is not Engine.unknown or priority is not None:
        rule = "priority" if engine is Engine.unknown else "engine"
        raise copy.error(
            f"dma_copy.{rule}",
            "a copy by the legacy rules has no engine and no priority",
            given=f"{engine}, priority {priority}",
            allowed="rules=RuleSet.current",
        )
