"""Instructions that move or make elements: `dma_copy`, `tensor_copy`, `memset`, `iota` and their kin."""

from collections.abc import Sequence
from typing import Any

from jnki.access import strided
from jnki.access.access import Access, Dim
from jnki.access.affine import Affine
from jnki.access.buffer import Space
from jnki.access.index import Index
from jnki.errors import RuleError
from jnki.isa.constants import as_number
from jnki.isa.dma.dma_copy import make as make_dma
from jnki.isa.gpsimd.iota import Iota
from jnki.isa.vector.memset import Memset
from jnki.isa.vector.tensor_copy import TensorCopy
from jnki.nki.isa.enums import core_member, dge_mode, engine, member, oob_mode
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
    _check_trigger(engine, dge_mode)
    check_priority("dma_copy", priority)
    return emitted(make_dma(to, source, None, None, skips, generation, recorder.target), name)


def _check_trigger(given: Any, mode: Any) -> None:
    trigger, generation = member(given, _Engine, "dma_copy", "engine"), member(mode, _DgeMode, "dma_copy", "dge_mode")
    if trigger is _Engine.unknown:
        return
    if generation is not _DgeMode.hwdge or trigger not in (_Engine.sync, _Engine.scalar):
        raise RuleError(
            "dma_copy.engine",
            "dma_copy: an engine triggers descriptors that hardware generates",
            given=f"engine.{trigger.name} with dge_mode.{generation.name}",
            allowed="engine.sync or engine.scalar with dge_mode.hwdge, or engine.unknown",
        )


def check_priority(function: str, priority: Any) -> None:
    """The priority of a DMA is one that the target has.

    Raises:
        RuleError: `<function>.priority`.
    """
    count = current(f"nisa.{function}").target.dma_priority_count
    if priority is None:
        return
    if count is None or isinstance(priority, bool) or not isinstance(priority, int) or not 0 <= priority < count:
        target = current(f"nisa.{function}").target
        raise RuleError(
            f"{function}.priority",
            f"{function}: there is no such priority",
            given=f"{priority!r} on {target.name}",
            allowed="None" if count is None else f"None, or 0 to {count - 1}",
        )


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
    dst: Any, pattern: Sequence[Sequence[int]], offset: int = 0, channel_multiplier: int = 0, name: str | None = None
) -> NkiInstruction:
    """Writes `offset + p * channel_multiplier + sum(step * place)` in 32-bit integers, cast to the type of `dst`.

    Args:
        dst: `[P, F...]` in SBUF.
        pattern: up to four `[step, count]`, slowest first, whose counts make up the free elements of a partition.
        offset: an integer.
        channel_multiplier: what each partition adds.
    """
    to = operand(dst, "iota", "dst")
    expression = affine(to, pattern, offset, channel_multiplier, "iota")
    flat = strided.reshape(to, expression.shape) if to.shape != expression.shape else to
    return recorded(Iota(dst=flat, expr=expression.value, location=user_location()), name)


def affine(tile: Access, pattern: Any, offset: Any, channel_multiplier: Any, function: str) -> Index:
    """The affine value of each place of a tile: of its shape, or of `[P, *counts]` where no steps make that.

    Raises:
        RuleError: `<function>.pattern`, where the counts do not make up the free elements.
    """
    pairs = [(int(step), int(count)) for step, count in pattern]
    size = 1
    for _, count in pairs:
        size *= count
    partitions = tile.shape[0]
    if not 1 <= len(pairs) <= 4 or size * partitions != tile.size:
        raise RuleError(
            f"{function}.pattern",
            f"{function}: the counts of the pattern do not make up the free elements of the tile",
            given=f"{[list(pair) for pair in pairs]} for {list(tile.shape)}",
            allowed=f"up to four pairs whose counts make up {tile.size // max(partitions, 1)}",
        )
    if not isinstance(offset, int):
        raise RuleError(
            f"{function}.offset", f"{function}: 'offset' must be an integer", given=repr(offset)[:80], allowed="an int"
        )
    dims = tuple(Dim(step, count) for step, count in pairs)
    dims = strided.reshaped_dims(dims, tile.shape[1:]) or dims
    steps = (int(channel_multiplier), *(dim.step for dim in dims))
    return Index(Affine(offset), steps, (partitions, *(dim.count for dim in dims)))
