"""The fault record: the first fault as numbers, its text and notes, exact beyond 32 bits (C11)."""

import copy
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jnki
from jnki.access.affine import Affine, Symbol
from jnki.memory import Fault, sites
from jnki.memory.fault import FaultDetails
from jnki.memory.loops import MAX_LOOP_DEPTH
from jnki.memory.sites import NO_SITE, Site, intern
from jnki.source import Location

LOOP = Symbol("i", 4)
HERE = Location(__file__, 1, "kernel")


def site(**changes: object) -> Site:
    facts = {
        "instruction": "dma_copy",
        "operand": "src",
        "tensor": "table",
        "axis": 0,
        "axis_size": 128,
        "size": 65536,
        "offset": Affine(),
        "index_step": 512,
        "row_step": 0,
        "signed": True,
    }
    return Site(**{**facts, **changes})  # type: ignore[arg-type]


def record(where: Site, row: int = 0, index: int = 0, *iteration: int) -> Fault:
    padded = [*iteration, *[0] * (MAX_LOOP_DEPTH - len(iteration))]
    return Fault(jnp.int32(intern(where)), jnp.int32(row), jnp.int32(index), jnp.array(padded, jnp.int32))


def raised(fault: Fault) -> IndexError:
    with pytest.raises(IndexError) as caught:
        fault.raise_if_any()
    return caught.value


def test_no_fault_is_no_fault() -> None:
    assert not Fault().occurred and Fault().details() == []
    Fault().raise_if_any()
    assert Fault().site == NO_SITE and Fault().iteration.shape == (MAX_LOOP_DEPTH,)


def test_c11_the_text_is_exact() -> None:
    """C11: example 3 of the mission, row 43 with index 129."""
    error = raised(record(site(location=HERE), 43, 129))
    assert str(error) == "index 66048 is out of bounds for axis 0 with size 65536"
    assert error.args == ("index 66048 is out of bounds for axis 0 with size 65536",)


def test_c11_notes_and_attributes() -> None:
    error = raised(record(site(location=HERE, axis=1, loops=(LOOP,)), 43, 129, 3))
    assert error.__notes__ == [
        "dma_copy: row 43 of 'src' has row index 129, out of bounds for axis 1 of tensor 'table' with size 128",
        f'at {__file__}:1 in kernel\n     """The fault record: the first fault as numbers, its text and notes, exact '
        'beyond 32 bits (C11)."""',
        "in iteration i=3",
    ]
    assert (error.tensor, error.axis, error.axis_size) == ("table", 1, 128)
    assert (error.row_index, error.row, error.location) == (129, 43, HERE)
    assert (error.instruction, error.batch_element) == ("dma_copy", None)


def test_c11_without_a_line_there_is_no_line() -> None:
    assert len(raised(record(site(), 1, -1)).__notes__) == 1


@pytest.mark.parametrize(
    ("changes", "row", "bits", "index", "flat"),
    [
        ({}, 0, -1, -1, -512),
        ({}, 0, -(2**31), -(2**31), -(2**40)),
        ({}, 5, 2**31 - 1, 2**31 - 1, (2**31 - 1) * 512),
        ({"signed": False}, 0, -1, 2**32 - 1, (2**32 - 1) * 512),
        ({"signed": False}, 0, -(2**31), 2**31, 2**40),
        ({"index_step": 2**31 - 1}, 0, 2**31 - 1, 2**31 - 1, (2**31 - 1) ** 2),
        ({"offset": Affine(7), "row_step": 10**10}, 100, 128, 128, 7 + 128 * 512 + 10**12),
        ({"offset": Affine.of(LOOP) * 2**40, "loops": (LOOP,)}, 0, 128, 128, 2 * 2**40 + 65536),
    ],
)
def test_c11_nothing_wraps_at_32_bits(changes: dict, row: int, bits: int, index: int, flat: int) -> None:
    (details,) = record(site(**changes), row, bits, 2).details()
    assert (details.row, details.index, details.flat_index) == (row, index, flat)
    assert str(details.error()) == f"index {flat} is out of bounds for axis 0 with size 65536"


def test_c11_the_size_of_a_huge_tensor() -> None:
    error = raised(record(site(size=4_900_000_000, axis_size=70_000, index_step=70_000), 0, 70_000))
    assert str(error) == "index 4900000000 is out of bounds for axis 0 with size 4900000000"


def test_the_first_fault_stays() -> None:
    first, second = record(site(), 1, 200), record(site(operand="dst"), 2, 300)
    assert first.or_else(second).details() == first.details()
    assert Fault().or_else(second).details() == second.details()
    assert second.or_else(first).details() == second.details()
    assert not Fault().or_else(Fault()).occurred


def test_first_of_a_stack_is_the_earliest() -> None:
    steps = [Fault(), record(site(), 1, 200), Fault(), record(site(), 2, 300)]
    stacked = jax.tree.map(lambda *x: jnp.stack(x), *steps)
    assert stacked.first().details() == steps[1].details()
    assert not jax.tree.map(lambda *x: jnp.stack(x), Fault(), Fault()).first().occurred


def test_c11_a_batch_says_which_case() -> None:
    cases = [Fault(), record(site(), 1, 200), record(site(), 2, 300)]
    batch = jax.tree.map(lambda *x: jnp.stack(x), *cases)
    assert np.asarray(batch.occurred).tolist() == [False, True, True]
    assert [d.case for d in batch.details()] == [(1,), (2,)]
    error = raised(batch)
    assert error.batch_element == (1,) and error.row_index == 200
    assert error.__notes__[-1] == "in batch element 1 (2 faulty in all)"


def test_c11_a_batch_of_batches() -> None:
    nested = jax.tree.map(lambda *x: jnp.stack(x).reshape(1, 2, *x[0].shape), Fault(), record(site(), 2, 300))
    error = raised(nested)
    assert error.batch_element == (0, 1) and error.__notes__[-1] == "in batch element (0, 1) (1 faulty in all)"


def test_records_have_one_structure() -> None:
    """So that they can be carried through scans, whatever happens."""
    one, none = record(site(), 3, 9), Fault()
    assert jax.tree.structure(one) == jax.tree.structure(none)
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(none)):
        assert (a.shape, a.dtype) == (b.shape, b.dtype) and a.dtype == jnp.int32


def test_equal_sites_have_one_number() -> None:
    assert intern(site()) == intern(site()) != intern(site(tensor="other"))


def test_details_are_values() -> None:
    assert record(site(), 1, 2).details() == [FaultDetails(site(), 1, 2, (0,) * MAX_LOOP_DEPTH, ())]


def test_a_record_has_no_truth_value() -> None:
    with pytest.raises(TypeError) as caught:
        bool(Fault())
    assert str(caught.value) == (
        "a Fault is a record, which is there whether or not anything is wrong, and has no truth value: "
        "use fault.occurred (one boolean per case), or fault.raise_if_any()"
    )


def test_a_batch_without_cases_has_no_fault() -> None:
    for shape in ((0,), (3, 0)):
        none = jax.tree.map(lambda x: jnp.broadcast_to(x, (*shape, *x.shape)), Fault())  # noqa: B023
        assert none.details() == [] and none.occurred.shape == shape
        none.raise_if_any()
        assert pickle.loads(pickle.dumps(none)).details() == []


# In another process.


def test_a_pickled_record_takes_its_sites_along(monkeypatch: pytest.MonkeyPatch) -> None:
    batch = jax.tree.map(
        lambda *x: jnp.stack(x).reshape(2, 2, *x[0].shape),
        record(site(location=HERE), 43, 129),
        Fault(),
        record(site(operand="dst", loops=(LOOP,)), 2, -1, 3),
        Fault(),
    )
    sent, expected = pickle.dumps(batch), batch.details()
    monkeypatch.setattr(sites, "_SITES", sites._Interned())
    with pytest.raises(LookupError, match="which no kernel of this process has recorded"):
        batch.details()
    assert pickle.loads(sent).details() == expected
    assert [d.case for d in expected] == [(0, 0), (1, 0)]
    assert jax.tree.structure(pickle.loads(sent)) == jax.tree.structure(Fault())


def test_a_number_that_nobody_recorded_is_refused() -> None:
    bare = Fault(site=jnp.int32(3))
    for ask in (bare.details, bare.raise_if_any):
        with pytest.raises(LookupError) as caught:
            ask()
        assert type(caught.value) is LookupError
        assert str(caught.value).startswith("a fault occurred at site 3, which no kernel of this process has recorded")


def test_numbers_come_from_contents_and_never_collide(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = [intern(site(tensor=f"t{k}")) for k in range(200)]
    assert len(set(numbers)) == 200 and all(0 <= n < NO_SITE for n in numbers)
    monkeypatch.setattr(sites, "_SITES", sites._Interned())
    assert [intern(site(tensor=f"t{k}")) for k in reversed(range(200))] == numbers[::-1]
    monkeypatch.setattr(sites, "_digest", lambda site, attempt: attempt)
    monkeypatch.setattr(sites, "_SITES", sites._Interned())
    assert [intern(site(tensor=name)) for name in "abca"] == [0, 1, 2, 0]
    assert sites.known_site(1) == site(tensor="b")


def test_copies_of_a_record() -> None:
    one = record(site(), 1, 200)
    assert copy.copy(one).details() == copy.deepcopy(one).details() == one.details()
    assert jax.jit(lambda f: copy.deepcopy(f))(one).details() == one.details()


def test_the_exception_survives_pickling_and_copying() -> None:
    error = raised(record(site(location=HERE, loops=(LOOP,)), 43, 129, 3))
    for other in (pickle.loads(pickle.dumps(error)), copy.deepcopy(error)):
        assert type(other) is jnki.FaultError and str(other) == str(error)
        assert vars(other) == vars(error) and len(other.__notes__) == 3


def test_iterations_of_unrolled_loops_stand_among_the_others() -> None:
    outer, inner = Symbol("i0", 4), Symbol("i1", 4)
    where = site(loops=(outer, inner), unrolled=((0, "a", 5), (1, "b", 6), (2, "c", 7)))
    assert raised(record(where, 0, -1, 1, 2)).__notes__[-1] == "in iteration a=5, i0=1, b=6, i1=2, c=7"
    assert raised(record(site(unrolled=((0, "a", 5),)), 0, -1)).__notes__[-1] == "in iteration a=5"
