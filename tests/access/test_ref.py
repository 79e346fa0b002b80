"""References by name: static, hashable, and the same access as the subscript that they spell."""

import numpy as np
import pytest

from jnki import hbm, psum, sbuf
from jnki.access.buffer import Buffer, Space
from jnki.access.index import arange
from jnki.access.ref import Ref, resolve
from jnki.access.subscript import DynamicSlice
from jnki.dtypes import ElementType, float32, int32, tfloat32
from jnki.errors import RuleError
from tests.access.walks import addresses, walked

SHAPES = {"x": (4, 6), "i": (4, 1), "s": (1, 1), "v": (9,)}


def lookup(space: Space, name: str, dtype: ElementType | None) -> Buffer:
    return Buffer(name, space, SHAPES[name], dtype or (int32 if name in "is" else float32))


def test_spaces() -> None:
    assert [ref("x").space for ref in (hbm, sbuf, psum)] == [Space.HBM, Space.SBUF, Space.PSUM]
    assert resolve(hbm("x"), lookup).is_whole


def test_a_reference_is_a_value() -> None:
    for make in (
        lambda: hbm("x")[1:3, ::2],
        lambda: hbm("x")[arange(4)[:, None], arange(6)[None, :]],
        lambda: hbm("x")[sbuf("i"), 0:3],
        lambda: hbm("x").ap([[6, 4], [1, 6]], 0, vector_offset=sbuf("i")),
        lambda: hbm("x")[DynamicSlice(1, 2), np.int64(3)],
        lambda: hbm("x", "tfloat32")[..., None],
    ):
        assert make() == make() and hash(make()) == hash(make()) and isinstance(make(), Ref)
    assert hbm("x")[0:2] != hbm("x")[0:3] and hbm("x") != sbuf("x") and hbm("x") != hbm("y")


@pytest.mark.parametrize("key", [(1,), (slice(1, 3), -1), (slice(None, None, 2), slice(1, 4)), (..., 2), (None, 0)])
def test_subscripts_resolve(key: tuple) -> None:
    np.testing.assert_array_equal(walked(resolve(hbm("x")[key], lookup)), addresses(4, 6)[key])


def test_subscripts_chain() -> None:
    found = resolve(hbm("x")[1:4][::2, 1:][1], lookup)
    np.testing.assert_array_equal(walked(found), addresses(4, 6)[1:4][::2, 1:][1])


def test_index_tensors_resolve() -> None:
    found = resolve(hbm("x")[3 - arange(4)[:, None], 2 * arange(3)[None, :]], lookup)
    np.testing.assert_array_equal(walked(found), addresses(4, 6)[::-1, ::2])


def test_another_reference_is_an_indirect_index() -> None:
    found = resolve(hbm("x")[sbuf("i"), :], lookup)
    assert found.indirect is not None and found.indirect.index == resolve(sbuf("i"), lookup)
    assert found == resolve(hbm("x")[sbuf("i")[:, 0:1], :], lookup)


def test_a_pattern_addresses_the_buffer_whatever_the_view() -> None:
    """As the access-pattern page has it: a second pattern replaces the first, and any subscript before it."""
    plain = hbm("x").ap([[6, 2], [1, 3]], 7)
    assert resolve(plain, lookup) == resolve(hbm("x")[1:3].ap([[6, 2], [1, 3]], 7), lookup)
    assert resolve(plain, lookup) == resolve(hbm("x").ap([[1, 2]]).ap([[6, 2], [1, 3]], 7), lookup)
    np.testing.assert_array_equal(walked(resolve(plain[1], lookup)), [13, 14, 15])


def test_offsets_resolve() -> None:
    scalar = resolve(hbm("v").ap([[1, 4]], scalar_offset=sbuf("s")), lookup).indirect
    vector = resolve(hbm("x").ap([[6, 4], [1, 6]], vector_offset=sbuf("i")), lookup).indirect
    assert scalar is not None and not scalar.is_vector and vector is not None and vector.is_vector


def test_an_element_type_that_the_array_cannot_name() -> None:
    assert resolve(hbm("x", "tfloat32"), lookup).dtype == tfloat32
    with pytest.raises(TypeError, match="float64 is not an element type of NKI"):
        hbm("x", np.float64)


def test_rules_of_subscripts_hold() -> None:
    with pytest.raises(RuleError, match=r"index\.rank"):
        resolve(hbm("x")[0, 0, 0], lookup)
