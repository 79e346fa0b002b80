"""How many cycles an instruction takes its engine, as far as the documents say.

The formulas are those of the legacy `nki.isa` pages ("Cost"), N elements in each partition. Where a page has none, an
engine moves at most as many elements a cycle as its data path is wide (the architecture guides): `derived`.
"""

import enum
import math
from collections.abc import Callable
from dataclasses import dataclass

from jnki.access.access import Access
from jnki.isa.enums import engine as Engine
from jnki.isa.instruction import Instruction
from jnki.isa.tensor.nc_matmul import NcMatmul
from jnki.target import Target

ENGINES = ("tensor", "vector", "scalar", "gpsimd")


class Basis(enum.Enum):
    """Where a number comes from."""

    DOCUMENTED = "documented"
    DERIVED = "derived"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Cost:
    """What one run of an instruction takes.

    Attributes:
        engine: which one it is on: the one that it asks for, or else that of its page.
        cycles: of this engine, at least; None where nothing is published.
        basis: where that comes from.
    """

    engine: str
    cycles: float | None
    basis: Basis


# Of N elements and of the least interval between two instructions.
_FORMULAS: dict[str, Callable[[int, int], float]] = {
    "memset": max,
    "iota": lambda n, least: 150 + n,
    "affine_select": lambda n, least: 150 + n,
    "tensor_copy": max,
    "tensor_copy_dynamic_src": lambda n, least: max(600, n),
    "tensor_copy_dynamic_dst": lambda n, least: max(600, n),
    "tensor_copy_predicated": max,
    "tensor_tensor": max,
    "tensor_scalar": max,
    "tensor_reduce": lambda n, least: n,
    "activation": max,
    "activation_reduce": lambda n, least: max(least, n) + 64,
    "tensor_tensor_scan": lambda n, least: max(least, 2 * n),
    "bn_stats": max,
    "bn_aggr": lambda n, least: max(least, 13 * (n / 3)),
    "reciprocal": lambda n, least: max(least, 8 * n),
    "scalar_tensor_tensor": lambda n, least: n,
}
# With elements of 16 bits their pages have half of that.
_HALF = ("memset", "tensor_reduce")


def cost(instruction: Instruction, target: Target) -> Cost | None:
    """The cost of one run, or None for what runs on no engine: DMAs, registers, waiting."""
    engine = engine_of(instruction)
    if engine is None:
        return None
    least = target.min_instruction_interval_cycles
    if isinstance(instruction, NcMatmul):
        moving, stationary = _free(instruction.moving), _free(instruction.stationary)
        # float32 takes four passes; a performance mode contracts two rows at a time.
        passes = 4 if instruction.moving.dtype.size_bytes == 4 else 0.5 if instruction.perf_mode else 1
        return Cost(engine, passes * max(min(least, stationary), moving), Basis.DOCUMENTED)
    elements = max((_free(access) for access in instruction.operands().values()), default=0)
    formula = _FORMULAS.get(instruction.name)
    width = _elements_per_cycle(engine, instruction, target)
    if formula is None:
        if width is None:
            return Cost(engine, None, Basis.UNKNOWN)
        return Cost(engine, elements * target.partition_count / width, Basis.DERIVED)
    if instruction.name in _HALF and _size_bytes(instruction) == 2:
        elements = -(-elements // 2)
    cycles = formula(elements, least)
    if width is None or width <= target.partition_count:
        return Cost(engine, cycles, Basis.DOCUMENTED)
    # The pages speak of engines that take one element of a partition in a cycle; a wider one may be as much faster.
    return Cost(engine, cycles * target.partition_count / width, Basis.DERIVED)


def engine_of(instruction: Instruction) -> str | None:
    """The engine that an instruction asks for, or else that of its page."""
    asked = getattr(instruction, "engine", Engine.unknown)
    if isinstance(asked, Engine) and asked.name in ENGINES:
        return asked.name
    folder = type(instruction).__module__.split(".")[2]
    return folder if folder in ENGINES and instruction.name != "core_barrier" else None


def clock_ghz(engine: str, target: Target) -> float:
    return float(getattr(target, f"{engine}_clock_ghz"))


def _elements_per_cycle(engine: str, instruction: Instruction, target: Target) -> int | None:
    if engine == "tensor":
        return None
    if engine == "gpsimd":
        return target.gpsimd_elements_per_cycle
    kind = {1: "_float8", 2: "_float16"}.get(_size_bytes(instruction), "")
    return int(getattr(target, f"{engine}{kind}_elements_per_cycle"))


def _size_bytes(instruction: Instruction) -> int:
    """Of the narrowest element."""
    return min((a.dtype.size_bytes for a in instruction.operands().values()), default=4)


def _free(access: Access) -> int:
    """Elements in each partition."""
    return math.prod(access.shape[access.blocks + 1 :]) * math.prod(access.shape[: access.blocks])
