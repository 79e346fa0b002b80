"""Random numbers: `rng`, `rand2`, `dropout`, seeds and states. The streams are jnki's own."""

from typing import Any

from jnki.access.access import Access, Dim
from jnki.access.affine import ZERO
from jnki.dtypes import uint32
from jnki.isa.enums import engine as CoreEngine
from jnki.isa.random_lanes import WORDS
from jnki.isa.random_numbers import STATE_SHAPE
from jnki.isa.vector.dropout import Dropout
from jnki.isa.vector.rand2 import Rand2
from jnki.isa.vector.rand_get_state import RandGetState
from jnki.isa.vector.rand_set_state import RandSetState
from jnki.isa.vector.random_seed import RandomSeed
from jnki.isa.vector.rng import Rng
from jnki.nki.isa.enums import core_member, engine
from jnki.nki.isa.instruction import NkiInstruction, operand, recorded
from jnki.nki.isa.on_vector import column_or_number
from jnki.nki.isa.rules import check_partitions
from jnki.record.recorder import current
from jnki.source import user_location

_Engine = engine


def rng(dst: Any, engine: engine = engine.vector, name: str | None = None) -> NkiInstruction:
    """Writes random bits.

    Args:
        dst: `[P, F...]` of an integer type: the low bits of 32.
        engine: vector, which draws from the seed, or gpsimd, which draws from the states of its lanes.
    """
    to, runs_on = operand(dst, "rng", "dst"), core_member(engine, _Engine, "rng", "engine")
    check_partitions("rng", dst=to)
    state = _lanes(CoreEngine.gpsimd, to.shape[0]) if runs_on is CoreEngine.gpsimd else _seeded()
    return recorded(Rng(dst=to, state=state, engine=runs_on, location=user_location()), name)


def rand2(dst: Any, min: Any, max: Any, name: str | None = None) -> NkiInstruction:
    """Writes uniform random numbers from `min` up to `max`, on NeuronCore-v4 and newer.

    Args:
        dst: `[P, F...]`.
        min, max: numbers, or float32 `[P, 1]`.
    """
    to = operand(dst, "rand2", "dst")
    check_partitions("rand2", dst=to)
    low, high = (column_or_number(value, len(to.dims), "rand2") for value in (min, max))
    state = _lanes(CoreEngine.vector, to.shape[0])
    return recorded(Rand2(dst=to, state=state, min=low, max=high, location=user_location()), name)


def dropout(dst: Any, data: Any, prob: Any, name: str | None = None) -> NkiInstruction:
    """Writes `data` with elements replaced by zero at random. What stays is not scaled.

    Args:
        dst, data: `[P, F...]` with the same partitions and equally many elements in each.
        prob: the probability of a zero: a number from 0 to 1, or `[P, 1]`.
    """
    to, source = operand(dst, "dropout", "dst"), operand(data, "dropout", "data")
    check_partitions("dropout", dst=to, data=source)
    chance = column_or_number(prob, len(source.dims), "dropout")
    chance = chance if isinstance(chance, Access) else float(chance)
    return recorded(Dropout(dst=to, data=source, prob=chance, state=_seeded(), location=user_location()), name)


def set_rng_seed(src_seeds: Any, name: str | None = None) -> NkiInstruction:
    """The draws of the Vector Engine that follow are those of this seed.

    Args:
        src_seeds: `[1, 1]` of 32 bits.
    """
    seed = operand(src_seeds, "set_rng_seed", "src_seeds")
    return recorded(RandomSeed(seed=seed, state=_seeded(), location=user_location()), name)


def rand_set_state(src_seeds: Any, engine: engine = engine.gpsimd, name: str | None = None) -> NkiInstruction:
    """Sets the states of the lanes that a tile has partitions for.

    Args:
        src_seeds: uint32 `[P, 6]` for the GpSimd Engine, `[P, 24]` for the Vector Engine.
        engine: gpsimd or vector.
    """
    seeds = operand(src_seeds, "rand_set_state", "src_seeds")
    check_partitions("rand_set_state", src_seeds=seeds)
    runs_on = core_member(engine, _Engine, "rand_set_state", "engine")
    state = _lanes(runs_on, seeds.shape[0])
    return recorded(RandSetState(src_seeds=seeds, state=state, engine=runs_on, location=user_location()), name)


def rand_get_state(dst: Any, engine: engine = engine.gpsimd, name: str | None = None) -> NkiInstruction:
    """Writes the states of the lanes that a tile has partitions for.

    Args:
        dst: uint32 `[P, 6]` for the GpSimd Engine, `[P, 24]` for the Vector Engine.
        engine: gpsimd or vector.
    """
    to = operand(dst, "rand_get_state", "dst")
    check_partitions("rand_get_state", dst=to)
    runs_on = core_member(engine, _Engine, "rand_get_state", "engine")
    state = _lanes(runs_on, to.shape[0])
    return recorded(RandGetState(dst=to, state=state, engine=runs_on, location=user_location()), name)


def _seeded() -> Access:
    """The registers of the generator that a seed sets."""
    return Access.whole(current("nisa.rng").make_registers("random_state", STATE_SHAPE, uint32))


def _lanes(runs_on: CoreEngine, partitions: int) -> Access:
    """The states of the first lanes of an engine; an engine that has none is refused by the instruction."""
    recorder = current("nisa.rng")
    words = WORDS.get(runs_on, 1)
    shape = (recorder.target.partition_count, words)
    buffer = recorder.make_registers(f"{runs_on.name}_lanes", shape, uint32)
    return Access(buffer, ZERO, (Dim(words, partitions), Dim(1, words)))
