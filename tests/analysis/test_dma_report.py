"""The report says of each DMA which descriptor generation it gets, and why (C24)."""

import numpy as np
import pytest

import jnki.neuronxcc.nki as nki
import jnki.neuronxcc.nki.isa as nisa
import jnki.neuronxcc.nki.language as nl


def kernel(table, rows):
    out = nl.ndarray((8, 4), dtype=nl.bfloat16, buffer=nl.shared_hbm)
    index = nl.load(rows)
    tile = nl.ndarray((8, 4), dtype=table.dtype)
    nisa.dma_copy(dst=tile, src=table[index, nl.arange(4)[None, :]])
    nisa.dma_copy(dst=out, src=tile)
    nisa.dma_copy(dst=tile, src=table[0:8], dge_mode=nisa.dge_mode.none)
    return out


ARGUMENTS = np.ones((16, 4), np.float32), np.zeros((8, 1), np.int32)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (
            "trn2",
            [
                "rows -> index: hwdge, direct, equal types, NeuronCore-v3",
                "table -> tile: swdge, indirect",
                "tile -> out: none, direct, with a cast",
                "table -> tile: none, as requested",
            ],
        ),
        (
            "trn1",
            [
                "rows -> index: none, direct, NeuronCore-v2 has no hwdge",
                "table -> tile: swdge, indirect",
                "tile -> out: none, direct, NeuronCore-v2 has no hwdge",
                "table -> tile: none, as requested",
            ],
        ),
    ],
)
def test_c24_the_choice_and_its_reason(target, expected):
    heading, *lines = nki.jit(kernel, platform_target=target).trace(*ARGUMENTS).report().splitlines()
    assert heading == f"DMAs of kernel kernel on {target}"
    assert [line.split("  ")[-1] for line in lines] == expected
    assert all("test_dma_report.py:" in line for line in lines)


def test_a_program_without_a_dma_says_so():
    @nki.jit
    def identity(x):
        return x

    assert identity.trace(ARGUMENTS[0]).report() == "kernel identity has no DMA"
