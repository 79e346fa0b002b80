"""The line about what takes long: on a terminal, after a while, and gone at the end."""

import io
import sys
import time
from unittest import mock

from jnki.kernel.progress import FirstCall, progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


def shown(stream, seconds):
    quiet = mock.patch("jnki.kernel.progress.QUIET_SECONDS", 0.05)
    with mock.patch.object(sys, "stderr", stream), quiet, progress(lambda: "kernel f"):
        time.sleep(seconds)
    return stream.getvalue()


def test_a_terminal_shows_it_and_then_does_not():
    text = shown(Terminal(), 0.3)
    assert text.startswith("\rjnki: kernel f, 0 s")
    assert text.endswith("\r" + " " * len("jnki: kernel f, 0 s") + "\r")


def test_what_is_short_shows_nothing():
    assert shown(Terminal(), 0) == ""


def test_anything_else_shows_nothing():
    assert shown(io.StringIO(), 0.3) == ""


def test_the_first_call_of_a_kernel_is_watched():
    calls = []

    def slow(x):
        calls.append(x)
        time.sleep(0.2)
        return x

    watched = FirstCall(slow, "kernel g")
    stream = Terminal()
    with mock.patch.object(sys, "stderr", stream), mock.patch("jnki.kernel.progress.QUIET_SECONDS", 0.05):
        assert watched(1) == 1
        text = stream.getvalue()
        assert watched(2) == 2
    assert text.startswith("\rjnki: kernel g, 0 s")
    assert stream.getvalue() == text
    assert calls == [1, 2]


def test_there_may_be_no_standard_error():
    with mock.patch.object(sys, "stderr", None), progress(lambda: ""):
        pass
