"""What the operands of a matmul may be: memories, shapes, element types."""

import math

from jnki.access.access import Access
from jnki.access.buffer import Space
from jnki.dtypes import bfloat16
from jnki.isa.instruction import Instruction
from jnki.isa.rules import check_on_chip, check_partitions, wrong_memory
from jnki.isa.tensor.matmul_masks import Layout
from jnki.target import Target

_FLAGS = ("is_stationary_onezero", "is_moving_onezero", "is_transpose")


def check_matmul(
    matmul: Instruction, dst: Access, stationary: Access, moving: Access, layout: Layout, target: Target
) -> None:
    """Every rule on the operands and flags holds, whatever the PE tiling and the performance mode."""
    for operand, access in (("stationary", stationary), ("moving", moving), ("dst", dst)):
        _check_space(matmul, operand, access, Space.PSUM if operand == "dst" else Space.SBUF)
        check_on_chip(matmul, operand, access)
        check_partitions(matmul, operand, access, target)
        if not access.dtype.is_float:
            raise matmul.error(
                "nc_matmul.dtype",
                f"'{operand}' is not of a float type",
                given=str(access.dtype),
                allowed="float8_e4m3, float8_e5m2, bfloat16, float16, tfloat32, float32",
            )
    _check_shapes(matmul, dst, layout)
    _check_sizes(matmul, dst, layout, target)
    for flag in _FLAGS:
        if not isinstance(getattr(matmul, flag), bool):
            raise matmul.error(
                f"nc_matmul.{flag}",
                f"'{flag}' is not a flag",
                given=repr(getattr(matmul, flag)),
                allowed="True or False",
            )


def check_double_row(
    matmul: Instruction,
    stationary: Access,
    moving: Access,
    is_transpose: bool,
    tile_size: tuple[int, ...],
    target: Target,
) -> None:
    """The target multiplies pairs of float8 rows at once, and nothing asks for what excludes it."""
    columns = target.gemm_stationary_fmax
    if target.neuron_core_version < 3:
        given, allowed = target.name, "NeuronCore-v3 or newer"
    elif any(access.dtype.size_bytes != 1 for access in (stationary, moving)):
        given, allowed = f"stationary {stationary.dtype}, moving {moving.dtype}", "float8_e4m3, float8_e5m2"
    elif is_transpose:
        given, allowed = "is_transpose", "a product; nisa.nc_transpose moves float8 tiles"
    elif tile_size and tile_size[1] != columns:
        given, allowed = f"tile_size {tile_size}", f"PE tiles of all {columns} columns"
    else:
        return
    raise matmul.error("nc_matmul.perf_mode", "double_row is not available here", given=given, allowed=allowed)


def _check_space(matmul: Instruction, operand: str, access: Access, space: Space) -> None:
    if access.buffer.space is not space:
        raise wrong_memory(matmul, operand, access, str(space), ": the Tensor Engine reads SBUF and writes PSUM")


def _check_shapes(matmul: Instruction, dst: Access, layout: Layout) -> None:
    given = f"stationary {list(layout.stationary)}, moving {list(layout.moving)}"
    if layout.stationary[0] != layout.moving[0]:
        raise matmul.error(
            "err_num_partition_mismatch",
            "stationary and moving span different numbers of partitions, the contracted axis",
            given=given,
            allowed="the same size of axis 0",
        )
    if layout.contracted == 2 and not (layout.stationary[1] == layout.moving[1] == 2 and _rank_is(layout, 3)):
        raise matmul.error(
            "nc_matmul.perf_mode",
            "double_row contracts axes 0 and 1, and axis 1 holds a pair",
            given=given,
            allowed="stationary [K, 2, M], moving [K, 2, N]",
        )
    if (dst.shape[0], math.prod(dst.shape[1:])) != (layout.result[0], math.prod(layout.result[1:])):
        raise matmul.error(
            "nc_matmul.shape",
            "dst does not have the shape of the product",
            given=f"{given}, dst {list(dst.shape)}",
            allowed=f"dst {list(layout.result)}",
        )
    if matmul.mask is not None and dst.shape != layout.result:
        raise matmul.error(
            "nc_matmul.mask",
            "a mask needs the free axes of dst and moving to be the same",
            given=f"{given}, dst {list(dst.shape)}",
            allowed=f"dst {list(layout.result)}",
        )


def _check_sizes(matmul: Instruction, dst: Access, layout: Layout, target: Target) -> None:
    in_bfloat16 = dst.dtype == bfloat16
    columns = target.nc_matmul_moving_bfloat16_fmax if in_bfloat16 else target.nc_matmul_moving_float32_fmax
    sizes = {
        "stationary": (layout.result[0], layout.stationary, target.gemm_stationary_fmax),
        "moving": (math.prod(layout.result[1:]), layout.moving, columns),
    }
    for operand, (size, shape, limit) in sizes.items():
        if size > limit:
            raise matmul.error(
                "err_size_of_dimension_exceed_arch_limit",
                f"'{operand}' is too large along its free axis",
                given=f"{size} elements in each partition of {list(shape)}",
                allowed=f"at most {limit} on {target.name}",
            )


def _rank_is(layout: Layout, rank: int) -> bool:
    return len(layout.stationary) == len(layout.moving) == rank
