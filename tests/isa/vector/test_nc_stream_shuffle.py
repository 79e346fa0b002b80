"""`nc_stream_shuffle`: partitions beside the oracle, bit for bit; in place, over quadrants; derivatives, rules."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jnki
import jnki.neuronxcc.nki as nki
import jnki.neuronxcc.nki.isa as nisa
import jnki.neuronxcc.nki.language as nl
from jnki import TRN2, DeviceMemory, RuleError, hbm, sbuf
from tests.harness import bits_of
from tests.isa.computations import batch
from tests.oracle.cases import random_values
from tests.oracle.picks import stream_shuffle
from tests.targets import TINY

QUADS = replace(TINY, partition_count=16, partition_quadrant=4)
SHUFFLES = ([3, 2, 1, 0], [0, 0, 0, 0], [1, 255, 3, 255], [255, 255, 255, 255])


@pytest.mark.parametrize("shuffle_mask", SHUFFLES, ids=str)
@pytest.mark.parametrize("kind", ["float32", "bfloat16", "int8", "uint32"])
def test_beside_the_oracle(kind, shuffle_mask):
    p, x = jnki.arange(8)[:, None, None], jnki.arange(3)[None, :, None]
    on = np.broadcast_to((np.add.outer(np.arange(8), np.arange(3)) < 7)[:, :, None], (8, 3, 2))

    def run(memory):
        options = {"shuffle_mask": shuffle_mask, "target": QUADS}
        memory = jnki.nc_stream_shuffle(memory, dst=sbuf("y"), src=sbuf("x"), mask=p + x < 7, **options)
        return jnki.nc_stream_shuffle(memory, dst=sbuf("x"), src=sbuf("x"), **options)

    for old, new in batch(
        lambda rng: {"x": random_values(rng, kind, (8, 6)), "y": random_values(rng, kind, (8, 3, 2))}, run, 8
    ):
        assert (bits_of(new["y"]) == bits_of(stream_shuffle(old["x"], shuffle_mask, on, old["y"]))).all()
        in_place = stream_shuffle(old["x"], shuffle_mask, np.ones((8, 6), bool), old["x"])
        assert (bits_of(new["x"]) == bits_of(in_place)).all()


def test_a_partition_that_several_copy_gets_the_sum_of_their_cotangents():
    def run(x):
        memory = DeviceMemory.of(sbuf={"x": x})
        memory = jnki.nc_stream_shuffle(memory, dst=sbuf("x"), src=sbuf("x"), shuffle_mask=[1, 1, 255, 0], target=QUADS)
        return memory.sbuf["x"]

    back = jax.vjp(run, jnp.ones((4, 1)))[1](jnp.array([[2.0], [3.0], [5.0], [7.0]]))[0]
    assert back.tolist() == [[7.0], [5.0], [5.0], [0.0]]


def test_one_partition_to_all_quadrants_in_a_loop():
    @nki.jit
    def spread(x):
        out = nl.ndarray((128, x.shape[1]), x.dtype, buffer=nl.shared_hbm)
        row, tile = nl.load(x), nl.ndarray((128, x.shape[1]), x.dtype)
        for i in nl.affine_range(4):
            nisa.nc_stream_shuffle(src=row[0:1, :], dst=tile[nl.ds(32 * i, 32), :], shuffle_mask=[0] * 32)
        for i in nl.static_range(2):
            nisa.nc_stream_shuffle(tile[0:32, :], tile[0:32, :], [i] + [255] * 31)
        nl.store(out, tile)
        return out

    x = np.arange(3, dtype=np.float32)[None]
    assert (spread(x) == np.repeat(x, 128, 0)).all()


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"src": hbm("h")}, "err_unsupported_memory: nc_stream_shuffle: 'src' is in the wrong memory"),
        ({"src": sbuf("n")}, "nc_stream_shuffle.dtype: nc_stream_shuffle: src and dst have different element types\n"),
        ({"src": sbuf("x")[:, 1:]}, "nc_stream_shuffle.element_count: nc_stream_shuffle: dst and src have different n"),
        ({"shuffle_mask": [0] * 31}, "nc_stream_shuffle.shuffle_mask: nc_stream_shuffle: 'shuffle_mask' does not give"),
        ({"shuffle_mask": [32] * 32}, "nc_stream_shuffle.shuffle_mask: nc_stream_shuffle: 'shuffle_mask' does not giv"),
        ({"shuffle_mask": [0.5] * 32}, "nc_stream_shuffle.shuffle_mask: nc_stream_shuffle: 'shuffle_mask' is no list "),
        ({"shuffle_mask": 3}, "nc_stream_shuffle.shuffle_mask: nc_stream_shuffle: 'shuffle_mask' is no list of intege"),
        (
            {"src": sbuf("x")[:2], "shuffle_mask": [2] * 32},
            "nc_stream_shuffle.source: nc_stream_shuffle: 'shuffle_mask' names a partition that 'src' does not have\n"
            "  given:   partition 2 for partition 0 of dst, src [2, 3]\n  allowed: partitions 0 to 1",
        ),
        ({"dst": sbuf("x")[8:40]}, "nc_stream_shuffle.start_partition: nc_stream_shuffle: 'dst' starts at a partition"),
        ({"dst": sbuf("x")[32:96]}, "nc_stream_shuffle.source: "),
        (
            {"dst": sbuf("x")[32:96], "src": sbuf("x")[:64]},
            "nc_stream_shuffle.start_partition: nc_stream_shuffle: 'dst' starts at a partition that 2 quadrants cannot "
            "start at\n  given:   x(96: [3,64] [1,3])\n  allowed: multiples of 64",
        ),
        (
            {"dst": sbuf("x")[32:128], "src": sbuf("x")[:96]},
            "nc_stream_shuffle.start_partition: nc_stream_shuffle: 'dst' starts at a partition that 3 quadrants cannot "
            "start at\n  given:   x(96: [3,96] [1,3])\n  allowed: multiples of 128",
        ),
        ({"mask": jnki.arange(5)[None, :] < 2}, "nc_stream_shuffle.mask: nc_stream_shuffle: the mask does not fit"),
    ],
)
def test_rules(changes, text):
    memory = DeviceMemory.of(
        sbuf={"x": np.zeros((128, 3), np.float32), "n": np.zeros((32, 3), np.int32)},
        hbm={"h": np.zeros((32, 3), np.float32)},
    )
    legal = {"dst": sbuf("x")[96:128], "src": sbuf("x")[:32], "shuffle_mask": [0] * 32, "target": TRN2}
    jnki.nc_stream_shuffle(memory, **legal)
    with pytest.raises(RuleError) as caught:
        jnki.nc_stream_shuffle(memory, **{**legal, **changes})
    assert str(caught.value).startswith(text)
