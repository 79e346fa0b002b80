"""`DeviceMemory`: an immutable pytree of named arrays and one fault record."""

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest

from jnki import DeviceMemory
from jnki.access.buffer import Buffer, Space
from jnki.dtypes import bfloat16, float32, int8, int32, tfloat32, uint8
from jnki.errors import RuleError
from jnki.memory import Fault


def memory() -> DeviceMemory:
    return DeviceMemory.of(
        hbm={"x": np.arange(6, dtype=np.float32).reshape(2, 3)},
        sbuf={"i": np.array([[1]], np.int32)},
        psum={"x": np.ones((1, 2), np.float32)},
    )


def test_arrays_are_read_by_space_and_name() -> None:
    m = memory()
    assert list(m.hbm) == ["x"] and list(m.sbuf) == ["i"] and list(m.psum) == ["x"]
    np.testing.assert_array_equal(m.hbm["x"], [[0, 1, 2], [3, 4, 5]])
    assert isinstance(m.hbm["x"], jax.Array) and not m.fault.occurred
    with pytest.raises(TypeError):
        m.hbm["x"] = m.psum["x"]  # type: ignore[index]


def test_updates_leave_the_old_memory_as_it_was() -> None:
    m = memory()
    x = m.buffer(Space.HBM, "x")
    after = m.set(x, jnp.zeros((2, 3)))
    assert float(m.hbm["x"].sum()) == 15 and float(after.hbm["x"].sum()) == 0
    assert after.psum["x"] is m.psum["x"] and after.fault is m.fault
    gone = m.without({x})
    assert x in m and x not in gone and list(gone.psum) == ["x"]
    reshaped = m.replacing({x: jnp.zeros((7,))})
    assert reshaped.hbm["x"].shape == (7,) and m.hbm["x"].shape == (2, 3)
    assert m.with_fault(Fault(site=jnp.int32(3))).fault.occurred and not m.fault.occurred


def test_buffers_describe_what_is_there() -> None:
    assert memory().buffer(Space.HBM, "x") == Buffer("x", Space.HBM, (2, 3), float32)
    assert memory().buffer(Space.SBUF, "i").dtype == int32
    assert memory().buffer(Space.HBM, "x", tfloat32).dtype == tfloat32


def test_unknown_names() -> None:
    with pytest.raises(RuleError, match=r"memory\.name: hbm holds no tensor 'y'") as caught:
        memory().buffer(Space.HBM, "y")
    assert (caught.value.given, caught.value.allowed) == ("y", "x")
    with pytest.raises(RuleError) as caught:
        DeviceMemory.of().buffer(Space.SBUF, "y")
    assert caught.value.allowed == "none"


@pytest.mark.parametrize("space", ["sbuf", "psum"])
def test_a_tile_has_a_partition_axis(space: str) -> None:
    with pytest.raises(RuleError, match=rf"memory\.rank: a tile in {space} needs a partition axis") as caught:
        DeviceMemory.of(**{space: {"x": np.float32(1)}})
    assert (caught.value.given, caught.value.allowed) == ("tensor 'x' of shape []", "[P, F...]")
    assert DeviceMemory.of(hbm={"x": np.float32(1)}).hbm["x"].shape == ()


def test_an_element_type_that_the_array_does_not_hold() -> None:
    with pytest.raises(RuleError, match=r"memory\.dtype: tensor 'x' in hbm does not hold elements of int8") as caught:
        memory().buffer(Space.HBM, "x", int8)
    assert (caught.value.given, caught.value.allowed) == ("an array of float32", "an array of int8")


@pytest.mark.parametrize("array", [np.zeros(3), np.zeros(3, np.int64), np.zeros(3, complex), [1.0, 2.0], 1.0])
def test_c07_other_element_types_are_refused(array: object) -> None:
    with pytest.raises(TypeError, match="is not an element type of NKI"):
        DeviceMemory.of(hbm={"x": array})


@pytest.mark.parametrize("dtype", [ml_dtypes.float8_e4m3, ml_dtypes.bfloat16, np.bool_, np.uint16])
def test_c07_arrays_keep_their_type(dtype: type) -> None:
    assert DeviceMemory.of(hbm={"x": np.zeros(3, dtype)}).hbm["x"].dtype == np.dtype(dtype)


def test_memory_that_was_never_written_reads_as_a_hostile_pattern() -> None:
    empty = DeviceMemory.of()
    assert np.isnan(empty.get(Buffer("f", Space.SBUF, (2, 2), bfloat16))).all()
    np.testing.assert_array_equal(empty.get(Buffer("u", Space.SBUF, (2,), uint8)), [0xA5, 0xA5])
    assert int(empty.get(Buffer("i", Space.SBUF, (1,), int32))[0]) == -1515870811


def test_a_buffer_of_another_type_is_the_same_bytes() -> None:
    m = memory()
    as_bytes = Buffer("x", Space.HBM, (2, 12), uint8)
    found = m.get(as_bytes)
    np.testing.assert_array_equal(found, np.asarray(m.hbm["x"]).view(np.uint8))
    after = m.set(as_bytes, jnp.zeros((2, 12), jnp.uint8))
    assert after.hbm["x"].dtype == jnp.float32 and not np.asarray(after.hbm["x"]).any()


# As a pytree.


def test_leaves_and_structure() -> None:
    m = memory()
    leaves, structure = jax.tree.flatten(m)
    assert len(leaves) == 3 + 4
    again = jax.tree.unflatten(structure, leaves)
    assert jax.tree.structure(again) == structure and hash(structure) == hash(jax.tree.structure(memory()))
    np.testing.assert_array_equal(again.hbm["x"], m.hbm["x"])
    assert jax.tree.structure(m) != jax.tree.structure(m.without({m.buffer(Space.HBM, "x")}))


def test_order_of_insertion_does_not_matter() -> None:
    one = DeviceMemory.of(hbm={"a": np.zeros(1, np.float32), "b": np.zeros(1, np.float32)})
    two = DeviceMemory.of(hbm={"b": np.zeros(1, np.float32), "a": np.zeros(1, np.float32)})
    assert jax.tree.structure(one) == jax.tree.structure(two)


def test_paths_name_buffers() -> None:
    paths = [jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_leaves_with_path(memory())]
    assert paths == [
        "['hbm.x']",
        "['psum.x']",
        "['sbuf.i']",
        ".fault.site",
        ".fault.row",
        ".fault.index",
        ".fault.iteration",
    ]


def test_it_goes_through_transformations() -> None:
    doubled = jax.jit(lambda m: jax.tree.map(lambda x: x * 2, m))(memory())
    assert isinstance(doubled, DeviceMemory) and float(doubled.hbm["x"].sum()) == 30
    stacked = jax.tree.map(lambda x: jnp.stack([x, x]), memory())
    sums = jax.vmap(lambda m: m.hbm["x"].sum() + m.psum["x"].sum())(stacked)
    assert sums.tolist() == [17.0, 17.0]
    shapes = jax.eval_shape(lambda m: m, memory())
    assert shapes.hbm["x"].shape == (2, 3)


def test_text() -> None:
    assert repr(memory()) == (
        "DeviceMemory(\n  hbm x: (2, 3) float32\n  sbuf i: (1, 1) int32\n  psum x: (1, 2) float32\n)"
    )
