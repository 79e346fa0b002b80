"""Calls at the edge: numbers as arrays, x64, empty batches and tensors, weak types, copies, pickles, caches."""

import copy
import pickle
import subprocess
import sys
import textwrap

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jnki
from jnki.errors import RuleError
from jnki.kernel.cache import Cache
from jnki.neuronxcc import nki
from jnki.neuronxcc.nki.typing import mutable_tensor

nl, nisa = nki.language, nki.isa

X = np.arange(12, dtype=np.float32).reshape(4, 3)


@nki.jit
def scale(x, s):
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    nl.store(out, nl.load(x) * s)
    return out


@nki.jit
def gather(table, rows):
    out = nl.ndarray((rows.shape[0], table.shape[1]), dtype=table.dtype, buffer=nl.shared_hbm)
    index, p, f = nl.load(rows), nl.arange(rows.shape[0])[:, None], nl.arange(table.shape[1])[None, :]
    nisa.dma_copy(dst=out, src=table[index[p, 0], f])
    return out


class Layer:
    def __init__(self, factor):
        self.factor = factor

    @nki.jit
    def run(self, x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        nl.store(out, nl.load(x) * self.factor)
        return out


@pytest.mark.parametrize(
    "call",
    [
        lambda: scale(X, np.array(2, np.float32)),
        lambda: scale(X, jnp.float32(2)),
        lambda: scale(jnp.asarray(X), s=jnp.int32(2)),
        lambda: jax.jit(scale)(X, 2.0),
        lambda: jax.vmap(scale, (None, 0))(X, np.ones(3, np.float32)),
        lambda: scale.trace(X, jax.ShapeDtypeStruct((), np.float32)),
    ],
)
def test_an_array_without_axes_is_refused_with_both_ways_out(call):
    for _ in range(2):
        with pytest.raises(TypeError) as caught:
            call()
        text = str(caught.value)
        assert text.startswith("argument 's' of kernel 'scale' is a")
        assert "a number is static in a kernel" in text
        assert "float(s)" in text and "functools.partial" in text and "jnp.reshape(s, (1, 1))" in text
    for two in (2, 2.0, np.float32(2), np.int32(2)):
        np.testing.assert_array_equal(scale(X, two), 2 * X)


def test_what_stays_a_list_or_a_number_is_named():
    match = r"argument 'x' of kernel 'scale' is used as a tensor \(.shape\), and is a list"
    with pytest.raises(TypeError, match=match):
        scale([[1.0]], 2)
    with pytest.raises(TypeError, match="argument 'x' of kernel 'scale' is used as a tensor .* and is a float"):
        scale(1.0, 2)


def test_a_masked_array_is_refused():
    with pytest.raises(TypeError, match="argument 'x' of kernel 'scale' is a masked array"):
        scale(np.ma.masked_less(X, 3), 2)


def test_the_order_of_a_dict_is_the_callers():
    @nki.jit
    def join(parts):
        out = nl.ndarray((4, 3 * len(parts)), dtype=nl.float32, buffer=nl.shared_hbm)
        for i, part in enumerate(parts.values()):
            nl.store(out[:, 3 * i : 3 * i + 3], nl.load(part))
        return out

    for _ in range(2):
        np.testing.assert_array_equal(join({"b": X, "a": -X}), np.hstack([X, -X]))
        np.testing.assert_array_equal(join({"a": -X, "b": X}), np.hstack([-X, X]))


def test_a_method_sees_what_its_object_has_become():
    layer = Layer(2)
    np.testing.assert_array_equal(layer.run(X), 2 * X)
    layer.factor = 3
    np.testing.assert_array_equal(layer.run(X), 3 * X)
    np.testing.assert_array_equal(layer.run[1].with_fault(X)[0], 3 * X)
    assert layer.run.trace(X).name == "run"


def test_numpy_results_are_writable():
    for result in (
        scale(X, 2),
        gather(X, np.zeros((2, 1), np.int32)),
        gather.with_fault(X, np.zeros((2, 1), np.int32))[0],
    ):
        assert type(result) is np.ndarray and result.flags.writeable and result.flags.owndata
        result[...] = 0


def test_outputs_are_strongly_typed():
    weak = jnp.broadcast_to(jnp.asarray(2.0), (4, 3))
    assert jax.typeof(weak).weak_type

    @nki.jit
    def update(x: mutable_tensor):
        return x

    for call in (update, jax.jit(update), lambda x: update.with_fault(x)[0], jax.vmap(update)):
        assert not jax.typeof(call(weak[None] if call is update else weak)).weak_type


def test_no_elements_move_without_a_fault():
    rows = np.array([[9], [0], [1]], np.int32)
    assert gather(X, rows[:0]).shape == (0, 3)
    assert gather(X[:, :0], rows).shape == (3, 0)
    with pytest.raises(IndexError, match="out of bounds"):
        gather(X[:0], rows)

    @nki.jit
    def nothing(x, rows):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        nisa.dma_copy(dst=out, src=x)
        index, f = nl.load(rows), nl.arange(3)[None, :]
        nisa.dma_copy(dst=out[0:0], src=x[index[nl.arange(0)[:, None], 0], f])
        return out

    np.testing.assert_array_equal(nothing(X, rows), X)
    assert jax.vmap(gather.with_fault, (None, 0))(X, np.zeros((0, 2, 1), np.int32))[0].shape == (0, 2, 3)


def test_kernels_are_pickled_by_name_with_their_settings():
    for kernel in (scale, scale[2], scale.on_fault("callback"), nki.jit(scale, platform_target="trn1")):
        found = pickle.loads(pickle.dumps(kernel))
        assert (found.function, found.grid, found.target) == (kernel.function, kernel.grid, kernel.target)
        assert vars(found)["_policy"] is vars(kernel)["_policy"]
    assert copy.deepcopy(scale) is scale and copy.copy(scale[2]).grid == (2,)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(Layer(5).run))(X), 5 * X)
    assert pickle.loads(pickle.dumps(Layer.run)) is not None
    layer = Layer(2)
    bound = copy.deepcopy(layer.run)
    layer.factor = 7
    np.testing.assert_array_equal(bound(X), 2 * X)


def test_a_local_kernel_is_not_pickled():
    @nki.jit
    def local(x):
        return x

    with pytest.raises(pickle.PicklingError, match="'.*<locals>.local' cannot be pickled: .* by name"):
        pickle.dumps(local)
    assert copy.deepcopy(local) is local


@pytest.mark.parametrize("clone", [copy.copy, copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e))])
def test_rule_errors_survive_copies(clone):
    with pytest.raises(RuleError) as outside:
        nl.load(X)
    for error in (RuleError("some.rule", "text", given="this", allowed="that"), outside.value):
        found = clone(error)
        assert type(found) is type(error) and str(found) == str(error)
        assert vars(found) == vars(error)


def test_the_cache_is_bounded_and_keeps_what_is_used():
    cache = Cache(2)
    cache.put("a", 1)
    cache.put("b", 2)
    assert cache.get("a") == 1
    cache.put("c", 3)
    assert (cache.get("a"), cache.get("b"), cache.get("c"), len(cache)) == (1, None, 3, 2)


def test_loops_beyond_int32_are_refused():
    @nki.jit
    def far(x, start, stop, step):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        for _ in nl.sequential_range(start, stop, step):
            nl.store(out, nl.load(x))
        return out

    for bounds in ((0, 10**10, 1), (0, 10**20, 1), (0, 10**10, 10**9), (-(2**40), 0, 2**39)):
        with pytest.raises(RuleError, match="loop.int32_index: .*\n.*iterations from .*\n.*allowed: .*2147483647"):
            far.trace(X, *bounds)


def test_a_name_that_is_no_target_or_policy_is_refused():
    memory = jnki.DeviceMemory.of(hbm={"a": jnp.arange(4.0), "b": jnp.zeros(4)}, sbuf={"t": jnp.zeros((2, 3))})
    for call in (
        lambda target: jnki.dma_copy(memory, dst=jnki.hbm("b"), src=jnki.hbm("a"), target=target),
        lambda target: jnki.memset(memory, dst=jnki.sbuf("t"), value=0, target=target),
        lambda target: jnki.reciprocal(memory, dst=jnki.sbuf("t"), data=jnki.sbuf("t"), target=target),
        lambda target: nki.jit(scale.function, platform_target=target or "none"),
    ):
        for bad in ("nonsense", 2, None):
            with pytest.raises(ValueError, match=r"is not a target\n  allowed: trn1, inf2, trn2, trn3"):
                call(bad)
        call("trn2")
    with pytest.raises(ValueError, match="'nonsense' is not a policy for faults\n  allowed: poison, callback"):
        scale.on_fault("nonsense")


def test_with_x64_nothing_changes_and_clearing_the_caches_of_jax_clears_those_of_kernels():
    """In a process of its own: both touch what all of JAX shares, and whoever comes after would compile again."""
    code = """
        import jax, numpy as np
        jax.config.update("jax_enable_x64", True)
        from tests.kernel.test_transformations import BASE, ROWS, TABLE, mixed, stacked
        from tests.kernel.sharded import add_rows
        import jax.numpy as jnp
        def run():
            batch = stacked(TABLE), stacked(ROWS), stacked(BASE)
            return [mixed(TABLE, ROWS, BASE), jax.vmap(mixed)(*batch), add_rows(BASE, abs(ROWS) % 5)]
        out = run()
        leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(out)]
        assert all(leaf.dtype.itemsize <= 4 for leaf in leaves)
        jax.config.update("jax_enable_x64", False)
        out = run()
        for a, b in zip(leaves, jax.tree.leaves(out), strict=True):
            np.testing.assert_array_equal(a, np.asarray(b), strict=True)
        from jnki.neuronxcc import nki
        from jnki.neuronxcc.nki import isa as nisa, language as nl, typing as nt
        jax.config.update("jax_enable_x64", True)
        @nki.jit
        def scatter(h: nt.mutable_tensor, a, rows):
            index, p, f = nl.load(rows), nl.arange(4)[:, None], nl.arange(3)[None, :]
            for i in nl.sequential_range(2):
                nisa.dma_copy(dst=h[index[p, 0], i + f], src=a[p, f])
            return h
        args = np.zeros((4, 6), np.float32), np.ones((4, 3), np.float32), np.arange(4, dtype=np.int32)[:, None]
        assert scatter(*args).sum() == 16
        jax.grad(lambda a: jax.vmap(scatter, (None, 0, None))(args[0], a, args[2]).sum())(np.stack([args[1]] * 2))
        jax.config.update("jax_enable_x64", False)

        recorded = []
        @nki.jit
        def kernel(x):
            recorded.append(1)
            return x
        for count in (1, 2, 3):
            kernel(args[0])
            kernel(args[0])
            assert len(recorded) == count
            jax.clear_caches()
        print("cleared")
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout == "cleared\n"


def test_a_batched_loop_over_indices_and_data_compiles():
    @nki.jit
    def k(h: mutable_tensor, a, idx):
        t, index, p = nl.load(a), nl.load(idx), nl.program_id(0)
        ip, jf = nl.arange(2)[:, None], nl.arange(5)[None, :]
        sp, sf = nl.arange(5)[:, None], nl.arange(2)[None, :]
        for i in nl.sequential_range(1, 3):
            for j in nl.sequential_range(2):
                nisa.dma_copy(
                    dst=h[index[ip, 5 - p - j], 2 + 2 * ip - p + 2 * j, 4 + jf - p],
                    src=t[-2 + sp + 2 * i, 2 - sf + j],
                    oob_mode=nisa.oob_mode.skip,
                )
        return h

    args = np.zeros((2, 7, 9), np.uint32), np.arange(28, dtype=np.float32).reshape(7, 4), np.zeros((2, 7), np.int32)
    found = jax.vmap(k[3])(*(np.stack([x] * 3) for x in args))
    np.testing.assert_array_equal(found, np.stack([k[3](*args)] * 3))
