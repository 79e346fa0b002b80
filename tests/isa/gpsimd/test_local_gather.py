"""`local_gather` and `sequence_bounds`: values beside the oracle, faults, derivatives, rules."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jnki
import jnki.neuronxcc.nki as nki
import jnki.neuronxcc.nki.isa as nisa
import jnki.neuronxcc.nki.language as nl
from jnki import DeviceMemory, RuleError, psum, sbuf
from tests.harness import bits_of
from tests.oracle import picks as oracle
from tests.oracle.cases import random_values


@pytest.mark.parametrize(("kind", "width", "count"), [("float32", 1, 32), ("bfloat16", 4, 19), ("int8", 2, 1)])
def test_gathers_beside_the_oracle(kind, width, count):
    rng = np.random.default_rng(0)
    start = {
        "x": random_values(rng, kind, (8, 32, 3, 4)),
        "i": rng.integers(0, 13, (8, 32, 2)).astype(np.uint16),
        "y": random_values(rng, kind, (8, 32, count, width)),
    }
    start["i"][:4] = np.minimum(start["i"][:4], 12 - width)  # half of the cases have no fault
    p, k = jnki.arange(32)[:, None, None], jnki.arange(count)[None, :, None]
    on = np.broadcast_to(np.add.outer(np.arange(32), np.arange(count))[:, :, None] < 40, (32, count, width))

    def run(arrays):
        memory = jnki.local_gather(
            DeviceMemory.of(sbuf=arrays),
            dst=sbuf("y"),
            src_buffer=sbuf("x"),
            index=sbuf("i"),
            num_elem_per_idx=width,
            num_valid_indices=count,
            mask=p + k < 40,
        )
        return memory.sbuf["y"], memory.fault

    after, faults = jax.jit(jax.vmap(run))(start)
    found = {details.case[0]: details for details in faults.details()}
    for case in range(8):
        x, i, y = (start[name][case] for name in "xiy")
        want, fault = oracle.local_gather(x, i, width, count, on, y)
        assert (bits_of(np.asarray(after[case])) == bits_of(want)).all()
        assert fault == ((found[case].row, found[case].index) if case in found else None)
    assert not set(range(4)) & set(found)


@nki.jit
def gathered(x, index):
    out = nl.ndarray((2, 16, 2, 16, 1), x.dtype, buffer=nl.shared_hbm)
    for i in nl.affine_range(2):
        nl.store(out[i], nisa.local_gather(nl.load(x[i]), nl.load(index[i])))
    return out


def test_a_fault_of_a_kernel_says_which_index():
    x, index = np.zeros((2, 16, 6), np.float32), np.zeros((2, 16, 2), np.uint16)
    assert (gathered(x, index) == 0).all()
    index[1, 5, 1] = 6
    with pytest.raises(IndexError) as caught:
        gathered(x, index)
    assert caught.value.row_index == 6 and caught.value.axis_size == 6 and caught.value.instruction == "local_gather"


def test_an_element_that_several_copy_gets_the_sum_of_their_cotangents():
    index = np.random.default_rng(0).integers(0, 6, (2, 16, 2)).astype(np.uint16)
    back = jax.grad(lambda x: gathered(x, index).sum())(jnp.ones((2, 16, 6)))
    for i in range(2):
        counts = np.bincount(index[i].ravel(), minlength=6)
        assert (back[i] == counts).all()


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"src_buffer": psum("x")}, "err_unsupported_memory: local_gather: 'src_buffer' is in the wrong memory"),
        ({"src_buffer": sbuf("x")[:16]}, "local_gather.partitions: local_gather: src_buffer and index do not span"),
        ({"src_buffer": sbuf("x")[:8], "index": sbuf("i")[:8]}, "local_gather.partitions: "),
        (
            {"index": sbuf("n")},
            "local_gather.index: local_gather: 'index' has the wrong element type\n  given:   int32",
        ),
        ({"dst": sbuf("half")}, "local_gather.dtype: local_gather: a gather does not cast"),
        ({"num_elem_per_idx": 3}, "local_gather.num_elem_per_idx: local_gather: an index does not read so many elem"),
        ({"num_elem_per_idx": 1.0}, "local_gather.num_elem_per_idx: local_gather: 'num_elem_per_idx' is no integer"),
        ({"num_valid_indices": 17}, "local_gather.num_valid_indices: local_gather: a core does not use so many indic"),
        ({"num_valid_indices": 0}, "local_gather.num_valid_indices: local_gather: a core does not use so many indices"),
        ({"num_valid_indices": 5}, "local_gather.shape: local_gather: dst does not have one element for each that is"),
        ({"mask": jnki.arange(5)[None, :] < 2}, "local_gather.mask: local_gather: the mask does not fit 'dst'"),
    ],
)
def test_rules_of_local_gather(changes, text):
    memory = DeviceMemory.of(
        sbuf={
            "x": np.zeros((32, 6), np.float32),
            "i": np.zeros((32, 1), np.uint16),
            "n": np.zeros((32, 1), np.int32),
            "y": np.zeros((32, 16), np.float32),
            "half": np.zeros((32, 16), np.float16),
        },
        psum={"x": np.zeros((32, 6), np.float32)},
    )
    legal = {"dst": sbuf("y"), "src_buffer": sbuf("x"), "index": sbuf("i")}
    jnki.local_gather(memory, **legal)
    with pytest.raises(RuleError) as caught:
        jnki.local_gather(memory, **{**legal, **changes})
    assert str(caught.value).startswith(text)


@pytest.mark.parametrize(("kind", "out"), [("int32", "float32"), ("float32", "int32"), ("float32", "float32")])
def test_sequence_bounds_beside_the_oracle(kind, out):
    ids = np.random.default_rng(0).integers(0, 3, (32, 1, 11)).astype(kind)

    def run(row):
        memory = DeviceMemory.of(sbuf={"x": row, "y": jnp.zeros((1, 2, 11), out)})
        return jnki.sequence_bounds(memory, dst=sbuf("y"), segment_ids=sbuf("x")).sbuf["y"]

    for row, got in zip(ids, jax.jit(jax.vmap(run))(ids)):
        assert (got == oracle.sequence_bounds(row)).all() and got.dtype == out


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"segment_ids": psum("x")}, "err_unsupported_memory: sequence_bounds: 'segment_ids' is in the wrong memory"),
        ({"segment_ids": sbuf("half")}, "sequence_bounds.dtype: sequence_bounds: 'segment_ids' has the wrong element "),
        ({"dst": sbuf("half")}, "sequence_bounds.dtype: sequence_bounds: 'dst' has the wrong element type"),
        (
            {"segment_ids": sbuf("two")},
            "sequence_bounds.shape: sequence_bounds: 'segment_ids' is not one row\n  given:",
        ),
        ({"dst": sbuf("x")}, "sequence_bounds.shape: sequence_bounds: 'dst' does not have two numbers for each id"),
    ],
)
def test_rules_of_sequence_bounds(changes, text):
    memory = DeviceMemory.of(
        sbuf={
            "x": np.zeros((1, 6), np.float32),
            "two": np.zeros((2, 6), np.float32),
            "half": np.zeros((1, 6), np.float16),
            "y": np.zeros((1, 2, 6), np.float32),
        },
        psum={"x": np.zeros((1, 6), np.float32)},
    )
    legal = {"dst": sbuf("y"), "segment_ids": sbuf("x")}
    jnki.sequence_bounds(memory, **legal)
    with pytest.raises(RuleError) as caught:
        jnki.sequence_bounds(memory, **{**legal, **changes})
    assert str(caught.value).startswith(text)
