"""`shard_map` over four devices gives what one device gives: each device runs its share of a batch.

It needs a process of its own, because the number of CPU devices is fixed when JAX starts. Run by hand with

    XLA_FLAGS=--xla_force_host_platform_device_count=4 python -m tests.laws.test_sharding
"""

import os
import pathlib
import subprocess
import sys
from collections.abc import Callable, Sequence

import jax
import numpy as np
from jax.sharding import Mesh, PartitionSpec

from tests.laws.cases import CASES, Case, arrays_of, memory_of
from tests.laws.test_laws import Arrays, assert_same_bits, stack, variant

DEVICES, PER_DEVICE = 4, 2
TOGETHER = 12  # cases in one compilation


def functions_of(case: Case) -> dict[str, Callable[[Arrays], object]]:
    """What is run for one element of the batch: the case, and its reverse pass."""

    def run(arrays: Arrays) -> object:
        memory = case.run(memory_of(arrays))
        return arrays_of(memory), memory.fault

    def pulled(arrays: Arrays) -> object:
        floats = {key: arrays[key] for key in case.floats}

        def function(floats: Arrays) -> object:
            after, _ = run({**arrays, **floats})
            return {key: after[key] for key in case.floats}

        return jax.vjp(function, floats)[1](floats)[0]

    return {"run": run, "pulled": pulled}


def check(cases: Sequence[Case]) -> None:
    """A batch, divided over the devices, against the same batch on one; all cases in one compilation each way."""
    mesh = Mesh(np.array(jax.devices()), ("cores",))
    batches = {
        case.name: stack([{k: variant(case, k, n % 3) for k in case.arrays} for n in range(DEVICES * PER_DEVICE)])
        for case in cases
    }
    functions = {case.name: functions_of(case) for case in cases}

    def everything(batches: dict[str, Arrays]) -> object:
        return {
            name: {way: function(batches[name]) for way, function in ways.items()} for name, ways in functions.items()
        }

    spec = PartitionSpec("cores")
    sharded = jax.shard_map(jax.vmap(everything), mesh=mesh, in_specs=spec, out_specs=spec)
    found = jax.jit(sharded)(batches)
    assert all(len(leaf.sharding.device_set) == DEVICES for leaf in jax.tree.leaves(found))
    expected = jax.device_get(jax.jit(jax.vmap(everything))(batches))
    found = jax.device_get(found)
    for case in cases:
        for way in functions[case.name]:
            try:
                assert_same_bits(found[case.name][way], expected[case.name][way])
            except AssertionError as error:
                error.add_note(f"{case.name}, {way}")
                raise
        print(case.name)


def main() -> None:
    assert jax.device_count() == DEVICES
    for first in range(0, len(CASES), TOGETHER):
        check(CASES[first : first + TOGETHER])


def test_sharding_changes_nothing() -> None:
    root = pathlib.Path(__file__).resolve().parents[2]
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count={DEVICES}"
    environment = {**os.environ, "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(
        [sys.executable, "-m", "tests.laws.test_sharding"], cwd=root, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [case.name for case in CASES]


if __name__ == "__main__":
    main()
