"""Rules whose public text is known: it is told in those words."""

import math

from jnki.access.access import Access
from jnki.access.buffer import Space
from jnki.errors import RuleError
from jnki.record.recorder import current


def check_partitions(function: str, **operands: Access | None) -> None:
    """On-chip operands have no more partitions than the target.

    Raises:
        RuleError: `err_num_partition_exceed_arch_limit`.
    """
    limit = current(f"nisa.{function}").target.partition_count
    for name, access in operands.items():
        if access is not None and access.buffer.space.on_chip and access.dims and access.dims[0].count > limit:
            raise RuleError(
                "err_num_partition_exceed_arch_limit",
                f"{function} {name} partition dimension {access.dims[0].count} exceeds maximum {limit}",
                given=f"{list(access.shape)} in {access.buffer.space}",
                allowed=f"at most {limit} partitions",
            )


def check_memory(function: str, name: str, access: Access, *allowed: Space) -> None:
    """An operand is in one of the memories.

    Raises:
        RuleError: `err_unsupported_memory`.
    """
    if access.buffer.space not in allowed:
        raise RuleError(
            "err_unsupported_memory",
            f"{function}: {name} must be in {[str(space) for space in allowed]}, got {access.buffer.space}",
            given=str(access.buffer),
            allowed=" | ".join(map(str, allowed)),
        )


def check_counts(function: str, **operands: Access) -> None:
    """Two operands have equally many elements.

    Raises:
        RuleError: `<function>.element_count`.
    """
    sizes = {name: math.prod(access.shape) for name, access in operands.items()}
    if len(set(sizes.values())) > 1:
        raise RuleError(
            f"{function}.element_count",
            f"{function} requires {' and '.join(reversed(sizes))} to have the same number of elements, got "
            + ", ".join(f"{name}={sizes[name]}" for name in reversed(sizes)),
            given=", ".join(f"{name} {list(access.shape)}" for name, access in operands.items()),
            allowed="equal element counts",
        )
