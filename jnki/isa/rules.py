"""Rules that many instructions share."""

import math
from typing import Any

from jnki.access.access import Access, Dim
from jnki.access.buffer import Space
from jnki.errors import RuleError
from jnki.isa.bitvec import immediate
from jnki.isa.enums import engine as Engine
from jnki.isa.instruction import Instruction
from jnki.isa.operators import OPERATORS, Operator
from jnki.source import called
from jnki.target import Target


def check_on_chip(instruction: Instruction, operand: str, access: Access, *, psum: bool = True) -> None:
    """The operand is in SBUF (or PSUM, where allowed), and starts with the partition axis.

    It is direct, or has one offset, which moves it within each partition.
    """
    allowed = (Space.SBUF, Space.PSUM) if psum else (Space.SBUF,)
    if access.buffer.space not in allowed:
        raise wrong_memory(instruction, operand, access, " | ".join(map(str, allowed)))
    if access.indirect is not None and access.indirect.is_vector:
        raise instruction.error(
            "err_indirect_indices_are_not_supported_with_nki_api",
            f"'{operand}' cannot have an indirect index",
            given=str(access),
            allowed="static indices; nisa.dma_copy gathers and scatters",
        )
    check_offset(instruction, operand, access)
    check_tile(instruction, operand, access)
    if access.dtype.is_opaque and not instruction.takes_opaque:
        raise no_numbers(instruction, operand, access)


def no_numbers(instruction: Instruction, operand: str, access: Access) -> RuleError:
    """The error of an operand whose elements are scales or packed, in an instruction that computes with numbers."""
    return instruction.error(
        f"{instruction.name}.opaque",
        f"the elements of '{operand}' are no numbers",
        given=str(access.buffer),
        allowed="another element type; copies move these, and quantize_mx and nc_matmul_mx know what they mean",
    )


def check_keeps_opaque(instruction: Instruction, dst: Access, src: Access) -> None:
    """Scales and packed elements move as they are."""
    if dst.dtype != src.dtype and (dst.dtype.is_opaque or src.dtype.is_opaque):
        raise instruction.error(
            f"{instruction.name}.opaque",
            "scales and packed elements are not cast",
            given=f"dst {dst.dtype}, src {src.dtype}",
            allowed="equal element types; .view gives the same bytes another type",
        )


def check_offset(instruction: Instruction, operand: str, access: Access) -> None:
    """The offset of an operand on chip, if it has one, moves it within each partition."""
    buffer, indirect = access.buffer, access.indirect
    stride = buffer.strides[buffer.partition_axis]
    if indirect is not None and stride <= indirect.step < stride * buffer.shape[buffer.partition_axis]:
        raise instruction.error(
            f"{instruction.name}.partition",
            f"the dynamic offset of '{operand}' moves along partitions",
            given=str(access),
            allowed="an offset within each partition",
        )


def wrong_memory(instruction: Instruction, operand: str, access: Access, allowed: str, why: str = "") -> RuleError:
    """The error of an operand in a memory that the instruction does not reach, in the words of the user's call."""
    function = called() or instruction.name
    # What composes instructions has other names for its operands than they do.
    what = f"tensor '{access.buffer.name}'" if function.startswith("nl.") else f"'{operand}'"
    in_hbm = access.buffer.space is Space.HBM and operand not in instruction.writes
    return RuleError(
        "err_unsupported_memory",
        f"{function}: {what} is in the wrong memory{why}",
        given=str(access.buffer),
        allowed=allowed + ("; nl.load brings a tensor from hbm to sbuf" if in_hbm else ""),
        at=instruction.location,
    )


def check_tile(instruction: Instruction, operand: str, access: Access) -> None:
    """Dim 0 is the partition axis of the view, walks whole partitions of one block, and no other dim leaves them."""
    buffer = access.buffer
    partition_stride = buffer.strides[buffer.partition_axis]
    block_stride = partition_stride * buffer.shape[buffer.partition_axis]
    first, *rest = [dim if dim.count > 1 else Dim(0, 1) for dim in access.dims] or [Dim(0, 1)]
    is_tile = access.size == 0 or (
        first.step % partition_stride == 0
        and abs(first.step) < block_stride
        and all(abs(dim.step) < partition_stride for dim in rest)
    )
    if access.blocks or not is_tile:
        raise instruction.error(
            "err_failed_to_infer_tile_from_local_tensor",
            f"'{operand}' is not a tile: its first axis must be the partition axis",
            given=f"{list(access.shape)} of {buffer}, whose partition axis is {access.blocks}",
            allowed="an index on every block axis, such as t[i], so that [P, F...] remains",
        )


def check_partitions(instruction: Instruction, operand: str, access: Access, target: Target) -> None:
    """The operand, and the tile that it is a part of, have no more partitions than the target."""
    buffer = access.buffer
    spanned = access.shape[access.blocks] if access.shape else 1
    partitions = max(spanned, buffer.shape[buffer.partition_axis])
    if partitions > target.partition_count:
        raise instruction.error(
            "err_num_partition_exceed_arch_limit",
            f"'{operand}' spans too many partitions",
            given=f"{partitions} partitions ({list(access.shape)} of {buffer})",
            allowed=f"at most {target.partition_count} on {target.name}",
        )


def check_mask(instruction: Instruction, operand: str, access: Access) -> None:
    """The mask, if any, broadcasts to the shape of the operand that it speaks of."""
    if instruction.mask is not None and not instruction.mask.fits(access.shape):
        raise instruction.error(
            f"{instruction.name}.mask",
            f"the mask does not fit '{operand}'",
            given=f"mask {list(instruction.mask.shape)}, {operand} {list(access.shape)}",
            allowed=f"a shape that broadcasts to that of {operand}",
        )


def check_same_tile(instruction: Instruction, dst: Access, src: Access) -> None:
    """Both have the same partitions, and equally many elements in each."""
    if dst.shape[0] != src.shape[0]:
        raise instruction.error(
            "err_num_partition_mismatch",
            "dst and src span different numbers of partitions",
            given=f"dst {list(dst.shape)}, src {list(src.shape)}",
            allowed="the same size of axis 0",
        )
    if math.prod(dst.shape[1:]) != math.prod(src.shape[1:]):
        raise instruction.error(
            f"{instruction.name}.element_count",
            "dst and src have different numbers of elements per partition",
            given=f"dst {list(dst.shape)}, src {list(src.shape)}",
            allowed="equally many elements per partition",
        )


def check_engine(instruction: Instruction, given: Engine, allowed: tuple[Engine, ...]) -> None:
    """The requested engine can run the instruction."""
    if given is not Engine.unknown and given not in allowed:
        raise instruction.error(
            f"{instruction.name}.engine",
            "the engine cannot run this instruction",
            given=str(getattr(given, "name", given)),
            allowed=", ".join(e.name for e in (*allowed, Engine.unknown)),
        )


def check_compute_tile(instruction: Instruction, operand: str, access: Access, target: Target) -> None:
    """The operand is a tile in SBUF or PSUM that the compute engines can reach."""
    check_on_chip(instruction, operand, access)
    check_partitions(instruction, operand, access, target)


def check_bitvec(instruction: Instruction, operator: Operator, *accesses: Access) -> None:
    """A bitvec operator has integer operands and results."""
    if operator.is_bitvec and not all(a.dtype.is_integer or a.dtype.name == "bool" for a in accesses):
        raise instruction.error(
            f"{instruction.name}.bitvec",
            f"'{operator.name}' works on bits",
            given=", ".join(str(a.dtype) for a in accesses),
            allowed="integer operands and results",
        )
    if operator.name in ("left_shift", "right_shift") and any(a.dtype.name == "bool" for a in accesses):
        raise instruction.error(
            f"{instruction.name}.bitvec",
            f"'{operator.name}' needs bits to shift",
            given=", ".join(str(a.dtype) for a in accesses),
            allowed="integers; a bool has one bit",
        )


def check_number_or_vector(
    instruction: Instruction, argument: str, operand: Any, operator: Operator, data: Access, target: Target
) -> None:
    """The operand beside each element of `data` is a number or a `[P, 1]` tile, as the operator takes it."""
    if operand is None and operator.arity == 1:
        return
    if operand is None:
        raise instruction.error(
            f"{instruction.name}.{argument}", f"'{operator.name}' needs '{argument}'", allowed="a number or [P, 1]"
        )
    if isinstance(operand, Access):
        check_compute_tile(instruction, argument, operand, target)
        check_vector(instruction, argument, operand, data)
    if operator.arity == 1 and operand != 0:
        raise instruction.error(
            f"{instruction.name}.{argument}",
            f"'{operator.name}' has one operand, the data",
            given=f"{argument}={operand}",
            allowed=f"{argument}=0.0, or None",
        )


def check_immediate(
    instruction: Instruction, argument: str, operand: Access | float | None, operator: Operator, data: Access
) -> None:
    """A number beside a bitvec operator has bits in the type of the data."""
    works_on_bits = operator.is_bitvec and operator.arity == 2
    if works_on_bits and not isinstance(operand, Access) and immediate(operand, data.dtype) is None:
        raise instruction.error(
            f"{instruction.name}.{argument}",
            f"'{operator.name}' works on bits, and '{argument}' has none that fit",
            given=f"{argument}={operand} beside data of {data.dtype}",
            allowed=f"an integer of {8 * data.dtype.size_bytes} bits, or a [P, 1] tile of integers",
        )


def check_vector(instruction: Instruction, operand: str, value: Access, data: Access, rule: str | None = None) -> None:
    """A vector operand has one element in each partition of `data`."""
    if value.shape[0] != data.shape[0] or math.prod(value.shape[1:]) != 1:
        raise instruction.error(
            rule or f"{instruction.name}.{operand}",
            f"'{operand}' must be a scalar, or a vector with one element per partition",
            given=f"{list(value.shape)} beside data {list(data.shape)}",
            allowed=f"[{data.shape[0]}, 1]",
        )


def check_version(instruction: Instruction, target: Target, least: int, instead: str = "") -> None:
    """The target has the instruction: its NeuronCore is of version `least` or newer."""
    if target.neuron_core_version < least:
        raise instruction.error(
            f"{instruction.name}.target",
            f"there is no such instruction before NeuronCore-v{least}",
            given=f"NeuronCore-v{target.neuron_core_version} ({target.name})",
            allowed=f"NeuronCore-v{least} and newer{instead}",
        )


def check_operators(instruction: Instruction, target: Target, **names: str | None) -> None:
    """The target has the operators, which are given by argument."""
    for argument, name in names.items():
        if name is not None and OPERATORS[name].least_version > target.neuron_core_version:
            raise instruction.error(
                f"{instruction.name}.{argument}",
                f"there is no operator '{name}' before NeuronCore-v{OPERATORS[name].least_version}",
                given=f"NeuronCore-v{target.neuron_core_version} ({target.name})",
                allowed=f"NeuronCore-v{OPERATORS[name].least_version} and newer",
            )


def check_no_mask(instruction: Instruction) -> None:
    """Instructions that only the current dialect has take no mask: it has none."""
    if instruction.mask is not None:
        raise instruction.error(
            f"{instruction.name}.mask", "there is no mask", given=str(instruction.mask), allowed="mask=None"
        )


def check_int32(instruction: Instruction, argument: str, value: Any) -> None:
    """The argument is an integer of 32 bits."""
    if not isinstance(value, int) or isinstance(value, bool) or not -(1 << 31) <= value < 1 << 31:
        raise instruction.error(
            f"{instruction.name}.{argument}",
            f"'{argument}' is no integer of 32 bits",
            given=repr(value),
            allowed="-2^31 to 2^31 - 1",
        )


def check_type(instruction: Instruction, operand: str, access: Access, types: tuple[str, ...]) -> None:
    """The operand is of one of these element types."""
    if access.dtype.name not in types:
        raise instruction.error(
            f"{instruction.name}.{operand}",
            f"'{operand}' has the wrong element type",
            given=str(access.dtype),
            allowed=", ".join(types),
        )


def check_float32(instruction: Instruction, argument: str, value: Any, data: Access, target: Target) -> None:
    """A number beside `data` is a constant, or a `[P, 1]` tile of float32."""
    if not isinstance(value, Access):
        return
    check_compute_tile(instruction, argument, value, target)
    check_vector(instruction, argument, value, data)
    check_type(instruction, argument, value, ("float32",))
