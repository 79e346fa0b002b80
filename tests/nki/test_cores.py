"""`kernel[2]`: two cores do what one does, bit for bit, in every way of calling; and what they may not do."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jnki.nki as nki
from jnki import TRN1
from jnki.analysis import races
from jnki.lower.lowering import lower_program
from jnki.memory import FaultError
from jnki.program.program import Loop, LoopKind
from jnki.testing.rewriting import other_core_first
from tests.nki.shared_kernels import KERNELS, diffusion, f32, through_hbm
from tests.record.rerolling import every_node, not_rerolling, rerolling

nl, nisa = nki.language, nki.isa

each_kernel = pytest.mark.parametrize("name", KERNELS)


def both(name):
    function, arrays = KERNELS[name]
    kernel = nki.jit(function)
    return kernel, kernel[2], [jnp.asarray(array) for array in arrays]


def equal_bits(found, wanted):
    found, wanted = np.asarray(found), np.asarray(wanted)
    assert found.dtype == wanted.dtype and np.isfinite(found).all()
    np.testing.assert_array_equal(found.view(np.uint32), wanted.view(np.uint32))


@each_kernel
def test_two_cores_give_the_bits_of_one(name):
    one, two, arrays = both(name)
    equal_bits(two(*arrays), one(*arrays))
    equal_bits(jax.jit(two)(*arrays), one(*arrays))
    function, inputs = KERNELS[name]
    equal_bits(nki.simulate(nki.jit(function)[2])(*(a.copy() for a in inputs)), one(*arrays))


@each_kernel
def test_a_batch_of_two_cores_is_a_loop(name):
    one, two, arrays = both(name)
    batches = [jnp.stack([array, array * 2, array - 1]) for array in arrays]
    equal_bits(jax.jit(jax.vmap(two))(*batches), jnp.stack([one(*case) for case in zip(*batches)]))


@each_kernel
def test_the_gradient_is_that_of_one_core(name):
    one, two, arrays = both(name)
    weights = jnp.cos(jnp.arange(one(*arrays).size, dtype=jnp.float32)).reshape(one(*arrays).shape)
    slopes = [
        jax.jit(jax.grad(lambda *a, k=k: jnp.sum(k(*a) * weights), argnums=tuple(range(len(arrays)))))(*arrays)
        for k in (two, one)
    ]
    for found, wanted in zip(*slopes):
        np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-6)
        assert np.abs(found).max() > 0


@each_kernel
def test_two_cores_under_scan(name):
    one, two, arrays = both(name)
    cases = [jnp.stack([array, array + 1]) for array in arrays]
    _, found = jax.lax.scan(lambda carry, case: (carry, two(*case)), 0, tuple(cases))
    equal_bits(found, jnp.stack([one(*case) for case in zip(*cases)]))


@each_kernel
def test_they_do_not_race(name):
    function, arrays = KERNELS[name]
    assert races(nki.jit(function)[2].trace(*arrays)) == ()


@each_kernel
def test_rerolled_they_are_what_was_recorded(name):
    function, arrays = KERNELS[name]
    with rerolling() as seen:  # which compares
        found = nki.jit(function)[2](*arrays)
    with not_rerolling():
        equal_bits(found, nki.jit(function)[2](*arrays))
    assert seen


@each_kernel
def test_which_core_comes_first_does_not_matter(name):
    one, _, arrays = both(name)
    function, inputs = KERNELS[name]
    program = nki.jit(function)[2].trace(*inputs)
    (found,), _ = lower_program(other_core_first(program))(*arrays)
    equal_bits(found, one(*arrays))


def test_what_two_cores_repeat_becomes_a_loop():
    function, arrays = KERNELS["diffusion"]
    program = nki.jit(function)[2].trace(*arrays)
    (loop,) = [n for n in every_node(program.body) if isinstance(n, Loop) and n.kind is LoopKind.FOUND]
    assert "sendrecv" in {i.name for i in loop.body}


# Memories.


def test_tiles_are_each_cores_own():
    @nki.jit
    def kernel(x):
        me = nl.program_id(0)
        out = nl.ndarray((2, 4, 4), dtype=x.dtype, buffer=nl.shared_hbm)
        tile = nl.ndarray((4, 4), dtype=x.dtype, buffer=nl.sbuf)
        own = nl.ndarray((4, 4), dtype=x.dtype, buffer=nl.private_hbm)
        if me == 0:
            nisa.dma_copy(tile, x)
            nisa.dma_copy(own, x)
        nisa.dma_copy(out[me], tile)
        return out

    x = f32(4, 4)
    out = kernel[2](x)
    np.testing.assert_array_equal(out[0], x)
    assert np.isnan(out[1]).all()
    program = kernel[2].trace(x)
    assert [b.name for b in program.buffers] == ["out", "tile@0", "own@0", "tile@1", "own@1"]


def test_a_helper_makes_shared_tensors_in_a_loop():
    def made(x, count):
        return [nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm) for _ in range(count)]

    @nki.jit
    def kernel(x):
        me = nl.program_id(0)
        outs = made(x, 3)
        for number, out in enumerate(outs):
            tile = nl.ndarray((2, 4), dtype=x.dtype, buffer=nl.sbuf)
            nisa.memset(tile, 10 * number + me)
            nisa.dma_copy(out[2 * me : 2 * me + 2], tile)
        return tuple(outs)

    for number, out in enumerate(kernel[2](f32(4, 4))):
        np.testing.assert_array_equal(out, np.repeat([10 * number, 10 * number + 1], 2)[:, None] + np.zeros((4, 4)))


def test_buffers_of_both_kinds_say_so():
    seen = []

    @nki.jit
    def kernel(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        own = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.private_hbm)
        seen.append((nl.program_id(0), nl.num_programs(), nl.program_ndim(), x.buffer, out.buffer, own.buffer))
        nisa.dma_copy(out, x)
        return out

    kernel[2](f32(4, 4))
    assert seen == [(me, 2, 1, nl.shared_hbm, nl.shared_hbm, nl.private_hbm) for me in (0, 1)]


def test_each_core_has_an_sbuf_of_its_own():
    """Four tiles of one exchange fill both of them, and would not fit in one."""
    columns = 20_000

    def kernel(x):
        me = nl.program_id(0)
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        tile = nl.ndarray((1, columns), dtype=nl.float32, buffer=nl.sbuf)
        received = nl.ndarray((1, columns), dtype=nl.float32, buffer=nl.sbuf)
        nisa.dma_copy(tile, x[me : me + 1])
        nisa.sendrecv(tile, received, 1 - me, 1 - me, 0)
        nisa.dma_copy(out[me : me + 1], received)
        return out

    x = f32(2, columns)
    np.testing.assert_array_equal(nki.jit(kernel)[2](x), x[::-1])


def test_the_listing_shows_both_cores():
    with not_rerolling():
        program = nki.jit(through_hbm)[2].trace(f32(8, 4))
    lines = str(program).splitlines()
    assert lines[0] == "kernel through_hbm[2] on trn3"
    names = [node.name for node in program.body]
    assert names == ["dma_copy", "tensor_scalar", "dma_copy"] * 2 + ["core_barrier"] + names[7:]
    assert names.count("core_barrier") == 3
    assert sum(line.lstrip().startswith("core_barrier()") for line in lines) == 3


def test_a_fault_names_the_core():
    @nki.jit
    def kernel(x, rows):
        me = nl.program_id(0)
        out = nl.ndarray((2, 4, 8), dtype=x.dtype, buffer=nl.shared_hbm)
        index = nl.ndarray((4, 1), dtype=rows.dtype, buffer=nl.sbuf)
        tile = nl.ndarray((4, 8), dtype=x.dtype, buffer=nl.sbuf)
        nisa.dma_copy(index, rows[me])
        nisa.dma_copy(tile, x.ap([[8, 4], [1, 8]], vector_offset=index, indirect_dim=0))
        nisa.dma_copy(out[me], tile)
        return out

    x, rows = f32(16, 8), np.zeros((2, 4, 1), np.int32)
    assert kernel[2](x, rows).shape == (2, 4, 8)
    rows[1, 2] = 99
    with pytest.raises(FaultError) as caught:
        kernel[2](x, rows)
    assert caught.value.__notes__[-1] == "in iteration core=1"
    with rerolling():
        again = nki.jit(kernel.function)[2]
        with pytest.raises(FaultError) as caught:
            again(x, rows)
    assert caught.value.__notes__[-1] == "in iteration core=1"


# What is refused.


def refused(function, *arrays, rule, at=None):
    with pytest.raises(nki.isa.NkiValidationError) as caught:
        nki.jit(function)[2](*(arrays or (f32(4, 4),)))
    assert caught.value.rule == rule, str(caught.value)
    return caught.value


def shared(x, name="out"):
    return nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm, name=name)


def sent(x, pipe_id=0, columns=4, dtype=None, engine=nisa.dma_engine.dma):
    me = nl.program_id(0)
    tile = nl.ndarray((4, columns), dtype=dtype or x.dtype, buffer=nl.sbuf)
    nisa.memset(tile, 0)
    nisa.sendrecv(tile, tile, 1 - me, 1 - me, pipe_id, dma_engine=engine)


def finished(x, out):
    if nl.program_id(0) == 0:
        nisa.dma_copy(out, x)
    return out


def test_a_barrier_that_one_core_never_comes_to():
    def kernel(x):
        out = shared(x)
        if nl.program_id(0) == 0:
            nisa.core_barrier(out, (0, 1))
        return finished(x, out)

    error = refused(kernel, rule="spmd.cores_wait")
    assert "one core waits here, and the other one never comes" in str(error)
    assert error.given.startswith("core 0 waits at core_barrier (test_cores.py:")
    assert error.given.endswith("; core 1 comes to its end")
    assert "nisa.core_barrier(out, (0, 1))" in str(error)
    assert error.allowed == "the same core_barrier and sendrecv, in the same order, on both cores"


def test_one_core_waits_at_a_barrier_and_the_other_sends():
    def kernel(x):
        out = shared(x)
        if nl.program_id(0) == 0:
            nisa.core_barrier(out, (0, 1))
            sent(x)
        else:
            sent(x)
            nisa.core_barrier(out, (0, 1))
        return finished(x, out)

    error = refused(kernel, rule="spmd.cores_wait")
    one, other = error.given.split("; ")
    assert one.startswith("core 0 waits at core_barrier (test_cores.py:")
    assert other.startswith("core 1 waits at sendrecv (test_cores.py:")


def test_a_barrier_may_name_a_tensor_of_each_core():
    """It orders what they do to shared HBM as any other does."""

    def kernel(x):
        out, both = shared(x), nl.ndarray((2, *x.shape), dtype=x.dtype, buffer=nl.shared_hbm)
        me = nl.program_id(0)
        tile, other = (nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.sbuf) for _ in range(2))
        nisa.dma_copy(tile, x)
        nisa.tensor_scalar(tile, tile, nl.add, float(me))
        nisa.dma_copy(both[me], tile)
        nisa.core_barrier(tile, (0, 1))
        nisa.dma_copy(other, both[1 - me])
        if me == 0:
            nisa.dma_copy(out, other)
        return out

    x = f32(4, 4)
    np.testing.assert_array_equal(np.asarray(nki.jit(kernel)[2](x)), x + 1)


def test_a_barrier_is_on_chip_for_both_cores_or_for_none():
    def kernel(x):
        out = shared(x)
        nisa.core_barrier(out if nl.program_id(0) else nl.ndarray((4, 4), dtype=x.dtype, buffer=nl.sbuf), (0, 1))
        return finished(x, out)

    refused(kernel, rule="core_barrier.data")


def test_barriers_for_different_tensors():
    def kernel(x):
        outs = [shared(x, "one"), shared(x, "other")]
        nisa.core_barrier(outs[nl.program_id(0)], (0, 1))
        return finished(x, outs[0])

    error = refused(kernel, rule="core_barrier.data")
    assert "core 0: 'one' (test_cores.py:" in error.given and "; core 1: 'other' (test_cores.py:" in error.given


@pytest.mark.parametrize(
    "options, rule, told",
    [
        (({"columns": 4}, {"columns": 5}), "sendrecv.other_tile", ("[4, 4] float32", "[4, 5] float32")),
        (({}, {"dtype": nl.bfloat16}), "sendrecv.other_tile", ("[4, 4] float32", "[4, 4] bfloat16")),
        (
            ({}, {"engine": nisa.dma_engine.gpsimd_dma}),
            "sendrecv.other_engine",
            ("dma_engine.dma", "dma_engine.gpsimd_dma"),
        ),
    ],
)
def test_the_two_sides_of_an_exchange_fit(options, rule, told):
    def kernel(x):
        sent(x, **options[nl.program_id(0)])
        return finished(x, shared(x))

    error = refused(kernel, rule=rule)
    for core, what in enumerate(told):
        assert f"core {core}: {what} (test_cores.py:" in error.given


def test_pipes_in_different_orders_are_not_modelled():
    def kernel(x):
        me = nl.program_id(0)
        sent(x, pipe_id=me)
        sent(x, pipe_id=1 - me)
        return finished(x, shared(x))

    with pytest.raises(
        NotImplementedError, match="pipes that the cores come to in different orders: core 0 is at pipe 0"
    ):
        nki.jit(kernel)[2](f32(4, 4))


@pytest.mark.parametrize("rank", [2, -1, True, None, "same"])
@pytest.mark.parametrize("argument", ["send_to_rank", "recv_from_rank"])
def test_ranks_are_the_other_core(argument, rank):
    def kernel(x):
        me = nl.program_id(0)
        ranks = {"send_to_rank": 1 - me, "recv_from_rank": 1 - me, argument: me if rank == "same" else rank}
        tile = nl.ndarray((4, 4), dtype=x.dtype, buffer=nl.sbuf)
        nisa.sendrecv(tile, tile, **ranks, pipe_id=0)

    error = refused(kernel, rule="sendrecv.rank")
    assert f"sendrecv: '{argument}' is the number of the other core" in str(error)
    assert error.given == f"{argument}={0 if rank == 'same' else rank!r} on core 0" and error.allowed == "1"


def test_a_pipe_has_a_number():
    error = refused(lambda x: sent(x, pipe_id="a"), rule="sendrecv.pipe_id")
    assert error.given == "'a'"


def test_a_dma_engine_is_a_member():
    error = refused(lambda x: sent(x, engine="dma"), rule="sendrecv.enum_only")
    assert error.allowed == "dma_engine.dma, dma_engine.gpsimd_dma"


def test_the_earlier_spelling_of_the_engine():
    def kernel(x):
        tile = nl.ndarray((4, 4), dtype=x.dtype, buffer=nl.sbuf)
        nisa.sendrecv(tile, tile, 1 - nl.program_id(0), 1 - nl.program_id(0), 0, use_gpsimd_dma=True)

    with pytest.raises(TypeError, match="unexpected keyword argument 'use_gpsimd_dma'.*dma_engine.gpsimd_dma"):
        nki.jit(kernel)[2](f32(4, 4))


@pytest.mark.parametrize("cores", [None, 1])
def test_one_core_has_nobody_to_send_to(cores):
    def kernel(x):
        tile = nl.ndarray((4, 4), dtype=x.dtype, buffer=nl.sbuf)
        nisa.sendrecv(tile, tile, 0, 0, 0)

    made = nki.jit(kernel) if cores is None else nki.jit(kernel)[cores]
    with pytest.raises(nisa.NkiValidationError) as caught:
        made(f32(4, 4))
    assert (caught.value.rule, caught.value.given) == ("sendrecv.lnc", "launched on 1")


@pytest.mark.parametrize("cores", [(0,), (1,), (1, 0), (0, 1, 2), 0])
def test_all_cores_wait_at_a_barrier(cores):
    def kernel(x):
        nisa.core_barrier(shared(x), cores)

    error = refused(kernel, rule="core_barrier.cores")
    assert "core_barrier: all cores of the launch wait together" in str(error)
    assert error.given == f"cores={cores!r}, launched on 2" and error.allowed == "(0, 1)"


@pytest.mark.parametrize("cores", [(0,), 0])
def test_the_only_core_waits_for_nobody(cores):
    @nki.jit
    def kernel(x):
        out = shared(x)
        nisa.dma_copy(out, x)
        nisa.core_barrier(out, cores)
        return out

    x = f32(4, 4)
    np.testing.assert_array_equal(kernel(x), x)
    assert [node.name for node in kernel.trace(x).body] == ["dma_copy"]


def test_two_cores_that_are_not_there_do_not_wait():
    @nki.jit
    def kernel(x):
        nisa.core_barrier(shared(x), (0, 1))

    with pytest.raises(nisa.NkiValidationError) as caught:
        kernel(f32(4, 4))
    assert caught.value.rule == "core_barrier.cores"
    assert caught.value.allowed == "kernel[2] and cores=(0, 1)"


def test_a_barrier_is_about_shared_hbm():
    def private(x):
        nisa.core_barrier(nl.ndarray((4, 4), dtype=x.dtype, buffer=nl.private_hbm), (0, 1))

    def on_chip(x):
        nisa.core_barrier(nl.ndarray((4, 4), dtype=x.dtype, buffer=nl.psum), (0, 1))

    def parameter(x):
        nisa.core_barrier(x, [0, 1], engine=nisa.engine.sync)
        return finished(x, shared(x))

    assert refused(private, rule="core_barrier.shared_hbm").allowed == "a tensor in nl.shared_hbm, or a parameter"
    refused(on_chip, rule="err_unsupported_memory")
    nki.jit(parameter)[2](f32(4, 4))


def test_a_barrier_has_an_engine():
    def kernel(x):
        nisa.core_barrier(shared(x), (0, 1), engine=nisa.engine.dma)

    refused(kernel, rule="core_barrier.engine")


def test_v2_joins_no_cores():
    with pytest.raises(nisa.NkiValidationError) as caught:
        nki.jit(diffusion).on_target(TRN1)[2]
    assert caught.value.rule == "spmd.lnc"


# Shared tensors.


def test_shared_tensors_of_different_shapes():
    def kernel(x):
        nl.ndarray((4, 4 + nl.program_id(0)), dtype=x.dtype, buffer=nl.shared_hbm)
        return finished(x, shared(x))

    error = refused(kernel, rule="spmd.shared_tensors")
    one, other = error.given.split("; ")
    assert one.startswith("core 0 makes [4, 4] float32 (test_cores.py:")
    assert other.startswith("core 1 makes [4, 5] float32 (test_cores.py:")
    assert "on core 1" in error.__notes__


def test_shared_tensors_of_different_lines():
    def kernel(x):
        if nl.program_id(0) == 0:
            out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        else:
            out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        return finished(x, out)

    refused(kernel, rule="spmd.shared_tensors")


@pytest.mark.parametrize("core", [0, 1])
def test_a_shared_tensor_that_one_core_makes_alone(core):
    def kernel(x):
        out = shared(x)
        if nl.program_id(0) == core:
            shared(x)
        return finished(x, out)

    error = refused(kernel, rule="spmd.shared_tensors")
    assert f"core {1 - core} does not" in error.given and f"core {core} makes [4, 4] float32 (test_cores" in error.given


def test_both_cores_return_the_same():
    def kernel(x):
        outs = [shared(x, "one"), shared(x, "other")]
        return finished(x, outs[nl.program_id(0)])

    def one_only(x):
        out = finished(x, shared(x))
        return out if nl.program_id(0) == 0 else None

    assert refused(kernel, rule="spmd.outputs").given == "one or other"
    with pytest.raises(nisa.NkiValidationError):
        nki.jit(one_only)[2](f32(4, 4))


def test_a_private_tensor_is_no_output():
    def kernel(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.private_hbm)
        nisa.dma_copy(out, x)
        return out

    refused(kernel, rule="toplevel.shared_hbm")


def test_a_tile_of_core_0_is_gone_when_core_1_runs():
    kept = []

    def kernel(x):
        kept.append(nl.ndarray((4, 4), dtype=x.dtype, buffer=nl.sbuf))
        out = shared(x)
        nisa.dma_copy(out, kept[0])
        return out

    with pytest.raises(nisa.NkiValidationError) as caught:
        nki.jit(kernel)[2](f32(4, 4))
    assert "on core 1" in caught.value.__notes__
