"""The three forms of `dma_compute` and their rules: a sum, a scatter that adds, a gather that adds.

    sum       dst = src0 + src1 + ...         every address is known before execution
    scatter   dst[rows] += src                dst in HBM; src in SBUF
    gather    dst += src[rows]                dst in SBUF; src in HBM

In the last two `dst` is one of the two sources as well.
"""

from collections.abc import Sequence
from typing import Any

from jnki.access.access import Access
from jnki.access.buffer import Space
from jnki.errors import RuleError
from jnki.isa.dma.dma_copy import is_add
from jnki.isa.enums import oob_mode as OobMode
from jnki.isa.instruction import Instruction
from jnki.isa.rules import check_partitions, no_numbers
from jnki.source import user_location
from jnki.target import Target

MOST_SOURCES = 16
_FORMS = (
    "dst in hbm with a vector_offset, srcs dst itself and a tile in sbuf; "
    "or dst in sbuf, srcs a tensor in hbm with a vector_offset and dst itself"
)


def check_arguments(
    dst: Access, srcs: Sequence[Access], reduce_op: Any, scales: Sequence[Any] | None, unique_indices: Any, oob: Any
) -> None:
    """What is not an operand has a value that there is.

    Raises:
        RuleError: `dma_compute.sources`, `.reduce_op`, `.scales`, `.unique_indices` or `.enum_only`.
    """
    if not 1 <= len(srcs) <= MOST_SOURCES:
        raise _refused("sources", "there are too many or too few sources", str(len(srcs)), f"1 to {MOST_SOURCES}")
    if not is_add(reduce_op):
        given = getattr(reduce_op, "__name__", repr(reduce_op))
        raise _refused("reduce_op", "only addition combines sources", given, "np.add or nl.add")
    if scales is not None and (len(scales) != len(srcs) or any(scale != 1.0 for scale in scales)):
        raise _refused("scales", "sources are not scaled", str(list(scales)), f"None, or 1.0 for each of {len(srcs)}")
    if not isinstance(oob, OobMode):
        members = ", ".join(f"oob_mode.{m.name}" for m in OobMode)
        raise _refused("enum_only", "'oob_mode' must be a member of oob_mode", repr(oob), members)
    by_rows = any(access.indirect is not None for access in (dst, *srcs))
    if unique_indices is not True and (by_rows or unique_indices is not False):
        what = "rows that are named twice are not supported"
        raise _refused("unique_indices", what, f"unique_indices={unique_indices!r}", "True")


def target_of_sum(dst: Access, srcs: Sequence[Access]) -> int | None:
    """Which source is `dst` itself, where one of the operands has row indices; None where none has.

    Raises:
        RuleError: `dma_compute.form`: there are row indices, and neither form that has them fits.
    """
    if not any(access.indirect is not None for access in (dst, *srcs)):
        return None
    same = [k for k, source in enumerate(srcs) if _walk(source) == _walk(dst)]
    if len(srcs) != 2 or not same:
        given = f"dst {dst}, srcs {', '.join(map(str, srcs))}"
        raise _refused("form", "row indices come with an addition to dst", given, _FORMS)
    return same[0]


def check_compute(
    instruction: Instruction,
    dst: Access,
    sources: Sequence[Access],
    adds: bool,
    oob: OobMode,
    target: Target,
) -> None:
    """Every rule on the operands holds."""
    for operand, access in (("dst", dst), *((f"srcs[{k}]", source) for k, source in enumerate(sources))):
        _check_operand(instruction, operand, access, target)
        if access.size != dst.size:
            raise instruction.error(
                "dma_compute.element_count",
                "dst and every source must have the same number of elements",
                given=f"dst {list(dst.shape)} ({dst.size}), {operand} {list(access.shape)} ({access.size})",
                allowed="equal element counts",
            )
    if adds:
        _check_rows(instruction, dst, sources[0], target)
    elif oob is OobMode.skip:
        raise instruction.error(
            "dma_compute.oob_static",
            "no row can be skipped where none is named at run time",
            given="oob_mode.skip without a vector_offset",
            allowed="oob_mode.error",
        )


def _check_operand(instruction: Instruction, operand: str, access: Access, target: Target) -> None:
    if access.buffer.space is Space.PSUM:
        raise instruction.error(
            "err_unsupported_memory",
            f"'{operand}' is in the wrong memory",
            given=str(access.buffer),
            allowed="hbm | sbuf",
        )
    if access.dtype.is_opaque:
        raise no_numbers(instruction, operand, access)
    if access.indirect is not None and not access.indirect.is_vector:
        raise instruction.error(
            "dma_compute.scalar_offset",
            f"'{operand}' starts at a place that is known only at run time",
            given=str(access),
            allowed="addresses known before execution, or a vector_offset",
        )
    for part, tile in zip((operand, f"{operand}'s index"), access.accesses()):
        if tile.buffer.space is Space.SBUF:
            check_partitions(instruction, part, tile, target)


def _check_rows(instruction: Instruction, dst: Access, source: Access, target: Target) -> None:
    """`dst[rows] += src` from SBUF to HBM, or `dst += src[rows]` from HBM to SBUF, on a target that does it."""
    scatters = dst.indirect is not None and source.indirect is None
    gathers = dst.indirect is None and source.indirect is not None
    outer, inner = (dst, source) if scatters else (source, dst)
    one = scatters or gathers
    if not one or outer.buffer.space is not Space.HBM or inner.buffer.space is not Space.SBUF:
        raise instruction.error(
            "dma_compute.form",
            "row indices come with an addition to dst",
            given=f"dst {dst} in {dst.buffer.space}, added to it {source} in {source.buffer.space}",
            allowed=_FORMS,
        )
    assert outer.indirect is not None
    if outer.indirect.index.size != outer.shape[0]:
        raise instruction.error(
            "dma_compute.index_shape",
            "there is not one row index for each row",
            given=f"an index {list(outer.indirect.index.shape)} for {outer.shape[0]} rows",
            allowed=f"[{outer.shape[0]}, 1]",
        )
    if target.neuron_core_version < 3:
        raise instruction.error(
            "dma_compute.target",
            "the target does not add by row indices",
            given=f"{target.name} (NeuronCore-v{target.neuron_core_version})",
            allowed="NeuronCore-v3 or newer",
        )


def _walk(access: Access) -> tuple[Any, ...]:
    """What an access walks and in which order, dims of one place left aside."""
    return access.buffer, access.offset, tuple(d for d in access.dims if d.count != 1), access.indirect


def _refused(rule: str, message: str, given: str, allowed: str) -> RuleError:
    return RuleError(f"dma_compute.{rule}", f"dma_compute: {message}", given=given, allowed=allowed, at=user_location())
