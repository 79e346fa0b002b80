"""The cores of the GpSimd Engine: each is connected to 16 partitions of SBUF."""

from dataclasses import replace

from jnki.access.access import Access, Dim

PARTITIONS_PER_CORE = 16  # nki.isa page, local_gather


def first_partitions(tile: Access) -> Access:
    """Of a tile, `[P, F...]`, the first partition of each core that it spans: partitions 0, 16, 32, ..."""
    partitions, *rest = tile.dims
    count = -(-partitions.count // PARTITIONS_PER_CORE)
    return replace(tile, dims=(Dim(PARTITIONS_PER_CORE * partitions.step, count), *rest))
