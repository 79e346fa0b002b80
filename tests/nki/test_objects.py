"""`NKIObject`: the initializers of classes that have none, with `@dataclass` and without."""

from dataclasses import FrozenInstanceError, InitVar, dataclass, field
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jnki.nki as nki
import jnki.nki.isa as nisa
import jnki.nki.language as nl

DECORATORS = {"plain": lambda cls: cls, "dataclass": dataclass, "frozen": dataclass(frozen=True)}
each_decorator = pytest.mark.parametrize("decorated", DECORATORS.values(), ids=DECORATORS)


@each_decorator
def test_each_variable_is_a_parameter_annotated_or_not(decorated):
    @decorated
    class Sizes(nl.NKIObject):
        rows: int
        columns: int = 4
        depth = None

        def area(self):
            return self.rows * self.columns

    assert Sizes(2).area() == 8
    assert vars(Sizes(2, 3, 5)) == {"rows": 2, "columns": 3, "depth": 5}
    assert vars(Sizes(depth=1, rows=7)) == {"rows": 7, "columns": 4, "depth": 1}
    assert Sizes().rows is None


@each_decorator
def test_variables_keep_their_order(decorated):
    @decorated
    class Mixed(nl.NKIObject):
        first = 1
        second: int = 2
        third = 3

    assert vars(Mixed(10, 20, 30)) == {"first": 10, "second": 20, "third": 30}


@each_decorator
def test_what_is_derived_has_the_variables_of_its_base_first(decorated):
    @decorated
    class Base(nl.NKIObject):
        a: int = 1
        b: int = 2

    @decorated
    class Derived(Base):
        c: int = 3
        a: int = 4

    assert vars(Derived(b=5)) == {"a": 4, "b": 5, "c": 3}
    assert vars(Derived(7, 8, 9)) == {"a": 7, "b": 8, "c": 9}


@each_decorator
def test_default_factories_make_a_value_for_each_instance(decorated):
    @decorated
    class Holder(nl.NKIObject):
        items: list = field(default_factory=list)
        size: int = field(default=3)

    one, other = Holder(), Holder()
    assert one.items == [] and one.items is not other.items
    assert one.size == 3


@each_decorator
def test_methods_and_what_the_class_keeps_to_itself_are_no_parameters(decorated):
    @decorated
    class Config(nl.NKIObject):
        LIMIT: ClassVar[int] = 8
        size: int = 2

        class Inner:
            pass

        @property
        def twice(self):
            return 2 * self.size

        @staticmethod
        def one():
            return 1

    assert vars(Config(5)) == {"size": 5}
    assert (Config(5).twice, Config.one(), Config.LIMIT) == (10, 1, 8)
    with pytest.raises(TypeError, match="unexpected keyword argument 'LIMIT'"):
        Config(LIMIT=3)


def test_post_init_follows():
    class Sized(nl.NKIObject):
        n: int

        def __post_init__(self):
            self.half = self.n // 2

    assert Sized(8).half == 4


def test_an_initializer_that_is_written_out_stands():
    class Own(nl.NKIObject):
        n: int = 1

        def __init__(self, n):
            self.n = n + 1

    assert Own(1).n == 2
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        Own()


def test_what_only_dataclass_deals_with_is_left_to_it():
    @dataclass
    class Scaled(nl.NKIObject):
        n: int
        by: InitVar[int] = 3
        made: list = field(init=False, default_factory=list)

        def __post_init__(self, by):
            self.n *= by

    assert Scaled(2).n == 6 and Scaled(2, 5).n == 10 and Scaled(2).made == []


def test_wrong_arguments_are_refused():
    class One(nl.NKIObject):
        n: int = 1

    with pytest.raises(TypeError, match=r"One\(\) takes at most 1 positional arguments, got 2"):
        One(1, 2)
    with pytest.raises(TypeError, match="got multiple values for argument 'n'"):
        One(1, n=2)
    with pytest.raises(TypeError, match="unexpected keyword argument 'm'"):
        One(m=2)


def test_the_base_itself_takes_what_it_is_given():
    assert vars(nl.NKIObject(a=1, b=None)) == {"a": 1, "b": None}


def test_a_frozen_one_stays_as_it_was():
    @dataclass(frozen=True)
    class Fixed(nl.NKIObject):
        n: int = 1

    with pytest.raises(FrozenInstanceError):
        Fixed(2).n = 3
    assert Fixed(2) == Fixed(2) and hash(Fixed(2)) == hash(Fixed(2))


@dataclass
class Scale(nl.NKIObject):
    by: float = 2.0
    shifted = False


@nki.jit
def scaled(x, how):
    tile = nl.ndarray(x.shape, x.dtype)
    nisa.dma_copy(tile, x)
    nisa.tensor_scalar(tile, tile, nl.multiply, how.by, op1=nl.add if how.shifted else None, operand1=1.0)
    out = nl.ndarray(x.shape, x.dtype, buffer=nl.shared_hbm)
    nisa.dma_copy(out, tile)
    return out


def test_objects_are_arguments_told_apart_by_their_variables():
    x = np.ones((2, 3), np.float32)
    for how, value in ((Scale(), 2), (Scale(3.0), 3), (Scale(3.0, shifted=True), 4), (Scale(3.0, shifted=False), 3)):
        assert (scaled(x, how) == value).all()


class Weights(nl.NKIObject):
    matrix = None
    scale: Scale = None
    calls: int = 0


@nki.jit
def weighted(x, weights):
    weights.calls += 1
    assert weights.calls == 1
    tile, factor = nl.ndarray(x.shape, x.dtype), nl.ndarray(x.shape, x.dtype)
    nisa.dma_copy(tile, x)
    nisa.dma_copy(factor, weights.matrix)
    nisa.tensor_tensor(tile, tile, factor, nl.multiply)
    nisa.tensor_scalar(tile, tile, nl.multiply, weights.scale.by)
    out = nl.ndarray(x.shape, x.dtype, buffer=nl.shared_hbm)
    nisa.dma_copy(out, tile)
    return out


def test_arrays_in_objects_are_tensors_in_the_kernel_and_the_object_stays_as_it_was():
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    for array in (x + 1, x + 2):
        weights = Weights(array, Scale(3.0))
        np.testing.assert_array_equal(weighted(x, weights), x * array * 3)
        assert weights.matrix is array and weights.calls == 0
    gradient = jax.grad(lambda m: weighted(jnp.asarray(x), Weights(m, Scale(3.0))).sum())(jnp.asarray(x))
    np.testing.assert_array_equal(gradient, 3 * x)
    assert [p.buffer.name for p in weighted.trace(x, Weights(x, Scale())).parameters] == ["x", "weights_matrix"]


@pytest.mark.parametrize("part", [{1, 2}, [{1}]], ids=["a set", "a set in a list"])
def test_what_is_not_hashable_is_named_by_its_attribute(part):
    with pytest.raises(
        TypeError, match=r"static argument 'weights\.matrix(\[0\])?' of kernel 'weighted' must be hashable"
    ):
        weighted(np.ones((2, 3), np.float32), Weights(part))
