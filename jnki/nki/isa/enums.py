"""The enumerations of `nki.isa`, with the values that this dialect documents, and what they mean in the core."""

import enum
from typing import Any

from jnki.errors import RuleError
from jnki.isa import enums as core
from jnki.source import warn


class engine(enum.Enum):
    """The engine that runs an instruction; `unknown` leaves it to the compiler."""

    unknown = 0
    tensor = 1
    scalar = 2
    gpsimd = 3
    dma = 4
    vector = 5
    sync = 6


class reduce_cmd(enum.Enum):
    """What an instruction does with the accumulator registers of its engine."""

    idle = 0
    reset = 1
    reduce = 2
    reset_reduce = 3
    load_reduce = 4


class dge_mode(enum.Enum):
    """Who generates the descriptors of a DMA."""

    unknown = 0
    swdge = 1
    hwdge = 2
    none = 3


class oob_mode(enum.Enum):
    """What a DMA does with an index of run time that is out of bounds."""

    error = 0
    skip = 1


class matmul_perf_mode(enum.Enum):
    """Performance modes of a matmul."""

    none = "none"
    double_row = "double_row"


class dma_engine(enum.Enum):
    """Who moves data between two cores."""

    dma = 1
    gpsimd_dma = 2


class nc_version(enum.IntEnum):
    """Generation of a NeuronCore."""

    gen2 = 2
    gen3 = 3
    gen4 = 4


tensor_engine = engine.tensor
vector_engine = engine.vector
scalar_engine = engine.scalar
gpsimd_engine = engine.gpsimd
unknown_engine = engine.unknown

_CORE: dict[type[enum.Enum], type[enum.Enum]] = {
    engine: core.engine,
    reduce_cmd: core.reduce_cmd,
    dge_mode: core.dge_mode,
    oob_mode: core.oob_mode,
}


def member(value: Any, kind: type[enum.Enum], function: str, argument: str) -> Any:
    """`value` as a member of one of these enumerations.

    The documented value of a member (`dge_mode=3`, `perf_mode="double_row"`) means that member, with a warning: NKI
    refuses it since 0.3, and public kernels that were written for earlier versions still have it.

    Raises:
        RuleError: `<function>.enum_only`, for anything else.
    """
    if isinstance(value, kind):
        return value
    found = next((m for m in kind if type(value) is type(m.value) and value == m.value), None)
    if found is None:
        raise RuleError(
            f"{function}.enum_only",
            f"{function}: '{argument}' must be a member of nisa.{kind.__name__}",
            given=repr(value),
            allowed=", ".join(f"{kind.__name__}.{member.name}" for member in kind),
        )
    warn(
        f"{function}: {argument}={value!r} is taken for nisa.{kind.__name__}.{found.name}; NKI refuses it since 0.3",
        DeprecationWarning,
    )
    return found


def core_member(value: Any, kind: type[enum.Enum], function: str, argument: str) -> Any:
    """What a member of one of these enumerations is in the core, whose numbers differ.

    Raises:
        RuleError: `<function>.enum_only`, for anything but a member; `<function>.<argument>`, for one that the core
            does not have.
    """
    value = member(value, kind, function, argument)
    found = getattr(_CORE[kind], value.name, None)
    if found is None:
        raise RuleError(
            f"{function}.{argument}",
            f"{function}: '{argument}' cannot be {kind.__name__}.{value.name}",
            given=f"{kind.__name__}.{value.name}",
            allowed=", ".join(member.name for member in kind if hasattr(_CORE[kind], member.name)),
        )
    return found
