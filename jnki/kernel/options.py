"""What decorators of NKI ask of the vendor's compiler for one kernel. No option changes a value."""

import enum
from dataclasses import dataclass

from jnki.errors import RuleError


class Option(enum.Enum):
    """A wish of the kernel's author; each member has the name of its decorator.

    Attributes:
        SKIP_MIDDLE_END: the compiler leaves the instructions as they are.
        STACK_ALLOCATOR: tensors that have no place are put on a stack.
        FORCE_AUTO_ALLOC: places that the author gives are ignored.
    """

    SKIP_MIDDLE_END = "skip_middle_end_transformations"
    STACK_ALLOCATOR = "enable_stack_allocator"
    FORCE_AUTO_ALLOC = "force_auto_alloc"


@dataclass(frozen=True)
class MaxTrips:
    """How often a loop runs at most whose bounds or condition are known at run time, as the kernel's user says."""

    number: int


Options = frozenset[Option | MaxTrips]


def max_trips_of(options: Options) -> int | None:
    """The stated bound of loops, or None."""
    return next((option.number for option in options if isinstance(option, MaxTrips)), None)


def with_max_trips(options: Options, number: int, kernel: str) -> Options:
    """The options with this bound of loops.

    Raises:
        RuleError: it is none.
    """
    if isinstance(number, bool) or not isinstance(number, int) or not 0 < number < 1 << 31:
        raise RuleError(
            "kernel.max_trips",
            f"kernel '{kernel}' cannot have such a bound of its loops",
            given=repr(number),
            allowed="a positive integer",
        )
    return frozenset(o for o in options if not isinstance(o, MaxTrips)) | {MaxTrips(number)}


def with_option(options: Options, option: Option, kernel: str) -> Options:
    """The options and one more, which stands above them in the kernel's decorators.

    Raises:
        RuleError: the documents do not allow them together, or in this order.
    """
    if option is Option.STACK_ALLOCATOR and Option.SKIP_MIDDLE_END not in options:
        raise RuleError(
            "compiler.enable_stack_allocator",
            f"kernel '{kernel}' has a stack allocator without skip_middle_end_transformations",
            given="@nki.compiler.enable_stack_allocator",
            allowed="@nki.compiler.enable_stack_allocator above @nki.compiler.skip_middle_end_transformations",
        )
    made = options | {option}
    if {Option.STACK_ALLOCATOR, Option.FORCE_AUTO_ALLOC} <= made:
        raise RuleError(
            "compiler.force_auto_alloc",
            f"kernel '{kernel}' cannot have two allocators",
            given="@nki.compiler.force_auto_alloc and @nki.compiler.enable_stack_allocator",
            allowed="one of them",
        )
    return made
