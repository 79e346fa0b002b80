"""The rules of `dma_copy` in the current dialect, where they are not those of the legacy one.

Clause numbers are those of docs/isa/dma/dma_copy.md; its section "The current dialect" has what differs.
"""

from typing import Any

from jnki.access.access import Access, Indirect
from jnki.access.buffer import Space
from jnki.errors import RuleError
from jnki.isa.enums import dge_mode as DgeMode
from jnki.isa.enums import engine as Engine
from jnki.isa.instruction import Instruction
from jnki.source import Location
from jnki.target import Target

_BATCH = 128
_TRIGGERS = (Engine.sync, Engine.scalar)


def check_plain(copy: Instruction, add: bool) -> None:
    """The copy neither adds nor has a mask: this dialect has no argument for either (C13 to C17).

    Raises:
        RuleError: `dma_copy.dst_rmw_op`, `dma_copy.mask`.
    """
    if add:
        raise copy.error(
            "dma_copy.dst_rmw_op",
            "a copy by the current rules does not add",
            given="a read-modify-write",
            allowed="dma_compute",
        )
    if copy.mask is not None:
        raise copy.error(
            "dma_copy.mask",
            "there is no mask by the current rules",
            given=str(copy.mask),
            allowed="operands that are sliced to what moves",
        )


def check_indices(copy: Instruction, operand: str, access: Access, other: Access) -> None:
    """The index of run time is one that the copy can have (C8).

    Args:
        operand, access: the side that has it.
        other: the other side.

    Raises:
        RuleError: `dma_copy.vector_hbm`, `dma_copy.vector_index_shape`.
    """
    indirect = access.indirect
    if indirect is None or not indirect.is_vector:
        return
    if access.buffer.space is not Space.HBM:
        raise copy.error(
            "dma_copy.vector_hbm",
            f"'{operand}' has a vector of indices on chip",
            given=str(access.buffer),
            allowed="a vector_offset on a tensor in hbm, or a scalar_offset",
        )
    rows, index = access.shape[0], indirect.index
    if indirect.columns == 1 and index.size == rows:
        return
    given = f"an index {list(index.shape)} for {rows} rows of '{operand}'"
    is_batch = index.shape == (_BATCH, indirect.columns) and index.size == rows
    if operand != "src" or not is_batch:
        raise copy.error(
            "dma_copy.vector_index_shape",
            "the index does not have one element for each row",
            given=given,
            allowed=f"[{rows}, 1], or on src [{_BATCH}, M] for {_BATCH} * M rows, which is read column by column",
        )
    moved = [a for a in (_row(access), other) if not _is_contiguous(a)]
    if moved or access.dtype != other.dtype:
        raise copy.error(
            "dma_copy.vector_index_batch",
            "an index of several columns comes with contiguous rows of equal element types",
            given=f"src {access} {access.dtype}, dst {other} {other.dtype}",
            allowed="rows of src and a dst that are walked without a gap, of one element type",
        )


def check_generation(copy: Instruction, mode: DgeMode, dst: Access, src: Access, target: Target) -> None:
    """`mode` can serve the copy on `target` (C21 to C23).

    Raises:
        RuleError: `dma_copy.hwdge_*`, `dma_copy.dge_none_static`, `dma_copy.swdge_target`.
    """
    version = target.neuron_core_version
    vector = any(_is_vector(access.indirect) for access in (dst, src))
    if mode is DgeMode.hwdge:
        if version < 3:
            raise copy.error(
                "dma_copy.hwdge_target",
                "hwdge is not available on this target",
                given=f"{target.name} (NeuronCore-v{version})",
                allowed="NeuronCore-v3 or newer",
            )
        if vector:
            raise copy.error(
                "dma_copy.hwdge_no_vector",
                "hwdge cannot gather or scatter",
                given="a vector of indices",
                allowed="dge_mode.swdge or dge_mode.unknown",
            )
        if src.dtype != dst.dtype:
            raise copy.error(
                "dma_copy.hwdge_dtype",
                "hwdge does not cast",
                given=f"src {src.dtype}, dst {dst.dtype}",
                allowed="equal element types",
            )
    if mode is DgeMode.none and (dst.indirect or src.indirect):
        raise copy.error(
            "dma_copy.dge_none_static",
            "without descriptor generation, addresses must be known before execution",
            given="dge_mode.none with an index known at run time",
            allowed="dge_mode.swdge or dge_mode.unknown",
        )
    if vector and version < 3:
        raise copy.error(
            "dma_copy.swdge_target",
            "the target cannot gather or scatter with descriptors that software generates",
            given=f"a vector of indices on {target.name} (NeuronCore-v{version})",
            allowed="NeuronCore-v3 or newer",
        )


def choose_generation(mode: DgeMode, dst: Access, src: Access, target: Target) -> tuple[DgeMode, str] | None:
    """What serves a copy with an index of run time that asks for `mode`, and why (C24).

    None for what is chosen as in the legacy dialect.
    """
    if mode is not DgeMode.unknown or not (dst.indirect or src.indirect):
        return None
    if any(_is_vector(access.indirect) for access in (dst, src)):
        return DgeMode.swdge, "a vector of indices"
    if target.neuron_core_version >= 3 and dst.dtype == src.dtype:
        return DgeMode.hwdge, f"one index, equal types, NeuronCore-v{target.neuron_core_version}"
    return DgeMode.swdge, "one index"


def check_queue(instruction: Instruction, engine: Engine, priority: int | None, mode: DgeMode, target: Target) -> None:
    """The engine that triggers the DMA, and its priority, are ones that there are. They change no value.

    Raises:
        RuleError: `<instruction>.engine`, `<instruction>.priority`.
    """
    if engine is not Engine.unknown and (mode is not DgeMode.hwdge or engine not in _TRIGGERS):
        raise instruction.error(
            f"{instruction.name}.engine",
            "an engine triggers descriptors that hardware generates",
            given=f"engine.{getattr(engine, 'name', engine)} with dge_mode.{mode.name}",
            allowed="engine.sync or engine.scalar with dge_mode.hwdge, or engine.unknown",
        )
    check_priority(instruction.name, priority, target, instruction.location)


def check_priority(function: str, priority: Any, target: Target, at: Location | None = None) -> None:
    """The priority of a DMA is one that the target has.

    Raises:
        RuleError: `<function>.priority`.
    """
    count = target.dma_priority_count
    if priority is None:
        return
    if count is None or isinstance(priority, bool) or not isinstance(priority, int) or not 0 <= priority < count:
        raise RuleError(
            f"{function}.priority",
            f"{function}: there is no such priority",
            given=f"{priority!r} on {target.name}",
            allowed="None" if count is None else f"None, or 0 to {count - 1}",
            at=at,
        )


def _is_vector(indirect: Indirect | None) -> bool:
    return indirect is not None and indirect.is_vector


def _row(access: Access) -> Access:
    """One row of an access that has an index for each."""
    return Access(access.buffer, access.offset, access.dims[1:])


def _is_contiguous(access: Access) -> bool:
    expected = 1
    for dim in reversed(access.dims):
        if dim.count != 1 and dim.step != expected:
            return False
        expected *= dim.count
    return True
