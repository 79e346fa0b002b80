"""Recording instructions that pick, find, gather and rearrange elements."""

from typing import Any

from jnki.access.access import Access
from jnki.access.mask import as_mask
from jnki.dtypes import ElementType, element_type, uint32
from jnki.errors import RuleError
from jnki.isa.constants import as_number
from jnki.isa.dma.dma_transpose import make as make_transpose
from jnki.isa.dma.dma_transpose import permutation_of
from jnki.isa.enums import engine as Engine
from jnki.isa.gpsimd.cores import PARTITIONS_PER_CORE
from jnki.isa.gpsimd.local_gather import LocalGather, counts
from jnki.isa.gpsimd.sequence_bounds import SequenceBounds
from jnki.isa.instruction import Instruction
from jnki.isa.vector.eights import EIGHT
from jnki.isa.vector.max8 import Max8
from jnki.isa.vector.nc_find_index8 import NcFindIndex8
from jnki.isa.vector.nc_match_replace8 import NcMatchReplace8
from jnki.isa.vector.nc_stream_shuffle import NcStreamShuffle, as_shuffle_mask
from jnki.isa.vector.tensor_copy_dynamic import TensorCopyDynamicDst, TensorCopyDynamicSrc
from jnki.isa.vector.tensor_copy_predicated import TensorCopyPredicated
from jnki.record.recorder import Recorder, current
from jnki.source import user_location
from jnki.tiles.compute import filled, made
from jnki.tiles.tensor import Tensor, as_tensor, new_tile


def dma_transpose(src: Any, *, axes: Any, mask: Any, dtype: Any, dge_mode: Any) -> Tensor:
    """A new SBUF tile with the axes of a tile in HBM or SBUF permuted."""
    recorder = current("nisa.dma_transpose")
    source = as_tensor(src, "dma_transpose", "src").access
    permutation = permutation_of(source.shape, axes)
    return new_tile(
        recorder,
        tuple(source.shape[axis] for axis in permutation),
        source.dtype if dtype is None else element_type(dtype),
        lambda dst: make_transpose(dst, source, as_mask(mask), dge_mode, recorder.target),
        dtype_is_explicit=dtype is not None,
    )


def tensor_copy_dynamic_src(src: Any, *, mask: Any, dtype: Any, engine: Engine) -> Tensor:
    """A new SBUF tile with the elements of a tile that starts where an element of SBUF says."""
    source = as_tensor(src, "tensor_copy_dynamic_src", "src").access
    return _filled(
        "tensor_copy_dynamic_src",
        source.shape,
        dtype,
        source.dtype,
        lambda dst: TensorCopyDynamicSrc(
            dst=dst, src=source, engine=engine, mask=as_mask(mask), location=user_location()
        ),
    )


def tensor_copy_dynamic_dst(dst: Any, src: Any, *, mask: Any, dtype: Any, engine: Engine) -> None:
    """Records a copy into a tile that starts where an element of SBUF says."""
    recorder = current("nisa.tensor_copy_dynamic_dst")
    to = as_tensor(dst, "tensor_copy_dynamic_dst", "dst").access
    instruction = TensorCopyDynamicDst(
        dst=to,
        src=as_tensor(src, "tensor_copy_dynamic_dst", "src").access,
        engine=engine,
        mask=as_mask(mask),
        location=user_location(),
    )
    recorder.emit(_into(recorder, instruction, to, dtype))


def tensor_copy_predicated(src: Any, dst: Any, predicate: Any, *, reverse_pred: bool, mask: Any, dtype: Any) -> None:
    """Records a copy of what a predicate picks into `dst`."""
    recorder = current("nisa.tensor_copy_predicated")
    name = TensorCopyPredicated.name
    to = as_tensor(dst, name, "dst").access
    instruction = TensorCopyPredicated(
        dst=to,
        src=src.access if isinstance(src, Tensor) else as_number(name, src),
        predicate=as_tensor(predicate, name, "predicate").access,
        reverse_pred=bool(reverse_pred),
        mask=as_mask(mask),
        location=user_location(),
    )
    recorder.emit(_into(recorder, instruction, to, dtype))


def nc_stream_shuffle(src: Any, dst: Any, shuffle_mask: Any, *, dtype: Any, mask: Any) -> None:
    """Records a rearrangement of partitions into `dst`."""
    recorder = current("nisa.nc_stream_shuffle")
    to = as_tensor(dst, "nc_stream_shuffle", "dst").access
    instruction = NcStreamShuffle(
        dst=to,
        src=as_tensor(src, "nc_stream_shuffle", "src").access,
        shuffle_mask=as_shuffle_mask(shuffle_mask),
        mask=as_mask(mask),
        location=user_location(),
    )
    recorder.emit(_into(recorder, instruction, to, dtype))


def max8(src: Any, *, mask: Any, dtype: Any) -> Tensor:
    """A new SBUF tile `[P, 8]` with the eight largest values of each partition."""
    source = as_tensor(src, "max8", "src").access
    return _filled(
        "max8",
        (source.shape[0], EIGHT),
        dtype,
        source.dtype,
        lambda dst: Max8(dst=dst, src=source, mask=as_mask(mask), location=user_location()),
    )


def nc_find_index8(data: Any, vals: Any, *, mask: Any, dtype: Any) -> Tensor:
    """A new SBUF tile `[P, 8]` with the places of eight values in each partition."""
    source = as_tensor(data, "nc_find_index8", "data").access
    values = as_tensor(vals, "nc_find_index8", "vals").access
    return _filled(
        "nc_find_index8",
        (source.shape[0], EIGHT),
        dtype,
        uint32,
        lambda dst: NcFindIndex8(dst=dst, data=source, vals=values, mask=as_mask(mask), location=user_location()),
    )


def nc_match_replace8(data: Any, vals: Any, imm: Any, *, dst_idx: Any, mask: Any, dtype: Any) -> Tensor:
    """A new SBUF tile of the shape of `data` with eight values of each partition replaced."""
    name = "nc_match_replace8"
    source, values = as_tensor(data, name, "data").access, as_tensor(vals, name, "vals").access
    index = None if dst_idx is None else as_tensor(dst_idx, name, "dst_idx").access
    number = float(as_number(name, imm))
    return _filled(
        name,
        source.shape,
        dtype,
        source.dtype,
        lambda dst: NcMatchReplace8(
            dst=dst,
            data=source,
            vals=values,
            imm=number,
            dst_idx=index,
            mask=as_mask(mask),
            location=user_location(),
        ),
    )


def local_gather(src_buffer: Any, index: Any, num_elem_per_idx: Any, num_valid_indices: Any, *, mask: Any) -> Tensor:
    """A new SBUF tile `[P, N, 16, E]` with what each core gathers; `[P, N, E]` where N is no multiple of 16."""
    source = as_tensor(src_buffer, "local_gather", "src_buffer").access
    indices = as_tensor(index, "local_gather", "index").access
    width, valid = counts(indices, num_elem_per_idx, num_valid_indices)
    columns, rest = divmod(valid, PARTITIONS_PER_CORE)
    split = (valid,) if rest else (columns, PARTITIONS_PER_CORE)
    return _filled(
        "local_gather",
        (source.shape[0], *split, width),
        None,
        source.dtype,
        lambda dst: LocalGather(
            dst=dst,
            src_buffer=source,
            index=indices,
            num_elem_per_idx=width,
            num_valid_indices=valid,
            mask=as_mask(mask),
            location=user_location(),
        ),
    )


def sequence_bounds(segment_ids: Any, *, dtype: Any) -> Tensor:
    """A new SBUF tile `[1, 2, n]` with begin and end of the segment of each element."""
    ids = as_tensor(segment_ids, "sequence_bounds", "segment_ids").access
    return _filled(
        "sequence_bounds",
        (ids.shape[0], 2, *ids.shape[1:]),
        dtype,
        ids.dtype,
        lambda dst: SequenceBounds(dst=dst, segment_ids=ids, location=user_location()),
    )


def _filled(name: str, shape: tuple[int, ...], dtype: Any, default: ElementType, make: Any) -> Tensor:
    return filled(current(f"nisa.{name}"), shape, dtype, default, make)


def _into(recorder: Recorder, instruction: Instruction, dst: Access, dtype: Any) -> Instruction:
    """The checked instruction, whose result has the type of the tile that it is written to."""
    if dtype is not None and element_type(dtype) != dst.dtype:
        raise RuleError(
            f"{instruction.name}.dtype",
            f"{instruction.name}: 'dtype' is not that of dst",
            given=f"dtype {element_type(dtype)}, dst {dst.dtype}",
            allowed=str(dst.dtype),
            at=instruction.location,
        )
    return made(recorder, instruction)
