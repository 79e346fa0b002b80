"""The lists of tensors that collectives take: one instruction is recorded for each place in them."""

from typing import Any

from jnki.access.access import Access
from jnki.access.buffer import Space
from jnki.errors import RuleError, not_modelled
from jnki.isa.dma.current_rules import check_priority
from jnki.isa.instruction import Instruction
from jnki.nki.isa.instruction import operand, recorded
from jnki.record.recorder import Recorder, current


def start(function: str, priority: Any) -> Recorder:
    """The kernel that is being recorded; its cores, where they are two, are not modelled together with other devices.

    Raises:
        OutsideKernelError: none is.
        NotImplementedError: the kernel runs on two cores.
        RuleError: `<function>.priority`.
    """
    recorder = current(f"ncc.{function}")
    if recorder.grid and max(recorder.grid) > 1:
        raise not_modelled(f"nki.collectives.{function} in a kernel on {max(recorder.grid)} cores")
    check_priority(function, priority, recorder.target)
    return recorder


def pairs(function: str, *, most: int | None = None, **lists: Any) -> list[dict[str, Access]]:
    """The tensors that belong together, one from each list, by the name of its list.

    Args:
        most: how many tensors a list may have; None for any number, which must be in HBM where there are several.

    Raises:
        RuleError: `<function>.lists`, `<function>.coalesced`, `<function>.overlap`.
    """
    for name, tensors in lists.items():
        if not isinstance(tensors, (list, tuple)) or not tensors:
            raise RuleError(
                f"{function}.lists",
                f"{function}: '{name}' is a list of tensors",
                given=f"{type(tensors).__name__} {tensors}"[:80],
                allowed="a list with at least one tensor",
            )
    if len({len(tensors) for tensors in lists.values()}) > 1:
        raise RuleError(
            f"{function}.lists",
            f"{function}: the lists of tensors are not equally long",
            given=", ".join(f"{len(tensors)} {name}" for name, tensors in lists.items()),
            allowed="one tensor in each for each of the others",
        )
    count = len(next(iter(lists.values())))
    rows = [{name: operand(ts[at], function, f"{name}[{at}]") for name, ts in lists.items()} for at in range(count)]
    if most is not None and count > most:
        raise RuleError(
            f"{function}.coalesced",
            f"{function}: a list has too many tensors",
            given=f"{count} tensors",
            allowed=f"{most}" if most > 1 else "exactly one tensor in each list",
        )
    spaces = {access.buffer.space for row in rows for access in row.values()}
    if count > 1 and spaces != {Space.HBM}:
        raise RuleError(
            f"{function}.coalesced",
            f"{function}: several tensors are exchanged at once only in HBM",
            given=f"{count} tensors in {', '.join(sorted(map(str, spaces)))}",
            allowed="all in hbm, or one tensor in each list",
        )
    check_apart(function, rows)
    return rows


def check_apart(function: str, rows: list[dict[str, Access]]) -> None:
    """What one place of the lists writes, no other place reads or writes: there is no order between them."""
    for number, row in enumerate(rows):
        for other in rows[:number] + rows[number + 1 :]:
            for name, access in other.items():
                if _may_meet(row["dsts"], access):
                    raise RuleError(
                        f"{function}.overlap",
                        f"{function}: tensors that are exchanged at once share elements",
                        given=f"dsts {row['dsts']} and {name} {access}",
                        allowed="a dst that no other tensor of the call overlaps",
                    )


def _may_meet(a: Access, b: Access) -> bool:
    if a.buffer.name != b.buffer.name:
        return False
    if a.indirect is not None or b.indirect is not None or a.offset.symbols or b.offset.symbols:
        return True
    (low_a, high_a), (low_b, high_b) = _span(a), _span(b)
    return low_a <= high_b and low_b <= high_a


def _span(access: Access) -> tuple[int, int]:
    start = access.offset.constant
    return start, start + sum(dim.step * (dim.count - 1) for dim in access.dims)


def record_all(instructions: list[Instruction], name: str | None) -> None:
    """Records the instructions of one call, under the name that the user gives it."""
    for instruction in instructions:
        recorded(instruction, name)
