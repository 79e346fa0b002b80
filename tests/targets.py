"""A made-up target, small enough to reach every limit with a handful of elements."""

from dataclasses import replace

from jnki.target import TRN2

TINY = replace(
    TRN2,
    name="tiny",
    device="Tiny",
    partition_count=4,
    partition_quadrant=1,
    sbuf_bytes_per_partition=256,
    sbuf_usable_bytes_per_partition=240,
    psum_bank_count=2,
    psum_bank_bytes=32,
    gemm_stationary_fmax=4,
    gemm_moving_fmax=8,
    nc_matmul_moving_float32_fmax=8,
    nc_matmul_moving_bfloat16_fmax=8,
    bn_stats_fmax=8,
    dma_engine_count=2,
    dma_queues_per_engine=2,
    device_neuron_core_count=2,
    device_dma_engine_count=4,
    device_hbm_bytes=4096,
)
