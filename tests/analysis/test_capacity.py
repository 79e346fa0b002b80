"""What does not fit on chip while one instruction runs is refused; what a compiler can schedule or spill is not."""

from dataclasses import replace

import numpy as np
import pytest

import jnki.neuronxcc.nki as nki
import jnki.neuronxcc.nki.isa as nisa
import jnki.neuronxcc.nki.language as nl
from jnki import RuleError
from jnki.access.access import Access
from jnki.access.buffer import Buffer, Space
from jnki.analysis.capacity import bytes_per_partition, check_capacity
from jnki.dtypes import element_type
from jnki.isa.vector.tensor_copy import TensorCopy
from jnki.target import TRN1, TRN2, TRN3

X = np.zeros((128, 4), np.float32)


def adding(columns, target, dtype=nl.float32):
    """Three tiles of `[128, columns]` are in SBUF while they are added."""

    def kernel(x):
        out = nl.ndarray((128, 4), dtype=x.dtype, buffer=nl.shared_hbm)
        a = nl.ndarray((128, columns), dtype=dtype, buffer=nl.sbuf)
        b = nl.ndarray((128, columns), dtype=dtype, buffer=nl.sbuf)
        a[...] = 1
        b[...] = 2
        c = nl.add(a, b)  # refused
        nl.store(out, c[:, 0:4])
        return out

    return nki.jit(kernel, platform_target=target.name)


@pytest.mark.parametrize("target", [TRN1, TRN2, TRN3], ids=str)
def test_three_tiles_fit_or_do_not(target):
    most = target.sbuf_bytes_per_partition // 12
    adding(most, target).trace(X)
    adding(most * 2, target, nl.bfloat16).trace(X)
    with pytest.raises(RuleError) as error:
        adding(most + 1, target).trace(X)
    size = 4 * (most + 1)
    assert str(error.value).splitlines()[:3] == [
        "capacity.sbuf: the tiles of one tensor_tensor do not fit in sbuf together",
        f"  given:   {3 * size} bytes per partition: 'c' {size}, 'a' {size}, 'b' {size}",
        f"  allowed: at most {target.sbuf_bytes_per_partition} bytes per partition on {target.name}",
    ]
    assert error.value.location.text == "c = nl.add(a, b)  # refused"


def test_a_slice_of_a_tile_keeps_the_whole_tile_there():
    def kernel_with(columns):
        @nki.jit(platform_target="trn1")
        def kernel(x):
            out = nl.ndarray((128, 222), dtype=x.dtype, buffer=nl.shared_hbm)
            a = nl.zeros((128, 222, columns), dtype=x.dtype, buffer=nl.sbuf)
            b = nl.zeros((128, 222, columns), dtype=x.dtype, buffer=nl.sbuf)
            c = nl.ndarray((128, 222), dtype=x.dtype, buffer=nl.sbuf)
            c[...] = nl.add(a[:, :, 0], b[:, :, 1])
            nl.store(out, c)
            return out

        return kernel

    kernel_with(110).trace(X)
    with pytest.raises(RuleError, match=r"198024 bytes per partition: 'a' 98568, 'b' 98568, 'c' 888"):
        kernel_with(111).trace(X)


def test_what_is_only_live_can_be_spilled():
    """Five tiles of 64 KiB wait for their turn; no instruction needs more than three."""

    @nki.jit
    def kernel(x):
        out = nl.ndarray((128, 4), dtype=x.dtype, buffer=nl.shared_hbm)
        tiles = [nl.full((128, 1 << 14), n, dtype=x.dtype, buffer=nl.sbuf) for n in range(5)]
        total = nl.add(tiles[0], tiles[1])
        for tile in tiles[2:]:
            total = nl.add(total, tile)
        nl.store(out, total[:, 0:4])
        return out

    kernel.trace(X)


def products(blocks):
    """All products of a loop are in PSUM before the next loop reads them, as in the attention tutorial."""

    def kernel(x):
        out = nl.ndarray((blocks, 4, 512), dtype=x.dtype, buffer=nl.shared_hbm)
        a, b = nl.load(x), nl.zeros((128, 512), dtype=x.dtype, buffer=nl.sbuf)
        qk = nl.ndarray((blocks, nl.par_dim(4), 512), dtype=nl.float32, buffer=nl.psum)
        for i in nl.affine_range(blocks):
            qk[i] = nisa.nc_matmul(a, b)
        for i in nl.affine_range(blocks):
            nl.store(out[i], nl.copy(qk[i]))
        return out

    return nki.jit(kernel)


def test_block_axes_count_block_by_block():
    products(256).trace(X)


def test_psum_has_a_limit_of_its_own():
    """A tile in PSUM is at most a bank, so it takes a target of one bank to have too many."""
    dst, src = (Access.whole(Buffer(n, Space.PSUM, (128, 512), element_type("float32"))) for n in ("dst", "src"))
    copy = TensorCopy(dst=dst, src=src)
    check_capacity((copy,), TRN2)
    with pytest.raises(RuleError) as error:
        check_capacity((copy,), replace(TRN2, psum_bank_count=1))
    assert str(error.value).splitlines()[:3] == [
        "capacity.psum: the tiles of one tensor_copy do not fit in psum together",
        "  given:   4096 bytes per partition: 'dst' 2048, 'src' 2048",
        "  allowed: at most 2048 bytes per partition on trn2, 1 banks of 2048",
    ]


def test_bytes_are_counted_behind_the_partition_axis():
    kind = element_type("bfloat16")
    assert bytes_per_partition(Buffer("t", Space.SBUF, (7, 128, 3, 5), kind, partition_axis=1)) == 30
    assert bytes_per_partition(Buffer("t", Space.SBUF, (128, 1), kind)) == 2
