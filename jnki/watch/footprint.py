"""What an instruction reads and what it writes, element by element, as far as that is known before it runs."""

from dataclasses import dataclass

from jnki.access.access import Access
from jnki.access.buffer import Space
from jnki.access.mask import Mask
from jnki.isa.dma.dma_transpose import DmaTranspose
from jnki.isa.gpsimd.core_barrier import CoreBarrier
from jnki.isa.gpsimd.gather_flattened import GatherFlattened
from jnki.isa.gpsimd.local_gather import LocalGather
from jnki.isa.gpsimd.nc_n_gather import NcNGather
from jnki.isa.instruction import Instruction
from jnki.isa.registers.cores_agree import CoresAgree
from jnki.isa.registers.loop_head import LoopHead
from jnki.isa.tensor.nc_matmul import NcMatmul
from jnki.isa.vector.tensor_copy_predicated import TensorCopyPredicated
from jnki.watch.enabled import Share, by_partition, elementwise

# Values decide which elements of these operands are read.
_CHOOSES = {GatherFlattened: ("data",), LocalGather: ("src_buffer",), NcNGather: ("data",)}
_NO_USE = (CoreBarrier, CoresAgree, LoopHead)


@dataclass(frozen=True)
class Touch:
    """One operand, or index tile, that an instruction reads or writes.

    Attributes:
        operand: its name, with "'s index" behind it for an index tile.
        access: the elements.
        mask, share: which of them; None for all.
        predicate: a tile of the same shape that says, where it is not 0, which elements are written.
    """

    operand: str
    access: Access
    mask: Mask | None = None
    share: Share | None = None
    predicate: Access | None = None


@dataclass(frozen=True)
class Footprint:
    """What one instruction touches.

    Attributes:
        reads, writes: its tensors; registers are none.
        unjudged: operands of which it reads, or leaves as they were, elements that nobody knows before it runs.
    """

    reads: tuple[Touch, ...]
    writes: tuple[Touch, ...]
    unjudged: tuple[str, ...]


def footprint(instruction: Instruction) -> Footprint:
    """What an instruction touches; of one with a mask whose meaning for an operand is not known, that is unjudged."""
    if isinstance(instruction, _NO_USE):
        return Footprint((), (), ())
    if isinstance(instruction, NcMatmul):
        instruction = instruction.trimmed()
    reads: list[Touch] = []
    writes: list[Touch] = []
    unjudged: list[str] = []
    chosen = _CHOOSES.get(type(instruction), ())
    for name, access in instruction.operands().items():
        if name in instruction.registers or access.buffer.space is Space.REGISTER:
            continue
        share = None if instruction.mask is None else _share(instruction, name, access)
        is_known = instruction.mask is None or share is not None
        touch = Touch(name, access, instruction.mask if is_known else None, share, _predicate(instruction, name))
        if access.indirect is not None and access.indirect.index.buffer.space is not Space.REGISTER:
            reads.append(Touch(f"{name}'s index", access.indirect.index))
        if name in instruction.writes:
            writes.append(touch)
            if not is_known or (instruction.keeps_some and touch.predicate is None):
                unjudged.append(name)
            if instruction.keeps_some or not instruction.reads_destination:
                continue
        if name in chosen or not is_known or (name not in instruction.writes and _has_contraction_mask(instruction)):
            unjudged.append(name)
        else:
            reads.append(touch)
    return Footprint(tuple(reads), tuple(writes), tuple(dict.fromkeys(unjudged)))


def _share(instruction: Instruction, name: str, access: Access) -> Share | None:
    masked = instruction.masked_shape()
    if masked is None:
        return None
    if isinstance(instruction, NcMatmul):
        return _of_matmul(instruction, name, access)
    if access.shape == masked:
        return Share(masked, None)
    if isinstance(instruction, DmaTranspose):
        return None
    match instruction.shared_dims:
        case "all":
            return elementwise(access.shape, masked)
        case "partition":
            return by_partition(access.shape, masked)
        case _:
            return None


def _of_matmul(instruction: NcMatmul, name: str, access: Access) -> Share | None:
    """The mask is over `[M, N]`: it takes columns of `stationary [K, M]` and of `moving [K, N]`."""
    result = instruction.dst.shape
    if len(result) != 2 or len(access.shape) != 2 or instruction.perf_mode:
        return None
    return Share(result, {"dst": (0, 1), "stationary": (None, 0), "moving": (None, 1)}[name])


def _has_contraction_mask(instruction: Instruction) -> bool:
    return isinstance(instruction, NcMatmul) and instruction.contraction_mask is not None


def _predicate(instruction: Instruction, name: str) -> Access | None:
    is_dst = name == "dst" and isinstance(instruction, TensorCopyPredicated)
    return instruction.predicate if is_dst else None  # type: ignore[attr-defined]
