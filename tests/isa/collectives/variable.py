"""Chunks of lengths that are known at run time: a part of on_four_devices.py."""

import numpy as np

import jnki
from jnki import hbm, sbuf
from tests.isa.collectives.devices import ALL_GROUPS, RANKS, WHOLE, assert_bits, on_ranks, told
from tests.oracle import collectives as oracle
from tests.oracle.cases import random_values


def drawn(rng, groups, src_size, dst_size, rows):
    """Metadata of all ranks whose chunks fit; where row 3 is read, received chunks do not overlap."""
    count = len(groups[0])
    slot = dst_size // count
    metadata = rng.integers(0, 1 << 32, (RANKS, rows, count), dtype=np.uint32)
    for rank in range(RANKS):
        for column in range(count):
            length = int(rng.integers(0, min(slot, src_size) + 1))
            metadata[rank, 0, column] = length
            metadata[rank, 1, column] = rng.integers(0, src_size - length + 1)
        if rows == 4:
            metadata[rank, 3] = slot * rng.permutation(count)
    return metadata


def both(space, groups, known, displaced):
    """One chunk to all, and then a chunk to each."""

    def run(memory):
        common = {"metadata": space("m"), "groups": groups, "recv_counts_known": known, "axis": "x"}
        memory = jnki.all_gather_v(memory, dst=hbm("all"), src=hbm("src"), **common)
        return jnki.all_to_all_v(memory, dst=hbm("dst"), src=hbm("src"), has_rdispls=displaced, **common)

    return run


def check(rng, dtype, groups, space, known, displaced):
    shapes = {"hbm.src": (3, 4), "hbm.dst": (2, 8), "hbm.all": (2, 8)}
    stacks = {name: random_values(rng, dtype, (RANKS, *shape)) for name, shape in shapes.items()}
    key = f"{space.__name__}.m"
    metadata = drawn(rng, groups, 12, 16, 4 if displaced else 3)
    stacks[key] = metadata[:, None] if space is sbuf else metadata
    found, fault = on_ranks(both(space, groups, known, displaced), stacks)
    src, old, metadata = stacks["hbm.src"], stacks["hbm.dst"], stacks[key]
    everyone, metadata = oracle.all_to_all_v(src, stacks["hbm.all"], metadata, groups, known=known, gathers=True)
    dst, metadata = oracle.all_to_all_v(src, old, metadata, groups, known=known, displaced=displaced)
    assert not np.asarray(fault.occurred).any()
    for name, array in {"hbm.all": everyone, "hbm.dst": dst, key: metadata, "hbm.src": src}.items():
        assert_bits(found[name], array, name)


def main():
    rng = np.random.default_rng(2)
    kinds = ("float32", "bfloat16", "int32", "float8_e5m2", "uint8", "float32")
    for number, dtype in enumerate(kinds):
        how = ALL_GROUPS[number % 3], (hbm, sbuf)[number % 2], number % 4 > 1, number > 2
        with told(dtype, *how):
            check(rng, dtype, *how)


def faults():
    """A chunk that does not fit moves nothing, and is a fault of the rank that knows: all others move."""
    src = np.arange(RANKS * 8, dtype=np.float32).reshape(RANKS, 8)
    metadata = np.zeros((RANKS, 4, 4), np.uint32)
    metadata[:, 0], metadata[:, 1] = 2, [0, 2, 4, 6]
    metadata[:, 3] = [0, 2, 4, 6]
    start = {"hbm.src": src, "hbm.dst": np.full((RANKS, 8), -1, np.float32), "hbm.m": metadata}

    def run(displaced):
        return lambda m: jnki.all_to_all_v(
            m, dst=hbm("dst"), src=hbm("src"), metadata=hbm("m"), groups=WHOLE, has_rdispls=displaced, axis="x"
        )

    cases = [
        (False, (1, 1, 2), 7, 8, "src", 8, (1, 2)),  # it leaves the source: from 7 to 8
        (False, (2, 0, 1), 3, 4, "dst", 2, (2, 1)),  # longer than a slot
        (True, (3, 3, 0), 7, 8, "dst", 8, (0, 3)),  # it leaves the destination of its receiver
        (False, (0, 1, 3), 0xFFFFFFFF, 0xFFFFFFFF, "src", 8, (0, 3)),  # beyond 32 bits
    ]
    for displaced, place, value, index, operand, size, lost in cases:
        changed = metadata.copy()
        changed[place] = value
        if operand == "dst" and not displaced:
            changed[2, 1, 1], index = 4, 2
        found, fault = on_ranks(run(displaced), start | {"hbm.m": changed})
        (details,) = fault.details()
        assert details.case == (place[0],) and details.index == index, (place, details)
        assert (details.site.operand, details.site.axis_size, details.row) == (operand, size, place[2])
        sender, receiver = lost
        fine = changed.copy()
        fine[sender, 0, receiver] = 0
        wanted, _ = oracle.all_to_all_v(src, start["hbm.dst"], fine, WHOLE, displaced=displaced)
        np.testing.assert_array_equal(found["hbm.dst"], wanted)
