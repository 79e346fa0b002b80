"""`tensor_copy_dynamic_src` and `_dst`: places known at run time, faults, loops, batches, derivatives, rules."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jnki
import jnki.neuronxcc.nki as nki
import jnki.neuronxcc.nki.isa as nisa
import jnki.neuronxcc.nki.language as nl
from jnki import DeviceMemory, RuleError, hbm, psum, sbuf
from tests.harness import bits_of
from tests.oracle.cases import random_values

P, F = jnki.arange(2)[:, None], jnki.arange(3)[None, :]


@pytest.mark.parametrize("kind", ["float32", "bfloat16", "int8"])
@pytest.mark.parametrize("of_index", ["int32", "uint32"])
def test_copies_from_and_to_a_place_and_faults(kind, of_index):
    rng = np.random.default_rng(0)
    offsets = [0, 1, 3, 4, 5, 7, -1, 2**31 - 1, -(2**31)]
    index = np.array(offsets, np.int64).astype(np.int32).view(of_index).reshape(-1, 1, 1)
    start = {
        "x": random_values(rng, kind, (9, 3, 5, 4)),
        "y": random_values(rng, kind, (9, 3, 4)),
        "z": random_values(rng, kind, (9, 3, 5, 4)),
    }
    p, f = jnki.arange(3)[:, None], jnki.arange(4)[None, :]

    def run(arrays, index):
        memory = DeviceMemory.of(sbuf={**arrays, "i": index})
        memory = jnki.tensor_copy_dynamic_src(memory, dst=sbuf("y"), src=sbuf("x")[p, sbuf("i"), f], mask=p + f < 5)
        first = memory.fault
        pattern = [[20, 3], [8, 2], [1, 2]]  # two of the four places on axis 1, each two elements
        to = sbuf("z").ap(pattern, 0, scalar_offset=sbuf("i"), indirect_dim=1)
        memory = jnki.tensor_copy_dynamic_dst(memory, dst=to, src=sbuf("x")[:, 0, :])
        return memory.sbuf["y"], memory.sbuf["z"], first, memory.fault

    y, z, first, both = jax.jit(jax.vmap(run))(start, index)
    on = np.add.outer(np.arange(3), np.arange(4)) < 5
    for case, offset in enumerate(offsets):
        want = start["y"][case].copy()
        if 0 <= offset < 5:
            want[on] = start["x"][case][:, offset, :][on]
        assert (bits_of(np.asarray(y[case])) == bits_of(want)).all()
        want = start["z"][case].copy()
        if 0 <= offset < 3:
            want[:, offset, :2], want[:, offset + 2, :2] = start["x"][case][:, 0, :2], start["x"][case][:, 0, 2:]
        assert (bits_of(np.asarray(z[case])) == bits_of(want)).all()
        assert bool(first.occurred[case]) == (not 0 <= offset < 5)
        assert bool(both.occurred[case]) == (not 0 <= offset < 3)


@nki.jit
def moved(x, offsets):
    """Windows of three from `x`, at whole places of its middle axis and within the last one, and back to a tile."""
    count = offsets.shape[1]
    windows = nl.ndarray((4, count, 3), x.dtype, buffer=nl.shared_hbm)
    rows = nl.ndarray((4, 2, 8), x.dtype, buffer=nl.shared_hbm)
    spread = nl.ndarray((4, 8), x.dtype, buffer=nl.shared_hbm)
    tile, at = nl.load(x), nl.load(offsets)
    found, to = nl.ndarray((4, count, 3), x.dtype), nl.zeros((4, 8), x.dtype)
    p, f = nl.arange(4)[:, None], nl.arange(3)[None, :]
    for i in nl.affine_range(count):
        found[p, i, f] = nisa.tensor_copy_dynamic_src(tile[p, 1, at[0, i] + f])
    for i in nl.sequential_range(count):
        nisa.tensor_copy_dynamic_dst(dst=to[p, f + at[0, i]], src=found[p, i, f], engine=nisa.vector_engine)
    q, _, g = nl.mgrid[0:4, 0:1, 0:8]
    for i in nl.static_range(2):
        row = nisa.tensor_copy_dynamic_src(tile[q, at[0, i], g], dtype=x.dtype)
        nl.store(rows[:, i : i + 1, :], row)
    nl.store(windows, found)
    nl.store(spread, to)
    return windows, rows, spread


X = np.random.default_rng(0).standard_normal((4, 2, 8)).astype(np.float32)


def expected(offsets):
    windows = np.stack([X[:, 1, o : o + 3] for o in offsets], 1)
    spread = np.zeros((4, 8), np.float32)
    for i, o in enumerate(offsets):
        spread[:, o : o + 3] = windows[:, i]
    return windows, np.stack([X[:, o] for o in offsets[:2]], 1), spread


def test_in_loops_and_batches():
    offsets = np.array([[1, 0, 5, 2], [0, 1, 1, 4]], np.int32)
    both = jax.vmap(moved, in_axes=(None, 0))(X, offsets[:, None])
    for case, of_case in enumerate(offsets):
        for got, alone, want in zip(both, moved(X, of_case[None]), expected(of_case)):
            assert (got[case] == want).all() and (alone == want).all()


def test_the_cotangent_goes_back_to_what_was_read():
    offsets = np.array([[1, 0, 5, 2]], np.int32)
    weight = np.arange(48, dtype=np.float32).reshape(4, 4, 3)
    slope = jax.grad(lambda x: (moved(x, offsets)[0] * weight).sum())(jnp.asarray(X))
    want = np.zeros_like(X)
    for i, o in enumerate(offsets[0]):
        want[:, 1, o : o + 3] += weight[:, i]
    np.testing.assert_array_equal(slope, want)


def test_a_fault_says_which_offset_in_which_iteration():
    with pytest.raises(IndexError) as caught:
        moved(X, np.array([[1, 0, 6, 2]], np.int32))
    error = caught.value
    assert (error.row_index, error.axis, error.axis_size, error.instruction) == (6, 2, 8, "tensor_copy_dynamic_src")
    assert error.row == 0 and "iteration" in str(error.__notes__), error.__notes__


def test_without_a_dynamic_index_it_is_a_copy():
    memory = DeviceMemory.of(sbuf={"x": X, "y": np.zeros((4, 2, 8), np.float32)})
    for function in (jnki.tensor_copy_dynamic_src, jnki.tensor_copy_dynamic_dst):
        after = function(memory, dst=sbuf("y"), src=sbuf("x"))
        assert (after.sbuf["y"] == X).all() and not after.fault.occurred


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        (
            {"src": hbm("h")[sbuf("many"), F]},
            "err_unsupported_memory: tensor_copy_dynamic_src: 'src' is in the wrong mem",
        ),
        ({"dst": hbm("h")}, "err_unsupported_memory: tensor_copy_dynamic_src: 'dst' is in the wrong memory"),
        (
            {"src": sbuf("x")[P, sbuf("many"), F]},
            "tensor_copy_dynamic_src.scalar: tensor_copy_dynamic_src: the dynamic offset of 'src' must be a scalar",
        ),
        (
            {"src": sbuf("x")[sbuf("i"), 0, F], "dst": sbuf("y")[:1]},
            "tensor_copy_dynamic_src.partition: tensor_copy_dynamic_src: the dynamic offset of 'src' moves along part",
        ),
        ({"dst": sbuf("y")[:1]}, "err_num_partition_mismatch: tensor_copy_dynamic_src: dst and src span different num"),
        ({"dst": sbuf("y")[:, 1:]}, "tensor_copy_dynamic_src.element_count: "),
        ({"engine": jnki.engine.tensor}, "tensor_copy_dynamic_src.engine: tensor_copy_dynamic_src: the engine cannot"),
        (
            {"engine": jnki.engine.gpsimd, "dst": psum("y")},
            "tensor_copy_dynamic_src.engine: tensor_copy_dynamic_src: the GpSimd Engine cannot access PSUM",
        ),
        ({"mask": jnki.arange(5)[None, :] < 2}, "tensor_copy_dynamic_src.mask: tensor_copy_dynamic_src: the mask"),
    ],
)
def test_rules(changes, text):
    y = np.zeros((2, 3), np.float32)
    memory = DeviceMemory.of(
        hbm={"h": y},
        sbuf={
            "x": np.zeros((2, 4, 3), np.float32),
            "y": y,
            "i": np.zeros((1, 1), np.int32),
            "many": np.zeros((2, 1), np.int32),
        },
        psum={"y": y},
    )
    legal = {"dst": sbuf("y"), "src": sbuf("x")[P, sbuf("i"), F]}
    jnki.tensor_copy_dynamic_src(memory, **legal)
    with pytest.raises(RuleError) as caught:
        jnki.tensor_copy_dynamic_src(memory, **{**legal, **changes})
    assert str(caught.value).startswith(text)


def test_other_instructions_take_a_dynamic_index_too():
    @nki.jit
    def kernel(x, offsets):
        out = nl.ndarray((4, 3), dtype=x.dtype, buffer=nl.shared_hbm)
        tile, at = nl.load(x), nl.load(offsets)
        p, f = nl.arange(4)[:, None], nl.arange(3)[None, :]
        nl.store(out, nl.add(tile[p, 1, at[0, 0] + f], 1.0))
        return out

    for start in (0, 2):
        np.testing.assert_array_equal(kernel(X, np.array([[start]], np.int32)), X[:, 1, start : start + 3] + 1)


def test_what_is_not_modelled_says_so():
    @nki.jit
    def kernel(x, offsets, way):
        tile, at = nl.load(x), nl.load(offsets)
        p, f = nl.arange(4)[:, None], nl.arange(3)[None, :]
        if way == "beyond":
            nisa.tensor_copy_dynamic_src(tile[p, 1, at[0, 0] + f - 1])
        elif way == "dtype":
            nisa.tensor_copy_dynamic_dst(dst=tile[p, 1, at[0, 0]], src=tile[p, 1, 0], dtype=nl.bfloat16)
        else:
            nisa.tensor_copy_dynamic_src(x[p, 1, at[0, 0] + f])

    for way in ("beyond", "hbm"):
        with pytest.raises(NotImplementedError):
            kernel(X, np.zeros((1, 1), np.int32), way)
    with pytest.raises(RuleError, match="tensor_copy_dynamic_dst.dtype: tensor_copy_dynamic_dst: 'dtype' is not that"):
        kernel(X, np.zeros((1, 1), np.int32), "dtype")
