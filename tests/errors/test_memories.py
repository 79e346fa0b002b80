"""Rules about which memory holds what, and how large it may be."""

import numpy as np
import pytest

from jnki.errors import RuleError
from jnki.neuronxcc import nki
from tests.errors.refusals import X, accepted, flagged

nl, nisa = nki.language, nki.isa


def kernel_with(body):
    @nki.jit
    def kernel(x):
        out = nl.ndarray((256, 8), dtype=x.dtype, buffer=nl.shared_hbm)
        nisa.dma_copy(dst=out, src=x)
        body(out, x)
        return out

    return kernel


@pytest.mark.parametrize(
    "body, message, given, allowed",
    [
        (
            lambda out, x: nl.load(nl.zeros((4, 4), nl.float32)),  # flagged
            "operand 'src' of 'load' is in the wrong memory",
            "sbuf tensor 'tile' [4, 4] float32",
            "hbm",
        ),
        (
            lambda out, x: nl.store(nl.load(x[0:4]), nl.load(x[0:4])),  # flagged
            "operand 'dst' of 'store' is in the wrong memory",
            "sbuf tensor 'tile' [4, 8] float32",
            "hbm",
        ),
        (
            lambda out, x: nl.store(out[0:4], x[0:4]),  # flagged
            "operand 'value' of 'store' is in the wrong memory",
            "hbm tensor 'x' [256, 8] float32",
            "sbuf",
        ),
        (
            lambda out, x: nl.copy(x[0:4]),  # flagged
            "nl.copy: tensor 'x' is in the wrong memory",
            "hbm tensor 'x' [256, 8] float32",
            "sbuf | psum; nl.load brings a tensor from hbm to sbuf",
        ),
        (
            lambda out, x: nisa.dma_copy(dst=out[0:4], src=nl.zeros((4, 8), nl.float32, buffer=nl.psum)),  # flagged
            "dma_copy: 'src' is in the wrong memory (dma_copy.memories)",
            "psum tensor 'tile' [4, 8] float32",
            "hbm | sbuf",
        ),
        (
            lambda out, x: nisa.dma_copy(dst=nl.ndarray((4, 8), nl.float32, buffer=nl.psum), src=x[0:4]),  # flagged
            "dma_copy: 'dst' is in the wrong memory (dma_copy.memories)",
            "psum tensor 'tile' [4, 8] float32",
            "hbm | sbuf",
        ),
    ],
)
def test_err_unsupported_memory(body, message, given, allowed):
    flagged(kernel_with(body), X, rule="err_unsupported_memory", message=message, given=given, allowed=allowed)


def test_err_unsupported_memory_has_twins():
    def right(out, x):
        tile = nl.load(x[0:4])
        nl.store(out[0:4], nl.copy(tile))
        nl.store(out[0:4], nl.zeros((4, 8), nl.float32, buffer=nl.psum))
        nisa.dma_copy(dst=tile, src=out[0:4])

    accepted(kernel_with(right), X)


@pytest.mark.parametrize("make", ["zeros", "ones", "full", "zeros_like"])
@pytest.mark.parametrize("region", ["hbm", "private_hbm", "shared_hbm"])
def test_err_hbm_tensor_with_init_value_not_supported(make, region):
    arguments = {"zeros": ((4, 4), nl.float32), "ones": ((4, 4), nl.float32), "full": ((4, 4), 1.0, nl.float32)}

    @nki.jit
    def wrong(x):
        return getattr(nl, make)(*arguments.get(make, (x,)), buffer=getattr(nl, region))  # flagged

    @nki.jit
    def right(x):
        t = nl.ndarray((4, 4), nl.float32, buffer=nl.shared_hbm)
        nl.store(t, value=1.0)
        return t

    flagged(
        wrong,
        X,
        rule="err_hbm_tensor_with_init_value_not_supported",
        message=f"nl.{make} cannot make a tensor with values in {region}",
        given=f"buffer={region}",
        allowed="nl.ndarray in HBM and nl.store of the values",
    )
    assert (accepted(right, X) == 1).all()


@pytest.mark.parametrize(
    "body, message, given",
    [
        (
            lambda out, x: nl.zeros((129, 8), nl.float32),  # flagged
            "a tensor in sbuf spans too many partitions",
            "129 partitions, shape [129, 8]",
        ),
        (
            lambda out, x: nl.ndarray((2, nl.par_dim(256), 8), nl.float32, buffer=nl.psum),  # flagged
            "a tensor in psum spans too many partitions",
            "256 partitions, shape [2, 256, 8]",
        ),
        (
            lambda out, x: nl.load(x),  # flagged
            "dma_copy: 'dst' spans too many partitions",
            "256 partitions ([256, 8] of sbuf tensor 'tile' [256, 8] float32)",
        ),
        (
            lambda out, x: nisa.memset((200, 2), 0, nl.float32),  # flagged
            "memset: 'dst' spans too many partitions",
            "200 partitions ([200, 2] of sbuf tensor 'tile' [200, 2] float32)",
        ),
        (
            lambda out, x: nisa.iota(nl.arange(130)[:, None], nl.int32),  # flagged
            "iota: 'dst' spans too many partitions",
            "130 partitions ([130, 1] of sbuf tensor 'tile' [130, 1] int32)",
        ),
        (
            lambda out, x: nl.broadcast_to(nl.load(x[0:1]), shape=(129, 8)),  # flagged
            "tensor_copy: 'src' spans too many partitions",
            "129 partitions ([129, 8] of sbuf tensor 'tile' [1, 8] float32)",
        ),
    ],
)
def test_err_num_partition_exceed_arch_limit(body, message, given):
    flagged(
        kernel_with(body),
        X,
        rule="err_num_partition_exceed_arch_limit",
        message=message,
        given=given,
        allowed="at most 128 on trn2",
    )


def test_err_num_partition_exceed_arch_limit_has_twins():
    def right(out, x):
        nl.zeros((128, 8), nl.float32)
        nl.ndarray((200, nl.par_dim(128), 8), nl.float32)
        nl.ndarray((1000, 8), nl.float32, buffer=nl.hbm)
        nl.load(x[100:228])
        nisa.dma_copy(dst=out, src=x)

    accepted(kernel_with(right), X)


def test_err_num_partition_mismatch():
    def wrong(out, x):
        tile = nl.zeros((64, 8), nl.float32)
        tile[0:64, 0:1] = nl.load(x[0:32])[:, 0:2].reshape((32, 2))  # flagged

    with pytest.raises(RuleError):
        kernel_with(wrong)(X)

    def adds(out, x):
        return nl.load(x[0:64]) + nl.load(x[0:1])  # flagged

    flagged(
        kernel_with(adds),
        X,
        rule="err_num_partition_mismatch",
        message="Python's operators do not broadcast the partition axis",
        given="[64, 8], [1, 8]",
        allowed="equal sizes of axis 0; nl.add(x, y) broadcasts it",
    )
    accepted(kernel_with(lambda out, x: nl.load(x[0:64]) + nl.load(x[0:1]).broadcast_to((64, 8))), X)


def test_err_size_of_dimension_exceed_arch_limit():
    def psum(columns, dtype):
        def body(out, x):
            nl.ndarray((128, columns), dtype, buffer=nl.psum)  # flagged

        return kernel_with(body)

    flagged(
        psum(513, nl.float32),
        X,
        rule="err_size_of_dimension_exceed_arch_limit",
        message="a tile in psum is larger than a bank (psum_tile_free_limit)",
        given="513 elements of 4 bytes per partition",
        allowed="2048 bytes per partition on trn2",
    )
    flagged(
        psum(1025, nl.bfloat16),
        X,
        rule="err_size_of_dimension_exceed_arch_limit",
        message="a tile in psum is larger than a bank (psum_tile_free_limit)",
        given="1025 elements of 2 bytes per partition",
        allowed="2048 bytes per partition on trn2",
    )
    accepted(psum(512, nl.float32), X)
    accepted(psum(1024, nl.bfloat16), X)
    accepted(kernel_with(lambda out, x: nl.ndarray((8, nl.par_dim(128), 512), nl.float32, buffer=nl.psum)), X)


def test_err_failed_to_infer_tile_from_local_tensor():
    def make(index):
        def body(out, x):
            blocks = nl.zeros((4, nl.par_dim(8), 8), dtype=nl.float32, buffer=nl.sbuf)
            tile = nl.copy(index(blocks))  # flagged
            nl.store(out[0:8], tile)

        return kernel_with(body)

    flagged(
        make(lambda blocks: blocks),
        X,
        rule="err_failed_to_infer_tile_from_local_tensor",
        message="tensor_copy: 'src' is not a tile: its first axis must be the partition axis",
        given="[4, 8, 8] of sbuf tensor 'blocks' [4, 8, 8] float32, whose partition axis is 1",
        allowed="an index on every block axis, such as t[i], so that [P, F...] remains",
    )
    p, f = nl.arange(8)[:, None], nl.arange(8)[None, :]
    for index in (lambda blocks: blocks[2], lambda blocks: blocks[1, :, :], lambda blocks: blocks[3, p, f]):
        assert (accepted(make(index), X)[:8] == 0).all()


@pytest.mark.parametrize("where", ["loop", "helper", "helper in a loop"])
def test_err_shared_hbm_must_in_kernel_level(where):
    def helper():
        return nl.ndarray((4, 8), nl.float32, buffer=nl.shared_hbm)  # flagged

    @nki.jit
    def wrong(x):
        if where == "helper":
            out = helper()
        else:
            for _ in nl.affine_range(2):
                out = helper() if "helper" in where else nl.ndarray((4, 8), nl.float32, buffer=nl.shared_hbm)  # flagged
        return out

    @nki.jit
    def right(x, wanted=True):
        out = nl.ndarray((4, 8), nl.float32, buffer=nl.shared_hbm)
        if wanted:
            more = nl.ndarray((4, 8), nl.float32, buffer=nl.shared_hbm)
            nl.store(more, 0)
        for _ in nl.affine_range(2):
            nl.ndarray((4, 8), nl.float32, buffer=nl.private_hbm)
        nl.store(out, 0)
        return out

    flagged(
        wrong,
        X,
        rule="err_shared_hbm_must_in_kernel_level",
        message="a tensor in shared_hbm can only be made at the top level of the kernel",
        given=f"shape [4, 8] in a {'helper function' if where == 'helper' else 'loop'}",
        allowed="make it in the kernel function, before the loop, and pass it on",
    )
    accepted(right, X)


def test_a_comprehension_of_the_kernel_is_no_helper():
    @nki.jit
    def right(x):
        outs = [nl.ndarray((4, 8), nl.float32, buffer=nl.shared_hbm) for _ in range(2)]
        for number, out in enumerate(outs):
            nl.store(out, number)
        return outs

    assert [out[0, 0] for out in accepted(right, X)] == [0, 1]


def test_err_store_dst_shape_smaller_than_other_shape():
    def assign(wide_to_narrow):
        def body(out, x):
            wide = nl.zeros((128, 8), nl.float32)
            narrow = nl.zeros((128, 1), nl.float32)
            to, value = (narrow, wide) if wide_to_narrow else (wide, narrow)
            to[...] = value  # flagged

        return kernel_with(body)

    flagged(
        assign(True),
        X,
        rule="err_store_dst_shape_smaller_than_other_shape",
        message="illegal shape in assignment to tensor 'narrow'",
        given="destination [128, 1], value [128, 8]",
        allowed="a value of the destination's shape, or one that broadcasts to it",
    )
    accepted(assign(False), X)


def test_a_store_takes_a_tile_or_a_number():
    def wrong(out, x):
        nl.store(out, np.zeros((256, 8)))  # flagged

    flagged(
        kernel_with(wrong),
        X,
        rule="store.value",
        message="store: the value must be a tile or a number",
        given="ndarray",
        allowed="a tile in sbuf, or a number",
    )


def test_operands_are_tensors_of_the_kernel():
    for name, call in (("load", lambda: nl.load(X)), ("store", lambda: nl.store(X, 1)), ("copy", lambda: nl.copy(3))):
        with pytest.raises(RuleError, match=f"'nl.{name}' must be a tensor of the kernel") as caught:
            kernel_with(lambda out, x: call())(X)  # noqa: B023
        assert caught.value.allowed == "a tensor in hbm, sbuf or psum"
