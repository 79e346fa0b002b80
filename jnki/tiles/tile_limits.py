"""The target's limits on tiles, as both dialects name them (`nl.tile_size`)."""

from collections.abc import Callable

from jnki.errors import not_modelled
from jnki.record.recorder import current, is_recording
from jnki.target import Target


class TileLimits:
    """Limits of the target that the kernel is recorded for, or of the default target outside of kernels.

    Args:
        default: gives the default target of the dialect.
    """

    def __init__(self, default: Callable[[], Target]):
        self._default = default

    @property
    def _target(self) -> Target:
        return current("nl.tile_size").target if is_recording() else self._default()

    @property
    def pmax(self) -> int:
        """Most partitions of a tile."""
        return self._target.partition_count

    @property
    def psum_fmax(self) -> int:
        """Most float32 elements per partition of a PSUM tile."""
        return self._target.psum_bank_bytes // 4

    @property
    def gemm_stationary_fmax(self) -> int:
        """Longest free axis of the stationary operand of a matmul."""
        return self._target.gemm_stationary_fmax

    @property
    def gemm_moving_fmax(self) -> int:
        """Longest free axis of the moving operand of a matmul."""
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
    def total_available_sbuf_size(self) -> int:
        """Bytes of SBUF per partition that a kernel can use."""
        return self._target.sbuf_usable_bytes_per_partition or self._target.sbuf_bytes_per_partition


def _known(value: int | None, name: str) -> int:
    if value is None:
        raise not_modelled(f"nl.tile_size.{name}, which no document states for this target,")
    return value
