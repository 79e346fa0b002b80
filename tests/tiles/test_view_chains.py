"""Chains of views: each equals, in shape and in elements, what NumPy's view of the same memory is; a subscript of one
equals the same subscript of a fresh tensor of that shape."""

import numpy as np
import pytest

from jnki.access.access import Access
from jnki.access.affine import Symbol
from jnki.access.buffer import Buffer
from jnki.access.index import Index, scalar
from jnki.access.subscript import subscript
from jnki.dtypes import int32
from jnki.errors import RuleError, keeping_errors
from jnki.neuronxcc import nki
from tests.tiles.view_chains import STEPS, Draws, Model, Step, drawn_chain, drawn_model, drawn_reshape, drawn_step

nl, nisa = nki.language, nki.isa

CHAINS = 1000
STORED = 60
ADDRESSES = np.arange(1200)
MEMORY = np.random.default_rng(0).integers(-(2**31), 2**31, 1200, np.int32)


def walked(access: Access, iteration: int = 0) -> np.ndarray:
    """The flat address of every element."""
    assert access.unchecked == () and access.indirect is None
    addresses = np.full(access.shape, access.offset.evaluate(lambda symbol: iteration))
    for d, dim in enumerate(access.dims):
        addresses += (np.arange(dim.count) * dim.step).reshape(-1, *(1,) * (len(access.dims) - d - 1))
    return addresses


def elements(access: Access, iteration: int) -> np.ndarray:
    return MEMORY.view(access.dtype.numpy)[walked(access, iteration)]


def check_reached(rng, tensor, model: Model, told: list[str]) -> None:
    assert (tensor.shape, tensor.access.blocks) == (model.shape, model.blocks or 0), told
    np.testing.assert_array_equal(elements(tensor.access, rng.value), model.array, err_msg=str(told))


def check_subscript_of_a_fresh_tensor(rng, tensor, model: Model, told: list[str]) -> None:
    fresh = Access.whole(Buffer("fresh", tensor.buffer, model.shape, int32, model.blocks or 0))
    step, _ = drawn_step(rng, model, ("basic", "advanced"))
    of_fresh, of_view = subscript(fresh, step.jnki), step.of_tensor(tensor).access
    told = [*told, str(step)]
    assert (of_view.shape, of_view.blocks) == (of_fresh.shape, of_fresh.blocks), told
    wanted = model.array.reshape(-1)[walked(of_fresh, rng.value)]
    np.testing.assert_array_equal(elements(of_view, rng.value), wanted, err_msg=str(told))


def check_reshape_or_refusal(rng, tensor, model: Model, told: list[str]) -> bool:
    """NumPy reshapes without a copy, or there are no steps that walk the elements in that order."""
    reached, is_view = drawn_reshape(rng, model)
    told = [*told, f"reshape{reached.marked}"]
    if is_view:
        check_reached(rng, tensor.reshape(reached.marked), reached, told)
    else:
        with pytest.raises(RuleError, match="reshape within contiguous axes"):
            tensor.reshape(reached.marked)
    return is_view


def is_misaligned(step: Step, tensor, reached: Model) -> bool:
    """Whether a view needs longer elements at places where NumPy can have them and hardware cannot."""
    if step.name != "view" or reached.array.itemsize <= tensor.itemsize:
        return False
    try:
        step.of_tensor(tensor)
    except RuleError as error:
        assert error.rule == "view.divisible"
        return True
    return False


def check_chains(rng: Draws, count: int, on_chip: bool) -> int:
    """Draws and checks `count` chains; how many of the last reshapes were refused."""
    refused = 0
    for number in range(count):
        model = drawn_model(rng, on_chip, MEMORY)
        tensor = nl.ndarray(model.marked, nl.int32, buffer=nl.sbuf if on_chip else nl.hbm, name=f"t{number}")
        told = [str(model.marked)]
        for step, reached in drawn_chain(rng, model, int(rng.integers(1, 6)), (*STEPS, "view")):
            if is_misaligned(step, tensor, reached):
                break
            tensor, model = step.of_tensor(tensor), reached
            told.append(str(step))
            check_reached(rng, tensor, model, told)
        if model.array.size and model.shape:
            check_subscript_of_a_fresh_tensor(rng, tensor, model, told)
            refused += not check_reshape_or_refusal(rng, tensor, model, told)
    return refused


@pytest.mark.parametrize("on_chip", [True, False])
def test_thousands_of_chains(on_chip):
    @nki.jit
    def kernel(x):
        refused = check_chains(Draws(int(on_chip)), CHAINS, on_chip)
        assert CHAINS // 20 < refused < CHAINS // 2
        return x

    kernel.trace(np.zeros((1, 1), np.int32))


@pytest.mark.parametrize("on_chip", [True, False])
def test_hundreds_of_chains_with_the_index_of_a_loop(on_chip):
    @nki.jit
    def kernel(x):
        for i in nl.affine_range(2):
            assert isinstance(i, Index)
            with keeping_errors():  # a refusal that the kernel swallows would have the loop unrolled
                check_chains(Draws([1, on_chip], i, 2), CHAINS // 4, on_chip)
        return x

    kernel.trace(np.zeros((1, 1), np.int32))


X = np.random.default_rng(0).integers(-1000, 1000, 1200).astype(np.int32)


def drawn(rng: Draws, allowed: tuple[str, ...], memory: np.ndarray, count: int = STORED) -> list:
    """Chains on the first elements of `memory`: where each starts, and its steps; every second one on chip."""
    chains: list = []
    while len(chains) < count:
        model = drawn_model(rng, len(chains) % 2 == 0, memory)
        steps = drawn_chain(rng, model, int(rng.integers(2, 5)), allowed)
        if steps[-1][1].array.size:
            chains.append((model, steps))
    return chains


def made(model: Model, x):
    """The tensor that a chain starts from, with the first elements of `x`."""
    source = x[0 : model.array.size].reshape(model.shape)
    if model.blocks is None:
        return source
    tile = nl.ndarray(model.marked, dtype=nl.int32, buffer=nl.sbuf)
    nisa.dma_copy(dst=tile, src=source)
    return tile


def test_what_views_read_is_moved():
    chains = drawn(Draws(1), (*STEPS, "narrower"), X)
    sizes = [steps[-1][1].array.size for _, steps in chains]
    ends = np.cumsum(sizes)

    @nki.jit
    def kernel(x):
        out = nl.ndarray((int(ends[-1]),), dtype=nl.int32, buffer=nl.shared_hbm)
        for (model, steps), size, end in zip(chains, sizes, ends):
            tensor = made(model, x)
            for step, _ in steps:
                tensor = step.of_tensor(tensor)
            nisa.dma_copy(dst=out[int(end - size) : int(end)], src=tensor)
        return out

    found = kernel(X)
    for (_, steps), size, end in zip(chains, sizes, ends):
        told = [str(s) for s, _ in steps]
        np.testing.assert_array_equal(found[end - size : end], steps[-1][1].array.reshape(-1), err_msg=str(told))


def test_what_views_read_is_moved_in_every_iteration_of_a_loop():
    def drawn_with(index):
        rng = Draws(3, index, 2)
        return drawn(rng, (*STEPS, "narrower"), X, STORED // 2), rng.value

    chains, iteration = drawn_with(scalar(Symbol("i", 2)))
    sizes = [steps[-1][1].array.size for _, steps in chains]
    ends = np.cumsum(sizes)

    @nki.jit
    def kernel(x):
        out = nl.ndarray((2, int(ends[-1])), dtype=nl.int32, buffer=nl.shared_hbm)
        for i in nl.affine_range(2):
            assert isinstance(i, Index)
            for (model, steps), size, end in zip(drawn_with(i)[0], sizes, ends):
                tensor = made(model, x)
                for step, _ in steps:
                    tensor = step.of_tensor(tensor)
                nisa.dma_copy(dst=out[i, int(end - size) : int(end)], src=tensor)
        return out

    found = kernel(X)[iteration]
    for (_, steps), size, end in zip(chains, sizes, ends):
        told = [str(s) for s, _ in steps]
        np.testing.assert_array_equal(found[end - size : end], steps[-1][1].array.reshape(-1), err_msg=str(told))


def test_what_is_written_through_views_is_written_there():
    """By assignment where the view is a tile, by a DMA from HBM elsewhere; nothing else changes."""
    chains = drawn(Draws(2), ("basic", "reshape", "expand_dims"), ADDRESSES)
    ends = np.cumsum([model.array.size for model, _ in chains])

    @nki.jit
    def kernel(x):
        out = nl.ndarray((int(ends[-1]),), dtype=nl.int32, buffer=nl.shared_hbm)
        nisa.dma_copy(dst=out, src=x[0:1].broadcast_to((int(ends[-1]),)))
        for (model, steps), end in zip(chains, ends):
            place = out[int(end) - model.array.size : int(end)].reshape(model.shape)
            tensor = place if model.blocks is None else made(model, x)
            view = tensor
            for step, _ in steps:
                view = step.of_tensor(view)
            values = x[1200 - view.size : 1200].reshape(view.shape)
            if view.access.blocks == 0 and model.blocks is not None:
                view[...] = nl.load(values)
            elif model.blocks is None and view.ndim >= 2:
                nl.store(view, nl.load(values))
            else:
                nisa.dma_copy(dst=view, src=values)
            if model.blocks is not None:
                nisa.dma_copy(dst=place, src=tensor)
        return out

    found = kernel(X)
    for (model, steps), end in zip(chains, ends):
        wanted = (X if model.blocks is not None else np.full_like(X, X[0]))[: model.array.size].copy()
        places = steps[-1][1].array.reshape(-1)
        wanted[places] = X[1200 - places.size :]
        told = [str(s) for s, _ in steps]
        np.testing.assert_array_equal(found[end - model.array.size : end], wanted, err_msg=str(told))
