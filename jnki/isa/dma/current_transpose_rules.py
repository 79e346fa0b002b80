"""The rules of `dma_transpose` in the current dialect.

direct     src where it is, or moved as a whole by one index of run time      hwdge
gathered   one row of src, in HBM, for each index of a tile                   swdge
"""

from jnki.access.access import Access
from jnki.access.buffer import Space
from jnki.isa.enums import dge_mode as DgeMode
from jnki.isa.enums import oob_mode as OobMode
from jnki.isa.instruction import Instruction
from jnki.isa.rules import check_partitions, check_tile, wrong_memory
from jnki.target import Target

_STEP = 16  # rows of an index tile, and rows gathered, are multiples of it
_MOST_INNER = 128
_MOST_ROWS = 128
_HWDGE_ROWS = (1, 2, 4, 8, 16)


def check_transpose(
    transpose: Instruction,
    dst: Access,
    src: Access,
    mode: DgeMode,
    oob: OobMode,
    permuted: tuple[int, ...],
    target: Target,
) -> None:
    """Every rule holds. `permuted` is the shape of `src` after the permutation.

    Raises:
        RuleError: `dma_transpose.*` or `err_*`, as docs/isa/dma/dma_transpose.md has them.
    """
    for operand, access in (("src", src), ("dst", dst)):
        _check_operand(transpose, operand, access, target)
    if dst.shape != permuted:
        raise transpose.error(
            "dma_transpose.shape",
            "dst does not have the transposed shape",
            given=f"src {list(src.shape)}, dst {list(dst.shape)}",
            allowed=f"dst {list(permuted)}",
        )
    if src.dtype != dst.dtype:
        raise transpose.error(
            "dma_transpose.dtype",
            "the elements keep their type",
            given=f"src {src.dtype}, dst {dst.dtype}",
            allowed="equal element types",
        )
    gathers = src.indirect is not None and src.indirect.is_vector
    if oob is OobMode.skip and src.indirect is None:
        raise transpose.error(
            "dma_transpose.oob_static",
            "nothing can be skipped where every address is known before execution",
            given="oob_mode.skip without an index of run time",
            allowed="oob_mode.error",
        )
    modes = (DgeMode.swdge,) if gathers else (DgeMode.hwdge,) if src.indirect else (DgeMode.hwdge, DgeMode.none)
    if mode not in (DgeMode.unknown, *modes):
        raise transpose.error(
            "dma_transpose.dge_mode",
            "the descriptors cannot be generated in this way",
            given=f"dge_mode.{mode.name} with {_addressing(src)}",
            allowed=" or ".join(f"dge_mode.{mode.name}" for mode in (*modes, DgeMode.unknown)),
        )
    if gathers:
        _check_gather(transpose, src, target)
    elif mode is DgeMode.hwdge:
        _check_hwdge(transpose, src, target)


def _addressing(src: Access) -> str:
    if src.indirect is None:
        return "no index of run time"
    return "a vector of indices" if src.indirect.is_vector else "one index of run time"


def _check_operand(transpose: Instruction, operand: str, access: Access, target: Target) -> None:
    if access.buffer.space is Space.PSUM:
        raise wrong_memory(transpose, operand, access, "hbm | sbuf")
    if operand == "dst" and access.indirect is not None:
        raise transpose.error(
            "dma_transpose.indirect_dst",
            "'dst' has an index of run time",
            given=str(access),
            allowed="an index of run time on 'src'",
        )
    if access.buffer.space.on_chip:
        check_tile(transpose, operand, access)
        check_partitions(transpose, operand, access, target)


def _check_hwdge(transpose: Instruction, src: Access, target: Target) -> None:
    shape = src.shape
    rows_fit = shape[0] == _STEP if len(shape) == 2 else shape[0] in _HWDGE_ROWS and shape[0] * shape[-2] % _STEP == 0
    if target.neuron_core_version < 3:
        rule, given, allowed = "hwdge_target", target.name, "NeuronCore-v3 or newer"
    elif src.dtype.size_bytes != 2:
        rule, given, allowed = "hwdge_dtype", str(src.dtype), "elements of two bytes"
    elif not rows_fit or shape[-1] > _MOST_INNER:
        rule, given = "hwdge_shape", f"src {list(shape)}"
        allowed = f"[16, n]; [a, ..., b, n] with a in {_HWDGE_ROWS} and a * b a multiple of 16; n at most {_MOST_INNER}"
    else:
        return
    raise transpose.error(f"dma_transpose.{rule}", "hwdge cannot transpose this", given=given, allowed=allowed)


def _check_gather(transpose: Instruction, src: Access, target: Target) -> None:
    shape = src.shape
    if target.neuron_core_version < 3:
        rule, given, allowed = "indirect_target", target.name, "NeuronCore-v3 or newer"
    elif src.buffer.space is not Space.HBM:
        rule, given, allowed = "indirect_memory", str(src.buffer), "src in hbm"
    elif src.dtype.size_bytes != 2:
        rule, given, allowed = "indirect_dtype", str(src.dtype), "elements of two bytes"
    elif shape[-1] > _MOST_INNER or shape[0] % _STEP or (len(shape) == 4 and 1 not in shape[1:3]):
        rule, given = "indirect_shape", f"src {list(shape)}"
        allowed = (
            f"rows that are a multiple of 16, at most {_MOST_INNER} elements on the last axis, and of four axes one "
        )
        allowed += "of the middle two of size 1"
    elif not _index_fits(src):
        assert src.indirect is not None
        index = src.indirect.index
        rule, given = "indirect_index", f"{list(index.shape)} of {index.dtype} for {shape[0]} rows"
        allowed = "uint32 [n, 1], n a multiple of 16 up to 128, or [128, m]; at least as many elements as rows"
    else:
        return
    raise transpose.error(f"dma_transpose.{rule}", "rows like these are not gathered", given=given, allowed=allowed)


def _index_fits(src: Access) -> bool:
    assert src.indirect is not None
    index = src.indirect.index
    if len(index.shape) != 2 or index.dtype.name != "uint32":
        return False
    rows, columns = index.shape
    return (
        _STEP <= rows <= _MOST_ROWS
        and rows % _STEP == 0
        and (columns == 1 or rows == _MOST_ROWS)
        and index.size >= src.shape[0]
    )
