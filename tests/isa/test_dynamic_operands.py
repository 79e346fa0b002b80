"""Operands that start where a register says: each instruction does what it does on a direct operand at that place."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jnki
from jnki import DeviceMemory, FaultError, RuleError, psum, register, sbuf
from tests.harness import bits_of

P, F, W = 4, 12, 4


def at(tensor, place, step=1, width=W):
    """Columns `place`, `place + step`, ... of a tensor of `[4, 12]`, from a number or a register."""
    pattern = [[F, P], [step, width]]
    if isinstance(place, int):
        return tensor.ap(pattern, place)
    return tensor.ap(pattern, 0, scalar_offset=place, indirect_dim=1)


X, Y = sbuf("x"), psum("y")

# Each with a place to read at and one to write at.
INSTRUCTIONS = {
    "memset": lambda m, r, w: jnki.memset(m, dst=at(X, w), value=2.0),
    "tensor_copy": lambda m, r, w: jnki.tensor_copy(m, dst=at(Y, w), src=at(X, r, 2)),
    "dma_copy": lambda m, r, w: jnki.dma_copy(m, dst=at(sbuf("z"), w), src=at(X, r)),
    "tensor_tensor": lambda m, r, w: jnki.tensor_tensor(m, dst=at(X, w), data1=at(X, r), data2=at(Y, w), op="add"),
    "tensor_scalar": lambda m, r, w: jnki.tensor_scalar(
        m, dst=at(Y, w, 2), data=at(X, r), op0="multiply", operand0=at(X, w, width=1)
    ),
    "activation": lambda m, r, w: jnki.activation(m, dst=at(X, w), op="exp", data=at(Y, r), scale=0.5),
    "tensor_reduce": lambda m, r, w: jnki.tensor_reduce(m, dst=at(X, w, width=1), op="add", data=at(Y, r), axes=1),
    "reciprocal": lambda m, r, w: jnki.reciprocal(m, dst=at(X, w), data=at(X, r)),
    "select": lambda m, r, w: jnki.tensor_copy_predicated(m, dst=at(X, w), src=at(Y, r), predicate=sbuf("p")),
    "scan": lambda m, r, w: jnki.tensor_tensor_scan(
        m, dst=at(X, w), data0=at(X, r), data1=at(Y, w), initial=0.5, op0="multiply", op1="add"
    ),
    "nc_matmul": lambda m, r, w: jnki.nc_matmul(
        m, dst=at(psum("y"), w), stationary=at(X, r, width=4), moving=at(X, w), accumulate=True
    ),
    "nc_transpose": lambda m, r, w: jnki.nc_transpose(m, dst=at(psum("y"), w), data=at(X, r)),
    "iota": lambda m, r, w: jnki.iota(m, dst=at(X, w), expr=3 * jnki.arange(4)[:, None] + jnki.arange(4)[None, :]),
    "max8": lambda m, r, w: jnki.max8(m, dst=at(X, w, width=8), src=at(Y, r, width=8)),
}


def start(seed=0):
    rng = np.random.default_rng(seed)
    tensors = {k: rng.uniform(0.5, 2.0, (P, F)).astype(np.float32) for k in "xyz"}
    predicate = rng.integers(0, 2, (P, W)).astype(np.uint8)
    return DeviceMemory.of(sbuf={"x": tensors["x"], "z": tensors["z"], "p": predicate}, psum={"y": tensors["y"]})


def with_registers(memory, r, w):
    arrays = {name: {k: v for (s, k), v in memory.arrays.items() if str(s) == name} for name in ("sbuf", "psum")}
    return DeviceMemory.of(**arrays, registers={"r": r, "w": w})


@pytest.mark.parametrize("name", INSTRUCTIONS)
def test_it_is_the_instruction_at_that_place(name):
    run, before = INSTRUCTIONS[name], start()
    last = 4 if name == "max8" else 5
    places = [(r, w) for r in (0, 3, last) for w in (0, 4)]

    def moved(place):
        return run(with_registers(before, place[0], place[1]), register("r"), register("w"))

    found = jax.jit(jax.vmap(moved))(np.array(places, np.int32))
    assert not found.fault.occurred.any()
    for case, (r, w) in enumerate(places):
        wanted = run(before, r, w)
        for key, array in wanted.arrays.items():
            np.testing.assert_array_equal(bits_of(np.asarray(found.arrays[key][case])), bits_of(np.asarray(array)))


@pytest.mark.parametrize("name", INSTRUCTIONS)
def test_out_of_bounds_it_does_nothing_and_faults(name):
    run, before = INSTRUCTIONS[name], start()
    for place in (F, -1, -(2**31), 2**31 - 1):
        found = run(with_registers(before, 0, place), register("r"), register("w"))
        assert found.fault.occurred
        for key, array in before.arrays.items():
            np.testing.assert_array_equal(np.asarray(found.arrays[key]), np.asarray(array), err_msg=str(key))


def test_the_fault_names_tensor_index_and_bound():
    after = jnki.tensor_copy(with_registers(start(), 9, 0), dst=at(Y, 0), src=at(X, register("r")))
    with pytest.raises(FaultError) as error:
        after.fault.raise_if_any()
    assert str(error.value) == "index 9 is out of bounds for axis 0 with size 48"
    assert error.value.__notes__[0] == (
        "tensor_copy: row 0 of 'src' has row index 9, out of bounds for axis 1 of tensor 'x' with size 12"
    )
    assert (error.value.tensor, error.value.axis, error.value.axis_size, error.value.row_index) == ("x", 1, 12, 9)


def test_an_offset_in_a_tile_is_one_too():
    memory = DeviceMemory.of(
        sbuf={"x": np.arange(48, dtype=np.float32).reshape(4, 12), "i": np.array([[7, 2]], np.uint32)},
        psum={"y": np.zeros((4, 12), np.float32)},
    )
    after = jnki.tensor_copy(memory, dst=at(Y, 0), src=at(X, sbuf("i")[:, 1:2]))
    np.testing.assert_array_equal(after.psum["y"][:, :4], memory.sbuf["x"][:, 2:6])


def test_derivatives_go_to_where_the_elements_came_from():
    def loss(x, place):
        memory = DeviceMemory.of(sbuf={"x": x}, psum={"y": jnp.zeros((P, F))}, registers={"r": place})
        after = jnki.activation(memory, dst=at(Y, 0), op="square", data=at(X, register("r")))
        return after.psum["y"].sum()

    x = np.asarray(start().sbuf["x"])
    grads = jax.vmap(jax.grad(loss), (None, 0))(x, np.array([0, 5, 8, 9], np.int32))
    for grad, place in zip(grads, (0, 5, 8, 9)):
        wanted = np.zeros_like(x)
        if place <= 8:
            wanted[:, place : place + 4] = 2 * x[:, place : place + 4]
        np.testing.assert_allclose(grad, wanted, rtol=1e-6)


def test_partitions_do_not_move():
    memory = with_registers(start(), 0, 0)
    with pytest.raises(RuleError) as error:
        jnki.memset(memory, dst=sbuf("x").ap([[12, 2], [1, 4]], scalar_offset=register("r"), indirect_dim=0), value=0.0)
    assert error.value.rule == "ap.no_partition_select"


def test_a_vector_is_refused():
    memory = DeviceMemory.of(sbuf={"x": np.zeros((4, 12), np.float32), "i": np.zeros((4, 1), np.int32)})
    with pytest.raises(RuleError) as error:
        jnki.memset(memory, dst=sbuf("x")[jnki.arange(4)[:, None], sbuf("i")], value=0.0)
    assert error.value.rule == "err_indirect_indices_are_not_supported_with_nki_api"


def test_a_mask_beside_an_offset_is_not_modelled():
    memory = with_registers(start(), 0, 0)
    with pytest.raises(NotImplementedError, match="a mask on 'memset' with a dynamic offset"):
        jnki.memset(memory, dst=at(X, register("r")), value=0.0, mask=jnki.arange(4)[None, :] < 2)
