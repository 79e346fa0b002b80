"""Making tensors: `nl.ndarray` and what fills one at once."""

import operator
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from jnki.access.buffer import Space
from jnki.access.partition import marked_axis
from jnki.dtypes import element_type
from jnki.errors import RuleError
from jnki.neuronxcc.nki.language.memory import Region, psum, sbuf
from jnki.record.recorder import Recorder, current
from jnki.source import user_frame
from jnki.tiles.allocation import Allocation, places_of
from jnki.tiles.assign import fill
from jnki.tiles.tensor import Tensor, as_tensor, whole

# Until Python 3.12 a comprehension is a function of its own.
_COMPREHENSIONS = ("<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>")


def ndarray(
    shape: Sequence[int], dtype: Any, *, buffer: Region | None = None, name: str = "", lazy_initialization: bool = False
) -> Tensor:
    """A new tensor that nothing has been written to: floats read as NaN, integers as bytes 0xA5.

    Args:
        shape: sizes; on chip the axis marked by `nl.par_dim`, else the first one, is the partition axis.
        dtype: element type.
        buffer: `nl.sbuf` (the default), `nl.psum`, `nl.hbm`, `nl.private_hbm` or `nl.shared_hbm`.
        name: for messages and listings.
        lazy_initialization: whether the first accumulation into a part of the tensor, in PSUM, finds zeros there.
            Hardware sees to it when that part is written first; here the tensor is made of zeros.

    Raises:
        RuleError: the shape does not fit the memory, `lazy_initialization` is asked for elsewhere than in PSUM, or a
            `shared_hbm` tensor is made inside a loop or a helper.
    """
    if not lazy_initialization:
        return _make("ndarray", shape, dtype, buffer, name)
    if buffer is None or _region(buffer).space is not Space.PSUM:
        raise RuleError(
            "ndarray.lazy_initialization",
            "nl.ndarray: only what accumulates in psum is initialised by its first write",
            given=f"lazy_initialization=True, buffer={buffer}",
            allowed="buffer=nl.psum; nl.zeros makes a tensor of zeros",
        )
    return _filled("ndarray", shape, 0, dtype, buffer, name, is_lazy=True)


def zeros(
    shape: Sequence[int], dtype: Any, *, buffer: Region | None = None, name: str = "", lazy_initialization: bool = False
) -> Tensor:
    """A new tensor of zeros on chip; `lazy_initialization` changes no value (see `ndarray`)."""
    return _filled("zeros", shape, 0, dtype, buffer, name, is_lazy=lazy_initialization)


def ones(
    shape: Sequence[int], dtype: Any, *, buffer: Region | None = None, name: str = "", lazy_initialization: bool = False
) -> Tensor:
    """A new tensor of ones on chip; `lazy_initialization` changes no value (see `ndarray`)."""
    return _filled("ones", shape, 1, dtype, buffer, name, is_lazy=lazy_initialization)


def full(
    shape: Sequence[int],
    fill_value: Any,
    dtype: Any,
    *,
    buffer: Region | None = None,
    name: str = "",
    lazy_initialization: bool = False,
) -> Tensor:
    """A new tensor on chip with `fill_value` everywhere; `lazy_initialization` changes no value (see `ndarray`)."""
    return _filled("full", shape, fill_value, dtype, buffer, name, is_lazy=lazy_initialization)


def empty_like(a: Tensor, dtype: Any = None, *, buffer: Region | None = None, name: str = "") -> Tensor:
    """A new tensor of the shape and type of `a` that nothing has been written to, in SBUF unless `buffer` says."""
    like = as_tensor(a, "empty_like", "a")
    return _make("empty_like", like.shape, dtype or like.dtype, buffer, name)


def zeros_like(a: Tensor, dtype: Any = None, *, buffer: Region | None = None, name: str = "") -> Tensor:
    """A new tensor of zeros of the shape and type of `a`, in SBUF unless `buffer` says."""
    like = as_tensor(a, "zeros_like", "a")
    return _filled("zeros_like", like.shape, 0, dtype or like.dtype, buffer, name)


def _filled(
    function: str, shape: Any, value: Any, dtype: Any, buffer: Any, name: str, *, is_lazy: bool = False
) -> Tensor:
    if buffer is not None and not _region(buffer).space.on_chip:
        raise RuleError(
            "err_hbm_tensor_with_init_value_not_supported",
            f"nl.{function} cannot make a tensor with values in {buffer}",
            given=f"buffer={buffer}",
            allowed="nl.ndarray in HBM and nl.store of the values",
        )
    recorder = current(f"nl.{function}")
    if isinstance(buffer, Allocation) and recorder.keeps_places and not is_lazy:
        raise RuleError(
            "err_tensor_creation_on_scratchpad_with_init_value_not_supported",
            f"nl.{function} cannot make a tensor with values that is allocated by hand",
            given=f"buffer={buffer}",
            allowed="nl.ndarray, and tensor[...] = value where the values are needed, or lazy_initialization=True",
        )
    tensor = _make(function, shape, dtype, buffer, name)
    # Block axes are a way of writing: a fill covers every block, so each becomes a tile of its own.
    fill_blocks(recorder, tensor, value)
    return tensor


def fill_blocks(recorder: Recorder, tensor: Tensor, value: Any) -> None:
    """Records memsets of all of `tensor`, one per block in front of its partition axis."""
    blocks = tensor.access.blocks
    if blocks == 0:
        fill(recorder, tensor.access, value)
        return
    for number in range(tensor.shape[0]):
        _fill_from(recorder, tensor[number], value, blocks - 1)


def _fill_from(recorder: Recorder, tensor: Tensor, value: Any, blocks: int) -> None:
    if blocks == 0:
        fill(recorder, tensor.access, value)
        return
    for number in range(tensor.shape[0]):
        _fill_from(recorder, tensor[number], value, blocks - 1)


def _make(function: str, shape: Any, dtype: Any, buffer: Any, name: str) -> Tensor:
    recorder = current(f"nl.{function}")
    region = sbuf if buffer is None else _region(buffer)
    sizes = tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)
    axis = (marked_axis(sizes) or 0) if region.space.on_chip else 0
    numbers = tuple(operator.index(n) for n in sizes)
    if region.space.on_chip:
        _check_on_chip(recorder, region, numbers, axis, element_type(dtype).size_bytes)
    kind = element_type(dtype)
    if region.at_kernel_level:
        _check_kernel_level(recorder, region, numbers)
        return whole(recorder, recorder.make_shared_buffer(numbers, kind, name), recorder.scopes[0])
    places = places_of(recorder, buffer, numbers, axis, kind) if isinstance(buffer, Allocation) else ()
    made = recorder.make_buffer(region.space, numbers, kind, axis, name, places)
    return whole(recorder, made, recorder.scope)


def _region(buffer: Any) -> Region:
    """The memory that a `buffer=` argument is in.

    Raises:
        RuleError: it is none.
    """
    if isinstance(buffer, Region):
        return buffer
    if isinstance(buffer, Allocation):
        return sbuf if buffer.space is Space.SBUF else psum
    # The modules `nki.compiler.sbuf` and `nki.compiler.psum` stand for their automatic allocation.
    automatic = buffer.auto_alloc() if isinstance(buffer, ModuleType) and hasattr(buffer, "auto_alloc") else None
    if isinstance(automatic, Region):
        return automatic
    raise RuleError(
        "tensor.buffer",
        "'buffer' is no memory",
        given=f"{type(buffer).__name__} {buffer!r}"[:120],
        allowed="nl.sbuf, nl.psum, nl.hbm, nl.private_hbm, nl.shared_hbm, or an allocation by nki.compiler",
    )


def _check_on_chip(recorder: Recorder, region: Region, shape: tuple[int, ...], axis: int, itemsize_bytes: int) -> None:
    target = recorder.target
    if len(shape) - axis < 2:
        raise RuleError(
            "index.rank2_onchip",
            f"a tensor in {region} needs a partition axis and a free axis",
            given=f"shape {list(shape)}",
            allowed="rank 2 or more, such as [P, 1]",
        )
    if shape[axis] > target.partition_count:
        raise RuleError(
            "err_num_partition_exceed_arch_limit",
            f"a tensor in {region} spans too many partitions",
            given=f"{shape[axis]} partitions, shape {list(shape)}",
            allowed=f"at most {target.partition_count} on {target.name}",
        )
    free = 1
    for n in shape[axis + 1 :]:
        free *= n
    if region.space is Space.PSUM and free * itemsize_bytes > target.psum_bank_bytes:
        raise RuleError(
            "err_size_of_dimension_exceed_arch_limit",
            "a tile in psum is larger than a bank (psum_tile_free_limit)",
            given=f"{free} elements of {itemsize_bytes} bytes per partition",
            allowed=f"{target.psum_bank_bytes} bytes per partition on {target.name}",
        )


def _check_kernel_level(recorder: Recorder, region: Region, shape: tuple[int, ...]) -> None:
    frame = user_frame()
    while frame is not None and frame.f_code.co_name in _COMPREHENSIONS:
        frame = frame.f_back
    known = recorder.kernel_code[-1]
    in_helper = known is not None and frame is not None and frame.f_code is not known
    if recorder.scope.in_loop or in_helper:
        raise RuleError(
            "err_shared_hbm_must_in_kernel_level",
            f"a tensor in {region} can only be made at the top level of the kernel",
            given=f"shape {list(shape)} in a {'loop' if recorder.scope.in_loop else 'helper function'}",
            allowed="make it in the kernel function, before the loop, and pass it on",
        )
