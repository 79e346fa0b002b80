"""`nl.tile_size`: the target's limits on tiles."""

from jnki.nki.platform import platform_target
from jnki.tiles.tile_limits import TileLimits


class _TileSize(TileLimits):
    """What the current dialect names besides, and what it calls by other names."""

    @property
    def psum_bank_fmax(self) -> int:
        """Float32 elements per partition in one bank of PSUM."""
        return self.psum_fmax

    @property
    def psum_bank_fmax_bytes(self) -> int:
        """Bytes per partition in one bank of PSUM."""
        return self._target.psum_bank_bytes

    @property
    def psum_num_banks(self) -> int:
        """Banks of PSUM in each partition."""
        return self._target.psum_bank_count

    @property
    def sbuf_size_bytes(self) -> int:
        """Bytes of SBUF, all partitions together."""
        return self._target.sbuf_bytes

    @property
    def sbuf_fmax_bytes(self) -> int:
        """Bytes of SBUF in each partition that a kernel can use."""
        return self.total_available_sbuf_size

    @property
    def sbuf_fmax(self) -> int:
        """Float32 elements of SBUF in each partition that a kernel can use."""
        return self.sbuf_fmax_bytes // 4


tile_size = _TileSize(platform_target)
