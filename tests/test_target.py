"""The hardware numbers agree with each other and with the totals in the documents; names find targets."""

import dataclasses
import math
import re

import pytest

from jnki.target import INF2, TARGETS, TRN1, TRN2, TRN3, Target, target
from tests.targets import TINY

KIB, MIB, GIB = 2**10, 2**20, 2**30
each_target = pytest.mark.parametrize("t", [*TARGETS, TINY], ids=str)
each_real_target = pytest.mark.parametrize("t", TARGETS, ids=str)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("trn1", TRN1),
        ("inf2", INF2),
        ("trn2", TRN2),
        ("trn3", TRN3),
        ("TRN2", TRN2),
        ("Inf2", INF2),
        (TINY, TINY),
    ],
)
def test_target_finds(spec, expected):
    assert target(spec) is expected


@pytest.mark.parametrize(
    ("spec", "shown"), [("trn9", "'trn9'"), ("", "''"), ("gen3", "'gen3'"), (None, "None"), (3, "3")]
)
def test_target_refuses(spec, shown):
    text = f"{shown} is not a target\n  allowed: trn1, inf2, trn2, trn3, or a Target"
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        target(spec)


@each_target
def test_a_target_is_a_frozen_hashable_value(t):
    with pytest.raises(dataclasses.FrozenInstanceError):
        t.partition_count = 64
    copy = dataclasses.replace(t)
    assert copy is not t
    assert copy == t
    assert hash(copy) == hash(t)
    assert dataclasses.replace(t, partition_count=t.partition_count * 2) != t
    assert str(t) == t.name


def test_no_two_targets_are_equal():
    assert len({*TARGETS, TINY}) == 5


@pytest.mark.parametrize(
    ("t", "version", "generation"),
    [(TRN1, 2, "gen2"), (INF2, 2, "gen2"), (TRN2, 3, "gen3"), (TRN3, 4, "gen4")],
)
def test_generations(t, version, generation):
    assert (t.neuron_core_version, t.nc_version) == (version, generation)
    assert t.has_hwdge == (version >= 3)


def test_inf2_is_trn1_under_another_name():
    assert dataclasses.replace(INF2, name="trn1", device="Trainium") == TRN1


# The architecture guides give capacities in whole: SBUF, PSUM, HBM, DMA engines of the device.
@pytest.mark.parametrize(
    ("t", "sbuf_mib", "hbm_gib", "device_engines"),
    [(TRN1, 24, 32, 32), (TRN2, 28, 96, 128), (TRN3, 32, 144, 128)],
)
def test_capacities_add_up_to_the_documented_totals(t, sbuf_mib, hbm_gib, device_engines):
    assert t.sbuf_bytes == sbuf_mib * MIB
    assert t.psum_bytes_per_partition * t.partition_count == 2 * MIB
    assert t.device_hbm_bytes == hbm_gib * GIB
    assert t.device_dma_engine_count == device_engines


@each_real_target
def test_partitions_and_banks(t):
    assert t.partition_count == 128
    assert t.partition_quadrant * 4 == t.partition_count
    assert t.psum_bytes_per_partition == 16 * KIB
    assert t.psum_tile_fmax_elements == 512
    assert t.partition_count // t.gpsimd_core_count == 16
    assert t.partition_count // t.dma_engine_count == 8


@each_target
def test_numbers_agree_within_a_target(t):
    assert t.psum_bytes_per_partition == t.psum_bank_count * t.psum_bank_bytes
    assert t.psum_tile_fmax_elements * 4 == t.psum_bank_bytes
    assert t.gemm_stationary_fmax == t.partition_count
    assert t.gemm_moving_fmax == t.psum_tile_fmax_elements
    assert t.gemm_moving_fmax <= t.nc_matmul_moving_float32_fmax <= t.nc_matmul_moving_bfloat16_fmax
    assert t.nc_matmul_moving_float32_fmax * 4 <= t.psum_bytes_per_partition
    assert 0 < t.sbuf_usable_bytes_per_partition < t.sbuf_bytes_per_partition
    assert t.device_dma_engine_count == t.device_neuron_core_count * t.dma_engine_count
    assert t.dma_engine_bandwidth_bytes_per_ns <= t.dma_engine_theoretical_bandwidth_bytes_per_ns
    assert t.vector_elements_per_cycle <= t.vector_float8_elements_per_cycle <= t.vector_float16_elements_per_cycle
    assert t.scalar_elements_per_cycle <= t.scalar_float8_elements_per_cycle
    if not t.has_hwdge:
        assert (t.hwdge_count, t.hwdge_instruction_ns) == (0, None)


@each_target
def test_what_is_known_is_positive(t):
    may_be_zero = {"hwdge_count"}
    for field in dataclasses.fields(Target):
        value = getattr(t, field.name)
        if isinstance(value, int | float) and not isinstance(value, bool) and field.name not in may_be_zero:
            assert value > 0, field.name


def test_compiler_reserve_is_16_kib_and_8_bytes_from_v3_on():
    reserves = [t.sbuf_bytes_per_partition - t.sbuf_usable_bytes_per_partition for t in (TRN1, TRN2, TRN3)]
    assert reserves == [16384, 16392, 16392]


# nki-dma-bandwidth-guide.rst gives the sixteen engines' bandwidth, in GB/s, beside that of one.
@pytest.mark.parametrize(("t", "aggregate"), [(TRN1, 272), (TRN2, 368), (TRN3, 528)])
def test_engines_add_up_to_the_documented_dma_bandwidth(t, aggregate):
    assert t.dma_engine_count * t.dma_engine_bandwidth_bytes_per_ns == aggregate


# trainium2.rst and trainium3.rst give the device's theoretical DMA bandwidth in TB/s, to two digits.
@pytest.mark.parametrize(("t", "tb_per_s"), [(TRN2, 3.5), (TRN3, 4.9)])
def test_engines_add_up_to_the_documented_device_bandwidth(t, tb_per_s):
    total = t.device_dma_engine_count * t.dma_engine_theoretical_bandwidth_bytes_per_ns
    assert round(total / 1000, 1) == tb_per_s


def test_dma_bandwidth_agrees_with_the_profiled_transfer():
    assert math.isclose(32 * KIB / TRN2.dma_engine_bandwidth_bytes_per_ns, 1416, rel_tol=0.01)


# The guides' TFLOPS for bfloat16: one multiply-add per processing element and cycle.
@pytest.mark.parametrize(("t", "tflops"), [(TRN1, 92), (TRN2, 79), (TRN3, 79)])
def test_tensor_clock_gives_the_documented_flops(t, tflops):
    flops_per_ns = 2 * t.partition_count * t.gemm_stationary_fmax * t.tensor_clock_ghz
    assert round(flops_per_ns / 1000) == tflops
