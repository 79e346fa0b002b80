"""Which target is the default: the innermost block, else the environment, else TRN2."""

import threading

import pytest

from jnki.default_target import ENVIRONMENT_VARIABLE, default_target, use_target
from jnki.target import INF2, TRN1, TRN2, TRN3


@pytest.fixture(autouse=True)
def no_environment(monkeypatch):
    monkeypatch.delenv(ENVIRONMENT_VARIABLE, raising=False)


def test_without_any_choice_it_is_trn2():
    assert default_target() is TRN2


@pytest.mark.parametrize("spec", [TRN1, "trn1", "TRN1"])
def test_a_block_chooses_by_target_or_by_name(spec):
    with use_target(spec) as chosen:
        assert chosen is default_target() is TRN1
    assert default_target() is TRN2


def test_the_innermost_block_wins_and_each_restores_the_one_around_it():
    with use_target("trn1"):
        with use_target("trn3"):
            assert default_target() is TRN3
        assert default_target() is TRN1


def test_a_block_that_fails_restores_the_default():
    with pytest.raises(ZeroDivisionError), use_target("trn1"):
        raise ZeroDivisionError
    assert default_target() is TRN2


def test_the_environment_is_behind_every_block(monkeypatch):
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, "inf2")
    assert default_target() is INF2
    with use_target("trn3"):
        assert default_target() is TRN3
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, "")
    assert default_target() is TRN2


def test_a_block_is_seen_by_its_own_thread_alone():
    seen = []
    with use_target("trn1"):
        thread = threading.Thread(target=lambda: seen.append(default_target()))
        thread.start()
        thread.join()
    assert seen == [TRN2]


def test_a_name_in_the_environment_that_is_no_target_is_named_with_its_variable(monkeypatch):
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, "trn9")
    with pytest.raises(ValueError, match=r"^JNKI_TARGET: 'trn9' is not a target"):
        default_target()


def test_a_name_that_is_no_target_is_refused_before_the_block():
    entered = []
    with pytest.raises(ValueError, match="'trn9' is not a target"), use_target("trn9"):
        entered.append(True)
    assert entered == []
