"""`nki.collectives`: rules that need one device, and kernels on four."""

import pickle

import jax
import numpy as np
import pytest

import jnki.nki as nki
import jnki.nki.collectives as ncc
import jnki.nki.isa as nisa
import jnki.nki.language as nl
from jnki.errors import OutsideKernelError, RuleError
from jnki.nki.errors import NkiValidationError
from tests.isa.collectives.test_collectives import verdicts_of
from tests.nki import collective_kernels as kernels

ALONE = ncc.ReplicaGroup([[0]])
X = np.arange(24, dtype=np.float32).reshape(4, 6)


def test_kernels_on_four_devices():
    verdicts = verdicts_of("tests.nki.collectives_on_devices")
    assert len(verdicts) == 7
    for name, verdict in verdicts.items():
        assert verdict == "ok", f"{name}\n{verdict[-4000:]}"


def recorded(body, target="trn3"):
    """What `body` records of tensors `a`, `b` and `c` in HBM, and `s` and `t` in SBUF."""

    @nki.jit
    def kernel(x):
        tensors = {name: nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.hbm) for name in "ab"}
        tensors |= {name: nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.sbuf) for name in "st"}
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        for tensor in tensors.values():
            nisa.dma_copy(tensor, x)
        nisa.dma_copy(out, x)
        body(out, **tensors)
        return out

    return kernel.over("x").on_target(target).trace(X)


REFUSED = {
    "no list": (
        lambda out, a, **_: ncc.all_reduce(a, [out], kernels.WHOLE, nl.add),
        "all_reduce.lists: all_reduce: 'srcs' is a list of tensors",
        "a list with at least one tensor",
    ),
    "uneven": (
        lambda out, a, b, **_: ncc.all_reduce([a, b], [out], kernels.WHOLE, nl.add),
        "all_reduce.lists: all_reduce: the lists of tensors are not equally long",
        "one tensor in each for each of the others",
    ),
    "several in sbuf": (
        lambda out, s, t, **_: ncc.all_reduce([s, t], [s, t], kernels.WHOLE, nl.add),
        "all_reduce.coalesced: all_reduce: several tensors are exchanged at once only in HBM",
        "all in hbm, or one tensor in each list",
    ),
    "overlap": (
        lambda out, a, b, **_: ncc.all_reduce([a, b], [b, out], kernels.WHOLE, nl.add),
        "all_reduce.overlap: all_reduce: tensors that are exchanged at once share elements",
        "a dst that no other tensor of the call overlaps",
    ),
    "group": (
        lambda out, a, **_: ncc.all_to_all([a], [out], [[0, 1, 2, 3]], 0),
        "all_to_all.replica_group: all_to_all: 'replica_group' is no ReplicaGroup",
        "such as nki.collectives.ReplicaGroup([[0, 1], [2, 3]])",
    ),
    "op": (
        lambda out, a, **_: ncc.all_reduce([a], [out], kernels.WHOLE, nl.multiply),
        "all_reduce.op: all_reduce: no collective combines with this",
        "add, minimum, maximum",
    ),
    "priority": (
        lambda out, a, **_: ncc.all_reduce([a], [out], kernels.WHOLE, nl.add, priority=4),
        "all_reduce.priority: all_reduce: there is no such priority",
        "None, or 0 to 3",
    ),
    "several permuted": (
        lambda out, a, b, **_: ncc.collective_permute([a, a], [b, out], [(0, 1)]),
        "collective_permute.coalesced: collective_permute: a list has too many tensors",
        "exactly one tensor in each list",
    ),
    "pairs": (
        lambda out, a, **_: ncc.collective_permute([a], [out], [(0, 1, 2)]),
        "collective_permute.source_target_pairs: collective_permute: 'source_target_pairs' is a list of pairs of ranks",
        "such as [(0, 1), (1, 0)]",
    ),
    "channel ids": (
        lambda out, a, **_: ncc.collective_permute_implicit([[a]], [[out]], kernels.WHOLE, channel_ids=[1]),
        "collective_permute_implicit.channel_ids: collective_permute_implicit: channels are counted from 0",
        "[0], [0, 1] and so on, at most 4",
    ),
    "channels": (
        lambda out, a, **_: ncc.collective_permute_implicit([[a, a]], [[out]], kernels.WHOLE),
        "collective_permute_implicit.channels: collective_permute_implicit: 'srcs_by_channel' is a list with a list of "
        "one tensor for each channel",
        "exactly one tensor for each channel",
    ),
    "displacements": (
        lambda out, a, **_: ncc.all_gather_v([a], [out], kernels.WHOLE, a, has_rdispls=True),
        "all_gather_v.has_rdispls: all_gather_v: chunks cannot be placed one by one",
        "has_rdispls=False: the chunk of rank r starts at slot r",
    ),
    "lists of ranks": (
        lambda out, a, **_: ncc.ReplicaGroup([[0, 1], [1, 2]]),
        "ReplicaGroup.replica_group: ReplicaGroup: a rank is in a replica group twice",
        "each rank in one list, once",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_breaks_a_rule_is_told(name):
    body, text, allowed = REFUSED[name]
    with pytest.raises(NkiValidationError) as caught:
        recorded(body)
    assert str(caught.value).splitlines()[0] == text
    assert caught.value.allowed == allowed
    assert caught.value.location.file.endswith("test_collectives.py")


def test_an_earlier_target_has_no_priorities():
    call = lambda out, a, **_: ncc.all_reduce([a], [out], kernels.WHOLE, nl.add, priority=1)  # noqa: E731
    assert "all_reduce(" in str(recorded(call))
    with pytest.raises(NkiValidationError, match=r"all_reduce\.priority"):
        recorded(call, "trn2")


def test_the_listing_says_who_exchanges_what():
    """One line for each of several tensors; other parts of what is written may be read in the same call."""
    lists = lambda out, a: ([a[0:2], a[3:4]], [a[0:2], out[0:1]])  # noqa: E731
    program = recorded(lambda out, a, **_: ncc.all_reduce(*lists(out, a), kernels.HALVES, nl.maximum))
    lines = [line.split("  #")[0].strip() for line in str(program).splitlines() if "all_reduce" in line]
    who = "all_reduce(axes=('x',), groups=[[3, 1], [0, 2]]"
    assert lines == [
        f"tensors(0: [6,2] [1,6]) = {who}, src=tensors(0: [6,2] [1,6]), op=maximum)",
        f"out(0: [6,1] [1,6]) = {who}, src=tensors(18: [6,1] [1,6]), op=maximum)",
    ]


def test_channels_are_apart():
    def body(out, s, t, **_):
        ncc.collective_permute_implicit([[s], [t]], [[t], [s]], kernels.WHOLE, channel_ids=[0, 1])

    with pytest.raises(NkiValidationError, match=r"collective_permute_implicit\.overlap"):
        recorded(body)


def test_on_one_device_single_ranks_copy():
    np.testing.assert_array_equal(kernels.total(X, ALONE), 2 * X)
    np.testing.assert_array_equal(jax.vmap(lambda x: kernels.ring_sum(x, 2, ALONE))(np.stack([X, X])), [3 * X] * 2)
    np.testing.assert_array_equal(kernels.total.over("x")(X, ncc.ReplicaGroup([[0], [1]])), 2 * X)
    slope = jax.grad(lambda x: kernels.ring_sum(x, 2, ALONE).sum())(X)
    np.testing.assert_array_equal(slope, np.full(X.shape, 3))


@pytest.mark.parametrize("run", [lambda kernel: kernel, jax.jit, lambda kernel: kernel.with_fault])
def test_without_a_mesh_a_call_says_what_is_missing(run):
    with pytest.raises(NkiValidationError, match=r"allowed: kernel.over\('x'\) inside jax.shard_map"):
        run(kernels.total)(X)
    with pytest.raises(RuleError, match=r"there is no axis 'y' here"):
        run(kernels.total.over("y"))(X)


def test_over_gives_one_kernel_for_each_axis():
    assert kernels.total.over("x") is kernels.total.over("x")
    assert kernels.total.over("x") is not kernels.total.over("y")
    assert kernels.total.over("x").over() is kernels.total
    assert pickle.loads(pickle.dumps(kernels.total.over("x"))) is kernels.total.over("x")
    assert kernels.total.over("x").trace(X) != kernels.total.over("x", "y").trace(X)
    for wrong in ((1,), ("",), ("x", "x"), (("x", "y"),)):
        with pytest.raises(NkiValidationError, match=r"collectives\.axis_name: kernel 'total'"):
            kernels.total.over(*wrong)


def test_a_kernel_inside_another_has_its_axis():
    inner = kernels.total

    @nki.jit
    def outer(x):
        return inner.over("x")(x, kernels.WHOLE)

    assert "axes=('x',)" in str(outer.over("x").trace(X))
    with pytest.raises(NkiValidationError, match=r"kernel\.nested_axes"):
        outer.over("y").trace(X)
    with pytest.raises(NkiValidationError, match=r"kernel\.nested_axes"):
        outer.trace(X)


def test_groups_compare_by_their_lists():
    assert ncc.ReplicaGroup([[0, 1]]) == ncc.ReplicaGroup(((0, 1),))
    assert ncc.ReplicaGroup([[0, 1]]) != ncc.ReplicaGroup([[1, 0]])
    assert hash(ncc.ReplicaGroup([[0, 1]])) == hash(ncc.ReplicaGroup([[0, 1]]))
    assert repr(ncc.ReplicaGroup([[0, 1], [2, 3]])) == "ReplicaGroup([[0, 1], [2, 3]])"
    assert ncc.ReplicaGroup([[0, 1]]).groups == [[0, 1]]


def test_what_is_not_modelled_names_itself():
    with pytest.raises(NotImplementedError, match=r"nki\.collectives\.rank_id"):
        recorded(lambda out, **_: ncc.rank_id())
    with pytest.raises(NotImplementedError, match="current_processing_rank_id"):
        recorded(lambda out, **_: ncc.collective_permute_implicit_current_processing_rank_id(0, kernels.WHOLE))
    with pytest.raises(NotImplementedError, match=r"nki\.collectives\.all_reduce in a kernel on 2 cores"):
        kernels.total.over("x")[2].trace(X)


def test_outside_of_a_kernel_there_is_nothing_to_exchange():
    with pytest.raises(OutsideKernelError):
        ncc.all_reduce([X], [X], ALONE, nl.add)


def test_unknown_arguments_are_told():
    with pytest.raises(TypeError, match="mask"):
        recorded(lambda out, a, **_: ncc.all_reduce([a], [out], kernels.WHOLE, nl.add, mask=None))
