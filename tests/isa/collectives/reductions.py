"""Reductions over devices: a part of on_four_devices.py."""

import numpy as np

import jnki
from jnki import hbm
from tests.isa.collectives.devices import ALL_GROUPS, HALVES, RANKS, WHOLE, assert_bits, on_ranks
from tests.oracle import collectives as oracle
from tests.oracle.cases import random_values
from tests.oracle.casts import DTYPES, FLOATS

OPS = ("add", "minimum", "maximum")
SHAPE = (4, 6)
RESULTS = {"total": SHAPE, "part": (2, 6), "sent": SHAPE}


def run_of(ops, groups, axis="x"):
    """Every reduction with each of the operators, each into a buffer of its own."""

    def run(memory):
        for op in ops:
            a, b, common = hbm(f"a_{op}"), hbm(f"b_{op}"), {"groups": groups, "op": op, "axis": axis}
            part = hbm(f"part_{op}")[: 4 // len(groups[0])]
            memory = jnki.all_reduce(memory, dst=hbm(f"total_{op}"), src=a, **common)
            memory = jnki.reduce_scatter(memory, dst=part, src=a, **common)
            memory = jnki.collective_permute_implicit_reduce(memory, dst=hbm(f"sent_{op}"), src0=a, src1=b, **common)
        return memory

    return run


def wanted_of(stacks, ops, groups):
    wanted = {key: array.copy() for key, array in stacks.items()}
    for op in ops:
        a, b = stacks[f"hbm.a_{op}"], stacks[f"hbm.b_{op}"]
        wanted[f"hbm.total_{op}"] = oracle.all_reduce(a, groups, op)
        wanted[f"hbm.part_{op}"][:, : 4 // len(groups[0])] = oracle.reduce_scatter(a, groups, op)
        wanted[f"hbm.sent_{op}"] = oracle.ring(np.stack([oracle.combined(pair, op) for pair in zip(a, b)]), groups)
    return wanted


def nan_in(array):
    with np.errstate(invalid="ignore"):
        return np.isnan(array.astype(np.float32))


def same(found, wanted, told):
    """Bit for bit, but for which NaN a computed one is."""
    for key in wanted:
        is_nan = nan_in(found[key])
        np.testing.assert_array_equal(is_nan, nan_in(wanted[key]), err_msg=str((*told, key)))
        zero = np.zeros((), found[key].dtype)
        assert_bits(np.where(is_nan, zero, found[key]), np.where(is_nan, zero, wanted[key]), (*told, key))


def stacks_of(draw, ops=OPS):
    """Contents for `run_of`, from a function of the operator and a shape."""
    shapes = {"a": SHAPE, "b": SHAPE, **RESULTS}
    return {f"hbm.{name}_{op}": draw(op, (RANKS, *shape)) for op in ops for name, shape in shapes.items()}


def drawn(dtype):
    """Any numbers; for a sum, floats whose sums are exact."""
    rng = np.random.default_rng(0)

    def draw(op, shape):
        values = random_values(rng, dtype, shape)
        return rng.integers(-3, 4, shape).astype(values.dtype) if op == "add" and dtype in FLOATS else values

    return stacks_of(draw)


def main():
    """Integers wrap. Of floats, maxima and minima of any, and sums that are exact; also along two axes."""
    kinds = [dtype for dtype in DTYPES if dtype not in ("bool", "tfloat32")]
    for number, dtype in enumerate(kinds):
        groups, stacks = ALL_GROUPS[number % len(ALL_GROUPS)], drawn(dtype)
        names, sizes = ((("x",), (4,)), (("x", "y"), (2, 2)))[number % 2]
        found, _ = on_ranks(run_of(OPS, groups, names), stacks, names, sizes)
        same(found, wanted_of(stacks, OPS, groups), (dtype, groups))


def rounding():
    """A sum of two rounds once, and in groups it is made in the order of the list; all ranks at once are close."""
    rng = np.random.default_rng(1)
    for dtype, unit in (("bfloat16", 2.0**-8), ("float16", 2.0**-11), ("float32", 2.0**-22)):
        kind = random_values(0, dtype, (1,)).dtype
        stacks = {key: rng.standard_normal(x.shape).astype(kind) for key, x in drawn(dtype).items() if "add" in key}
        found, _ = on_ranks(run_of(["add"], HALVES), stacks)
        same(found, wanted_of(stacks, ["add"], HALVES), (dtype,))
        found, _ = on_ranks(run_of(["add"], WHOLE), stacks)
        exact = stacks["hbm.a_add"].astype(np.float64).sum(0)
        total = found["hbm.total_add"].astype(np.float64)
        np.testing.assert_allclose(total, [exact] * RANKS, rtol=unit * 1.01, atol=unit)


def extremes():
    """Every pair of special numbers, on two ranks: NaN wins, and zeros have an order."""
    special = np.array([0.0, -0.0, np.nan, -np.nan, np.inf, -np.inf, 1e-45, -1.0], np.float32)
    a, b = (x.reshape(8, 8) for x in np.meshgrid(special, special))
    stacks = {"hbm.a": np.stack([a, b, b, a])}
    stacks |= {f"hbm.{op}{n}": np.zeros((RANKS, 8, 8), np.float32) for op in OPS[1:] for n in (1, 2)}
    groups = {1: WHOLE, 2: [[0, 1], [2, 3]]}

    def run(memory):
        for op in OPS[1:]:
            for n, group in groups.items():
                memory = jnki.all_reduce(memory, dst=hbm(f"{op}{n}"), src=hbm("a"), op=op, groups=group, axis="x")
        return memory

    found, _ = on_ranks(run, stacks)
    for op in OPS[1:]:
        for n, group in groups.items():
            key = f"hbm.{op}{n}"
            same({key: found[key]}, {key: oracle.all_reduce(stacks["hbm.a"], group, op)}, (op, group))
