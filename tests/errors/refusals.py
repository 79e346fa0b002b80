"""How a test states a broken rule: a kernel that must be flagged, at the line that says so, and a twin that is not."""

import numpy as np
import pytest

from jnki.errors import RuleError

X = np.arange(256 * 8, dtype=np.float32).reshape(256, 8)
ROWS = np.arange(0, 64, 2, dtype=np.int32).reshape(32, 1)


def flagged(kernel, *arrays, rule, message, given, allowed, line="# flagged"):
    """The kernel is refused with exactly this text, at its line that ends with `line`."""
    with pytest.raises(RuleError) as caught:
        kernel(*arrays)
    error = caught.value
    assert error.rule == rule
    text = str(error).splitlines()
    assert text[0] == f"{rule}: {message}"
    assert (error.given, error.allowed) == (given, allowed)
    place = 1
    for label, words in (("given:  ", given), ("allowed:", allowed)):
        if words:
            assert text[place] == f"  {label} {words}"
            place += 1
    assert error.location is not None
    assert text[place] == f"  at {error.location.file}:{error.location.line} in {error.location.function}"
    assert text[place + 1] == f"     {error.location.text}"
    assert error.location.text.endswith(line)
    return error


def accepted(kernel, *arrays):
    """The kernel runs; its outputs come back."""
    return kernel(*arrays)
