"""Recording random numbers: seeds, draws, dropout. One generator for each instance of a kernel."""

from collections.abc import Sequence
from typing import Any

from jnki.access.access import Access
from jnki.access.mask import as_mask
from jnki.dtypes import element_type, uint32
from jnki.isa.constants import as_number
from jnki.isa.instruction import Instruction
from jnki.isa.operands import as_column
from jnki.isa.random_numbers import STATE_SHAPE
from jnki.isa.vector.dropout import Dropout
from jnki.isa.vector.rand import Rand
from jnki.isa.vector.random_seed import RandomSeed, seed_word
from jnki.record.recorder import Recorder, current
from jnki.source import user_location
from jnki.tiles.tensor import Tensor, as_tensor, new_tile
from jnki.tiles.views import broadcast_access


def random_seed(seed: Any, *, mask: Any = None) -> None:
    """Records that the generator starts anew with `seed`: a number, or a tile of one element of 32 bits."""
    recorder = current("nl.random_seed")
    instruction = RandomSeed(
        seed=seed.access if isinstance(seed, Tensor) else seed_word(seed),
        state=_state(recorder),
        mask=as_mask(mask),
        location=user_location(),
    )
    instruction.check(recorder.target)
    recorder.emit(instruction)


def rand(shape: Sequence[int], dtype: Any, *, mask: Any = None) -> Tensor:
    """A new SBUF tile with uniform random numbers from 0 up to 1."""
    recorder = current("nl.rand")

    def make(dst: Access) -> Instruction:
        instruction = Rand(dst=dst, state=_state(recorder), mask=as_mask(mask), location=user_location())
        instruction.check(recorder.target)
        return instruction

    return new_tile(recorder, tuple(int(n) for n in shape), element_type(dtype), make)


def dropout(data: Any, prob: Any, *, one_for_all: bool = False, mask: Any = None, dtype: Any = None) -> Tensor:
    """A new SBUF tile with elements of `data` replaced by zero at random.

    Args:
        prob: the drop probability: a number, or a tile `[P, 1]`.
        one_for_all: whether a tile of one element may stand for all partitions.
    """
    recorder = current("nisa.dropout")
    source = as_tensor(data, "dropout", "data").access
    chance: Access | float
    if isinstance(prob, Tensor):
        chance = as_column(prob.access, len(source.dims))
        if one_for_all and chance.size == 1:
            chance = broadcast_access(chance, (source.shape[0], *chance.shape[1:]))
    else:
        chance = float(as_number("dropout", prob))

    def make(dst: Access) -> Instruction:
        instruction = Dropout(
            dst=dst, data=source, prob=chance, state=_state(recorder), mask=as_mask(mask), location=user_location()
        )
        instruction.check(recorder.target)
        return instruction

    return new_tile(
        recorder,
        source.shape,
        source.dtype if dtype is None else element_type(dtype),
        make,
        dtype_is_explicit=dtype is not None,
    )


def _state(recorder: Recorder) -> Access:
    """The generator's registers."""
    return Access.whole(recorder.make_registers("random_state", STATE_SHAPE, uint32))
