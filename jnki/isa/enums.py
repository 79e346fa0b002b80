"""The enumerations of `nki.isa`, with the values that the legacy dialect documents."""

import enum


class oob_mode(enum.Enum):
    """What an indirect DMA does with a row index that is out of bounds."""

    error = 0
    skip = 1


class dge_mode(enum.Enum):
    """Who generates the descriptors of a DMA."""

    none = 0
    swdge = 1
    hwdge = 2
    unknown = 3


class engine(enum.Enum):
    """The engine that runs an instruction; `unknown` leaves it to the compiler."""

    unknown = 0
    tensor = 1
    scalar = 2
    gpsimd = 3
    vector = 5
    sync = 6


class dma_engine(enum.Enum):
    """The DMA engines, which move data by themselves: no instruction takes them as its engine."""

    dma = "dma"


class reduce_cmd(enum.IntEnum):
    """What an instruction does with the accumulator registers of its engine; `load_reduce` is the current dialect's."""

    idle = 0
    reset = 1
    reduce = 2
    reset_reduce = 3
    load_reduce = 4


class nc_version(enum.IntEnum):
    """Generation of a NeuronCore."""

    gen2 = 2
    gen3 = 3
    gen4 = 4
