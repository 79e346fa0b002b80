"""The masks of a matmul: its own, those on its operands, and which axis each comparison runs along."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jnki import DeviceMemory, RuleError, arange, psum, sbuf
from jnki.isa.tensor.nc_matmul import nc_matmul
from tests.isa.tensor.matmuls import Matmul, Part, assert_matches_oracle, whole_numbers

K, M, N = 6, 4, 5
PARTS = Part("acc", (M, N)), Part("a", (K, M)), Part("b", (K, N))
ADD = {"accumulate": True}

MATMULS = [
    Matmul("rows", *PARTS, rows=lambda f: f < 3),
    Matmul("columns", *PARTS, columns=lambda f: f >= 2),
    Matmul("depth", *PARTS, depth=lambda p: p <= 3),
    Matmul("a box", *PARTS, ADD, rows=lambda f: f > 0, columns=lambda f: (f >= 1) & (f < 4), depth=lambda p: p >= 2),
    Matmul("no box", *PARTS, rows=lambda f: f != 2, columns=lambda f: f != 0, depth=lambda p: p != 3),
    Matmul("no box, added", *PARTS, ADD, rows=lambda f: f != 2, columns=lambda f: f != 0, depth=lambda p: p != 3),
    Matmul("no row", *PARTS, rows=lambda f: f < 0),
    Matmul("no depth", *PARTS, depth=lambda p: p < 0),
    Matmul("no depth, but no comparison alone says so", *PARTS, depth=lambda p: (p < 2) & (p > 3)),
    Matmul(
        "several free axes",
        Part("acc", (M, 2, 3)),
        Part("a", (K, M)),
        Part("b", (K, 2, 3)),
        columns=lambda x, y: (x < 1) & (y > 0),
    ),
    Matmul(
        "free axes together",
        Part("acc", (M, 2, 3)),
        Part("a", (K, M)),
        Part("b", (K, 2, 3)),
        columns=lambda x, y: 3 * x + y < 4,
    ),
    Matmul(
        "rows of a part",
        Part("acc", (9, N), key=np.s_[2:6, :]),
        Part("a", (K, 7), key=np.s_[:, 1:5]),
        Part("b", (K, N)),
        rows=lambda f: f >= 2,
    ),
]


@pytest.mark.parametrize("matmul", MATMULS, ids=lambda m: m.name.replace(" ", "_"))
def test_all_of_memory_is_the_oracles(matmul):
    assert_matches_oracle(matmul)


@pytest.mark.parametrize("ragged", ["f < 3", "f != 3"])
def test_nan_under_a_mask_contributes_nothing_to_values_or_gradients(ragged):
    f, p = arange(M)[None, :], arange(K)[:, None]
    rows = f < 3 if ragged == "f < 3" else f != 3
    start = {n: a[0] for n, a in whole_numbers(MATMULS[0], 1).items()}
    good = {n: jnp.asarray(a) for n, a in start.items()}
    bad = {**good, "a": good["a"].at[:, 3].set(jnp.nan).at[4:].set(jnp.nan), "b": good["b"].at[4:].set(jnp.nan)}

    def run(tiles):
        memory = DeviceMemory.of(sbuf={"a": tiles["a"], "b": tiles["b"]}, psum={"acc": tiles["acc"]})
        operands = {"dst": psum("acc"), "stationary": sbuf("a"), "moving": sbuf("b")}
        return nc_matmul(memory, **operands, mask=p < 4, stationary_mask=rows).psum["acc"]

    np.testing.assert_array_equal(run(bad), run(good))
    slopes, wanted = (jax.grad(lambda tiles: (run(tiles) ** 2).sum())(tiles) for tiles in (bad, good))
    for name in ("a", "b", "acc"):
        np.testing.assert_array_equal(slopes[name], wanted[name])
    assert (wanted["acc"][3] != 0).any() and (wanted["acc"][:3] == 0).all()
    assert (wanted["a"][4:] == 0).all() and (wanted["b"][4:] == 0).all()


def run(a, b, *, pair=False, **masks):
    shape = (int(np.prod(a[1 + pair :])), *b[1 + pair :])
    kind = jnp.float8_e5m2 if pair else jnp.float32
    memory = DeviceMemory.of(sbuf={"a": jnp.ones(a, kind), "b": jnp.ones(b, kind)}, psum={"acc": jnp.zeros(shape)})
    mode = "double_row" if pair else None
    after = nc_matmul(memory, dst=psum("acc"), stationary=sbuf("a"), moving=sbuf("b"), perf_mode=mode, **masks)
    return np.asarray(after.psum["acc"])


def refused(*shapes, **masks):
    with pytest.raises(RuleError) as caught:
        run(*shapes, **masks)
    return caught.value


I4, I5, P6 = arange(4)[None, :], arange(5)[None, :], arange(6)[:, None]


def test_the_instructions_own_mask_is_told_apart_by_shape():
    written = run((6, 4), (6, 5), mask=(I4 < 3)) != 0
    assert written[:3].all() and not written[3].any()
    written = run((6, 4), (6, 5), mask=(I5 < 3)) != 0
    assert written[:, :3].all() and not written[:, 3:].any()
    assert (run((6, 4), (6, 5), mask=(P6 < 2)) == 2).all()
    both = run((6, 4), (6, 5), mask=(I4 < 3)) == 6
    assert both.sum() == 15


def test_a_mask_on_an_operand_says_which_of_two_equal_axes_is_meant():
    assert (run((6, 4), (6, 4), stationary_mask=(I4 < 1)) != 0).tolist() == [[True] * 4] + [[False] * 4] * 3
    assert (run((6, 4), (6, 4), moving_mask=(I4 < 1)) != 0).tolist() == [[True] + [False] * 3] * 4
    # Repeated by the instruction's own mask it says nothing new.
    assert (run((6, 4), (6, 4), moving_mask=(I4 < 1), mask=(I4 < 1)) != 0).sum() == 4


def test_a_comparison_that_fits_the_free_axes_of_both_operands_is_refused():
    assert str(refused((6, 4), (6, 4), mask=(I4 < 3))).startswith(
        "nc_matmul.mask: nc_matmul: cannot tell what the mask 'mask' speaks of\n"
        "  given:   -1*d1 + 2 >= 0 over [1, 4], stationary [6, 4], moving [6, 4]\n"
        "  allowed: a mask on the operand that is meant, such as stationary[i < n]; this one fits the free axes of both"
    )


def test_a_comparison_that_fits_no_operand_is_refused():
    error = refused(
        (6, 4), (6, 5), mask=(arange(3)[None, :] < 3) & (arange(7)[None, :1] < 1) & (arange(3)[:, None] < 2)
    )
    assert error.rule == "nc_matmul.mask" and "a comparison that broadcasts to the shape of an operand" in str(error)
    error = refused((6, 4), (6, 5), stationary_mask=(I5 < 3))
    assert "cannot tell what the mask on 'stationary' speaks of" in str(error)
    assert "a mask that broadcasts to the shape of stationary" in str(error)


def test_a_comparison_along_a_contracted_and_a_free_axis_is_refused():
    assert str(refused((6, 4), (6, 5), stationary_mask=(P6 <= I4))).startswith(
        "err_unsupported_expression_in_mask: nc_matmul: a comparison runs along a contracted and a free axis at once\n"
        "  given:   -1*d0 + d1 >= 0\n"
        "  allowed: comparisons along one axis each, joined by &"
    )
    assert (run((6, 4), (6, 5), stationary_mask=(P6 < 3) & (I4 < 2)) == 3).sum() == 10


def test_a_mask_along_several_free_axes_of_the_stationary_tile_is_not_modelled():
    with pytest.raises(NotImplementedError, match="a mask along several free axes of nc_matmul's stationary tile"):
        run((6, 2, 2), (6, 5), stationary_mask=(arange(2)[None, :, None] < 1))
    assert (run((6, 2, 2), (6, 5), stationary_mask=(arange(6)[:, None, None] < 1)) == 1).all()


def test_the_pair_axis_of_a_double_row_is_contracted_too():
    pair = arange(2)[None, :, None]
    assert (run((6, 2, 4), (6, 2, 5), pair=True, mask=(pair < 1)) == 6).all()
    assert (run((6, 2, 4), (6, 2, 5), pair=True, mask=(arange(6)[:, None, None] + 6 * pair < 8)) == 8).all()


def test_a_mask_keeps_an_index_inside_of_its_tile():
    rows = sbuf("a")[arange(6)[:, None], arange(8)[None, :]]
    memory = DeviceMemory.of(sbuf={"a": jnp.ones((6, 4)), "b": jnp.ones((6, 5))}, psum={"acc": jnp.zeros((8, 5))})
    operands = {"dst": psum("acc"), "stationary": rows, "moving": sbuf("b")}
    after = nc_matmul(memory, **operands, stationary_mask=arange(8)[None, :] < 4).psum["acc"]
    assert (after[:4] == 6).all() and (after[4:] == 0).all()
    with pytest.raises(RuleError) as caught:
        nc_matmul(memory, **operands, stationary_mask=arange(8)[None, :] < 5)
    assert caught.value.rule == "err_tensor_access_out_of_bound" and "nc_matmul's stationary" in str(caught.value)


def test_a_mask_keeps_the_destination_and_the_contracted_axis_inside_too():
    deep, n = arange(8)[:, None], arange(7)[None, :]
    memory = DeviceMemory.of(sbuf={"a": jnp.ones((6, 4)), "b": jnp.ones((6, 5))}, psum={"acc": jnp.zeros((4, 5))})
    operands = {
        "dst": psum("acc")[arange(4)[:, None], n],
        "stationary": sbuf("a")[deep, arange(4)[None, :]],
        "moving": sbuf("b")[deep, n],
    }
    assert (nc_matmul(memory, **operands, mask=(deep < 6) & (n < 5)).psum["acc"] == 6).all()
    for mask, operand in ((deep < 6) & (n < 6), "moving"), ((deep < 7) & (n < 5), "stationary"):
        with pytest.raises(RuleError, match=f"nc_matmul's {operand}"):
            nc_matmul(memory, **operands, mask=mask)


def test_a_mask_needs_the_free_axes_of_the_destination():
    memory = DeviceMemory.of(sbuf={"a": jnp.ones((6, 4)), "b": jnp.ones((6, 2, 3))}, psum={"acc": jnp.zeros((4, 6))})
    operands = {"dst": psum("acc"), "stationary": sbuf("a"), "moving": sbuf("b")}
    assert (nc_matmul(memory, **operands).psum["acc"] == 6).all()
    assert (nc_matmul(memory, **operands, mask=arange(6)[:, None] < 2).psum["acc"] == 2).all()
    with pytest.raises(RuleError, match="a mask needs the free axes of dst and moving to be the same"):
        nc_matmul(memory, **operands, stationary_mask=arange(4)[None, :] < 2)
