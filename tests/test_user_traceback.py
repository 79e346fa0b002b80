"""Which frames of an uncaught exception are printed."""

import runpy
import sys

import jax
import jax.numpy as jnp
import pytest

from jnki.target import target
from jnki.user_traceback import FULL_TRACEBACK_VARIABLE, excepthook, has_user_frames

HINT = "jnki: frames inside jnki and jax are left out (JNKI_FULL_TRACEBACK=1 shows them)\n"


@pytest.fixture(autouse=True)
def no_environment(monkeypatch):
    monkeypatch.delenv(FULL_TRACEBACK_VARIABLE, raising=False)


@pytest.fixture
def printed(capsys):
    def run(function) -> str:
        try:
            function()
        except BaseException as error:
            excepthook(type(error), error, error.__traceback__)
        else:
            raise AssertionError("nothing was raised")
        return capsys.readouterr().err

    return run


def files(text: str) -> set[str]:
    return {line.split('"')[1] for line in text.splitlines() if line.lstrip(" |").startswith("File ")}


def inside_jnki():
    target("nowhere")


def inside_jax():
    jax.jit(lambda x: jnp.zeros(3) + x)(jnp.zeros(4))


@pytest.mark.parametrize("function", [inside_jnki, inside_jax])
def test_frames_of_jnki_and_jax_are_left_out_and_the_output_says_so(printed, function):
    text = printed(function)
    assert text.startswith(HINT + "Traceback (most recent call last):\n")
    assert files(text) == {__file__}


def test_without_such_frames_nothing_is_said(printed):
    text = printed(lambda: 1 // 0)
    assert files(text) == {__file__}
    assert HINT not in text
    assert text.endswith("ZeroDivisionError: integer division or modulo by zero\n")


@pytest.mark.parametrize(("value", "full"), [("1", True), ("yes", True), ("0", False), ("", False)])
def test_the_variable_shows_all_frames(printed, monkeypatch, value, full):
    monkeypatch.setenv(FULL_TRACEBACK_VARIABLE, value)
    text = printed(inside_jnki)
    assert (len(files(text)) > 1) == full
    assert (HINT not in text) == full


def test_causes_contexts_and_notes_are_printed_with_their_frames_cut(printed):
    def fail():
        try:
            try:
                inside_jnki()
            except ValueError as error:
                error.add_note("the note")
                raise KeyError("context") from error
        except KeyError:
            raise OSError("last")  # noqa: B904

    text = printed(fail)
    parts = [
        "\nthe note\n",
        "direct cause of",
        "KeyError: 'context'",
        "During handling of",
        "OSError: last\n",
    ]
    places = [text.index(part) for part in parts]
    assert places == sorted(places)
    assert files(text) == {__file__}


def test_the_members_of_a_group_are_cut_too(printed):
    def fail():
        try:
            inside_jnki()
        except ValueError as error:
            raise ExceptionGroup("several", [error, TypeError("other")]) from None

    text = printed(fail)
    assert "'nowhere' is not a target" in text
    assert "TypeError: other" in text
    assert files(text) == {__file__}


def test_an_exception_without_frames_of_the_user_is_its_text_alone(capsys):
    with pytest.raises(ValueError) as caught:
        inside_jnki()
    tail = caught.value.__traceback__.tb_next.tb_next
    excepthook(ValueError, caught.value, tail)
    text = capsys.readouterr().err
    assert text.startswith("ValueError: 'nowhere' is not a target\n")


def test_who_raised_tells_a_missing_module_from_one_that_fails_to_import(tmp_path, monkeypatch):
    (tmp_path / "failing_module.py").write_text("import not_there_either\n")
    monkeypatch.syspath_prepend(str(tmp_path))

    def error_of(name: str) -> BaseException:
        with pytest.raises(ImportError) as caught:
            runpy.run_module(name)
        return caught.value.with_traceback(caught.value.__traceback__.tb_next)  # without this test's frame

    assert not has_user_frames(error_of("not_there"))
    assert has_user_frames(error_of("failing_module"))
    assert "failing_module" not in sys.modules
