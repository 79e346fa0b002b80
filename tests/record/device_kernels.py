"""What kernels with loops on the device are written with in these tests: instructions by their classes, on handles.

No dialect is needed. `emit` records any instruction of the core; `ap` is the hardware's access pattern.
"""

from jnki.access.access import Access
from jnki.access.buffer import Space
from jnki.access.pattern import hardware_pattern
from jnki.dtypes import element_type
from jnki.record import device_loops
from jnki.record.recorder import current
from jnki.record.register import VirtualRegister
from jnki.tiles import registers
from jnki.tiles.tensor import Tensor, whole

alloc, move, load, store = registers.alloc, registers.move, registers.load, registers.store


def new(shape, dtype="float32", space=Space.SBUF, name=""):
    """A tensor in the open block."""
    recorder = current("new")
    if space is Space.HBM:
        return whole(recorder, recorder.make_shared_buffer(shape, element_type(dtype), name), recorder.scopes[0])
    return whole(recorder, recorder.make_buffer(space, shape, element_type(dtype), name=name), recorder.scope)


def hbm(shape, dtype="float32", name=""):
    return new(shape, dtype, Space.HBM, name)


def emit(kind, **fields):
    """Records an instruction; handles among its fields are operands."""
    recorder = current("emit")
    operands = {n: v.access if isinstance(v, Tensor) else v for n, v in fields.items()}
    instruction = kind(**operands)
    instruction.check(recorder.target)
    recorder.emit(instruction)


def ap(tensor, pattern, offset=0, by=None, dim=0) -> Access:
    """The pattern on all of the tensor's buffer, from as far along `dim` as the register or tile `by` says."""
    index = None if by is None else by.access
    return hardware_pattern(tensor.access.buffer, pattern, offset, scalar_offset=index, indirect_dim=dim)


def fori(lower, upper, body, step=1):
    device_loops.fori_loop(current("fori"), lower, upper, body, step)


def while_loop(init, body):
    device_loops.while_loop(current("while_loop"), init, body)


def dynamic_range(start, stop=None, step=1):
    lower, upper = (0, start) if stop is None else (start, stop)
    return device_loops.counted(current("dynamic_range"), "dynamic_range", lower, upper, step, name="i")


__all__ = [
    "VirtualRegister",
    "alloc",
    "ap",
    "dynamic_range",
    "emit",
    "fori",
    "hbm",
    "load",
    "move",
    "new",
    "store",
    "while_loop",
]
