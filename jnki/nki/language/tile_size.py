"""`nl.tile_size`: the target's limits on tiles."""

from jnki.errors import not_modelled
from jnki.nki.platform import platform_target
from jnki.record.recorder import current, is_recording
from jnki.target import Target


class _TileSize:
    """Limits of the target that the kernel is recorded for, or of the default target outside of kernels."""

    @property
    def _target(self) -> Target:
        return current("nl.tile_size").target if is_recording() else platform_target()

    @property
    def pmax(self) -> int:
        """Most partitions of a tile."""
        return self._target.partition_count

    @property
    def psum_bank_fmax(self) -> int:
        """Float32 elements per partition in one bank of PSUM."""
        return self._target.psum_bank_bytes // 4

    @property
    def psum_fmax(self) -> int:
        """The old name of `psum_bank_fmax`."""
        return self.psum_bank_fmax

    @property
    def psum_bank_fmax_bytes(self) -> int:
        """Bytes per partition in one bank of PSUM."""
        return self._target.psum_bank_bytes

    @property
    def psum_num_banks(self) -> int:
        """Banks of PSUM in each partition."""
        return self._target.psum_bank_count

    @property
    def gemm_stationary_fmax(self) -> int:
        """Longest free axis of the stationary operand of a matmul."""
        return self._target.gemm_stationary_fmax

    @property
    def gemm_moving_fmax(self) -> int:
        """Longest free axis of the moving operand of a matmul that one bank of PSUM takes."""
        return self._target.gemm_moving_fmax

    @property
    def bn_stats_fmax(self) -> int:
        """Longest free axis that bn_stats takes."""
        return self._target.bn_stats_fmax

    @property
    def psum_min_align(self) -> int:
        """Byte alignment of an address in PSUM."""
        return _known(self._target.psum_min_align_bytes, "psum_min_align")

    @property
    def sbuf_min_align(self) -> int:
        """Byte alignment of an address in SBUF."""
        return _known(self._target.sbuf_min_align_bytes, "sbuf_min_align")

    @property
    def sbuf_size_bytes(self) -> int:
        """Bytes of SBUF, all partitions together."""
        return self._target.sbuf_bytes

    @property
    def sbuf_fmax_bytes(self) -> int:
        """Bytes of SBUF in each partition that a kernel can use."""
        return self._target.sbuf_usable_bytes_per_partition or self._target.sbuf_bytes_per_partition

    @property
    def sbuf_fmax(self) -> int:
        """Float32 elements of SBUF in each partition that a kernel can use."""
        return self.sbuf_fmax_bytes // 4

    @property
    def total_available_sbuf_size(self) -> int:
        """The old name of `sbuf_fmax_bytes`."""
        return self.sbuf_fmax_bytes


def _known(value: int | None, name: str) -> int:
    if value is None:
        raise not_modelled(f"nl.tile_size.{name}, which no document states for this target,")
    return value


tile_size = _TileSize()
