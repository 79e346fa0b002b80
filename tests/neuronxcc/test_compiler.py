"""`nki.compiler`: places given by hand, the rules about them, decorators and directives."""

import copy
import functools
import pickle

import jax
import numpy as np
import pytest

import jnki.neuronxcc.nki as nki
import jnki.neuronxcc.nki.compiler as ncc
import jnki.neuronxcc.nki.isa as nisa
import jnki.neuronxcc.nki.language as nl
from jnki import RuleError
from jnki.kernel.options import Option
from jnki.program.program import instructions
from jnki.target import TRN1, TRN2
from tests.errors.refusals import flagged

X = np.arange(128 * 16, dtype=np.float32).reshape(128, 16)


def making(shape, buffer, dtype=nl.float32):
    """A kernel that makes one tensor and writes nothing to it."""

    @nki.jit
    def kernel(x):
        nl.ndarray(shape, dtype, buffer=buffer)  # flagged
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        nisa.dma_copy(dst=out, src=x)
        return out

    return kernel


def places(shape, buffer, dtype=nl.float32, target="trn2"):
    """Where the blocks of such a tensor are: `(partition, byte)`, or `(bank, partition, byte)`."""
    program = nki.jit(making(shape, buffer, dtype), platform_target=target).trace(X)
    (made,) = (b for b in program.buffers if b.space.on_chip)
    return [(p.partition, p.byte) if p.bank is None else (p.bank, p.partition, p.byte) for p in made.places]


# Places.


def test_blocks_use_physical_tiles_in_turn():
    bf16 = functools.partial(places, dtype=nl.bfloat16)
    turn = ncc.sbuf.mod_alloc(base_addr=64, num_free_tiles=(2,))
    assert bf16((4, nl.par_dim(128), 512), turn) == [(0, 64), (0, 1088), (0, 64), (0, 1088)]
    assert bf16((128, 512), ncc.sbuf.mod_alloc(base_addr=64)) == [(0, 64)]
    assert bf16((3, nl.par_dim(128), 2, 8), ncc.sbuf.mod_alloc(base_addr=0)) == [(0, 0)] * 3
    both = ncc.sbuf.mod_alloc(base_addr=0, num_par_tiles=(1, 2), num_free_tiles=(2, 1))
    assert bf16((2, 3, nl.par_dim(64), 4), both) == [(0, 0), (64, 0), (0, 0), (0, 8), (64, 8), (0, 8)]
    banks = ncc.psum.mod_alloc(base_bank=1, num_bank_tiles=(2, 3))
    numbers = [1, 2, 3, 1, 4, 5, 6, 4, 1, 2, 3, 1]
    assert places((3, 4, nl.par_dim(128), 512), banks) == [(number, 0, 0) for number in numbers]


def test_a_tensor_without_blocks_takes_any_number_of_tiles():
    assert places((nl.par_dim(128), 8, 4), ncc.sbuf.mod_alloc(base_addr=8, num_free_tiles=(8,))) == [(0, 8)]


def test_a_function_is_asked_about_each_block():
    asked = []

    def start(idx, pdim_size, fdim_size):
        asked.append((idx, pdim_size, fdim_size))
        return 32 * idx[1], 1024 * idx[0]

    found = places((2, 3, nl.par_dim(32), 4, 8), ncc.sbuf.alloc(start), nl.bfloat16)
    assert asked == [((i, j), 32, 64) for i in range(2) for j in range(3)]
    assert found == [(32 * j, 1024 * i) for i in range(2) for j in range(3)]
    assert places((nl.par_dim(4), 8), ncc.psum.alloc(lambda block, rows, size: (block == () and rows + 3, 0, 0))) == [
        (7, 0, 0)
    ]
    # With one argument bound, the others come by name.
    bound = functools.partial(lambda table, idx, pdim_size, fdim_size: (table[idx], 0, 0), table={(0,): 5, (1,): 1})
    assert places((2, nl.par_dim(4), 8), ncc.psum.alloc(bound)) == [(5, 0, 0), (1, 0, 0)]


def test_automatic_allocation_is_the_memory_itself():
    assert ncc.sbuf.auto_alloc() is nl.sbuf and ncc.psum.auto_alloc() is nl.psum
    assert places((4, 8), ncc.sbuf) == places((4, 8), ncc.psum) == []


def test_a_listing_shows_where_a_tensor_is():
    def listed(shape, buffer):
        return str(making(shape, buffer).trace(X)).splitlines()[2].strip()

    assert listed((8, nl.par_dim(32), 4), ncc.sbuf.mod_alloc(base_addr=0, num_free_tiles=(8,))) == (
        "tile: sbuf float32[8, par_dim(32), 4] at byte 0, byte 16, byte 32, byte 48 and 4 more"
    )
    assert listed((2, nl.par_dim(32), 4), ncc.sbuf.mod_alloc(base_addr=8, num_par_tiles=(2,))) == (
        "tile: sbuf float32[2, par_dim(32), 4] at byte 8, partition 32, byte 8"
    )
    assert listed((32, 4), ncc.psum.mod_alloc(base_bank=3)) == "tile: psum float32[32, 4] at bank 3"


def test_a_loop_body_has_its_addresses_once():
    """The vendor's compiler runs the body once, so that what Python adds up there is added up once."""

    @nki.jit
    def kernel(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        start = 0
        for i in nl.affine_range(4):
            for j in nl.affine_range(2):
                t = nl.ndarray((16, 16), x.dtype, buffer=ncc.sbuf.mod_alloc(base_addr=start))
                start += 64 * 1024
                u = nl.ndarray((16, 16), x.dtype, buffer=ncc.sbuf.mod_alloc(base_addr=start))
                rows = nl.ds(32 * i + 16 * j, 16)
                t[...] = nl.load(x[rows])
                u[...] = nl.add(t, 1.0)
                nl.store(out[rows], u)
        return out

    np.testing.assert_array_equal(kernel(X), X + 1)
    found = {b.name[0]: {p.byte for p in b.places} for n in instructions(kernel.trace(X).body) for b in buffers(n)}
    assert (found["t"], found["u"]) == ({0}, {65536})


def buffers(instruction):
    return [a.buffer for a in instruction.operands().values() if a.buffer.places]


def test_python_loops_have_addresses_of_their_own():
    @nki.jit
    def kernel(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        for i in range(4):
            t = nl.ndarray((32, 16), x.dtype, buffer=ncc.sbuf.mod_alloc(base_addr=64 * i))
            t[...] = nl.load(x[32 * i : 32 * i + 32])
            nl.store(out[32 * i : 32 * i + 32], t)
        return out

    np.testing.assert_array_equal(kernel(X), X)
    assert [b.places[0].byte for b in kernel.trace(X).buffers if b.places] == [0, 64, 128, 192]


# Rules of places.

SBUF = ncc.sbuf.alloc
PSUM = ncc.psum.alloc


def constant(*result):
    return lambda idx, pdim_size, fdim_size: result


@pytest.mark.parametrize(
    "shape, buffer, rule, message, given, allowed",
    [
        (
            (65, 4),
            SBUF(constant(64, 0)),
            "start_partition",
            "a tile of 65 partitions cannot start there",
            "start_partition 64",
            "0",
        ),
        (
            (64, 4),
            SBUF(constant(32, 0)),
            "start_partition",
            "a tile of 64 partitions cannot start there",
            "start_partition 32",
            "0 or 64",
        ),
        (
            (32, 4),
            SBUF(constant(16, 0)),
            "start_partition",
            "a tile of 32 partitions cannot start there",
            "start_partition 16",
            "0 or 32 or 64 or 96",
        ),
        (
            (4, 4),
            SBUF(constant(0, -4)),
            "byte_addr",
            "a tile lies outside of what a kernel can use of a partition of sbuf",
            "byte_addr -4, 16 bytes per partition, to 12",
            "0 to 212984 on trn2",
        ),
        (
            (4, 4),
            SBUF(constant(0, 212970)),
            "byte_addr",
            "a tile lies outside of what a kernel can use of a partition of sbuf",
            "byte_addr 212970, 16 bytes per partition, to 212986",
            "0 to 212984 on trn2",
        ),
        (
            (4, 4),
            SBUF(constant(0, 0, 0)),
            "result",
            "the function does not say where a block starts",
            "(0, 0, 0)",
            "integers (start_partition, byte_addr)",
        ),
        (
            (4, 4),
            SBUF(constant(0, 0.5)),
            "result",
            "the function does not say where a block starts",
            "(0, 0.5)",
            "integers (start_partition, byte_addr)",
        ),
        (
            (4, 4),
            PSUM(constant(0, 0)),
            "result",
            "the function does not say where a block starts",
            "(0, 0)",
            "integers (bank_id, start_partition, byte_addr)",
        ),
        ((4, 4), PSUM(constant(8, 0, 0)), "bank", "there is no such bank", "bank 8", "0 to 7 on trn2"),
        ((4, 4), PSUM(constant(-1, 0, 0)), "bank", "there is no such bank", "bank -1", "0 to 7 on trn2"),
        (
            (4, 4),
            PSUM(constant(0, 32, 0)),
            "psum_start",
            "a tile in psum starts where its bank does",
            "start_partition 32, byte_addr 0",
            "0 and 0",
        ),
        (
            (4, 4),
            PSUM(constant(0, 0, 4)),
            "psum_start",
            "a tile in psum starts where its bank does",
            "start_partition 0, byte_addr 4",
            "0 and 0",
        ),
    ],
)
def test_a_place_that_the_target_does_not_have(shape, buffer, rule, message, given, allowed):
    name = buffer.name
    flagged(
        making(shape, buffer), X, rule=f"allocation.{rule}", message=f"{name}: {message}", given=given, allowed=allowed
    )


def test_the_limits_of_sbuf_are_the_targets():
    usable = TRN2.sbuf_usable_bytes_per_partition
    assert places((4, 4), SBUF(constant(0, usable - 16))) == [(0, usable - 16)]
    limit = TRN1.sbuf_usable_bytes_per_partition
    assert places((4, 4), SBUF(constant(0, limit - 16)), target="trn1") == [(0, limit - 16)]
    with pytest.raises(RuleError, match=f"allowed: 0 to {limit} on trn1"):
        places((4, 4), SBUF(constant(0, limit - 15)), target="trn1")


def test_as_many_numbers_as_block_axes():
    flagged(
        making((2, 2, nl.par_dim(4), 4), ncc.sbuf.mod_alloc(base_addr=0, num_free_tiles=(2,))),
        X,
        rule="allocation.tiles",
        message="nki.compiler.sbuf.mod_alloc: 'num_free_tiles' does not have one number for each block axis",
        given="num_free_tiles=(2,) for block axes [2, 2] of [2, 2, 4, 4]",
        allowed="() or 2 numbers",
    )


@pytest.mark.parametrize(
    "make, rule, text",
    [
        (lambda: ncc.sbuf.mod_alloc(base_addr=0, base_partition=32), "allocation.base", "'base_partition' is not 0"),
        (lambda: ncc.psum.mod_alloc(base_bank=0, base_addr=4), "allocation.base", "'base_addr' is not 0"),
        (
            lambda: ncc.psum.mod_alloc(base_bank=0, num_free_tiles=(2,)),
            "allocation.tiles",
            "a bank of psum holds one tile",
        ),
        (
            lambda: ncc.psum.mod_alloc(base_bank=0, num_par_tiles=(1, 2)),
            "allocation.tiles",
            "a bank of psum holds one tile",
        ),
        (
            lambda: ncc.sbuf.mod_alloc(base_addr=0, num_free_tiles=(0,)),
            "allocation.tiles",
            "'num_free_tiles' counts physical tiles",
        ),
        (
            lambda: ncc.sbuf.mod_alloc(base_addr=0, num_free_tiles=2),
            "allocation.tiles",
            "'num_free_tiles' counts physical tiles",
        ),
        (lambda: ncc.sbuf.alloc(3), "allocation.function", "takes a function that says where a block starts"),
        (lambda: ncc.multi_buffer(0), "compiler.multi_buffer", "a loop has one buffer or more"),
        (lambda: ncc.multi_buffer(factor=1.5), "compiler.multi_buffer", "a loop has one buffer or more"),
    ],
)
def test_arguments_that_say_nothing(make, rule, text):
    with pytest.raises(RuleError, match=text) as caught:
        make()
    assert caught.value.rule == rule


def test_an_unknown_argument_is_refused():
    with pytest.raises(
        TypeError, match=r"nki.compiler.sbuf.mod_alloc\(\) got an unexpected keyword argument 'byte_addr'"
    ):
        ncc.sbuf.mod_alloc(byte_addr=0)
    with pytest.raises(TypeError, match=r"nki.compiler.psum.mod_alloc\(\) is called without 'base_bank'"):
        ncc.psum.mod_alloc()


# Rules of kernels that allocate by hand.


def by_hand(body, decorate=lambda kernel: kernel):
    """A kernel with two tiles in given places; `body` gets them, `[32, 32]`, and leaves a result in the second one."""

    @nki.jit
    def kernel(x):
        out = nl.ndarray((32, 32), dtype=x.dtype, buffer=nl.shared_hbm)
        a = nl.ndarray((32, 32), x.dtype, buffer=ncc.sbuf.mod_alloc(base_addr=0))
        b = nl.ndarray((32, 32), x.dtype, buffer=ncc.sbuf.mod_alloc(base_addr=128))
        bias = nl.ndarray((32, 1), x.dtype, buffer=ncc.sbuf.mod_alloc(base_addr=256))
        a[...] = nl.load(x)
        bias[...] = 0
        body(a, b, bias)
        nl.store(out, b)
        return out

    return decorate(kernel)


SQUARE = np.arange(32 * 32, dtype=np.float32).reshape(32, 32) % 7


def put(b, value):
    b[...] = value


@pytest.mark.parametrize("make", [nl.zeros, nl.ones, lambda *a, **k: nl.full(a[0], 3, a[1], **k)])
def test_a_tensor_with_values_has_no_place(make):
    with pytest.raises(RuleError) as caught:
        by_hand(lambda a, b, _: make((32, 32), nl.float32, buffer=ncc.sbuf.mod_alloc(base_addr=512)))(SQUARE)
    assert caught.value.rule == "err_tensor_creation_on_scratchpad_with_init_value_not_supported"
    assert caught.value.given == "buffer=nki.compiler.sbuf.mod_alloc(...)"


@pytest.mark.parametrize(
    "wrong, right, meaning, rule, message",
    [
        (
            lambda a, b, _: put(b, nisa.activation(np.exp, a)),
            lambda a, b, bias: put(b, nisa.activation(np.exp, a, bias=bias)),
            np.exp,
            "err_bias_tensor_must_be_specified_in_allocation",
            "activation: an activation without a bias, in a kernel that allocates by hand",
        ),
        (
            lambda a, b, _: put(b, nl.exp(a)),
            lambda a, b, bias: put(b, nisa.activation(np.exp, a, bias=bias)),
            np.exp,
            "err_bias_tensor_must_be_specified_in_allocation",
            "activation: an activation without a bias, in a kernel that allocates by hand",
        ),
        (
            lambda a, b, _: put(b, nisa.nc_transpose(a)),
            lambda a, b, _: put(b, nisa.nc_transpose(a, engine=nisa.vector_engine)),
            np.transpose,
            "err_transpose_on_tensor_engine_not_allowed_in_allocated_kernel",
            "nc_transpose: a transpose on the Tensor Engine, in a kernel that allocates by hand",
        ),
        (
            lambda a, b, _: put(b, nl.add(nl.add(a, 1.0), 2.0)),
            lambda a, b, _: (put(b, nl.add(a, 1.0)), put(b, nl.add(b, 2.0))),
            lambda x: x + 3,
            "allocation.mixed",
            "tensor_scalar: a tensor without a place, in a kernel that allocates by hand",
        ),
    ],
)
def test_what_the_compiler_would_allocate_itself(wrong, right, meaning, rule, message):
    with pytest.raises(RuleError) as caught:
        by_hand(wrong)(SQUARE)
    assert caught.value.rule == rule
    assert str(caught.value).splitlines()[0] == f"{rule}: {message}"
    np.testing.assert_allclose(by_hand(right)(SQUARE), meaning(SQUARE), rtol=1e-6)
    # Without places it is an ordinary kernel, and a stack allocator places what is left.
    np.testing.assert_allclose(by_hand(wrong, ncc.force_auto_alloc)(SQUARE), meaning(SQUARE), rtol=1e-6)
    stacked = by_hand(wrong, lambda k: ncc.enable_stack_allocator(ncc.skip_middle_end_transformations(k)))
    np.testing.assert_allclose(stacked(SQUARE), meaning(SQUARE), rtol=1e-6)


def test_a_matmul_in_a_kernel_that_allocates_by_hand():
    bank = ncc.psum.mod_alloc(base_bank=0)

    def product(**options):
        def body(a, b, _):
            p = nl.ndarray((32, 32), nl.float32, buffer=bank)
            p[...] = nl.matmul(a, a, **options)
            b[...] = nl.copy(p)

        return by_hand(body)

    with pytest.raises(RuleError, match="err_transpose_on_tensor_engine_not_allowed_in_allocated_kernel"):
        product()(SQUARE)
    np.testing.assert_allclose(product(transpose_x=True)(SQUARE), SQUARE.T @ SQUARE, rtol=1e-5)


# Decorators.


@nki.jit
def plain(x):
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    nl.store(out, nl.add(nl.load(x), 1.0))
    return out


@ncc.enable_stack_allocator(log_level=20)
@ncc.skip_middle_end_transformations
@nki.jit(platform_target="trn1")
def stacked(x):
    return plain(x)


def test_decorators_change_no_value():
    for kernel in (
        stacked,
        ncc.force_auto_alloc(plain),
        ncc.force_auto_alloc()(plain),
        ncc.skip_middle_end_transformations()(plain),
        ncc.skip_middle_end_transformations(nki.benchmark(plain.function)),
        nki.jit(ncc.force_auto_alloc(plain)),
    ):
        np.testing.assert_array_equal(kernel(X), X + 1)
    assert stacked.target == TRN1
    batch = np.stack([X, 2 * X])
    np.testing.assert_array_equal(jax.vmap(stacked)(batch), batch + 1)
    assert copy.copy(stacked) is stacked
    assert (
        pickle.loads(pickle.dumps(stacked)).options
        == stacked.options
        == {Option.STACK_ALLOCATOR, Option.SKIP_MIDDLE_END}
    )
    assert nki.jit(ncc.force_auto_alloc(plain)).options == {Option.FORCE_AUTO_ALLOC}
    assert plain.options == frozenset()


@pytest.mark.parametrize(
    "decorate, error, text",
    [
        (lambda: ncc.enable_stack_allocator(plain), RuleError, "without skip_middle_end_transformations"),
        (lambda: ncc.force_auto_alloc(stacked), RuleError, "cannot have two allocators"),
        (lambda: ncc.force_auto_alloc(plain.function), TypeError, "decorates a kernel, above nki.jit"),
        (lambda: ncc.enable_stack_allocator(log_level="high"), TypeError, "log_level is a level of logging"),
        (lambda: ncc.force_auto_alloc(plain, 3), TypeError, "takes 1 positional arguments but 2 were given"),
    ],
)
def test_decorators_that_do_not_go_together(decorate, error, text):
    with pytest.raises(error, match=text):
        decorate()


def test_a_kernel_inside_of_another_keeps_its_allocator():
    inner = by_hand(lambda a, b, _: put(b, nl.add(nl.add(a, 1.0), 2.0)), ncc.force_auto_alloc)

    @nki.jit
    def outer(x):
        return inner(x)

    np.testing.assert_array_equal(outer(SQUARE), SQUARE + 3)


# Directives.


def test_directives_change_no_value():
    @nki.jit
    def kernel(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        for i in nl.sequential_range(2, directives=ncc.no_reorder()):
            for j in nl.affine_range(2, precise_schedule=True, directives=[ncc.multi_buffer(3), ncc.no_reorder()]):
                with ncc.allocation_scope(), ncc.multi_buffer():
                    rows = nl.ds(64 * i + 32 * j, 32)
                    nl.store(out[rows], nl.add(nl.load(x[rows]), 1.0))
        return out

    np.testing.assert_array_equal(kernel(X), X + 1)


def pipelined(**options):
    """Each iteration loads what the next one stores."""

    @nki.jit
    def kernel(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        tiles = nl.ndarray((5, nl.par_dim(32), 16), x.dtype)
        tiles[0] = nl.load(x[0:32])
        for i in nl.affine_range(3, **options):
            tiles[i + 1] = nl.load(x[nl.ds(32 * i + 32, 32)])
            nl.store(out[nl.ds(32 * i, 32)], tiles[i])
        nl.store(out[96:128], tiles[3])
        return out

    return kernel


@pytest.mark.parametrize("options", [{"precise_schedule": True}, {"directives": [ncc.no_reorder()]}])
def test_a_loop_in_the_order_that_is_written_is_a_pipeline(options):
    np.testing.assert_array_equal(pipelined(**options)(X), X)
    with pytest.raises(RuleError, match="affine_range.no_carried_dep"):
        pipelined()(X)
    with pytest.raises(RuleError, match="affine_range.no_carried_dep"):
        pipelined(directives=ncc.multi_buffer())(X)


@pytest.mark.parametrize(
    "options, text",
    [
        ({"directives": 3}, "directives are what nki.compiler.no_reorder"),
        ({"precise_schedule": 1}, "precise_schedule is True or False, got 1"),
        ({"unroll": 2}, "unexpected keyword argument 'unroll'"),
    ],
)
@pytest.mark.parametrize("loop", [nl.affine_range, nl.sequential_range])
def test_options_of_loops_that_there_are_none_of(loop, options, text):
    with pytest.raises(TypeError, match=text):
        nki.jit(lambda x: [x for _ in loop(2, **options)])(X)


def test_an_error_in_the_block_of_a_directive_comes_out():
    with pytest.raises(KeyError), ncc.no_reorder():
        raise KeyError


# Accumulation into what nothing has written.


@pytest.mark.parametrize("where", ["before", "inside"])
@pytest.mark.parametrize("blocks", [0, 2])
@pytest.mark.parametrize("place", [nl.psum, ncc.psum.mod_alloc(base_bank=2)], ids=["auto", "by hand"])
def test_a_sum_of_products_starts_from_zero(place, blocks, where):
    shape = (*(blocks,) * bool(blocks), nl.par_dim(16), 16)

    @nki.jit
    def kernel(x):
        out = nl.ndarray((max(blocks, 1), 3, 16, 16), dtype=nl.float32, buffer=nl.shared_hbm)
        for i in nl.affine_range(3):
            p = nl.ndarray(shape, nl.float32, buffer=place)
            for b in nl.affine_range(max(blocks, 1)):
                if where == "inside":
                    p = nl.ndarray((nl.par_dim(16), 16), nl.float32, buffer=place)
                block = p[b] if blocks and where == "before" else p
                for _ in nl.affine_range(4):
                    a = nl.load(x)
                    block += nisa.nc_matmul(a, a)
                nl.store(out[b, i], nl.copy(block))
        return out

    kernel = ncc.force_auto_alloc(kernel)
    expected = np.broadcast_to(4 * X.T @ X, (max(blocks, 1), 3, 16, 16))
    np.testing.assert_allclose(kernel(X), expected, rtol=1e-6)


def test_a_second_sum_goes_on_where_the_first_one_ended():
    @nki.jit
    def kernel(x):
        out = nl.ndarray((2, 16, 16), dtype=nl.float32, buffer=nl.shared_hbm)
        a = nl.load(x)
        unused = nl.ndarray((16, 16), nl.float32, buffer=nl.psum)
        product = nisa.nc_matmul(a, a)
        p = nl.ndarray((16, 16), nl.float32, buffer=nl.psum)
        p += product  # made before the tile that it is added to
        for i in nl.sequential_range(2):
            p += nisa.nc_matmul(a, a)
            nl.store(out[i], nl.copy(p))
        unused += nisa.nc_matmul(a, a)
        return out

    product = X.T @ X
    np.testing.assert_allclose(kernel(X), np.stack([2 * product, 3 * product]), rtol=1e-6)


def test_any_other_sum_does_not():
    @nki.jit
    def kernel(x):
        out = nl.ndarray((128, 16), dtype=nl.float32, buffer=nl.shared_hbm)
        p = nl.ndarray((128, 16), nl.float32, buffer=nl.psum)
        p += nl.load(x)
        nl.store(out, nl.copy(p))
        return out

    assert np.isnan(kernel(X)).all()
