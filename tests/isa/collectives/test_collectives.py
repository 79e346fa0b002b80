"""Collectives on four devices, and their rules. XLA decides about CPU devices when a process starts."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import jnki
from jnki import TRN2, DeviceMemory, RuleError, hbm, psum, sbuf
from jnki.isa.collectives.groups import groups_of

ALONE = [[0]]


def verdicts_of(module):
    """What a module that is run on four devices says of each of its parts."""
    root = Path(__file__).parents[3]
    environment = os.environ | {
        "XLA_FLAGS": "--xla_force_host_platform_device_count=4",
        "JAX_PLATFORMS": "cpu",
        "PYTHONPATH": str(root),
    }
    whole = [sys.executable, "-W", "error", "-m", module]
    done = subprocess.run(whole, cwd=root, env=environment, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout)


def test_on_four_devices():
    verdicts = verdicts_of("tests.isa.collectives.on_four_devices")
    assert len(verdicts) == 10
    for name, verdict in verdicts.items():
        assert verdict == "ok", f"{name}\n{verdict[-4000:]}"


def held(**arrays):
    """A memory: tensors whose names begin with `s` are in SBUF, with `p` in PSUM."""
    spaces = {"s": {}, "p": {}, "h": {}}
    for name, array in arrays.items():
        spaces[name[0]][name] = np.zeros(array, np.float32) if isinstance(array, tuple) else array
    return DeviceMemory.of(hbm=spaces["h"], sbuf=spaces["s"], psum=spaces["p"])


MEMORY = held(
    h=(4, 3),
    h2=(8, 3),
    h3=(6, 3),
    h_half=np.zeros((4, 3), np.float16),
    h_bool=np.zeros((4, 3), bool),
    h_rows=np.zeros((4, 1), np.int32),
    s=(4, 3),
    s_wide=(4, 6),
    s3=(4, 3, 1),
    s_rows=np.zeros((4, 1), np.int32),
    p=(4, 3),
    h_m=np.zeros((3, 1), np.uint32),
    h_m4=np.zeros((4, 1), np.uint32),
    h_m2=np.zeros((3, 2), np.uint32),
    s_m=np.zeros((1, 3, 1), np.uint32),
)
H, S = hbm("h"), sbuf("s")
TWO, PAIR = [[0, 1]], {"groups": [[0, 1]], "axis": "x"}


def variable(function, **changes):
    return lambda: function(MEMORY, **{"dst": H, "src": H, "metadata": hbm("h_m"), "groups": ALONE} | changes)


# Who refuses, the rule, what it says is given, and what it allows.
REFUSED = {
    "psum": (
        lambda: jnki.all_reduce(MEMORY, dst=psum("p"), src=psum("p"), groups=ALONE, op="add"),
        "err_unsupported_memory: all_reduce: 'dst' is in the wrong memory",
        "hbm | sbuf",
    ),
    "sbuf": (
        lambda: jnki.all_to_all(MEMORY, dst=S, src=S, groups=ALONE),
        "err_unsupported_memory: all_to_all: 'dst' is in the wrong memory",
        "hbm",
    ),
    "sbuf permute": (
        lambda: jnki.collective_permute(MEMORY, dst=S, src=S, pairs=[(0, 0)]),
        "err_unsupported_memory: collective_permute: 'dst' is in the wrong memory",
        "hbm",
    ),
    "mixed": (
        lambda: jnki.all_reduce(MEMORY, dst=H, src=S, groups=ALONE, op="add"),
        "collectives.mixed_memories: all_reduce: the tensors are in different memories",
        "all in hbm, or all in sbuf",
    ),
    "indirect": (
        lambda: jnki.all_gather(MEMORY, dst=H, src=hbm("h2")[sbuf("s_rows"), :], groups=ALONE),
        "collectives.indirect: all_gather: 'src' has an index that is known only at run time",
        "static indices; nisa.dma_copy gathers and scatters",
    ),
    "types": (
        lambda: jnki.all_reduce(MEMORY, dst=H, src=hbm("h_half"), groups=ALONE, op="add"),
        "all_reduce.dtype: all_reduce: the tensors have different element types",
        "one type for all: a collective casts nothing",
    ),
    "bool": (
        lambda: jnki.all_reduce(MEMORY, dst=hbm("h_bool"), src=hbm("h_bool"), groups=ALONE, op="add"),
        "all_reduce.dtype: all_reduce: 'add' combines numbers",
        "integers or floats",
    ),
    "op": (
        lambda: jnki.reduce_scatter(MEMORY, dst=H, src=H, groups=ALONE, op=np.multiply),
        "reduce_scatter.op: reduce_scatter: no collective combines with this",
        "add, minimum, maximum",
    ),
    "shape": (
        lambda: jnki.all_reduce(MEMORY, dst=hbm("h2"), src=H, groups=ALONE, op="add"),
        "all_reduce.shape: all_reduce: 'dst' does not have the shape that src has",
        "dst [4, 3]",
    ),
    "gathered shape": (
        lambda: jnki.all_gather(MEMORY, dst=H, src=H, **PAIR),
        "all_gather.shape: all_gather: 'dst' does not have the shape that the chunks of all ranks make up",
        "dst [8, 3]",
    ),
    "scattered shape": (
        lambda: jnki.reduce_scatter(MEMORY, dst=H, src=H, op="add", **PAIR),
        "reduce_scatter.shape: reduce_scatter: 'dst' does not have the shape that one chunk of src has",
        "dst [2, 3]",
    ),
    "divided": (
        lambda: jnki.all_to_all(MEMORY, dst=H, src=H, groups=[[0, 1, 2]], axis="x"),
        "all_to_all.shape: all_to_all: dim 0 of 'src' cannot be divided among the ranks of a group",
        "a multiple of 3",
    ),
    "dim in hbm": (
        lambda: jnki.all_gather(MEMORY, dst=H, src=H, dim=1, groups=ALONE),
        "all_gather.collective_dim: all_gather: chunks cannot lie along such a dim",
        "0",
    ),
    "dim in sbuf": (
        lambda: jnki.all_gather(MEMORY, dst=S, src=S, dim=2, groups=ALONE),
        "all_gather.collective_dim: all_gather: chunks cannot lie along such a dim",
        "0 or 1",
    ),
    "scatter dim in sbuf": (
        lambda: jnki.reduce_scatter(MEMORY, dst=S, src=S, dim=1, op="add", groups=ALONE),
        "reduce_scatter.collective_dim: reduce_scatter: chunks cannot lie along such a dim",
        "0",
    ),
    "rank in sbuf": (
        lambda: jnki.all_gather(MEMORY, dst=sbuf("s3"), src=sbuf("s3"), groups=ALONE),
        "all_gather.sbuf_rank: all_gather: in SBUF the tensors have a partition dim and one free dim",
        "[P, F]",
    ),
    "partitions": (
        lambda: jnki.all_gather(
            held(s=(80, 3), s_2=(160, 3)), dst=sbuf("s_2"), src=S, groups=[[0, 1]], axis="x", target=TRN2
        ),
        "err_num_partition_exceed_arch_limit: all_gather: 'dst' spans too many partitions",
        "at most 128 on trn2",
    ),
    "no axis": (
        lambda: jnki.all_reduce(MEMORY, dst=H, src=H, groups=TWO, op="add"),
        "collectives.axis: all_reduce: ranks are devices along an axis of a mesh, and nothing says which axis",
        "kernel.over('x') inside jax.shard_map, or groups of one rank",
    ),
    "no mesh": (
        lambda: jnki.all_reduce(MEMORY, dst=H, src=H, op="add", **PAIR),
        "collectives.axis: all_reduce: there is no axis 'x' here",
        "jax.shard_map(kernel.over('x'), mesh=..., in_specs=..., out_specs=...)",
    ),
    "axis name": (
        lambda: jnki.all_reduce(MEMORY, dst=H, src=H, op="add", groups=TWO, axis=("x", "x")),
        "collectives.axis_name: all_reduce: a mesh axis is given by its name, each axis once",
        "such as 'x', or 'x' and 'y'",
    ),
    "no lists": (
        lambda: groups_of([0, 1], "f"),
        "f.replica_group: f: a replica group is a list of lists of ranks",
        "such as [[0, 1], [2, 3]]",
    ),
    "negative": (
        lambda: groups_of([[0, -1]], "f"),
        "f.replica_group: f: a replica group is a list of lists of ranks",
        "such as [[0, 1], [2, 3]]",
    ),
    "twice": (
        lambda: groups_of([[0, 1], [1, 2]], "f"),
        "f.replica_group: f: a rank is in a replica group twice",
        "each rank in one list, once",
    ),
    "unequal": (
        lambda: groups_of([[0, 1], [2]], "f"),
        "f.replica_group: f: the lists of a replica group are not equally long",
        "equally many ranks in each list",
    ),
    "targets": (
        lambda: jnki.collective_permute(MEMORY, dst=H, src=H, pairs=[(0, 1), (2, 1)], axis="x"),
        "collective_permute.source_target_pairs: collective_permute: a rank sends once, and receives once",
        "at least one pair (source, target), each rank once on each side",
    ),
    "metadata": (
        variable(jnki.all_to_all_v, metadata=hbm("h_m2")),
        "all_to_all_v.metadata_tensor: all_to_all_v: the metadata has another form",
        "uint32 without gaps, [3, 1] or [4, 1]",
    ),
    "gaps": (
        variable(jnki.all_to_all_v, metadata=hbm("h_m2")[:, :1]),
        "all_to_all_v.metadata_tensor: all_to_all_v: the metadata has another form",
        "uint32 without gaps, [3, 1] or [4, 1]",
    ),
    "displacements": (
        variable(jnki.all_to_all_v, has_rdispls=True),
        "all_to_all_v.metadata_tensor: all_to_all_v: the metadata has another form",
        "uint32 without gaps, [4, 1]",
    ),
    "slots": (
        variable(jnki.all_gather_v, metadata=hbm("h_m2"), dst=hbm("h3")[:1], groups=TWO, axis="x"),
        "all_gather_v.shape: all_gather_v: dst has no slot of one size for each rank",
        "a multiple of 2",
    ),
    "rank dst": (
        lambda: jnki.rank_id(MEMORY, dst=H, axis="x"),
        "rank_id.dst: rank_id: a rank is one integer",
        "one element of int32 or uint32",
    ),
    "rank axis": (
        lambda: jnki.rank_id(MEMORY, dst=hbm("h_rows")[:1]),
        "collectives.axis: rank_id: ranks are devices along an axis of a mesh, and nothing says which axis",
        "kernel.over('x') inside jax.shard_map",
    ),
    "steps": (
        lambda: jnki.rank_id(MEMORY, dst=hbm("h_rows")[:1], ring=ALONE, steps=-1),
        "rank_id.iteration_id: rank_id: a ring has made some number of steps",
        "0, 1, ...",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_breaks_a_rule_is_told(name):
    call, text, allowed = REFUSED[name]
    with pytest.raises(RuleError) as caught:
        call()
    assert str(caught.value).splitlines()[0] == text
    assert caught.value.allowed == allowed


def test_single_ranks_copy():
    """Without a mesh, bit for bit; rank 0 is the only one."""
    rng = np.random.default_rng(0)
    bits = rng.integers(0, 1 << 32, (4, 3), dtype=np.uint32).view(np.float32)
    memory = held(h=bits, h_out=(4, 3), s=bits, s_out=(4, 3), h_r=np.full((1, 1), 9, np.int32))
    for function, extra in (
        (jnki.all_reduce, {"op": "maximum"}),
        (jnki.all_gather, {}),
        (jnki.reduce_scatter, {"op": np.add}),
        (jnki.all_to_all, {}),
        (jnki.collective_permute_implicit, {}),
    ):
        for groups in (ALONE, [[0], [1], [2]]):
            after = function(memory, dst=hbm("h_out"), src=H, groups=groups, **extra)
            np.testing.assert_array_equal(after.hbm["h_out"].view(np.uint32), bits.view(np.uint32))
    after = jnki.collective_permute(memory, dst=hbm("h_out"), src=H, pairs=[(0, 0)])
    np.testing.assert_array_equal(after.hbm["h_out"].view(np.uint32), bits.view(np.uint32))
    assert jnki.rank_id(memory, dst=hbm("h_r"), ring=ALONE).hbm["h_r"].tolist() == [[0]]


def test_chunks_of_a_single_rank():
    memory = held(h=np.arange(12.0, dtype=np.float32), h_out=(6,), h_m=np.array([[2], [5], [77]], np.uint32))
    for function in (jnki.all_to_all_v, jnki.all_gather_v):
        after = function(memory, dst=hbm("h_out"), src=H, metadata=hbm("h_m"), groups=ALONE)
        assert after.hbm["h_out"].tolist() == [5, 6, 0, 0, 0, 0]
        assert after.hbm["h_m"].tolist() == [[2], [5], [2]]
        assert not after.fault.occurred
