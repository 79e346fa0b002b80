"""`nki.compiler.sbuf`: where in SBUF a tensor is, as its `buffer=`; the module itself stands for `auto_alloc()`."""

from collections.abc import Callable
from typing import Any

from jnki.access.buffer import Space
from jnki.dialects.calls import publish
from jnki.neuronxcc.nki.language.memory import Region
from jnki.neuronxcc.nki.language.memory import sbuf as _region
from jnki.tiles.allocation import Allocation, by_function, modulo, one_start, tile_counts


def alloc(func: Callable[..., Any]) -> Allocation:
    """Each block of the tensor is where `func` says.

    Args:
        func: from `idx`, the index of a block as a tuple, `pdim_size`, its partitions, and `fdim_size`, its bytes in
            each of them, to `(start_partition, byte_addr)`.
    """
    return by_function("nki.compiler.sbuf.alloc", Space.SBUF, func)


def mod_alloc(
    *, base_addr: int, base_partition: int = 0, num_par_tiles: Any = (), num_free_tiles: Any = ()
) -> Allocation:
    """The blocks of the tensor use some physical tiles in turn: block `i` the tile `i` modulo their number.

    Args:
        base_addr: first byte of the first tile in each partition.
        base_partition: 0.
        num_par_tiles, num_free_tiles: for each block axis, how many tiles lie beside each other along the partitions
            and along the free axis; () is one for each.
    """
    name = "nki.compiler.sbuf.mod_alloc"
    one_start(name, base_partition=base_partition)
    tiles = tile_counts(name, num_par_tiles=num_par_tiles, num_free_tiles=num_free_tiles)
    along_partitions, along_free = (counts for _, counts in tiles)

    def place(block: tuple[int, ...], partitions: int, size_bytes: int) -> tuple[int, int]:
        return modulo(0, along_partitions, partitions, block), modulo(base_addr, along_free, size_bytes, block)

    return Allocation(name, Space.SBUF, place, tiles)


def auto_alloc() -> Region:
    """Somewhere in SBUF: what `nl.sbuf` is."""
    return _region


publish(globals(), "nki.compiler.sbuf", ["alloc", "mod_alloc", "auto_alloc"])
