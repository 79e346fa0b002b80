"""Instructions that move or make elements: `dma_copy`, `tensor_copy`, `memset`, `iota` and their kin."""

from collections.abc import Sequence
from typing import Any

from jnki.access.access import Access
from jnki.access.buffer import Space
from jnki.errors import RuleError
from jnki.isa.constants import as_number
from jnki.isa.dma.dma_compute import make as make_compute
from jnki.isa.dma.dma_copy import make as make_dma
from jnki.isa.dma.dma_transpose import make as make_transpose
from jnki.isa.dma.dma_transpose import permutation_of
from jnki.isa.gpsimd.affine_pattern import expression
from jnki.isa.gpsimd.iota import Iota
from jnki.isa.rule_set import RuleSet
from jnki.isa.vector.memset import Memset
from jnki.isa.vector.tensor_copy import TensorCopy
from jnki.nki.isa.enums import core_member, dge_mode, engine, oob_mode
from jnki.nki.isa.instruction import NkiInstruction, emitted, operand, recorded
from jnki.nki.isa.rules import check_counts, check_memory, check_partitions
from jnki.record.recorder import current
from jnki.source import user_location

# Arguments have the names of these.
_DgeMode, _OobMode, _Engine = dge_mode, oob_mode, engine


def dma_copy(
    dst: Any,
    src: Any,
    priority: int | None = None,
    oob_mode: oob_mode = oob_mode.error,
    dge_mode: dge_mode = dge_mode.unknown,
    engine: engine = engine.unknown,
    name: str | None = None,
) -> NkiInstruction:
    """Copies `src` to `dst`, both in HBM or SBUF, element by element in row-major order.

    Args:
        dst, src: equally many elements; either may have an index of run time.
        priority: of the DMA, 0 to 3, on NeuronCore-v4 and newer; it changes no value.
        oob_mode: whether an index out of bounds faults or moves nothing.
        dge_mode: who generates the descriptors; it decides what is legal.
        engine: who triggers them, with `hwdge`: sync or scalar.

    Raises:
        RuleError: the copy breaks a rule. docs/isa/dma/dma_copy.md has them all.
    """
    recorder = current("nisa.dma_copy")
    to, source = operand(dst, "dma_copy", "dst"), operand(src, "dma_copy", "src")
    check_partitions("dma_copy", dst=to, src=source)
    check_counts("dma_copy", dst=to, src=source)
    for argument, access in (("dst", to), ("src", source)):
        check_memory("dma_copy", argument, access, Space.HBM, Space.SBUF)
    skips = core_member(oob_mode, _OobMode, "dma_copy", "oob_mode")
    generation = core_member(dge_mode, _DgeMode, "dma_copy", "dge_mode")
    copy = make_dma(
        to,
        source,
        None,
        None,
        skips,
        generation,
        recorder.target,
        engine=core_member(engine, _Engine, "dma_copy", "engine"),
        priority=priority,
        rules=RuleSet.current,
    )
    return emitted(copy, name)


def dma_transpose(
    dst: Any,
    src: Any,
    axes: Sequence[int] | None = None,
    priority: int | None = None,
    dge_mode: dge_mode = dge_mode.unknown,
    oob_mode: oob_mode = oob_mode.error,
    name: str | None = None,
) -> NkiInstruction:
    """Writes a tensor with its axes permuted.

    Args:
        dst: in SBUF, of the permuted shape and the type of `src`.
        src: of rank 2, 3 or 4 in HBM or SBUF; it may have an index of run time.
        axes: (1, 0), (2, 1, 0) or (3, 1, 2, 0), the only one for each rank.
        priority: of the DMA, 0 to 3, on NeuronCore-v4 and newer; it changes no value.
        dge_mode: who generates the descriptors; it decides what is legal.
        oob_mode: whether an index out of bounds faults or leaves `dst` as it was.

    Raises:
        RuleError: docs/isa/dma/dma_transpose.md has the rules.
    """
    function = "dma_transpose"
    recorder = current(f"nisa.{function}")
    to, source = operand(dst, function, "dst"), operand(src, function, "src")
    check_partitions(function, dst=to, src=source)
    permutation_of(source.shape, axes)
    transpose = make_transpose(
        to,
        source,
        None,
        core_member(dge_mode, _DgeMode, function, "dge_mode"),
        recorder.target,
        oob=core_member(oob_mode, _OobMode, function, "oob_mode"),
        priority=priority,
        rules=RuleSet.current,
    )
    return emitted(transpose, name)


def dma_compute(
    dst: Any,
    srcs: Sequence[Any],
    reduce_op: Any,
    scales: Sequence[float] | None = None,
    unique_indices: bool = True,
    oob_mode: oob_mode = oob_mode.error,
    name: str | None = None,
) -> NkiInstruction:
    """Writes the sum of up to 16 tensors, in float32; with an index of run time, adds rows to rows.

    Args:
        dst: in HBM or SBUF.
        srcs: equally many elements each, in HBM or SBUF, of any types.
        reduce_op: `nl.add`.
        scales: None, or 1.0 for each.
        unique_indices: that no row is named twice: a promise.
        oob_mode: whether an index out of bounds faults or moves nothing.

    Raises:
        RuleError: docs/isa/dma/dma_compute.md has the rules.
    """
    function = "dma_compute"
    recorder = current(f"nisa.{function}")
    if not isinstance(srcs, (list, tuple)):
        raise RuleError(
            f"{function}.srcs", f"{function}: 'srcs' is a list", given=type(srcs).__name__, allowed="[src, ...]"
        )
    to, sources = operand(dst, function, "dst"), [operand(src, function, f"srcs[{k}]") for k, src in enumerate(srcs)]
    check_partitions(function, dst=to, **{f"src{k}": source for k, source in enumerate(sources)})
    skips = core_member(oob_mode, _OobMode, function, "oob_mode")
    return emitted(make_compute(to, sources, reduce_op, scales, unique_indices, skips, recorder.target), name)


def tensor_copy(dst: Any, src: Any, engine: engine = engine.unknown, name: str | None = None) -> NkiInstruction:
    """Copies a tile on chip; types may differ.

    Args:
        dst, src: `[P, F...]` in SBUF or PSUM with the same partitions and equally many elements in each.
        engine: vector, scalar, gpsimd or unknown. GpSimd cannot access PSUM.
    """
    to, source = operand(dst, "tensor_copy", "dst"), operand(src, "tensor_copy", "src")
    check_partitions("tensor_copy", dst=to, src=source)
    runs_on = core_member(engine, _Engine, "tensor_copy", "engine")
    is_v2 = current("nisa.tensor_copy").target.neuron_core_version == 2
    if is_v2 and runs_on.name == "scalar":
        raise RuleError(
            "tensor_copy.engine",
            "the Scalar Engine of NeuronCore-v2 has no tensor_copy",
            given="engine.scalar on NeuronCore-v2",
            allowed="vector, gpsimd, unknown",
        )
    return recorded(TensorCopy(dst=to, src=source, engine=runs_on, location=user_location()), name)


def memset(dst: Any, value: Any, engine: engine = engine.unknown, name: str | None = None) -> NkiInstruction:
    """Writes one constant everywhere.

    Args:
        dst: `[P, F...]` in SBUF or PSUM.
        value: a number; an integral one where `dst` holds integers.
        engine: vector, gpsimd or unknown.
    """
    to, number = operand(dst, "memset", "dst"), as_number("memset", value)
    if not to.dtype.is_float and isinstance(number, float) and not number.is_integer():
        raise RuleError(
            "memset.value_type",
            "memset: the constant does not have the type of dst",
            given=f"{number!r} for {to.dtype}",
            allowed="an integer",
        )
    runs_on = core_member(engine, _Engine, "memset", "engine")
    return recorded(Memset(dst=to, value=number, engine=runs_on, location=user_location()), name)


def iota(
    dst: Any, pattern: Sequence[Sequence[int]], offset: Any = 0, channel_multiplier: int = 0, name: str | None = None
) -> NkiInstruction:
    """Writes `offset + p * channel_multiplier + sum(step * place)` in 32-bit integers, cast to the type of `dst`.

    Args:
        dst: `[P, F...]` in SBUF.
        pattern: up to four `[step, count]`, slowest first, whose counts make up the free elements of a partition.
        offset: an integer, or a register.
        channel_multiplier: what each partition adds.
    """
    to = operand(dst, "iota", "dst")
    check_partitions("iota", dst=to)
    number, at_run_time = affine_offset(offset)
    value = expression("iota", pattern, number, channel_multiplier, to.shape[0])
    return recorded(Iota(dst=to, expr=value, offset=at_run_time, location=user_location()), name)


def affine_offset(offset: Any) -> tuple[Any, Access | None]:
    """An offset as a number, and what is added to it at run time: a register, or one element in SBUF."""
    return (0, offset.access) if hasattr(offset, "access") else (offset, None)
