"""`nki.compiler.psum`: which bank of PSUM a tensor is in, as its `buffer=`; the module stands for `auto_alloc()`."""

from collections.abc import Callable
from typing import Any

from jnki.access.buffer import Space
from jnki.dialects.calls import publish
from jnki.neuronxcc.nki.language.memory import Region
from jnki.neuronxcc.nki.language.memory import psum as _region
from jnki.tiles.allocation import Allocation, by_function, modulo, one_start, one_tile, tile_counts


def alloc(func: Callable[..., Any]) -> Allocation:
    """Each block of the tensor is where `func` says.

    Args:
        func: from `idx`, the index of a block as a tuple, `pdim_size`, its partitions, and `fdim_size`, its bytes in
            each of them, to `(bank_id, start_partition, byte_addr)`, of which the last two are 0.
    """
    return by_function("nki.compiler.psum.alloc", Space.PSUM, func)


def mod_alloc(
    *,
    base_bank: int,
    base_addr: int = 0,
    base_partition: int = 0,
    num_bank_tiles: Any = (),
    num_par_tiles: Any = (),
    num_free_tiles: Any = (),
) -> Allocation:
    """The blocks of the tensor use some banks in turn: block `i` the bank `base_bank` plus `i` modulo their number.

    Args:
        base_bank: the first bank.
        base_addr, base_partition: 0.
        num_bank_tiles: for each block axis, how many banks; () is one for each.
        num_par_tiles, num_free_tiles: () or ones: a bank holds one tile.
    """
    name = "nki.compiler.psum.mod_alloc"
    one_start(name, base_addr=base_addr, base_partition=base_partition)
    tiles = tile_counts(name, num_bank_tiles=num_bank_tiles, num_par_tiles=num_par_tiles, num_free_tiles=num_free_tiles)
    one_tile(name, tiles[1:])
    banks = tiles[0][1]
    return Allocation(name, Space.PSUM, lambda block, _, __: (modulo(base_bank, banks, 1, block), 0, 0), tiles)


def auto_alloc() -> Region:
    """Somewhere in PSUM: what `nl.psum` is."""
    return _region


publish(globals(), "nki.compiler.psum", ["alloc", "mod_alloc", "auto_alloc"])
