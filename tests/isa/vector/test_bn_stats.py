"""`bn_stats` and `bn_aggr`: layout, types, masks, means and variances of several pieces, derivatives, and rules."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jnki
from jnki import DeviceMemory, RuleError, sbuf
from tests.isa.computations import FLOATS, assert_only, assert_stands_for, batch, tame
from tests.oracle import batch_norm as oracle
from tests.oracle.scans import slopes
from tests.targets import TINY

P, N = 4, 7
ROW, COLUMN = jnki.arange(P)[:, None], jnki.arange(N)[None, :]
MASKS = {
    "whole": (None, np.ones((P, N), bool)),
    "front": (COLUMN < 5, np.broadcast_to(np.arange(N) < 5, (P, N))),
    "staggered": (ROW + COLUMN < 3, np.add.outer(np.arange(P), np.arange(N)) < 3),
    "hole": (COLUMN != 2, np.broadcast_to(np.arange(N) != 2, (P, N))),
}


@pytest.mark.parametrize("mask", MASKS)
def test_six_numbers(mask):
    comparison, on = MASKS[mask]
    for old, new in batch(
        lambda rng: {"x": tame(rng, (P, N), "float32"), "z": tame(rng, (P, 8), "float32")},
        lambda m: jnki.bn_stats(m, dst=sbuf("z")[:, 1:7], data=sbuf("x"), mask=comparison),
        32,
    ):
        wanted, written = oracle.stats(old["x"], on)
        assert_stands_for(new["z"][written, 1:7], wanted[written], "float32", steps=16, scale=100.0)
        inside = np.zeros((P, 8), bool)
        inside[written, 1:7] = True
        assert_only(old, new, "z", inside)


@pytest.mark.parametrize("out", ["float32", "bfloat16"])
@pytest.mark.parametrize("dtype", [*FLOATS, "int16"])
def test_types(dtype, out):
    source = sbuf("x", "tfloat32" if dtype == "tfloat32" else None)
    for old, new in batch(
        lambda rng: {"x": tame(rng, (P, 1, N), dtype), "z": tame(rng, (P, 6), out)},
        lambda m: jnki.bn_stats(m, dst=sbuf("z"), data=source),
        8,
    ):
        wanted = oracle.stats(old["x"].reshape(P, N))[0]
        assert_stands_for(new["z"], wanted, out, steps=16, scale=100.0)


def test_one_element_is_an_even_one():
    memory = DeviceMemory.of(sbuf={"x": np.full((2, 1), 3.0, np.float32), "z": np.ones((2, 6), np.float32)})
    assert jnki.bn_stats(memory, dst=sbuf("z"), data=sbuf("x")).sbuf["z"].tolist() == [[1, 3, 0, 0, 0, 0]] * 2


@pytest.mark.parametrize("mask", [None, "groups"])
def test_groups_are_joined(mask):
    """Of any counts; a group that is masked off in part is left out."""
    groups = np.arange(12)
    on = np.add.outer(np.arange(P) * 4, groups) < 13 if mask else np.ones((P, 12), bool)
    comparison = jnki.arange(12)[None, :] + 4 * ROW < 13 if mask else None

    def make(rng):
        data = tame(rng, (P, 12), "float32", 1, 9)
        data[:, ::3] = np.floor(data[:, ::3])
        return {"x": data, "z": tame(rng, (P, 2), "float32")}

    for old, new in batch(make, lambda m: jnki.bn_aggr(m, dst=sbuf("z"), data=sbuf("x"), mask=comparison), 32):
        wanted, written = oracle.aggregate(old["x"], on)
        assert written.all() != bool(mask)
        assert_stands_for(new["z"][written], wanted[written], "float32", steps=32, scale=20.0)
        assert_only(old, new, "z", np.repeat(written[:, None], 2, axis=1))


def normalized(x, z):
    """The mean and the variance of `[4, 14]` in two uneven pieces."""
    memory = DeviceMemory.of(sbuf={"x": x, "s": np.zeros((P, 12), np.float32), "z": z})
    memory = jnki.bn_stats(memory, dst=sbuf("s")[:, :6], data=sbuf("x")[:, :9])
    memory = jnki.bn_stats(memory, dst=sbuf("s")[:, 6:], data=sbuf("x")[:, 9:])
    return jnki.bn_aggr(memory, dst=sbuf("z"), data=sbuf("s")).sbuf["z"]


def test_mean_and_variance_and_their_gradients():
    rng = np.random.default_rng(1)
    x, z = rng.normal(5, 2, (P, 14)).astype(np.float32), jnp.zeros((P, 2))
    found = jax.jit(normalized)(x, z)
    np.testing.assert_allclose(found, np.stack([x.mean(axis=1), x.var(axis=1)], axis=1), rtol=1e-5)
    weights = jnp.asarray(rng.normal(size=(P, 2)), jnp.float32)
    found, by_hand = jax.jit(
        lambda x: (
            jax.grad(lambda x: (normalized(x, z) * weights).sum())(x),
            jax.grad(lambda x: (jnp.stack([x.mean(axis=1), x.var(axis=1)], axis=1) * weights).sum())(x),
        )
    )(x)
    np.testing.assert_allclose(found, by_hand, rtol=1e-4, atol=1e-6)


def test_gradients_under_masks():
    """What is masked off, and may be no number, has none."""
    on, weights = MASKS["staggered"][1], np.random.default_rng(2).normal(size=(P, 8)).astype(np.float32)

    def run(x):
        memory = DeviceMemory.of(sbuf={"x": x, "z": jnp.zeros((P, 6)), "a": jnp.zeros((P, 2))})
        memory = jnki.bn_stats(memory, dst=sbuf("z"), data=sbuf("x"), mask=MASKS["staggered"][0])
        memory = jnki.bn_aggr(memory, dst=sbuf("a"), data=sbuf("z"), mask=ROW < 2)
        return (jnp.concatenate([memory.sbuf["z"], memory.sbuf["a"]], axis=1) * weights).sum()

    def by_numpy(x):
        z = oracle.stats(x, on)[0]
        a = oracle.aggregate(z, np.broadcast_to(np.arange(P)[:, None] < 2, z.shape))[0]
        a[2:] = 0
        return np.concatenate([z, a], axis=1)

    x = np.random.default_rng(3).uniform(1, 2, (P, N)).astype(np.float32)
    found = jax.jit(jax.grad(run))(np.where(on, x, np.float32(np.nan)))
    (wanted,) = slopes(by_numpy, [x], weights)
    np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-3)


def call(function, target=TINY, **changes):
    memory = DeviceMemory.of(
        sbuf={"x": np.zeros((P, 8), np.float32), "z": np.zeros((P, 6), np.float32), "long": np.zeros((P, 9), "f4")}
        | {"a": np.zeros((P, 2), np.float32), "row": np.zeros((1, 6), np.float32)},
        hbm={"h": np.zeros((P, 6), np.float32)},
    )
    usual = {"bn_stats": {"dst": sbuf("z"), "data": sbuf("x")}, "bn_aggr": {"dst": sbuf("a"), "data": sbuf("z")}}
    return getattr(jnki, function)(memory, **{**usual[function], **changes}, target=target)


BROKEN = {
    "long": (
        "bn_stats",
        {"data": sbuf("long")},
        "bn_stats.free_size: bn_stats: 'data' has too many elements per partition\n  given:   9 ([4, 9])\n"
        "  allowed: at most 8 on tiny; nisa.bn_aggr joins several results",
    ),
    "shape": (
        "bn_stats",
        {"dst": sbuf("x")},
        "bn_stats.shape: bn_stats: dst does not have six elements for each partition of data\n"
        "  given:   data [4, 8], dst [4, 8]\n  allowed: [4, 6]",
    ),
    "partitions": ("bn_stats", {"dst": sbuf("row")}, "bn_stats.shape: "),
    "hbm": ("bn_stats", {"data": jnki.hbm("h")}, "err_unsupported_memory: bn_stats: 'data' is in the wrong memory"),
    "mask": ("bn_stats", {"mask": COLUMN < 3}, "bn_stats.mask: bn_stats: the mask does not fit 'data'"),
    "groups": (
        "bn_aggr",
        {"data": sbuf("x")},
        "bn_aggr.groups: bn_aggr: 'data' is not made of groups of count, mean and variance times count\n"
        "  given:   8 elements per partition ([4, 8])\n  allowed: a multiple of 3",
    ),
    "two": (
        "bn_aggr",
        {"dst": sbuf("z")},
        "bn_aggr.shape: bn_aggr: dst does not have two elements for each partition of data\n"
        "  given:   data [4, 6], dst [4, 6]\n  allowed: [4, 2]",
    ),
    "aggr_hbm": ("bn_aggr", {"data": jnki.hbm("h")}, "err_unsupported_memory: bn_aggr: 'data' is in the wrong memory"),
    "aggr_mask": ("bn_aggr", {"mask": COLUMN < 3}, "bn_aggr.mask: bn_aggr: the mask does not fit 'data'"),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_rules(broken):
    function, changes, text = BROKEN[broken]
    with pytest.raises(RuleError) as caught:
        call(function, **changes)
    assert str(caught.value).startswith(text)


@pytest.mark.parametrize(
    ("function", "changes"),
    [("bn_stats", {}), ("bn_stats", {"data": sbuf("long"), "target": jnki.TRN1}), ("bn_aggr", {})],
    ids=["stats", "target", "aggr"],
)
def test_twins_that_are_legal(function, changes):
    call(function, **changes)
