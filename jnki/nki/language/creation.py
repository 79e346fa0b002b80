"""Making tensors: `nl.ndarray` and what fills one at once."""

import operator
from collections.abc import Sequence
from typing import Any

from jnki.access.access import Access
from jnki.errors import RuleError
from jnki.nki.language.dtypes import type_named
from jnki.nki.language.memory import SPACES, MemoryRegion, region, sbuf, shared_hbm
from jnki.record.recorder import current
from jnki.tiles.assign import fill
from jnki.tiles.tensor import Tensor, as_tensor


def ndarray(
    shape: Sequence[int],
    dtype: Any,
    buffer: MemoryRegion = sbuf,
    name: str = "",
    address: tuple[int, int] | None = None,
) -> Any:
    """A new tensor that nothing has been written to: floats read as NaN, integers as bytes 0xA5.

    Args:
        shape: sizes; on chip `[P, F...]`, the first one counts partitions.
        dtype: element type.
        buffer: `nl.sbuf`, `nl.psum`, `nl.hbm`, `nl.private_hbm` or `nl.shared_hbm`, which outputs are in.
        name: for messages and listings.
        address: where the tensor is put on chip, `(partition, bytes)`. It changes no value, and tensors are never taken
            to overlap.

    Raises:
        RuleError: `index.rank2_onchip`; `ndarray.shape`; `ndarray.address`.
    """
    return make("ndarray", shape, dtype, buffer, name, address)


def zeros(shape: Sequence[int], dtype: Any, buffer: MemoryRegion = sbuf, name: str = "") -> Any:
    """A new tensor of zeros on chip."""
    return filled("zeros", shape, 0, dtype, buffer, name)


def ones(shape: Sequence[int], dtype: Any, buffer: MemoryRegion = sbuf, name: str = "") -> Any:
    """A new tensor of ones on chip."""
    return filled("ones", shape, 1, dtype, buffer, name)


def full(shape: Sequence[int], fill_value: Any, dtype: Any, buffer: MemoryRegion = sbuf, name: str = "") -> Any:
    """A new tensor on chip with `fill_value` everywhere."""
    return filled("full", shape, fill_value, dtype, buffer, name)


def zeros_like(x: Any, dtype: Any = None, buffer: MemoryRegion | None = None, name: str = "") -> Any:
    """A new tensor of zeros of the shape of `x`, of its type and in its memory unless the arguments say otherwise."""
    like = as_tensor(x, "zeros_like", "x")
    return filled("zeros_like", like.shape, 0, dtype or like.dtype, buffer or like.buffer, name)


def empty_like(x: Any, dtype: Any = None, buffer: MemoryRegion | None = None, name: str = "") -> Any:
    """A new tensor of the shape of `x` that nothing has been written to."""
    like = as_tensor(x, "empty_like", "x")
    return make("empty_like", like.shape, dtype or like.dtype, buffer or like.buffer, name)


def filled(function: str, shape: Any, value: Any, dtype: Any, buffer: Any, name: str) -> Any:
    """A new tensor on chip, and the memset that fills it."""
    if not SPACES[region(buffer, function)].on_chip:
        raise RuleError(
            "err_hbm_tensor_with_init_value_not_supported",
            f"nl.{function} cannot make a tensor with values in {buffer}",
            given=f"buffer={buffer}",
            allowed="nl.ndarray in HBM and nisa.dma_copy of the values; nl.shared_constant",
        )
    tensor = make(function, shape, dtype, buffer, name)
    fill(current(f"nl.{function}"), tensor.access, value)
    return tensor


def make(
    function: str, shape: Any, dtype: Any, buffer: Any, name: str = "", address: tuple[int, int] | None = None
) -> Tensor:
    """A new tensor that nothing has been written to."""
    recorder = current(f"nl.{function}")
    where, kind = region(buffer, function), type_named(dtype)
    sizes = _sizes(function, shape)
    space = SPACES[where]
    if space.on_chip and len(sizes) < 2:
        raise RuleError(
            "index.rank2_onchip",
            "SBUF and PSUM tensors must have at least 2 dimensions (partition-dim and free-dim)",
            given=f"shape {list(sizes)} in {where}",
            allowed="[P, F...]",
        )
    if address is not None:
        _check_address(function, where, address)
    if where is shared_hbm:
        made = recorder.make_shared_buffer(sizes, kind, str(name or ""))
        return recorder.handle(Access.whole(made), recorder.scopes[0])
    made = recorder.make_buffer(space, sizes, kind, name=str(name or ""))
    return recorder.handle(Access.whole(made), recorder.scope)


def _sizes(function: str, shape: Any) -> tuple[int, ...]:
    try:
        sizes = tuple(operator.index(n) for n in shape)
    except TypeError:
        raise RuleError(
            f"{function}.shape", f"nl.{function}: a shape is a sequence of integers", given=f"{shape!r}"[:120]
        ) from None
    if not sizes or min(sizes) < 1:
        raise RuleError(
            f"{function}.shape",
            f"nl.{function}: sizes are positive, and there is at least one",
            given=str(list(sizes)),
            allowed="[1] or more",
        )
    return sizes


def _check_address(function: str, where: MemoryRegion, address: Any) -> None:
    numbers = tuple(address) if isinstance(address, (tuple, list)) else ()
    is_pair = len(numbers) == 2 and all(isinstance(n, int) and n >= 0 for n in numbers)
    if not is_pair or not SPACES[where].on_chip:
        raise RuleError(
            f"{function}.address",
            f"nl.{function}: 'address' says where a tensor starts on chip",
            given=f"{address!r} in {where}",
            allowed="(partition, bytes), in nl.sbuf or nl.psum",
        )
    bank_bytes = current(f"nl.{function}").target.psum_bank_bytes
    if SPACES[where].value == "psum" and numbers[1] % bank_bytes:
        raise RuleError(
            f"{function}.address",
            f"nl.{function}: a tensor in PSUM starts where a bank does",
            given=f"byte {numbers[1]}",
            allowed=f"a multiple of {bank_bytes}",
        )
