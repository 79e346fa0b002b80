"""`nisa` functions on tiles: what each records, types and shapes of results, and rules about arguments."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jnki import RuleError
from jnki.neuronxcc.nki import isa as nisa
from jnki.neuronxcc.nki import language as nl
from tests.isa.computations import assert_stands_for, tame
from tests.neuronxcc.on_tiles import kernel_of, on_tiles
from tests.oracle.casts import STORAGE

P, N = 4, 6


def draw(*shapes, low=-2, high=2):
    rng = np.random.default_rng(7)
    return [tame(rng, shape, "float32", low, high) for shape in shapes]


def test_activation():
    x, bias, scale = draw((P, N), (P, 1), (P, 1))

    def run(t, b, s):
        total = nl.ndarray((P, 1), nl.float32)
        y = nisa.activation(np.tanh, t, bias=b, scale=s, reduce_op=nl.add, reduce_cmd=nisa.reduce_cmd.reset_reduce)
        z = nisa.activation(
            nl.tanh, t, bias=b, scale=2, reduce_op=np.add, reduce_cmd=nisa.reduce_cmd.reduce, reduce_res=total
        )
        return y, z, total

    y, z, total = on_tiles(run, x, bias, scale)
    first, second = np.tanh(x * scale + bias), np.tanh(2 * x + bias)
    assert_stands_for(y, first, "float32", steps=64)
    assert_stands_for(z, second, "float32", steps=64)
    assert_stands_for(total, (first + second).sum(axis=1, keepdims=True), "float32", steps=64, scale=4.0)


def test_three_axes_and_parts_of_tiles():
    x, bias = draw((P, 3, N), (P, 3))

    def run(t, b):
        total = nl.zeros((P, 2), nl.float32)
        mask = nl.arange(N)[None, None, :] + nl.arange(3)[None, :, None] + 0 * nl.arange(P)[:, None, None] < N - 1
        y = nisa.activation_reduce(
            nl.exp, t, bias=b[:, 1], scale=b[:, 2], reduce_op=np.add, reduce_res=total[:, 1], mask=mask
        )
        return y, total

    y, total = on_tiles(run, x, bias)
    on = np.broadcast_to(np.add.outer(np.arange(3), np.arange(N)) < N - 1, x.shape)
    wanted = np.exp(x * bias[:, 2, None, None] + bias[:, 1, None, None]).astype(np.float64)
    assert_stands_for(y[on], wanted[on], "float32", steps=64)
    assert np.isnan(y[~on]).all() and (total[:, 0] == 0).all()
    assert_stands_for(total[:, 1], np.where(on, wanted, 0).sum(axis=(1, 2)), "float32", steps=64)


def test_types():
    def run(t):
        assert nisa.activation(nl.exp, t).dtype == nisa.reciprocal(t).dtype == STORAGE["bfloat16"]
        assert nisa.activation(nl.exp, t, dtype=nl.float32).dtype == np.float32
        assert nisa.affine_select(nl.arange(P)[:, None] > nl.arange(N)[None, :], t, 0.0).dtype == STORAGE["bfloat16"]
        assert nisa.tensor_scalar(t, np.add, 1.5).dtype == STORAGE["bfloat16"]
        assert nisa.tensor_tensor(t, nl.copy(t, dtype=nl.float16), np.add).dtype == np.float32
        assert nisa.tensor_tensor(t, t, np.add, dtype=nl.int8).dtype == np.int8
        assert nisa.tensor_reduce(np.add, t, 1, dtype=nl.float32).dtype == np.float32
        return t

    on_tiles(run, np.ones((P, N), STORAGE["bfloat16"]))


def test_a_result_that_is_assigned_takes_the_type_of_its_tile_and_is_rounded_once():
    x = np.full((P, N), 1 + 2.0**-9, np.float32)

    def run(t):
        narrow = nl.copy(t, dtype=nl.bfloat16)
        wide = nl.ndarray((P, N), nl.float32)
        wide[...] = nisa.activation(nl.copy, narrow, scale=1 + 2.0**-9)
        return wide

    assert (on_tiles(run, x) == np.float32(1 + 2.0**-9)).all()  # 1 + 2^-9 is 1 in bfloat16


def test_reductions_and_scalars():
    (x,) = draw((P, 3, N))

    def run(t):
        return (
            nisa.tensor_reduce(np.max, t, axis=[2]),
            nisa.tensor_reduce(nl.add, t, axis=[1, 2], negate=True),
            nisa.tensor_reduce(np.min, t, axis=-1, keepdims=True),
            nisa.tensor_scalar(t, np.subtract, 1.0, True, np.multiply, nl.max(t, axis=[1, 2]), False),
            nisa.tensor_scalar(data=t, op0=nl.rsqrt, operand0=0.0, engine=nisa.gpsimd_engine),
        )

    largest, total, least, scaled, root = on_tiles(run, np.abs(x))
    x = np.abs(x).astype(np.float64)
    assert (largest == x.max(axis=2)).all() and largest.shape == (P, 3)
    assert_stands_for(total, -x.sum(axis=(1, 2))[:, None], "float32")
    assert (least == x.min(axis=2, keepdims=True)).all() and least.shape == (P, 3, 1)
    assert_stands_for(scaled, (1 - x) * x.max(axis=(1, 2), keepdims=True), "float32", scale=4.0)
    assert_stands_for(root, x**-0.5, "float32")


def test_a_reduction_along_any_free_axes():
    """Pooling: windows of a tile `[P, 2, 2, 3, 2]`, with and without a mask over its axes."""
    (x,) = draw((P, 2, 2, 3, 2))

    def run(t):
        on = nl.arange(2)[None, None, :, None, None] < 1
        return (
            nisa.tensor_reduce(nl.maximum, t, axis=(2, 4)),
            nisa.tensor_reduce(nl.maximum, t, axis=[1, 3], negate=True),
            nisa.tensor_reduce(nl.add, t, axis=1, keepdims=True),
            nisa.tensor_reduce(nl.subtract, t, axis=(1, 2)),
            nisa.tensor_reduce(nl.maximum, t, axis=(2, 4), mask=on),
        )

    pooled, negated, kept, rest, masked = on_tiles(run, x)
    np.testing.assert_array_equal(pooled, x.max((2, 4)))
    np.testing.assert_array_equal(negated, -x.max((1, 3)))
    np.testing.assert_allclose(kept, x.sum(1, keepdims=True), rtol=1e-6)
    np.testing.assert_allclose(rest, 2 * x[:, 0, 0] - x.sum((1, 2)), rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(masked, x[:, :, 0].max(-1))


def test_one_number_for_each_partition_repeats_along_all_free_axes():
    x, w = draw((P, 3, N), (P, 1))

    def run(t, v):
        return nisa.tensor_tensor(t, v, nl.add), nisa.tensor_tensor(v, t, nl.subtract)

    total, difference = on_tiles(run, x, w)
    np.testing.assert_array_equal(total, x + w[:, :, None])
    np.testing.assert_array_equal(difference, w[:, :, None] - x)


def test_causal_mask():
    (x,) = draw((P, P))

    def run(t):
        rows, columns = nl.mgrid[0:P, 0:P]
        return nisa.affine_select(pred=(columns < rows), on_true_tile=t[rows, columns], on_false_value=nl.fp32.min)

    assert (on_tiles(run, x) == np.where(np.tri(P, k=-1), x, np.finfo(np.float32).min)).all()


def test_a_predicate_may_depend_on_a_loop():
    (x,) = draw((P, 4 * N))

    def run(t):
        out = nl.ndarray((P, 4 * N), nl.float32)
        rows, columns = nl.mgrid[0:P, 0:N]
        for i in nl.affine_range(4):
            part = t[rows, i * N + columns]
            out[rows, i * N + columns] = nisa.affine_select(6 * rows >= i * N + columns, part, -1.0)
        return out

    assert (on_tiles(run, x) == np.where(np.greater_equal.outer(6 * np.arange(P), np.arange(4 * N)), x, -1)).all()


def test_gradients_of_a_normalization():
    def run(t, w):
        squares = nl.ndarray((P, 1), nl.float32)
        nisa.activation_reduce(nl.square, t, reduce_op=np.add, reduce_res=squares)
        scale = nisa.activation(nl.rsqrt, squares, scale=1 / N, bias=nisa.memset((P, 1), 1e-3, np.float32))
        return nisa.tensor_tensor(nisa.activation(nl.copy, t, scale=scale), w, nl.multiply)

    def by_hand(x, w):
        return x * jax.lax.rsqrt((x * x).mean(axis=1, keepdims=True) + 1e-3) * w

    x, w = map(jnp.asarray, draw((P, N), (P, N)))
    kernel = kernel_of(run)
    got = jax.grad(lambda x, w: (kernel([x, w]) ** 2).sum(), (0, 1))(x, w)
    wanted = jax.grad(lambda x, w: (by_hand(x, w) ** 2).sum(), (0, 1))(x, w)
    for a, b in zip(got, wanted):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


ERRORS = {
    "bias_number": (
        lambda t: nisa.activation(nl.exp, t, bias=1.0),
        "err_activation_bias_invalid_type: activation: 'bias' must be a tile\n  given:   float 1.0",
    ),
    "scale_list": (
        lambda t: nisa.activation(nl.exp, t, scale=[1.0]),
        "err_activation_scale_invalid_type: activation: 'scale' has the wrong type\n  given:   list [1.0]\n"
        "  allowed: a number, or a float32 vector",
    ),
    "scale_type": (
        lambda t: nisa.activation(nl.exp, t, scale=nisa.memset((P, 1), 1.2, np.float16)),
        "err_activation_scale_invalid_type: activation: 'scale' has the wrong element type\n  given:   float16 [4, 1]",
    ),
    "bias_type": (
        lambda t: nisa.activation_reduce(
            nl.exp, t, bias=nisa.memset((P, 1), 1.2, np.int8), reduce_op=np.add, reduce_res=t[:, 0]
        ),
        "err_activation_bias_invalid_type: activation_reduce: 'bias' has the wrong element type\n  given:   int8",
    ),
    "scale_shape": (
        lambda t: nisa.activation(nl.exp, t, scale=nisa.memset((1, P), 1.2, np.float32)),
        "err_activation_scale_scalar_or_vector: activation: 'scale' must be a scalar, or a vector",
    ),
    "string": (lambda t: nisa.activation("exp", t), "activation.op: activation: 'op' is not an activation function"),
    "reduce_res": (
        lambda t: nisa.activation_reduce(nl.exp, t, reduce_op=np.add, reduce_res=None),
        "activation_reduce.reduce_res: activation_reduce: there must be a tile for the result of the reduction",
    ),
    "axis_partition": (
        lambda t: nisa.tensor_reduce(np.add, t, axis=[0, 1]),
        "tensor_reduce.axis: tensor_reduce works along free axes\n  given:   axis [0, 1] of [4, 6]",
    ),
    "axis_five": (
        lambda t: nisa.tensor_reduce(np.add, t.reshape((P, 1, 1, 1, 2, 3)), axis=[1, 2, 3, 4, 5]),
        "tensor_reduce.axis: tensor_reduce works along 4 free axes at most\n  given:   axis [1, 2, 3, 4, 5] of "
        "[4, 1, 1, 1, 2, 3]\n  allowed: up to 4 axes",
    ),
    "operand": (
        lambda t: nisa.tensor_scalar(t, np.add, "1"),
        "tensor_scalar.value: tensor_scalar: the value must be a constant number",
    ),
    "no_tile": (
        lambda t: nisa.tensor_tensor(t, 1.0, np.add),
        "tensor_tensor.data2: operand 'data2' of 'nisa.tensor_tensor'",
    ),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors(name):
    wrong, text = ERRORS[name]
    with pytest.raises(RuleError) as caught:
        on_tiles(wrong, np.ones((P, N), np.float32))
    assert str(caught.value).startswith(text)


def test_errors_name_the_line():
    def run(t):
        return nisa.activation(nl.exp, t, bias=1.0)

    with pytest.raises(RuleError) as caught:
        on_tiles(run, np.ones((P, N), np.float32))
    assert "test_compute_instructions.py" in str(caught.value) and "bias=1.0" in caught.value.location.text


def test_signatures():
    signatures = {
        "activation": "op, data, *, bias, scale, reduce_op, reduce_res, reduce_cmd, mask, dtype",
        "activation_reduce": "op, data, *, reduce_op, reduce_res, bias, scale, mask, dtype",
        "affine_select": "pred, on_true_tile, on_false_value, *, mask, dtype",
        "reciprocal": "data, *, dtype, mask",
        "tensor_reduce": "op, data, axis, *, mask, dtype, negate, keepdims",
        "tensor_scalar": "data, op0, operand0, reverse0, op1, operand1, reverse1, *, dtype, mask, engine",
        "tensor_tensor": "data1, data2, op, *, dtype, mask, engine",
    }
    for name, wanted in signatures.items():
        parameters = list(inspect.signature(getattr(nisa, name)).parameters.values())
        position = next(i for i, p in enumerate(parameters) if p.kind is p.KEYWORD_ONLY) if "*" in wanted else None
        names = [p.name for p in parameters]
        if position is not None:
            names.insert(position, "*")
        assert ", ".join(names) == wanted


def test_reduce_commands_have_the_documented_values():
    assert [(c.name, int(c)) for c in nisa.reduce_cmd] == [
        ("idle", 0),
        ("reset", 1),
        ("reduce", 2),
        ("reset_reduce", 3),
        # The current dialect's; no instruction of this one takes it.
        ("load_reduce", 4),
    ]
    assert nisa.fp32.min == nl.fp32.min
