"""Running instructions on four devices: each has a memory of its own, and all run the same."""

import contextlib

import jax
import numpy as np
from jax.sharding import AxisType, PartitionSpec

from tests.laws.cases import arrays_of, memory_of

RANKS = 4
WHOLE, REORDERED, HALVES = [[0, 1, 2, 3]], [[2, 0, 3, 1]], [[3, 1], [0, 2]]
ALL_GROUPS = (WHOLE, REORDERED, HALVES)


def mesh_of(names=("x",), sizes=(RANKS,), kind=AxisType.Auto):
    return jax.make_mesh(sizes, names, axis_types=(kind,) * len(names))


def on_ranks(run, stacks, names=("x",), sizes=(RANKS,)):
    """The arrays, and the fault record, after `run` on the memory of each rank; all stacked by rank.

    Args:
        run: from memory to memory.
        stacks: contents by `"space.name"`, with the rank as first axis.
    """
    spec = PartitionSpec(names)

    def body(local):
        memory = run(memory_of({key: array[0] for key, array in local.items()}))
        return jax.tree.map(lambda array: array[None], (arrays_of(memory), memory.fault))

    sharded = jax.shard_map(body, mesh=mesh_of(names, sizes), in_specs=spec, out_specs=spec)
    arrays, fault = jax.jit(sharded)(stacks)
    return jax.tree.map(np.asarray, arrays), fault


def assert_bits(found, wanted, told=""):
    found, wanted = np.asarray(found), np.asarray(wanted)
    assert found.dtype == wanted.dtype and found.shape == wanted.shape, (told, found.dtype, found.shape)
    np.testing.assert_array_equal(found.view(np.uint8), np.ascontiguousarray(wanted).view(np.uint8), err_msg=str(told))


@contextlib.contextmanager
def told(*what):
    try:
        yield
    except Exception as error:
        error.add_note(str(what))
        raise
