"""The rules of `nc_matmul` in the current dialect, where they are not those of the legacy one.

Source: the page of `nki.isa.nc_matmul` of NKI's current documentation; for the type of a transpose, the NeuronCore-v4
section of its architecture guide.
"""

from typing import Any

from jnki.access.access import Access
from jnki.dtypes import bfloat16, float8_e4m3, float8_e4m3fn, float32, tfloat32
from jnki.isa.tensor.pe_tiling import check_whole_tiles
from jnki.target import Target

_WIDE = (float32, tfloat32)


def check_current(matmul: Any, dst: Access, stationary: Access, moving: Access, target: Target) -> None:
    """Element types, the flag, and the PE tile are such as the documents allow.

    Args:
        matmul: the `NcMatmul`, checked by the rules that both dialects share.

    Raises:
        RuleError: `nc_matmul.mask`, `.mixed_dtype`, `.dtype_target`, `.dst_dtype`, `.accumulate`, or one on PE tiles.
    """
    masks = [mask for mask in (matmul.mask, matmul.contraction_mask) if mask is not None]
    if masks:
        raise matmul.error(
            "nc_matmul.mask",
            "there is no mask by the current rules",
            given=", ".join(map(str, masks)),
            allowed="operands that are sliced to what is multiplied",
        )
    x, y = stationary.dtype, moving.dtype
    if (x in _WIDE) != (y in _WIDE) or {x, y} == {float8_e4m3, float8_e4m3fn}:
        raise matmul.error(
            "nc_matmul.mixed_dtype",
            "the operands cannot have these two types together",
            given=f"stationary {x}, moving {y}",
            allowed="float32 and tfloat32 with each other only; float8_e4m3 and float8_e4m3fn not with each other",
        )
    if float8_e4m3fn in (x, y) and target.neuron_core_version < 4:
        raise matmul.error(
            "nc_matmul.dtype_target",
            "the target does not multiply this type",
            given=f"float8_e4m3fn on {target.name} (NeuronCore-v{target.neuron_core_version})",
            allowed="NeuronCore-v4 or newer, or float8_e4m3",
        )
    _check_result(matmul, dst, stationary, target)
    if not isinstance(matmul.accumulate, bool):
        raise matmul.error(
            "nc_matmul.accumulate",
            "'accumulate' is not a flag",
            given=repr(matmul.accumulate),
            allowed="True or False; a kernel may leave it out",
        )
    check_whole_tiles(matmul, matmul.tile_position, matmul.tile_size)


def _check_result(matmul: Any, dst: Access, stationary: Access, target: Target) -> None:
    allowed = [float32]
    if target.neuron_core_version >= 4:
        allowed.append(bfloat16)
    if matmul.is_transpose is True and stationary.dtype not in allowed:
        allowed.append(stationary.dtype)
    if dst.dtype not in allowed:
        raise matmul.error(
            "nc_matmul.dst_dtype",
            "the Tensor Engine does not write this type",
            given=f"dst {dst.dtype} on {target.name}",
            allowed=" or ".join(map(str, allowed)),
        )
