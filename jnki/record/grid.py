"""The SPMD launch grid while a kernel is recorded: a loop per axis, unrolled where the kernel needs a number."""

from collections.abc import Callable
from typing import TypeVar

from jnki.access.affine import Affine
from jnki.access.index import Index
from jnki.record.recorder import Recorder

R = TypeVar("R")


def run_grid(recorder: Recorder, instance: Callable[[], R]) -> list[R]:
    """What `instance` returns each time it is run: once for all instances of the grid if it can be.

    An axis whose index the kernel needs as a number (`if nl.program_id(0) == 0`) is unrolled, the others stay loops.
    """
    return _runs(recorder, instance, 0)


def _runs(recorder: Recorder, instance: Callable[[], R], axis: int) -> list[R]:
    if axis == len(recorder.grid):
        recorder.start_instance()
        return [instance()]
    size, key = recorder.grid[axis], ("grid", axis)
    programs: list[Index | int] = list(range(size))
    if size > 1 and not recorder.is_unrolled(key):
        programs = [Index(Affine.of(recorder.new_symbol("pid", size, key)))]
    results = []
    for program in programs:
        with recorder.instances(axis, program):
            results += _runs(recorder, instance, axis + 1)
    return results
