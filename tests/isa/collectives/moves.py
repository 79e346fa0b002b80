"""Moves between devices, bit for bit: a part of on_four_devices.py."""

import numpy as np

import jnki
from jnki import hbm, sbuf
from tests.isa.collectives.devices import ALL_GROUPS, HALVES, RANKS, WHOLE, assert_bits, on_ranks, told
from tests.oracle import collectives as oracle
from tests.oracle.cases import random_values
from tests.oracle.casts import DTYPES


def contents(seed, dtype, *shape):
    values = random_values(seed, dtype, (RANKS, *shape))
    return values.astype(np.bool_) if dtype == "bool" else values


def all_at_once(groups):
    """Every move of one type in one computation, each between buffers of its own; `out` buffers are larger."""
    count = len(groups[0])

    def run(memory):
        a, whole = hbm("a"), {"groups": groups, "axis": "x"}
        memory = jnki.all_gather(memory, dst=hbm("gathered")[: 4 * count], src=a, **whole)
        memory = jnki.all_gather(memory, dst=sbuf("wide")[:, 1 : 1 + 3 * count], src=sbuf("tile"), dim=1, **whole)
        memory = jnki.all_gather(memory, dst=sbuf("tall")[: 2 * count], src=sbuf("tile"), dim=0, **whole)
        memory = jnki.all_to_all(memory, dst=hbm("exchanged")[:, ::2], src=a, **whole)
        memory = jnki.collective_permute_implicit(memory, dst=sbuf("next"), src=sbuf("tile"), **whole)
        memory = jnki.collective_permute(memory, dst=hbm("sent"), src=a, pairs=[(0, 2), (3, 0)], axis="x")
        return jnki.collective_permute(
            memory, dst=a, src=a, pairs=[(r, (r + 1) % RANKS) for r in range(RANKS)], axis="x"
        )

    return run


def main():
    for number, dtype in enumerate(DTYPES):
        groups = ALL_GROUPS[number % len(ALL_GROUPS)]
        shapes = {"hbm.a": (4, 3), "hbm.gathered": (17, 3), "hbm.exchanged": (4, 6), "hbm.sent": (4, 3)}
        shapes |= {"sbuf.tile": (2, 3), "sbuf.wide": (2, 14), "sbuf.tall": (9, 3), "sbuf.next": (2, 3)}
        stacks = {key: contents(at, dtype, *shape) for at, (key, shape) in enumerate(shapes.items())}
        with told(dtype, groups):
            found, fault = on_ranks(all_at_once(groups), stacks)
        wanted = {key: array.copy() for key, array in stacks.items()}
        count = len(groups[0])
        wanted["hbm.gathered"][:, : 4 * count] = oracle.all_gather(stacks["hbm.a"], groups)
        wanted["sbuf.wide"][:, :, 1 : 1 + 3 * count] = oracle.all_gather(stacks["sbuf.tile"], groups, 1)
        wanted["sbuf.tall"][:, : 2 * count] = oracle.all_gather(stacks["sbuf.tile"], groups)
        wanted["hbm.exchanged"][:, :, ::2] = oracle.all_to_all(stacks["hbm.a"], groups)
        wanted["sbuf.next"] = oracle.ring(stacks["sbuf.tile"], groups)
        wanted["hbm.sent"] = oracle.permute(stacks["hbm.a"], stacks["hbm.sent"], [(0, 2), (3, 0)])
        wanted["hbm.a"] = np.roll(stacks["hbm.a"], 1, axis=0)
        for key, array in wanted.items():
            assert_bits(found[key], array, (dtype, groups, key))
        assert not np.asarray(fault.occurred).any()


def ranks():
    """The rank of a device, and whose data a ring has brought it; also along two axes."""
    stacks = {f"sbuf.r{n}": np.zeros((RANKS, 1, 1), np.int32) for n in range(3)}
    rings = {"r1": (HALVES, 1), "r2": (WHOLE, 3)}

    def run(axis):
        def all_of_them(memory):
            memory = jnki.rank_id(memory, dst=sbuf("r0"), axis=axis)
            for name, (ring, steps) in rings.items():
                memory = jnki.rank_id(memory, dst=sbuf(name), ring=ring, steps=steps, axis=axis)
            return memory

        return all_of_them

    own = np.arange(RANKS)
    wanted = {"sbuf.r0": own, "sbuf.r1": oracle.ring(own, HALVES)}
    wanted["sbuf.r2"] = oracle.ring(oracle.ring(oracle.ring(own, WHOLE), WHOLE), WHOLE)
    for names, sizes in ((("x",), (4,)), (("x", "y"), (2, 2))):
        found, _ = on_ranks(run(names), stacks, names, sizes)
        for key, numbers in wanted.items():
            np.testing.assert_array_equal(found[key].reshape(-1), numbers)
