"""`dma_transpose`: values of each rank, bit for bit; masks, memories, in kernels, derivatives, rules."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jnki
import jnki.neuronxcc.nki as nki
import jnki.neuronxcc.nki.isa as nisa
import jnki.neuronxcc.nki.language as nl
from jnki import TRN1, DeviceMemory, RuleError, arange, dge_mode, hbm, psum, sbuf
from tests.harness import bits_of
from tests.isa.computations import assert_stands_for, batch, tame
from tests.oracle.cases import random_values
from tests.oracle.casts import DTYPES

SHAPES = {(4, 6): (1, 0), (3, 2, 5): (2, 1, 0), (3, 2, 4, 5): (3, 1, 2, 0)}


def transposed(array, axes):
    """One element at a time."""
    out = np.empty([array.shape[axis] for axis in axes], array.dtype)
    for place in np.ndindex(out.shape):
        there = dict(zip(axes, place))
        out[place] = array[tuple(there[axis] for axis in range(len(axes)))]
    return out


@pytest.mark.parametrize(
    ("shape", "kind"), [*(((4, 6), k) for k in DTYPES), ((3, 2, 5), "bfloat16"), ((3, 2, 4, 5), "int8")]
)
def test_elements_move_bit_for_bit(shape, kind):
    def arrays(rng):
        x = random_values(rng, kind, shape)
        x = x.astype(bool) if kind == "bool" else x
        return {"x": x, "y": np.zeros([shape[axis] for axis in SHAPES[shape]], x.dtype)}

    name = "tfloat32" if kind == "tfloat32" else None
    for old, new in batch(arrays, lambda m: jnki.dma_transpose(m, dst=sbuf("y", name), src=sbuf("x", name)), 8):
        assert (bits_of(new["y"]) == bits_of(transposed(old["x"], SHAPES[shape]))).all()


@pytest.mark.parametrize("kinds", [("float32", "bfloat16"), ("int32", "float16"), ("float32", "int8")], ids=str)
def test_another_type_is_a_cast(kinds):
    for old, new in batch(
        lambda rng: {"x": tame(rng, (4, 6), kinds[0]), "y": tame(rng, (6, 4), kinds[1])},
        lambda m: jnki.dma_transpose(m, dst=sbuf("y"), src=sbuf("x")),
        8,
    ):
        assert_stands_for(new["y"], old["x"].T.astype(np.float64), kinds[1], steps=0)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_mask_speaks_of_the_source(shape):
    axes = SHAPES[shape]
    places = [
        arange(n)[tuple(slice(None) if a == axis else None for a in range(len(shape)))] for axis, n in enumerate(shape)
    ]
    numbers = np.indices(shape)
    x = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    for mask, on in (
        (places[0] < 2, numbers[0] < 2),
        (places[0] + places[-1] < 5, numbers[0] + numbers[-1] < 5),
        ((places[1] > 0) & (places[-1] != 1), (numbers[1] > 0) & (numbers[-1] != 1)),
    ):
        memory = DeviceMemory.of(hbm={"x": x}, sbuf={"y": np.full([shape[a] for a in axes], -1, np.float32)})
        memory = jnki.dma_transpose(memory, dst=sbuf("y"), src=hbm("x"), mask=mask)
        assert (memory.sbuf["y"] == transposed(np.where(on, x, -1), axes)).all()


def test_in_loops_with_a_ragged_edge_from_a_large_tensor():
    @nki.jit
    def turned(x):
        out = nl.ndarray(x.shape[::-1], x.dtype, buffer=nl.shared_hbm)
        p, f = nl.arange(4)[:, None], nl.arange(x.shape[1])[None, :]
        for i in nl.affine_range(3):
            tile = nisa.dma_transpose(x[4 * i + p, f], mask=4 * i + p < x.shape[0], axes=(1, 0))
            j, k = nl.arange(x.shape[1])[:, None], nl.arange(4)[None, :]
            nl.store(out[j, 4 * i + k], tile, mask=4 * i + k < x.shape[0])
        acc = nl.zeros((x.shape[1], 4), nl.float32, buffer=nl.psum)
        acc[...] = nisa.dma_transpose(nl.load(x[0:4, :]))
        nl.store(out[:, 0:4], acc)
        return out

    x = np.arange(50, dtype=np.float32).reshape(10, 5)
    assert (turned(x) == x.T).all()
    weight = np.random.default_rng(0).standard_normal((5, 10)).astype(np.float32)
    np.testing.assert_array_equal(jax.grad(lambda x: (turned(x) * weight).sum())(jnp.asarray(x)), weight.T)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"src": psum("x")}, "err_unsupported_memory: dma_transpose: 'src' is in the wrong memory"),
        ({"dst": psum("y")}, "err_unsupported_memory: dma_transpose: 'dst' is in the wrong memory"),
        ({"dst": hbm("y")}, "err_unsupported_memory: dma_transpose: 'dst' is in the wrong memory"),
        ({"dst": sbuf("y")[1:]}, "dma_transpose.shape: dma_transpose: dst does not have the transposed shape\n  given"),
        (
            {"src": hbm("x")[sbuf("i"), :]},
            "err_indirect_indices_are_not_supported_with_nki_api: dma_transpose: 'src' h",
        ),
        (
            {"src": hbm("x")[0]},
            "dma_transpose.axes: dma_transpose: DMA does not permute the axes in this way\n  given:",
        ),
        ({"mask": arange(5)[None, :] < 2}, "dma_transpose.mask: dma_transpose: the mask does not fit 'src'"),
        ({"dge_mode": 2}, "dma_transpose.enum_only: dma_transpose: 'dge_mode' must be a member of dge_mode"),
        ({"dge_mode": dge_mode.hwdge, "target": TRN1}, "dma_copy.hwdge_target_legacy: dma_transpose: hwdge is not"),
        ({"dge_mode": dge_mode.hwdge, "dst": sbuf("n")}, "dma_copy.hwdge_dtype: dma_transpose: hwdge does not cast"),
    ],
)
def test_rules(changes, text):
    x, y = np.zeros((2, 3), np.float32), np.zeros((3, 2), np.float32)
    memory = DeviceMemory.of(
        hbm={"x": x, "y": y},
        sbuf={"y": y, "n": y.astype(np.int32), "i": np.zeros((2, 1), np.int32)},
        psum={"x": x, "y": y},
    )
    legal = {"dst": sbuf("y"), "src": hbm("x"), "dge_mode": dge_mode.hwdge}
    jnki.dma_transpose(memory, **legal)
    with pytest.raises(RuleError) as caught:
        jnki.dma_transpose(memory, **{**legal, **changes})
    assert str(caught.value).startswith(text)


def test_other_axes_are_refused():
    @nki.jit
    def turned(x):
        nisa.dma_transpose(x, axes=(0, 2, 1))

    with pytest.raises(RuleError, match=r"dma_transpose.axes(.|\n)*axes \(0, 2, 1\)\n  allowed: \(2, 1, 0\)"):
        turned(np.zeros((2, 3, 4), np.float32))
