"""What a NeuronCore can do: every hardware number, with its unit in its name and its source beside it.

Sources are pages of the AWS Neuron documentation, `trainium2_arch.rst` and so on, unless another is named.
What no source states for a target is None there, never a guess; a rule or an analysis that needs it says so.
Where two pages give different HBM bandwidths, the NKI architecture guide is taken, for all targets alike.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar, cast

_KIB = 1024
_GIB = 1024**3


@dataclass(frozen=True, kw_only=True)
class Target:
    """One NeuronCore and its share of a device, as the rules and the cost estimates see it.

    Fields with a default are documented alike for NeuronCore-v2, v3 and v4, or without regard to generation.
    """

    name: str
    device: str
    neuron_core_version: int
    logical_neuron_core_max: int  # NeuronCores that one kernel launch can join

    # Memories
    partition_count: int = 128  # nki-aps.rst, "Hardware Capability"
    partition_quadrant: int = 32  # nki.isa page, nc_stream_shuffle: a tile starts at a multiple of it
    sbuf_bytes_per_partition: int
    sbuf_usable_bytes_per_partition: int | None  # without what the compiler keeps for itself
    sbuf_min_align_bytes: int | None = 1  # leanprover/KLR, KLR/Trace.lean; the NKI pages give no value
    psum_bank_count: int = 8  # nki.language.tile_size.rst, psum_num_banks
    psum_bank_bytes: int = 2 * _KIB  # trainium_inferentia2_arch.rst, "Near-memory accumulation in PSUM"
    psum_min_align_bytes: int | None = 4  # as sbuf_min_align_bytes
    access_pattern_free_dims_max: int = 4  # nki-aps.rst, "Hardware Capability"
    half_bandwidth_stride_bytes: int | None  # a larger stride of the innermost free axis halves the bandwidth

    # Tile sizes, in elements of the free axis
    gemm_stationary_fmax: int = 128  # programming_model.rst, "TC#3"
    gemm_moving_fmax: int = 512  # programming_model.rst, "TC#3"; the constant that kernels tile by
    nc_matmul_moving_float32_fmax: int  # the limit that nc_matmul enforces for a float32 result
    nc_matmul_moving_bfloat16_fmax: int  # and for a bfloat16 one
    bn_stats_fmax: int = 512  # nki.isa page, bn_stats

    # Engines
    tensor_clock_ghz: float
    vector_clock_ghz: float
    scalar_clock_ghz: float
    gpsimd_clock_ghz: float
    vector_elements_per_cycle: int
    vector_float16_elements_per_cycle: int  # bfloat16 and float16
    vector_float8_elements_per_cycle: int
    scalar_elements_per_cycle: int
    scalar_float16_elements_per_cycle: int  # bfloat16 and float16
    scalar_float8_elements_per_cycle: int
    gpsimd_elements_per_cycle: int | None
    gpsimd_core_count: int = 8  # nki.isa page, local_gather
    min_instruction_interval_cycles: int = 64  # nki.isa page and nki.api.shared.rst, MIN_II
    vector_static_overhead_cycles: int | None  # of each small or dependent instruction
    tensor_access_overhead_cycles: int | None  # before the first element of an operand arrives

    # DMA
    dma_engine_count: int = 16  # nki-dma-overview.rst: each NeuronCore is paired with 16
    dma_queues_per_engine: int = 16  # nki-dma-overview.rst, "DMA Queues"
    dma_engine_bandwidth_bytes_per_ns: float  # of the bandwidth table: the one to estimate with
    dma_engine_theoretical_bandwidth_bytes_per_ns: float
    dma_startup_latency_ns: float = 1300  # nki-dma-bandwidth-guide.rst: semaphore to start, across engines
    dma_overhead_bound_bytes_per_partition: int = 256  # the same page: below it overhead dominates,
    dma_recommended_bytes_per_partition: int = 2 * _KIB  # this much is the recommended minimum,
    dma_saturating_bytes_per_partition: int = 4 * _KIB  # and this much reaches full bandwidth
    dma_accumulate_throughput_fraction: float | None  # of a copy's, for a read-modify-write
    dma_transpose_hbm_throughput_fraction: float | None  # of a copy's, at best, from HBM to SBUF
    dma_transpose_sbuf_throughput_fraction: float | None  # of a copy's, at best, within SBUF
    dma_priority_count: int | None  # classes of service; None where dma_copy takes no priority
    has_hwdge: bool  # hardware descriptor generation
    hwdge_count: int | None
    hwdge_instruction_ns: float | None

    # Device
    device_neuron_core_count: int
    device_dma_engine_count: int
    device_hbm_bytes: int
    device_hbm_bandwidth_bytes_per_ns: float

    def __hash__(self) -> int:
        # Targets are part of every kernel call's cache key: hashing some sixty numbers each time would show.
        return hash(self.name)

    def __str__(self) -> str:
        return self.name

    @property
    def nc_version(self) -> str:
        """NKI's name of the generation, such as `gen3`."""
        return f"gen{self.neuron_core_version}"

    @property
    def sbuf_bytes(self) -> int:
        """Capacity of the whole SBUF."""
        return self.partition_count * self.sbuf_bytes_per_partition

    @property
    def psum_bytes_per_partition(self) -> int:
        """Capacity of one PSUM partition, all banks together."""
        return self.psum_bank_count * self.psum_bank_bytes

    @property
    def psum_tile_fmax_elements(self) -> int:
        """Float32 elements that a tile in PSUM has at most on its free axis: one bank's worth."""
        return self.psum_bank_bytes // 4


TRN1 = Target(
    name="trn1",
    device="Trainium",
    neuron_core_version=2,
    logical_neuron_core_max=1,  # logical-neuroncore-config.rst: for Trn2 and Trn3 only
    # trainium_inferentia2_arch.rst, "NeuronCore-v2 Compute Engines"
    sbuf_bytes_per_partition=192 * _KIB,
    tensor_clock_ghz=2.8,
    vector_clock_ghz=1.12,
    scalar_clock_ghz=1.4,
    gpsimd_clock_ghz=1.4,
    vector_elements_per_cycle=128,
    vector_float16_elements_per_cycle=128,
    vector_float8_elements_per_cycle=128,
    scalar_elements_per_cycle=128,
    scalar_float16_elements_per_cycle=128,
    scalar_float8_elements_per_cycle=128,
    gpsimd_elements_per_cycle=128,
    # nki_direct_allocation_guide.rst: 16 KiB are the compiler's
    sbuf_usable_bytes_per_partition=(192 - 16) * _KIB,
    # trainium_inferentia2_arch.rst, "Performance Consideration" of SBUF and PSUM accesses
    half_bandwidth_stride_bytes=16,
    tensor_access_overhead_cycles=60,
    vector_static_overhead_cycles=100,  # trainium_inferentia2_arch.rst, "Vector Engine"
    # nki.isa page, nc_matmul, "Tile size": one PSUM bank
    nc_matmul_moving_float32_fmax=512,
    nc_matmul_moving_bfloat16_fmax=512,
    # nki-dma-bandwidth-guide.rst, row TRN1
    dma_engine_bandwidth_bytes_per_ns=17,
    # nki-dma-overview.rst, "Basic DMA Capabilities"; trainium_inferentia2_arch.rst has 27 GiB/s, that is 29.0
    dma_engine_theoretical_bandwidth_bytes_per_ns=27.2,
    dma_accumulate_throughput_fraction=0.5,  # trainium3_arch.rst, "SBUF Read-Add-Write": all before v4
    dma_transpose_hbm_throughput_fraction=None,  # a feature that trainium2_arch.rst introduces
    dma_transpose_sbuf_throughput_fraction=None,
    dma_priority_count=None,  # trainium3_arch.rst, "DMA Traffic Shaping", introduces it
    has_hwdge=False,  # nki-dge.rst, "Mode Selection Summary": NeuronCore-v3 or newer
    hwdge_count=0,
    hwdge_instruction_ns=None,
    # trainium_inferentia2_arch.rst, first section; trainium.rst has 820 GiB/s of HBM bandwidth, that is 880
    device_neuron_core_count=2,
    device_dma_engine_count=32,
    device_hbm_bytes=32 * _GIB,
    device_hbm_bandwidth_bytes_per_ns=820,
)

# trainium_inferentia2_arch.rst describes one device for both, but for the links between devices. The table
# of nki-dma-bandwidth-guide.rst names TRN1 alone; the NeuronCore is the same.
INF2 = replace(TRN1, name="inf2", device="Inferentia2")

TRN2 = Target(
    name="trn2",
    device="Trainium2",
    neuron_core_version=3,
    logical_neuron_core_max=2,  # nki_faq.rst
    # trainium2_arch.rst, "NeuronCore-v3 Compute Engine Updates"; it leaves the width of GpSimd blank
    sbuf_bytes_per_partition=224 * _KIB,
    tensor_clock_ghz=2.4,
    vector_clock_ghz=0.96,
    scalar_clock_ghz=1.2,
    gpsimd_clock_ghz=1.2,
    vector_elements_per_cycle=256,
    vector_float16_elements_per_cycle=512,
    vector_float8_elements_per_cycle=256,
    scalar_elements_per_cycle=128,
    scalar_float16_elements_per_cycle=128,
    scalar_float8_elements_per_cycle=128,
    gpsimd_elements_per_cycle=None,
    # leanprover/KLR, KLR/Trace.lean; kernels of the NKI Library leave 256 or 520 bytes more free
    sbuf_usable_bytes_per_partition=224 * _KIB - 16 * _KIB - 8,
    # stated for NeuronCore-v2 only
    half_bandwidth_stride_bytes=None,
    tensor_access_overhead_cycles=None,
    vector_static_overhead_cycles=None,
    # nki.isa page, nc_matmul, "Tile size": one PSUM bank
    nc_matmul_moving_float32_fmax=512,
    nc_matmul_moving_bfloat16_fmax=512,
    # nki-dma-bandwidth-guide.rst, row TRN2; the profile in nki-dma-overview.rst, 32 KiB in 1416 ns, agrees
    dma_engine_bandwidth_bytes_per_ns=23,
    dma_engine_theoretical_bandwidth_bytes_per_ns=27.2,  # nki-dma-overview.rst, "Basic DMA Capabilities"
    dma_accumulate_throughput_fraction=0.5,  # trainium3_arch.rst, "SBUF Read-Add-Write": all before v4
    # trainium2_arch.rst, "DMA Transpose"
    dma_transpose_hbm_throughput_fraction=0.9,
    dma_transpose_sbuf_throughput_fraction=0.5,
    dma_priority_count=None,  # trainium3_arch.rst, "DMA Traffic Shaping", introduces it
    # trainium2_arch.rst, "Descriptor Generation Engine (DGE)"
    has_hwdge=True,
    hwdge_count=2,
    hwdge_instruction_ns=600,
    # trainium2_arch.rst, first section; trainium2.rst has 2.9 TB/s of HBM bandwidth
    device_neuron_core_count=8,
    device_dma_engine_count=128,
    device_hbm_bytes=96 * _GIB,
    device_hbm_bandwidth_bytes_per_ns=3000,
)

TRN3 = Target(
    name="trn3",
    device="Trainium3",
    neuron_core_version=4,
    logical_neuron_core_max=2,  # nki_faq.rst
    # trainium3_arch.rst, "NeuronCore-v4 Compute Engine Updates": 32 MiB of SBUF
    sbuf_bytes_per_partition=256 * _KIB,
    tensor_clock_ghz=2.4,
    vector_clock_ghz=1.2,
    scalar_clock_ghz=1.2,
    gpsimd_clock_ghz=1.2,
    vector_elements_per_cycle=256,
    vector_float16_elements_per_cycle=512,
    vector_float8_elements_per_cycle=512,
    scalar_elements_per_cycle=128,
    scalar_float16_elements_per_cycle=256,
    scalar_float8_elements_per_cycle=256,
    gpsimd_elements_per_cycle=128,
    sbuf_usable_bytes_per_partition=256 * _KIB - 16 * _KIB - 8,  # leanprover/KLR, KLR/Trace.lean
    # stated for NeuronCore-v2 only
    half_bandwidth_stride_bytes=None,
    tensor_access_overhead_cycles=None,
    vector_static_overhead_cycles=None,
    # nki.isa page, nc_matmul, "Tile size": the eight PSUM banks
    nc_matmul_moving_float32_fmax=4096,
    nc_matmul_moving_bfloat16_fmax=8192,
    dma_engine_bandwidth_bytes_per_ns=33,  # nki-dma-bandwidth-guide.rst, row TRN3
    dma_engine_theoretical_bandwidth_bytes_per_ns=38.4,  # nki-dma-overview.rst, "Basic DMA Capabilities"
    # trainium3_arch.rst knows a full-rate accumulation into SBUF, which no instruction of NKI reaches
    dma_accumulate_throughput_fraction=None,
    # stated for NeuronCore-v3 only
    dma_transpose_hbm_throughput_fraction=None,
    dma_transpose_sbuf_throughput_fraction=None,
    dma_priority_count=4,  # trainium3_arch.rst, "DMA Traffic Shaping"; nki.isa page, dma_copy
    # nki-dge.rst: hwdge is for v3 or newer, about 600 ns per instruction, the number of instances is trn2's
    has_hwdge=True,
    hwdge_count=None,
    hwdge_instruction_ns=600,
    # trainium3_arch.rst, first section; trainium3.rst has 4.9 TB/s of HBM bandwidth
    device_neuron_core_count=8,
    device_dma_engine_count=128,
    device_hbm_bytes=144 * _GIB,
    device_hbm_bandwidth_bytes_per_ns=4700,
)

TARGETS: tuple[Target, ...] = (TRN1, INF2, TRN2, TRN3)


def target(spec: str | Target) -> Target:
    """The target that `spec` names, in any case, or `spec` itself if it is a `Target`.

    Raises:
        ValueError: no target has that name; the text lists those that there are.
    """
    if isinstance(spec, Target):
        return spec
    for known in TARGETS:
        if isinstance(spec, str) and spec.lower() == known.name:
            return known
    raise ValueError(f"{spec!r} is not a target\n  allowed: {', '.join(t.name for t in TARGETS)}, or a Target")


F = TypeVar("F", bound=Callable[..., Any])


def takes_target(function: F) -> F:
    """A function whose keyword argument `target` may be a target or its name, and nothing else."""

    @functools.wraps(function)
    def checked(*args: Any, **kwargs: Any) -> Any:
        if "target" in kwargs:
            kwargs["target"] = target(kwargs["target"])
        return function(*args, **kwargs)

    return cast(F, checked)
